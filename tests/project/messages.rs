//! The program's own words: each file in `tests/messages` is what somebody types and what comes back.
//!
//! `MESSAGES=overwrite cargo test --test project messages` writes down what comes back now; read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

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

/// Of a usual home.
#[test]
fn no_message_is_longer_than_two_lines_of_80_columns() {
    const LONGEST: usize = 2 * 80;
    let mut long = Vec::new();
    for (path, text) in files() {
        let text = text
            .replace("[DATA]", "[HOME]/.local/share/git-credential-bitbucket")
            .replace("[HOME]", "/home/ada")
            .replace("[TIME]", "1793000000-12345");
        for step in steps(&text) {
            let lines = step.answer.lines();
            let lines = lines.filter(|line| line.chars().count() > LONGEST);
            long.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// An e-mail stands in the line of its prompt, and so does a name or a date.
#[test]
fn a_prompt_leaves_room_for_its_answer() {
    const LONGEST: usize = 80 - 28;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(&path).unwrap();
            let is_prompt =
                |text: &&str| text.starts_with(char::is_uppercase) && text.ends_with(": ");
            for prompt in code.split('"').filter(is_prompt) {
                assert!(
                    prompt.len() <= LONGEST,
                    "{}: {prompt:?} has {} columns",
                    path.display(),
                    prompt.len()
                );
                count += 1;
            }
        }
    }
    assert!(count > 5, "the prompts are there");
}
