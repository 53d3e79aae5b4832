//! The catalogue of messages: each file in `tests/messages` is a session at the command line.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::harness::{Outcome, TestEnv, run};

/// What is typed, what comes back, and what its reader does.
#[derive(Default)]
pub(crate) struct Step {
    /// The comments above it.
    pub(crate) comments: String,
    pub(crate) typed: String,
    /// With folders masked. The last line has the exit status if that is not 0.
    pub(crate) answer: String,
    /// The lines behind `> `, see `tests/it/hints.rs`.
    pub(crate) follows: Vec<String>,
}

/// The files of the catalogue, in their order, with their texts.
pub(crate) fn files() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    files.into_iter().map(read).collect()
}

pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut comments = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let _ = writeln!(comments, "{line}");
        } else if let Some(typed) = line.strip_prefix("$ ") {
            steps.push(Step {
                comments: std::mem::take(&mut comments),
                typed: typed.to_owned(),
                ..Step::default()
            });
        } else {
            let step = steps.last_mut().expect("a command before it");
            match line.strip_prefix("> ") {
                Some(follow) => step.follows.push(follow.to_owned()),
                None => step.answer.extend([line, "\n"]),
            }
        }
    }
    steps
}

/// A fresh environment for a session.
pub(crate) fn session() -> TestEnv {
    let env = TestEnv::new();
    env.configure_plain();
    env
}

/// Runs a line in a shell; both its streams come on standard output.
pub(crate) fn shell(env: &TestEnv, line: &str, variables: &[(&str, String)]) -> Outcome {
    let mut command = env.command("sh");
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.envs(variables);
    command.args(["-c", &format!("exec 2>&1\n{line}")]);
    run(command, b"")
}

/// What came back, with the exit status.
pub(crate) fn answer(outcome: &Outcome) -> String {
    let mut text = outcome.stdout.clone();
    if outcome.status != 0 {
        let _ = writeln!(text, "? {}", outcome.status);
    }
    text
}

/// The lines of an answer that say what to do.
pub(crate) fn hints(answer: &str) -> Vec<String> {
    // doctor breaks its lines.
    let joined = answer.replace("\n      ", " ");
    let is_hint = |line: &&str| {
        [" hint: ", " fix: ", "'git credential-bitbucket "]
            .iter()
            .any(|sign| line.contains(sign))
    };
    let hints = joined.lines().filter(is_hint);
    let own = |line: &str| line.rsplit(" fix: ").next().unwrap_or(line).to_owned();
    hints.map(own).collect()
}
