//! The program's own words: each file in `tests/messages` is what somebody types and what comes back.
//!
//! `MESSAGES=overwrite cargo test --test project messages` writes down what comes back now; read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::harness::{TestEnv, run};

/// Runs each line behind `$ ` in a shell of a fresh environment, and writes down what came back.
fn transcript(script: &str) -> String {
    let env = TestEnv::new();
    env.configure_plain();
    let mut text = String::new();
    for line in script.lines() {
        let Some(typed) = line.strip_prefix("$ ") else {
            if line.starts_with('#') {
                let _ = writeln!(text, "{line}");
            }
            continue;
        };
        let mut command = env.command("sh");
        command.args(["-c", &format!("exec 2>&1\n{typed}")]);
        let outcome = run(command, b"");
        let _ = write!(text, "{line}\n{}", outcome.stdout);
        if outcome.status != 0 {
            let _ = writeln!(text, "? {}", outcome.status);
        }
    }
    let data = env.data().display().to_string();
    let home = env.home().display().to_string();
    text.replace(&data, "[DATA]").replace(&home, "[HOME]")
}

#[test]
fn each_message_is_as_the_catalogue_has_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let mut differ = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = fs::read_to_string(&path).unwrap();
        let actual = transcript(&expected);
        if std::env::var("MESSAGES").is_ok_and(|wish| wish == "overwrite") {
            fs::write(&path, &actual).unwrap();
        } else if actual != expected {
            differ.push(format!("{}:\n{actual}", path.display()));
        }
        count += 1;
    }
    assert!(count > 10, "the catalogue is there");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn each_error_has_one_line_and_at_most_one_hint() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for answer in text.split("$ ").skip(1) {
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
            assert!(errors <= 1 && hints <= 1, "{}: {answer}", path.display());
            assert!(
                errors == 0 || answer.contains("\n? "),
                "{}: an error has an exit status: {answer}",
                path.display()
            );
            for line in answer
                .lines()
                .filter(|line| line.starts_with("git-credential-bitbucket: "))
            {
                assert!(!line.ends_with('.'), "{}: {line}", path.display());
            }
        }
    }
}
