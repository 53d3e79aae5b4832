//! One finding, and how it reads.

use std::fmt::Write as _;

use serde::Serialize;

use crate::sys::error;

/// What one check found. The names are a contract: `doctor --json` shows them.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) outcome: CheckOutcome,
    pub(super) message: String,
    /// The act that fixes it.
    pub(super) hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckOutcome {
    Pass,
    /// It works, but something could be better, or goes wrong one day.
    Warn,
    /// Something does not work, or a secret lies open.
    Fail,
    /// It could not be looked at, or there is nothing to look at.
    Skip,
}

impl Check {
    pub(super) fn pass(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(id, CheckOutcome::Pass, message, None)
    }

    pub(super) fn warn(
        id: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(id, CheckOutcome::Warn, message, Some(hint.into()))
    }

    pub(super) fn fail(
        id: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(id, CheckOutcome::Fail, message, Some(hint.into()))
    }

    pub(super) fn skip(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(id, CheckOutcome::Skip, message, None)
    }

    /// An error as a finding, with the hint it carries.
    pub(super) fn failed(id: impl Into<String>, error: &anyhow::Error) -> Self {
        let hint = error::hint(error).map(str::to_owned);
        Self::new(id, CheckOutcome::Fail, error::one_line(error), hint)
    }

    fn new(
        id: impl Into<String>,
        outcome: CheckOutcome,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            id: id.into(),
            outcome,
            message: message.into(),
            hint,
        }
    }

    /// As a person reads or hears it, broken for 80 columns: everything is said in words.
    pub(super) fn text(&self) -> String {
        let outcome = match self.outcome {
            CheckOutcome::Pass => "pass",
            CheckOutcome::Warn => "warn",
            CheckOutcome::Fail => "fail",
            CheckOutcome::Skip => "skip",
        };
        let mut text = broken(&format!("{outcome}  {}  {}", self.id, self.message));
        if let Some(hint) = &self.hint {
            text += &broken(&format!("{INDENT}fix: {hint}"));
        }
        text
    }
}

const WIDTH: usize = 80;
/// What stands before the second line of a message.
const INDENT: &str = "      ";

/// The text in lines of at most [`WIDTH`] columns; what stands in quotes, such as a command to copy, stays whole.
fn broken(text: &str) -> String {
    let text = error::printable(text);
    let mut lines = String::new();
    let mut column = 0;
    for word in words(&text) {
        let width = word.chars().count();
        if column > INDENT.len() && column + width > WIDTH {
            lines.truncate(lines.trim_end().len());
            let _ = write!(lines, "\n{INDENT}");
            column = INDENT.len();
        }
        lines.push_str(word);
        column += width;
    }
    lines.truncate(lines.trim_end().len());
    lines.push('\n');
    lines
}

/// The words with the blanks behind them, or before the first one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut is_quoted, mut before) = (0, false, ' ');
    let mut letters = text.char_indices().peekable();
    while let Some((position, letter)) = letters.next() {
        let after = letters.peek().map_or(' ', |(_, letter)| *letter);
        if letter == '\'' {
            is_quoted = if is_quoted {
                after.is_alphanumeric()
            } else {
                matches!(before, ' ' | '(')
            };
        }
        if letter == ' ' && after != ' ' && !is_quoted && position > 0 {
            words.push(&text[start..=position]);
            start = position + 1;
        }
        before = letter;
    }
    words.push(&text[start..]);
    words
}

#[cfg(test)]
mod tests {
    use super::{Check, words};

    #[test]
    fn lines_are_broken_between_words_but_not_within_quotes() {
        assert_eq!(
            words("      a  b 'c d' (e 'f g'), h"),
            ["      ", "a  ", "b ", "'c d' ", "(e ", "'f g'), ", "h"]
        );
        let check = Check::warn(
            "an.id",
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
            "'git config --global a.very.long.key and a value which is not broken although it is too long'",
        );
        assert_eq!(
            check.text(),
            "warn  an.id  one two three four five six seven eight nine ten eleven twelve\n      \
             thirteen fourteen\n      fix:\n      \
             'git config --global a.very.long.key and a value which is not broken although it is too long'\n"
        );
    }

    #[test]
    fn a_finding_cannot_play_with_the_terminal() {
        assert_eq!(
            Check::pass("x", "a\u{1b}[2J\nb").text(),
            "pass  x  a\\u{1b}[2J\\nb\n"
        );
    }
}
