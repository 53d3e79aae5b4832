//! Errors as the user sees them: one message and at most one hint. And how a text becomes fit to be shown.

use std::borrow::Cow;
use std::sync::OnceLock;

use thiserror::Error;

/// Masks the secrets in a text. What a secret looks like is known elsewhere, and said once, at the start.
static MASK: OnceLock<fn(&str) -> String> = OnceLock::new();

/// A message, and a hint that says what to do. Each is printed on a line of its own.
///
/// It is the error itself or the context of another error; [`hint`] finds it at any depth.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct Hinted {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Hinted {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn on_one_line(&self) -> String {
        format!("{}: {}", self.message, self.hint)
    }
}

/// The options contradict each other: exit status 2.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    pub(crate) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        let message = message.into();
        anyhow::Error::from(Self(message.clone())).context(Hinted::new(message, hint))
    }
}

pub(crate) fn hint(error: &anyhow::Error) -> Option<&str> {
    let mut causes = error.chain();
    let hinted = error.downcast_ref::<Hinted>();
    let hinted = hinted.or_else(|| causes.find_map(|cause| cause.downcast_ref()));
    hinted.map(|hinted| hinted.hint.as_str())
}

/// The message and its causes on one line, each after a colon, as git prints its own.
///
/// Control characters, for instance of a file name, are escaped: a message must not control the terminal.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    printable(&causes.join(": "))
}

/// Has [`printable`] mask secrets with this from now on.
pub(crate) fn mask_with(mask: fn(&str) -> String) {
    MASK.get_or_init(|| mask);
}

/// The text as it may be shown. Everything that we print goes through here: messages, tables, JSON, prompts, the trace.
pub(crate) fn printable(text: &str) -> String {
    let masked = MASK.get().map(|mask| mask(text));
    let text = masked.as_deref().unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}

/// Whether a character neither controls the terminal, nor changes the direction of writing, nor hides.
pub(crate) fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// The text as one word for a POSIX shell.
pub(crate) fn shell_quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%:,=".contains(&byte);
    // zsh expands a word that starts with '='.
    if !text.is_empty() && !text.starts_with('=') && text.bytes().all(is_plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::{Hinted, hint, one_line};

    #[test]
    fn a_hint_is_found_below_and_above_other_errors() {
        let below = Err::<(), _>(Hinted::new("the cause", "do this")).context("the outcome");
        assert_eq!(hint(&below.expect_err("an error")), Some("do this"));

        let above = anyhow!("the cause").context(Hinted::new("the outcome", "do that"));
        assert_eq!(hint(&above), Some("do that"));
        assert_eq!(one_line(&above), "the outcome: the cause");
    }

    #[test]
    fn a_message_cannot_play_with_the_terminal() {
        assert_eq!(one_line(&anyhow!("a\u{1b}[2Jb\nc")), "a\\u{1b}[2Jb\\nc");
    }
}
