//! A word that is no command: an operation of a later git, or a slip of the fingers.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::sys::error::{Hinted, Usage};

/// gitcredentials(7): a helper "should silently ignore" an operation it does not know; a person wants to be told.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode> {
    if io::stdin().is_terminal() {
        let word = words
            .first()
            .map(|word| word.to_string_lossy().into_owned())
            .unwrap_or_default();
        let usage = Usage(format!("'{word}' is not a command"));
        let message = usage.to_string();
        return Err(anyhow::Error::from(usage).context(Hinted::new(
            message,
            "'git credential-bitbucket -h' lists the commands",
        )));
    }
    // Whoever writes the request must not see a broken pipe.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(ExitCode::SUCCESS)
}
