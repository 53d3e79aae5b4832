//! One finding, and its text.

use std::io;

use serde::Serialize;

use crate::account::Account;
use crate::cli::output;
use crate::sys::terminal::{Colour, coloured};
use crate::sys::words::words;
use crate::sys::{Hinted, Secret, error};

/// The result of one check. The names are a contract: `doctor --json` shows them.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) outcome: CheckOutcome,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// What Bitbucket can be asked about.
    #[serde(skip)]
    pub(super) asks: Option<Box<(Account, Secret)>>,
}

words! {
    pub(super) enum CheckOutcome {
        Pass = "pass",
        /// It works, but could be better or may fail later.
        Warn = "warn",
        /// Something does not work, or a secret is exposed.
        Fail = "fail",
        /// It could not be checked, or there is nothing to check.
        Skip = "skip",
    }
}

impl Check {
    pub(super) fn pass(id: &str, message: impl Into<String>) -> Self {
        Self::new(id, CheckOutcome::Pass, message, None)
    }

    pub(super) fn warn(id: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(id, CheckOutcome::Warn, message, Some(hint.into()))
    }

    pub(super) fn fail(id: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(id, CheckOutcome::Fail, message, Some(hint.into()))
    }

    pub(super) fn of(id: &str, outcome: CheckOutcome, complaint: Hinted) -> Self {
        Self::new(id, outcome, complaint.message, Some(complaint.hint))
    }

    pub(super) fn skip(id: &str, message: impl Into<String>) -> Self {
        Self::new(id, CheckOutcome::Skip, message, None)
    }

    pub(super) fn failed(id: &str, error: &anyhow::Error) -> Self {
        let hint = error::hint(error).map(str::to_owned);
        Self::new(id, CheckOutcome::Fail, error::one_line(error), hint)
    }

    fn new(
        id: &str,
        outcome: CheckOutcome,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            outcome,
            message: message.into(),
            hint,
            asks: None,
        }
    }

    /// The same finding with this fix, or with none.
    pub(super) fn with(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The text as a terminal shows it.
    pub(super) fn shown(&self) -> String {
        let colour = match self.outcome {
            CheckOutcome::Fail => Some(Colour::Red),
            CheckOutcome::Warn => Some(Colour::Yellow),
            CheckOutcome::Pass | CheckOutcome::Skip => None,
        };
        coloured(&self.text(), self.outcome.as_str(), colour, &io::stdout())
    }

    /// The text for people and screen readers, broken for 80 columns.
    fn text(&self) -> String {
        let mut text = broken(&format!("{}  {}  {}", self.outcome, self.id, self.message));
        if let Some(hint) = &self.hint {
            text += &broken(&format!("{INDENT}fix: {hint}"));
        }
        text
    }
}

/// What was found; if that is nothing, that all is well.
pub(super) fn or_pass(checks: Vec<Check>, id: &str, message: &str) -> Vec<Check> {
    if checks.is_empty() {
        vec![Check::pass(id, message)]
    } else {
        checks
    }
}

/// The last line: how many checks came out how.
pub(super) fn summary(checks: &[Check], shows_all: bool) -> String {
    let of = |outcome| -> Vec<&str> {
        let own = checks.iter().filter(|check| check.outcome == outcome);
        own.map(|check| check.id.as_str()).collect()
    };
    let (fails, warns) = (of(CheckOutcome::Fail).len(), of(CheckOutcome::Warn).len());
    let skipped = of(CheckOutcome::Skip);
    let parts = [
        (fails > 0).then(|| format!("{fails} failed")),
        (warns > 0).then(|| output::plural(warns, "warning", "warnings")),
        (fails + warns == 0).then(|| "nothing is wrong".to_owned()),
        Some(format!("{} passed", of(CheckOutcome::Pass).len())),
        (!skipped.is_empty()).then(|| {
            let names = skipped[..skipped.len().min(3)].join(", ");
            let more = if skipped.len() > 3 { ", …" } else { "" };
            format!("{} skipped ({names}{more})", skipped.len())
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let more = if shows_all {
        ""
    } else {
        "; '--all' lists every check"
    };
    broken(&(parts.join(", ") + more))
}

const WIDTH: usize = 80;
/// The indentation from the second line on.
const INDENT: &str = "      ";

/// Breaks the text into lines of at most [`WIDTH`] columns, but never inside quotes: commands stay whole to copy.
fn broken(text: &str) -> String {
    let text = error::printable(text);
    let mut lines = String::new();
    let mut column = 0;
    for word in words(&text) {
        let width = word.chars().count();
        if word != " " && column > INDENT.len() && column + width > WIDTH {
            lines.truncate(lines.trim_end().len());
            lines.extend(["\n", INDENT]);
            column = INDENT.len();
        }
        lines.push_str(word);
        column += width;
    }
    lines.truncate(lines.trim_end().len());
    lines.push('\n');
    lines
}

/// The words, each with the blank after it; what stands in quotes is one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut before) = (false, ' ');
    text.split_inclusive(move |letter: char| {
        let opens = !is_quoted && letter == '\'' && matches!(before, ' ' | '(');
        // A quote ends a quotation where no letter follows it.
        let is_over = before == '\'' && !letter.is_alphanumeric();
        is_quoted = opens || is_quoted && !is_over;
        before = if opens { ' ' } else { letter };
        letter == ' ' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::{Check, words};

    #[test]
    fn lines_are_broken_between_words_but_not_within_quotes() {
        assert_eq!(
            words("a  b 'c d' (e 'f g'), h").collect::<Vec<_>>(),
            ["a ", " ", "b ", "'c d' ", "(e ", "'f g'), ", "h"]
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
