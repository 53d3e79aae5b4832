//! How the program speaks on standard error: errors with their hint, warnings, and what was done.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::sys::error::{self, Usage};

pub(crate) const PROGRAM: &str = "git-credential-bitbucket";

/// Tells the user what failed, and gives the exit status for it.
pub(crate) fn report(error: &anyhow::Error, hints: bool) -> ExitCode {
    let is_usage = error.chain().any(<dyn std::error::Error>::is::<Usage>);
    let message = if is_usage {
        error.to_string()
    } else {
        error::one_line(error)
    };
    tell(&format!("{PROGRAM}: error: {message}"));
    if let Some(hint) = error::hint(error).filter(|_| hints) {
        tell(&format!("{PROGRAM}: hint: {hint}"));
    }
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Warns of something that did not stop us.
pub(crate) fn warn(message: impl Display) {
    tell(&format!("{PROGRAM}: warning: {message}"));
}

/// Names an act.
pub(crate) fn hint(message: impl Display) {
    tell(&format!("{PROGRAM}: hint: {message}"));
}

/// Says what was done, or what somebody who reads along wants to know.
pub(crate) fn tell(line: &str) {
    // That stderr is closed must not keep us from the work.
    let _ = writeln!(io::stderr(), "{}", error::printable(line));
}
