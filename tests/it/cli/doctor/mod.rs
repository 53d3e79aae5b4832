//! `doctor`: each thing that can be wrong is found, and is not found where it is right; no secret is ever shown.

mod accounts;
mod bypass;
mod chain;
mod explain;
mod live;
mod surroundings;

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::harness::{PROGRAM, TestEnv, write_private};

const HTTPS: &str = "https://bitbucket.org/acme/site.git";

/// The findings without a question to Bitbucket.
pub(crate) fn doctor(env: &TestEnv, arguments: &[&str]) -> (i32, Vec<Value>) {
    asked(env, &[&["--offline"][..], arguments].concat())
}

/// The findings, once as JSON and once as text: both say the same, and neither shows a secret.
fn asked(env: &TestEnv, arguments: &[&str]) -> (i32, Vec<Value>) {
    let run = |more: &[&str]| {
        let outcome = env.program(&[&["doctor"][..], arguments, more].concat(), "");
        assert!(
            !outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"),
            "{outcome:?}"
        );
        assert_eq!(outcome.stderr, "");
        outcome
    };
    let json = run(&["--json"]);
    let report: Value = serde_json::from_str(&json.stdout).expect("JSON on stdout");
    let checks = report["checks"].as_array().expect("checks").clone();
    let has_failed = checks.iter().any(|check| check["outcome"] == "fail");
    assert_eq!(json.status, i32::from(has_failed), "{checks:?}");

    let text = run(&["--all"]);
    assert_eq!(text.status, json.status);
    let heads: Vec<String> = checks
        .iter()
        .map(|check| {
            format!(
                "{}  {}  ",
                text_of(&check["outcome"]),
                text_of(&check["id"])
            )
        })
        .collect();
    let (findings, summary) = text.stdout.split_at(start_of_summary(&text.stdout));
    assert!(summary.contains(" passed"), "{summary}");
    let lines: Vec<&str> = findings.lines().collect();
    let starts: Vec<&&str> = lines.iter().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(starts.len(), heads.len(), "{}", text.stdout);
    for (line, head) in starts.iter().zip(&heads) {
        assert!(line.starts_with(head.trim_end()), "{line}: {head}");
    }
    let hints = checks.iter().filter(|check| !check["hint"].is_null());
    let fixes = lines.iter().filter(|line| line.starts_with("      fix:"));
    assert_eq!(fixes.count(), hints.count(), "{}", text.stdout);
    for line in lines {
        let is_unbroken = line.contains('\'') || line.contains('/');
        assert!(line.chars().count() <= 80 || is_unbroken, "{line}");
    }
    (json.status, checks)
}

/// The summary is the last paragraph that is not indented.
fn start_of_summary(text: &str) -> usize {
    let lines = text.match_indices('\n').map(|(end, _)| end + 1);
    let mut starts =
        lines.filter(|start| !text[*start..].starts_with([' ']) && *start < text.len());
    starts.next_back().unwrap_or_default()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// All findings of this id, as `OUTCOME: MESSAGE; fix: HINT`.
pub(crate) fn found(checks: &[Value], id: &str) -> Vec<String> {
    let own = checks.iter().filter(|check| check["id"] == id);
    own.map(|check| {
        let hint = check["hint"].as_str().map(|hint| format!("; fix: {hint}"));
        format!(
            "{}: {}{}",
            text_of(&check["outcome"]),
            text_of(&check["message"]),
            hint.unwrap_or_default()
        )
    })
    .collect()
}

/// The one finding of this id.
pub(crate) fn finding(env: &TestEnv, id: &str) -> String {
    one(&doctor(env, &[]).1, id)
}

pub(crate) fn one(checks: &[Value], id: &str) -> String {
    let found = found(checks, id);
    assert_eq!(found.len(), 1, "{id}: {checks:#?}");
    found.into_iter().next().unwrap()
}

pub(crate) fn assert_starts(text: &str, start: &str) {
    assert!(text.starts_with(start), "{text}");
}

/// An account as somebody's editor may have left it.
fn edit_accounts(env: &TestEnv, from: &str, to: &str) {
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    write_private(&path, &text.replace(from, to));
}

fn program_at(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    crate::support::harness::write_program(path, &format!("#!/bin/sh\n{script}\n"));
}

/// A PATH on which these folders come before the program's own and the system's.
fn path_with(folders: &[&Path]) -> String {
    let own = Path::new(PROGRAM).parent().unwrap();
    let folders = folders.iter().chain([&own]);
    let mut path: Vec<String> = folders.map(|path| path.display().to_string()).collect();
    path.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(str::to_owned));
    path.join(":")
}

/// git, saying that it is another release.
fn with_git(version: &str) -> TestEnv {
    let mut env = TestEnv::new();
    let folder = env.path().join("old-git");
    program_at(
        &folder.join("git"),
        &format!(
            "[ \"$1\" = version ] && {{ echo 'git version {version}'; exit; }}\nPATH=${{PATH#*:}}\nexec git \"$@\""
        ),
    );
    let path = path_with(&[&folder]);
    env.set("PATH", &path);
    env
}

fn set_up() -> TestEnv {
    let env = TestEnv::new();
    env.set_up();
    env
}

fn config(env: &TestEnv, key: &str, value: &str) {
    env.git_succeeds(&["config", "--global", "--add", key, value]);
}
