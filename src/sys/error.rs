//! Errors as the user sees them: one message and at most one hint.

use std::fmt;

/// A message, and a hint that says what to do. Each is printed on a line of its own.
///
/// It is the error itself or the context of another error; [`hint`] finds it at any depth.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// The options contradict each other: exit status 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    pub(crate) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        let message = message.into();
        anyhow::Error::from(Self(message.clone())).context(Hinted::new(message, hint))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The outermost hint of an error.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&str> {
    error
        .downcast_ref::<Hinted>()
        .or_else(|| error.chain().find_map(|cause| cause.downcast_ref()))
        .map(|hinted| hinted.hint.as_str())
}

/// The message and its causes on one line, each after a colon, as git prints its own.
///
/// Control characters, for instance of a file name, are escaped: a message must not control the terminal.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    printable(&causes.join(": "))
}

/// The text with its control characters escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            // Control characters, and those that change the direction of writing.
            if character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                character.escape_default().collect::<Vec<_>>()
            } else {
                vec![character]
            }
        })
        .collect()
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
