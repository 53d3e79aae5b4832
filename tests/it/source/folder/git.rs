//! Whole stories: real git and git-lfs with what is mounted.

use super::{APP, WANTED, env_with, mount};
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, Outcome, PROGRAM, TestEnv, has,
};
use crate::support::mounted::{mounted, put};
use crate::support::stand_in::{Credential, StandIn};
use crate::support::terminal::Terminal;
use std::fs;

/// A repository that the stand-in shows to whoever has the token, and git set up.
fn story() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    mount(&env, &[]);
    env.set_up();
    (env, stand_in)
}

#[test]
fn git_goes_on_when_the_token_is_rotated_between_two_fetches() {
    let (env, stand_in) = story();
    let old = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    put(&mounted(&env), &[("acme/app", ACCESS_TOKEN)]);
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    let new = ACCESS_TOKEN.replace("0A1B", "9999");
    stand_in.allow(Credential::access_token(&new));
    put(&mounted(&env), &[("acme/app", &new)]);
    old.revoke();
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "--allow-empty", "-m", "x"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    assert_eq!(env.accounts().len(), 0, "nothing is copied");
    assert!(!env.data().join("secrets").exists());
}

#[test]
fn a_refused_secret_does_not_answer_again_until_it_is_another_one() {
    let (env, stand_in) = story();
    put(&mounted(&env), &[("_default", ACCESS_TOKEN)]);
    assert_ne!(env.git(&["ls-remote", APP]).status, 0);
    let answer = |outcome: Outcome| (outcome.status, outcome.stdout);
    assert_eq!(answer(env.program(&["get"], WANTED)), (0, String::new()));
    let asked = stand_in.requests().len();
    assert_ne!(env.git(&["ls-remote", APP]).status, 0);
    let again = &stand_in.requests()[asked..];
    assert!(
        again.iter().all(|request| request.secret().is_none()),
        "it is not sent again"
    );
    stand_in.allow(Credential::api_token(API_TOKEN));
    put(&mounted(&env), &[("_default", API_TOKEN)]);
    env.git_succeeds(&["ls-remote", APP]);
    let kept = fs::read_to_string(env.data().join("refusals.toml")).unwrap();
    assert!(!kept.contains("canary"), "{kept}");
}

#[test]
fn an_app_password_that_is_mounted_is_named_as_retired() {
    let env = env_with(&[
        ("_default/password", APP_PASSWORD),
        ("_default/username", "ada"),
    ]);
    let outcome = env.program(&["doctor", APP], "");
    let words = outcome.stdout.split_whitespace().collect::<Vec<_>>();
    let text = words.join(" ");
    assert!(
        text.contains("is an app password; Bitbucket removed these"),
        "{text}"
    );
}

#[test]
fn the_last_day_of_what_is_mounted_is_told_and_changes_no_answer() {
    let env = env_with(&[
        ("_default/password", API_TOKEN),
        ("_default/expires", "2026-07-01"),
    ]);
    let name = mounted(&env).join("_default").display().to_string();
    let complaint = format!("'{name}' has expired on 2026-07-01");
    let outcome = env.program(&["doctor", APP, "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mut checks = json["checks"].as_array().unwrap().iter();
    let answer = checks.find(|check| check["id"] == "answer").unwrap();
    assert_eq!(answer["outcome"], "warn", "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.ends_with(&complaint), "{message}");
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    fs::write(env.home().join("wanted"), WANTED).unwrap();
    terminal.types("git credential-bitbucket get <wanted; echo status $?");
    let screen = terminal.expect("status 0");
    let screen = screen.replace('\n', "");
    assert!(
        screen.contains(&complaint)
            && screen.contains("replace the secret there")
            && screen.contains(API_TOKEN),
        "{screen}"
    );
}

#[test]
fn submodules_lfs_and_rest_work_with_what_is_mounted() {
    if !has(&["git-lfs", "curl"]) {
        return;
    }
    let (env, stand_in) = story();
    let library = stand_in.repository("acme/library");
    stand_in
        .repository("acme/super")
        .with_submodule("library", &library);
    let other = ACCESS_TOKEN.replace("0A1B", "9999");
    stand_in.allow(Credential::access_token(&other).sees("acme/library"));
    stand_in.allow(
        Credential::api_token(API_TOKEN)
            .sees("acme/super")
            .sees("acme/app"),
    );
    put(
        &mounted(&env),
        &[
            ("acme/library", &other),
            ("_default/password", API_TOKEN),
            ("_default/email", "ada@example.com"),
        ],
    );
    let url = "https://bitbucket.org/acme/super.git";
    env.git_succeeds(&["clone", "--quiet", "--recurse-submodules", url]);
    assert!(env.home().join("super/library/.git").exists());
    env.git_succeeds(&["lfs", "install", "--skip-repo"]);
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
    fs::write(env.home().join("app/large.bin"), [7; 10_000]).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "-m", "large"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    let ca = stand_in.ca_file().display().to_string();
    let rest = "https://api.bitbucket.org/2.0/repositories/acme/app";
    let outcome = env.program(&["curl", "-fsS", "--cacert", &ca, rest], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        stand_in.refused().is_empty() && env.accounts().is_empty(),
        "{PROGRAM}"
    );
}
