//! What git starts by a helper's value: this program, or another one.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::git::program::{Scope, outside_repositories, run};
use crate::sys::{child, variables};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Starts {
    /// This program, and no other that could read along.
    Ours,
    /// The value has our name, but git starts another program by it, or none.
    Namesake,
    Foreign,
}

const NAME: &str = "git-credential-bitbucket";

/// What git starts by a helper's value. Only a value that has our name is started, and none that a repository brings.
pub(super) fn judge(value: &str, scope: Scope) -> Starts {
    if !names_us(value) || may_be_read_along(value) {
        return Starts::Foreign;
    }
    let is_ours = match (scope, named_alone(value)) {
        (Scope::Local, None) => return Starts::Foreign,
        (Scope::Local, Some(program)) => is_this_program(&program),
        _ => starts_us(value),
    };
    if is_ours {
        Starts::Ours
    } else {
        Starts::Namesake
    }
}

/// Whether our name is a word of the value.
pub(super) fn names_us(value: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let mut words = value.split(|letter| !is_part(letter));
    let is_bare = value.split_whitespace().next() == Some("bitbucket");
    is_bare
        || words.any(|word| {
            let word = word.strip_suffix(".exe").unwrap_or(word);
            word == NAME || Some(word) == NAME.strip_prefix("git-")
        })
}

/// Whether another program could read what git and the helper tell each other: through a pipe or a file.
fn may_be_read_along(value: &str) -> bool {
    let value = value.replace("||", "").replace("2>/dev/null", "");
    value.contains(['|', '<', '>'])
}

/// Starts the value as git would, outside of any repository, and sees whether this program answers. Of all operations
/// `capability` alone is without effect by its definition (git-credential(1)).
fn starts_us(value: &str) -> bool {
    /// As long as git may have to wait for an answer of ours.
    const LIMIT: Duration = Duration::from_secs(5);
    // gitcredentials(7), "CUSTOM HELPERS". git starts an alias in the shell in which it starts a helper.
    let command = match value.strip_prefix('!') {
        Some(command) => command.to_owned(),
        None if Path::new(value).is_absolute() => value.to_owned(),
        None => format!("git credential-{value}"),
    };
    let alias = format!("alias.{NAME}-judge=!{command}");
    let git = outside_repositories()
        .env(WHICH, "1")
        // A relative folder of PATH must not be one that a repository brings.
        .args(["-C", "/", "-c", &alias])
        .args([&format!("{NAME}-judge"), "capability"]);
    // Whatever else it prints is wiped unread.
    run(git, b"", LIMIT)
        .is_ok_and(|output| output.is_some_and(|output| *output.answer == *answer(true)))
}

/// Asks `capability` for the path of the program too.
const WHICH: &str = "BITBUCKET_CREDENTIAL_WHICH";

pub(crate) fn capabilities() -> Vec<u8> {
    answer(variables::filled(WHICH).is_some())
}

fn answer(has_path: bool) -> Vec<u8> {
    let mut answer = b"version 0\ncapability authtype\n".to_vec();
    if let (true, Ok(own)) = (has_path, this_program()) {
        // git-credential(1): a line that is not known is ignored.
        answer.extend_from_slice(b"program ");
        answer.extend_from_slice(own.as_os_str().as_encoded_bytes());
        answer.push(b'\n');
    }
    answer
}

pub(crate) fn this_program() -> io::Result<PathBuf> {
    env::current_exe().and_then(dunce::canonicalize)
}

/// Whether a path, or a name on PATH, is this program.
pub(crate) fn is_this_program(program: &Path) -> bool {
    let found = child::found(program).and_then(|path| dunce::canonicalize(path).ok());
    found.is_some_and(|path| this_program().is_ok_and(|own| own == path))
}

/// The program, a path or a name on PATH, of a value that starts one of our name and does nothing else.
pub(crate) fn named_alone(value: &str) -> Option<PathBuf> {
    let command = value.strip_prefix('!');
    let is_shell = command.is_some();
    let words = words(command.unwrap_or(value))?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (program, arguments) = match words.as_slice() {
        ["git", "credential-bitbucket", arguments @ ..] if is_shell => (NAME, arguments),
        ["bitbucket", arguments @ ..] if !is_shell => (NAME, arguments),
        [path, arguments @ ..] => {
            let name = path.rsplit(['/', '\\']).next()?;
            (name.strip_suffix(".exe").unwrap_or(name) == NAME).then_some((*path, arguments))?
        }
        [] => return None,
    };
    matches!(arguments, [] | ["--account", _]).then(|| program.into())
}

/// The words of a shell command; none if a shell would do more than start one program with them.
pub(crate) fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None | Some('"'), '$' | '`')
            | (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '#' | '\n') => return None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next()?),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::{may_be_read_along, named_alone, names_us};

    #[test]
    fn only_our_program_alone_is_ours() {
        for value in [
            "bitbucket",
            "bitbucket --account work",
            "/usr/bin/git-credential-bitbucket",
            "/usr/bin/git-credential-bitbucket --account 'a b'",
            "!'/a b/git-credential-bitbucket'",
            "!git credential-bitbucket",
            "C:/x/git-credential-bitbucket.exe",
            "!git-credential-bitbucket",
        ] {
            assert!(named_alone(value).is_some(), "{value}");
            assert!(names_us(value) && !may_be_read_along(value), "{value}");
        }
        for value in [
            "/opt/evil/git-credential-bitbucket-logger",
            "!tee /tmp/x | git-credential-bitbucket",
            "store",
            "store --file=/x/git-credential-bitbucket",
            "!git-credential-bitbucket | tee x",
            "!bitbucket",
            "bitbucket2",
            "bitbucket --store x",
            "!git-credential-bitbucket; evil",
            "!$X/git-credential-bitbucket",
        ] {
            assert!(named_alone(value).is_none(), "{value}");
        }
        assert!(names_us("!f() { /x/git-credential-bitbucket \"$@\"; }; f"));
        for value in [
            "store",
            "/opt/git-credential-bitbucket-logger",
            "cache bitbucket",
        ] {
            assert!(!names_us(value), "{value}");
        }
        assert!(may_be_read_along("!tee /tmp/x | git-credential-bitbucket"));
        assert!(!may_be_read_along(
            "!git-credential-bitbucket 2>/dev/null || true"
        ));
    }
}
