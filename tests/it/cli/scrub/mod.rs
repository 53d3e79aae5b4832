//! `scrub`: from where secrets lie in the open into the store, with nothing lost on the way.

mod files;
mod generated;
#[cfg(unix)]
mod hostile;
mod interrupted;
mod places;
mod planning;
mod reach;
mod round_trip;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, Outcome, TestEnv};
use std::fs;
use std::path::{Path, PathBuf};

/// An environment whose secrets go into the file store without a look at any keyring.
fn environment() -> TestEnv {
    let env = TestEnv::new();
    use_file_store(&env);
    env
}

fn use_file_store(env: &TestEnv) {
    fs::create_dir_all(env.data()).unwrap();
    fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'file'\n",
    )
    .unwrap();
}

/// A repository with one commit.
fn repository(env: &TestEnv, name: &str) -> PathBuf {
    env.git_succeeds(&["init", "-q", name]);
    let path = env.home().join(name);
    fs::write(path.join("README"), "hello\n").unwrap();
    env.git_succeeds(&["-C", name, "add", "."]);
    env.git_succeeds(&["-C", name, "commit", "-qm", "first"]);
    path
}

fn set(env: &TestEnv, repository: &str, key: &str, value: &str) {
    env.git_succeeds(&["-C", repository, "config", "--add", key, value]);
}

fn value(env: &TestEnv, repository: &str, key: &str) -> String {
    let outcome = env.git(&["-C", repository, "config", "--get-all", key]);
    outcome.stdout.trim_end().to_owned()
}

/// A remote URL of the workspace `acme` that holds the access token.
fn url(repository: &str) -> String {
    format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/{repository}.git")
}

/// Scrubs, and fails the test with its words when it fails.
fn scrub(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let outcome = env.program(&[&["scrub"], arguments].concat(), "");
    assert_eq!(outcome.status, 0, "{arguments:?}: {outcome:?}");
    assert_silent(&outcome);
    outcome
}

fn assert_silent(outcome: &Outcome) {
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!text.contains("canary"), "{text}");
}

/// The rows of `--json`, each as `file key line url account action`.
fn rows(env: &TestEnv, arguments: &[&str]) -> Vec<String> {
    let outcome = env.program(&[&["scrub", "--json"], arguments].concat(), "");
    assert_silent(&outcome);
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let keys = ["file", "key", "line", "url", "account", "action"];
    let rows = json["found"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| {
            assert_eq!(row.as_object().unwrap().len(), keys.len(), "{row}");
            let cells = keys.map(|key| match &row[key] {
                serde_json::Value::String(text) => {
                    text.replace(&format!("{}/", env.home().display()), "")
                }
                other => other.to_string(),
            });
            cells.join(" ")
        });
    rows.collect()
}

/// The files below a folder that hold a canary, but for those of committed objects.
fn files_with_canaries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() || path.ends_with("objects") {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with_canaries(&path));
        } else if fs::read(&path)
            .unwrap()
            .windows(6)
            .any(|part| part == b"canary")
        {
            found.push(path);
        }
    }
    found
}

/// The secret of an account.
fn token(env: &TestEnv, name: &str) -> String {
    let outcome = env.program(&["token", name], "");
    assert_eq!(outcome.status, 0, "{name}: {outcome:?}");
    outcome.stdout.trim_end().to_owned()
}

/// The secrets of all accounts, sorted.
fn stored(env: &TestEnv) -> Vec<String> {
    let accounts = env.accounts();
    let names = accounts
        .iter()
        .map(|account| account["name"].as_str().unwrap());
    let mut secrets: Vec<String> = names.map(|name| token(env, name)).collect();
    secrets.sort();
    secrets
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let env = environment();
    let path = repository(&env, "app");
    set(&env, "app", "remote.origin.url", &url("app"));
    let config = fs::read(path.join(".git/config")).unwrap();
    assert_eq!(
        rows(&env, &["app", "--dry-run"]),
        [
            "app/.git/config remote.origin.url 7 https://x-token-auth@bitbucket.org/acme/app.git acme-app would-move"
        ]
    );
    let outcome = scrub(&env, &["app", "--dry-run"]);
    assert!(
        outcome.stderr.contains("1 secret would move"),
        "{outcome:?}"
    );
    assert_eq!(fs::read(path.join(".git/config")).unwrap(), config);
    assert!(env.accounts().is_empty());
    assert!(!env.data().join("secrets").exists());
}

#[test]
fn outside_a_repository_it_says_what_to_name() {
    let env = environment();
    let outcome = env.program(&["scrub"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("error: there is no git repository here")
    );
    assert!(outcome.stderr.contains("hint: name a folder"));
    let outcome = env.program(&["scrub", "nowhere"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("'nowhere' is not a folder"),
        "{outcome:?}"
    );
    let nothing = scrub(&env, &["."]);
    assert_eq!(nothing.stderr, "No secret for Bitbucket found\n");
}

#[test]
fn of_many_repositories_only_those_with_secrets_are_named() {
    let env = environment();
    for name in ["clean", "open", "also-clean"] {
        repository(&env, name);
    }
    let nothing = scrub(&env, &["."]);
    let all = "Searched 3 repositories\nNo secret for Bitbucket found\n";
    assert_eq!(nothing.stderr, all);
    set(&env, "open", "remote.origin.url", &url("open"));
    let outcome = scrub(&env, &["."]);
    let said = "Searched 3 repositories\n";
    assert!(outcome.stderr.starts_with(said), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("clean"), "{outcome:?}");
}

#[test]
fn afterwards_it_says_where_to_revoke_and_who_does_not_ask_us_yet() {
    let env = environment();
    repository(&env, "app");
    set(&env, "app", "remote.origin.url", &url("app"));
    set(
        &env,
        "app",
        "remote.hub.url",
        "https://u:other-canary@github.com/acme/app.git",
    );
    let outcome = scrub(&env, &["app"]);
    for line in [
        "1 secret for other hosts, left alone",
        "Moved 1 secret into the store: 'acme-app'",
        "Revoke the secrets that were in plain text, and sign in with new ones: https://bitbucket.org/acme/app/admin/access-tokens",
        "warning: bitbucket.org: git does not ask this helper\n",
        "hint: 'git credential-bitbucket setup'\n",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {outcome:?}");
    }
    assert_eq!(
        value(&env, "app", "remote.hub.url"),
        "https://u:other-canary@github.com/acme/app.git"
    );
    assert_eq!(token(&env, "acme-app"), ACCESS_TOKEN);
    assert_eq!(scrub(&env, &["app"]).stdout, "", "there is nothing left");
}

#[test]
fn an_api_token_keeps_the_email_it_stood_with() {
    let env = environment();
    repository(&env, "app");
    let url = format!("https://ada%40example.com:{API_TOKEN}@bitbucket.org/acme/app.git");
    set(&env, "app", "remote.origin.url", &url);
    scrub(&env, &["app"]);
    let account = &env.accounts()[0];
    assert_eq!(account["kind"], "api-token");
    assert_eq!(account["email"], "ada@example.com");
    assert_eq!(account["for"][0], "acme");
    assert_eq!(
        value(&env, "app", "remote.origin.url"),
        "https://ada%40example.com@bitbucket.org/acme/app.git"
    );
}
