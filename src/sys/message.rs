//! Messages on standard error: errors with their hint, warnings, and reports.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use crate::sys::error;
use crate::sys::error::Usage;
use crate::sys::terminal::{Colour, coloured, waiting};

pub(crate) const PROGRAM: &str = "git-credential-bitbucket";

/// Prints an error with its hint, and returns the exit status.
pub(crate) fn report(error: &anyhow::Error, hints: bool) -> ExitCode {
    let is_usage = error.chain().any(<dyn std::error::Error>::is::<Usage>);
    let message = if is_usage {
        error.to_string()
    } else {
        error::one_line(error)
    };
    say("error:", Colour::Red, message);
    if let Some(text) = error::hint(error).filter(|_| hints) {
        hint(text);
    }
    ExitCode::from(if is_usage { 2 } else { 1 })
}

pub(crate) fn warn(message: impl Display) {
    say("warning:", Colour::Yellow, message);
}

/// Prints an error that is no failure here, with its hint.
pub(crate) fn warn_of(error: &anyhow::Error) {
    warn(error::one_line(error));
    error::hint(error).into_iter().for_each(hint);
}

pub(crate) fn hint(message: impl Display) {
    tell(&format!("{PROGRAM}: hint: {message}"));
}

fn say(word: &str, colour: Colour, message: impl Display) {
    let line = error::printable(&format!("{PROGRAM}: {word} {message}"));
    let line = coloured(&line, word, Some(colour), &io::stderr());
    waiting::print((line + "\n").as_bytes(), None);
}

pub(crate) fn tell(line: &str) {
    waiting::print((error::printable(line) + "\n").as_bytes(), None);
}
