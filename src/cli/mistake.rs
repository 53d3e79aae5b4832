//! Mistakes in a command line, told without the typed values: one of them may be a secret.

use std::error::Error as _;
use std::iter;

use anyhow::Result;
use clap::Arg;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::bitbucket;
use crate::sys::message::PROGRAM;
use crate::sys::{Hinted, Usage};

/// A secret typed as an argument is already in the shell's history and the process list; keep it out of messages and
/// account names.
pub(super) fn refuse_secrets_in(mut words: impl Iterator<Item = String>) -> Result<()> {
    let marks = ['=', ':', '/', '@'];
    if words.any(|word| word.split(marks).any(bitbucket::looks_like_a_secret)) {
        let message = "a secret is never an argument";
        let hint = "revoke it, it is in the shell's history; 'git credential-bitbucket login' asks for the new one";
        return Err(Usage::hinted(message, hint));
    }
    Ok(())
}

/// `command` is the one that was typed, else the program.
pub(super) fn mistake(error: &clap::Error, command: &clap::Command) -> anyhow::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg).unwrap_or_default();
    if let Some(hinted) = error.source().and_then(|it| it.downcast_ref::<Hinted>()) {
        return Usage::hinted(hinted.to_string(), &hinted.hint);
    }
    // Only the option of `--kind <KIND>` or `--token=SECRET`.
    let option = option.split(['=', ' ']).next().unwrap_or_default();
    let option = option.trim_matches(['<', '>', '[', ']', '.']);
    let is_option = option.starts_with("--") || option.len() == 2 && option.starts_with('-');
    let is_given = text(ContextKind::InvalidValue).is_some_and(|value| !value.is_empty());
    let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument if is_option => format!("there is no option '{option}'"),
        ErrorKind::UnknownArgument => "unexpected argument".to_owned(),
        ErrorKind::InvalidSubcommand => format!("'{word}' is not a command"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => match text(ContextKind::ValidValue)
        {
            Some(values) if !values.is_empty() => format!("'{option}' has to be one of {values}"),
            _ if !is_given => format!("'{option}' needs a value"),
            _ => format!("the value of '{option}' is {}", fault(option, error)),
        },
        ErrorKind::MissingRequiredArgument => format!("'{option}' is missing"),
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            format!("'{option}' cannot be used with '{other}'")
        }
        _ => "the command line cannot be understood".to_owned(),
    };
    let options = command.get_opts().filter_map(Arg::get_long);
    let verbs = command.get_subcommands().filter(|it| !it.is_hide_set());
    let verbs = verbs.map(clap::Command::get_name);
    let near = match error.kind() {
        ErrorKind::UnknownArgument => nearest(option, options.map(|it| format!("--{it}"))),
        ErrorKind::InvalidSubcommand => nearest(&word, verbs.map(str::to_owned))
            .map(|verb| format!("git credential-bitbucket {verb}")),
        _ => None,
    };
    let hint = match (near, command.get_name()) {
        (Some(near), _) => format!("did you mean '{near}'?"),
        (_, PROGRAM) => "'git credential-bitbucket -h' lists the commands".to_owned(),
        (_, name) => format!("'git credential-bitbucket {name} -h' lists its options"),
    };
    Usage::hinted(message, hint)
}

fn fault(option: &str, error: &clap::Error) -> String {
    match (option, error.source()) {
        ("--expires", _) => "not a date such as 2027-01-31".to_owned(),
        ("--port", _) => "not a number from 1 to 65535".to_owned(),
        (_, Some(reason)) => reason.to_string(),
        (_, None) => "invalid".to_owned(),
    }
}

/// `--account` before a command on which it has no effect.
pub(super) fn needs_a_url() -> anyhow::Error {
    Usage::hinted(
        "'--account' goes with 'curl', and with 'token' or 'doctor' and a URL",
        "leave '--account NAME' out, or write a URL behind 'token' or 'doctor'",
    )
}

/// What may have been meant by a mistyped word.
fn nearest(typed: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let distances = known.map(|word| (distance(typed, &word), word));
    let (distance, word) = distances.min()?;
    (distance <= 2).then_some(word)
}

/// How many letters lie between the same start and the same end.
fn distance(typed: &str, word: &str) -> usize {
    let (typed, word) = (typed.as_bytes(), word.as_bytes());
    let same = iter::zip(typed, word).take_while(|(letter, other)| letter == other);
    let start = same.count();
    let ends = iter::zip(typed[start..].iter().rev(), word[start..].iter().rev());
    let end = ends.take_while(|(letter, other)| letter == other).count();
    typed.len().max(word.len()) - start - end
}
