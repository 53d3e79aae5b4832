//! A word that is no command: an operation of a newer git, or a typing mistake.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::sys::error::Usage;

/// gitcredentials(7): a helper "should silently ignore" an unknown operation, which is one word. Anything else is for a
/// person. `commands` are all that there are.
pub(super) fn run(words: &[OsString], commands: &[&str]) -> Result<ExitCode> {
    if let ([_], false) = (words, io::stdin().is_terminal()) {
        // Read the request to its end: the writer must not get a broken pipe.
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(ExitCode::SUCCESS);
    }
    let word = words.first().map(|word| word.to_string_lossy());
    let word = word.unwrap_or_default();
    let hint = match nearest(&word, commands) {
        Some(command) => format!("did you mean 'git credential-bitbucket {command}'?"),
        None => "'git credential-bitbucket -h' lists the commands".to_owned(),
    };
    Err(Usage::hinted(format!("'{word}' is not a command"), hint))
}

/// What may have been meant by a mistyped word.
pub(super) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|word| (distance(typed, word), *word));
    let (distance, word) = distances.min()?;
    (distance <= 2).then_some(word)
}

/// How many letters have to be typed anew, left out or put in (Levenshtein).
fn distance(typed: &str, command: &str) -> usize {
    let mut row: Vec<usize> = (0..=command.len()).collect();
    for (number, letter) in typed.bytes().enumerate() {
        let mut before = number;
        row[0] = number + 1;
        for (column, other) in command.bytes().enumerate() {
            let replaced = before + usize::from(letter != other);
            before = row[column + 1];
            row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
        }
    }
    row[command.len()]
}
