//! A word that is no command: an operation of a newer git, or a typing mistake.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::sys::error::Usage;

/// gitcredentials(7): a helper "should silently ignore" an unknown operation; a person gets an error.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode> {
    if io::stdin().is_terminal() {
        let word = words
            .first()
            .map(|word| word.to_string_lossy().into_owned())
            .unwrap_or_default();
        return Err(Usage::hinted(
            format!("'{word}' is not a command"),
            "'git credential-bitbucket -h' lists the commands",
        ));
    }
    // Read the request to its end: the writer must not get a broken pipe.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(ExitCode::SUCCESS)
}
