//! The program's own words: each file in `tests/messages` is what somebody types and what comes back.
//!
//! `MESSAGES=overwrite cargo test --test project messages` writes down what comes back now; read the difference.

use std::fmt::Write as _;
use std::fs;

use crate::support::catalogue::{answer, files, hints, session, shell, steps};

/// Runs each line behind `$ ` in a shell of a fresh environment, and writes down what came back.
fn transcript(script: &str) -> String {
    let env = session();
    let mut text = String::new();
    for step in steps(script) {
        let answer = answer(&shell(&env, &step.typed, &[]));
        let _ = write!(text, "{}$ {}\n{answer}", step.comments, step.typed);
        for follow in &step.follows {
            let _ = writeln!(text, "> {follow}");
        }
    }
    let data = env.data().display().to_string();
    let home = env.home().display().to_string();
    text.replace(&data, "[DATA]").replace(&home, "[HOME]")
}

#[test]
fn each_message_is_as_the_catalogue_has_it() {
    let mut differ = Vec::new();
    let files = files();
    assert!(files.len() > 10, "the catalogue is there");
    for (path, expected) in files {
        let actual = transcript(&expected);
        if std::env::var("MESSAGES").is_ok_and(|wish| wish == "overwrite") {
            fs::write(&path, &actual).unwrap();
        } else if actual != expected {
            differ.push(format!("{}:\n{actual}", path.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn each_error_has_one_line_and_at_most_one_hint() {
    for (path, text) in files() {
        let path = path.display();
        for answer in steps(&text).into_iter().map(|step| step.answer) {
            let count = |start: &str| {
                answer
                    .lines()
                    .filter(|line| line.starts_with(start))
                    .count()
            };
            let (errors, hints) = (
                count("git-credential-bitbucket: error: "),
                count("git-credential-bitbucket: hint: "),
            );
            assert!(errors <= 1 && hints <= 1, "{path}: {answer}");
            assert!(
                errors == 0 || answer.contains("\n? "),
                "{path}: an error has an exit status: {answer}"
            );
            for line in answer
                .lines()
                .filter(|line| line.starts_with("git-credential-bitbucket: "))
            {
                assert!(!line.ends_with('.'), "{path}: {line}");
            }
        }
    }
}

#[test]
fn behind_each_hint_of_the_catalogue_stands_who_follows_it() {
    let verbs = ["mends: ", "signs in: ", "works: ", "passes: ", "act: "];
    for (path, text) in files() {
        for step in steps(&text) {
            let then = |line: &&String| !line.starts_with("then: ");
            let follows: Vec<&String> = step.follows.iter().filter(then).collect();
            let is_known = |line: &&String| verbs.iter().any(|verb| line.starts_with(verb));
            let (hints, answers) = (hints(&step.answer).len(), follows.len());
            assert!(
                hints <= answers && (hints > 0 || answers == 0) && follows.iter().all(is_known),
                "{}: behind '$ {}' stand {hints} hints and {answers} lines such as '> mends: {{hint}}': \
                 tests/it/hints.rs says how to write them",
                path.display(),
                step.typed
            );
        }
    }
}
