//! Messages on standard error: errors with their hint, warnings, and reports.

use std::fmt::Display;
use std::process::ExitCode;

use crate::sys::error;
use crate::sys::error::Usage;
use crate::sys::terminal::waiting;

pub(crate) const PROGRAM: &str = "git-credential-bitbucket";

/// Prints an error with its hint, and returns the exit status.
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

pub(crate) fn warn(message: impl Display) {
    tell(&format!("{PROGRAM}: warning: {message}"));
}

pub(crate) fn hint(message: impl Display) {
    tell(&format!("{PROGRAM}: hint: {message}"));
}

pub(crate) fn tell(line: &str) {
    waiting::print((error::printable(line) + "\n").as_bytes(), None);
}
