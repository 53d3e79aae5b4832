//! A variable beside accounts that fit as well: it comes first, and hides nothing that works.

use std::fs;

use super::choice::{ADA, BOB, READ, asked, choices, get, pair, wanted};
use crate::cli::doctor::{doctor, one};
use crate::support::harness::{STATIC, TestEnv, reply};
use crate::support::stand_in::{Credential, StandIn};

fn world() -> (TestEnv, StandIn) {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.repository("acme/hers");
    stand_in.allow(Credential::api_token(ADA));
    stand_in.allow(Credential::api_token(BOB).sees("acme/app"));
    env.login(ADA, &["ada"]);
    env.set("BITBUCKET_API_TOKEN", BOB);
    (env, stand_in)
}

#[test]
fn a_variable_comes_first_where_it_can_do_as_much_and_is_known_again() {
    let (mut env, stand_in) = world();
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    assert_eq!(get(&env, "acme/hers"), pair(ADA));
    let number = asked(&stand_in);
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    assert_eq!(get(&env, "acme/hers"), pair(ADA));
    assert_eq!(asked(&stand_in), number, "it is remembered");
    assert!(!choices(&env).contains("canary"), "{}", choices(&env));
    env.program(&["setup"], "");
    let (_, checks) = doctor(&env, &["https://bitbucket.org/acme/hers.git"]);
    assert!(
        one(&checks, "answer").contains("'ada' answers"),
        "{checks:?}"
    );
    assert_eq!(
        one(&checks, "environment"),
        "skip: BITBUCKET_API_TOKEN fits, but cannot read this repository"
    );
    // Without a path nobody is asked, and it comes first.
    assert_eq!(env.get_cloud(""), pair(BOB));
    // Another value is another secret.
    let other = "ATATT3xFfGF0canary-other";
    stand_in.allow(Credential::api_token(other));
    env.set("BITBUCKET_API_TOKEN", other);
    assert_eq!(get(&env, "acme/hers"), pair(other));
}

#[test]
fn a_variable_that_can_only_read_leaves_the_answer_to_who_can_push() {
    let (mut env, stand_in) = world();
    let reader = "ATATT3xFfGF0canary-reader";
    stand_in.allow(Credential::api_token(reader).scopes(READ));
    env.set("BITBUCKET_API_TOKEN", reader);
    env.program(&["setup"], "");
    let url = "https://bitbucket.org/acme/app.git";
    env.git_succeeds(&["clone", "-q", url, "app"]);
    env.git_succeeds(&["-C", "app", "commit", "-q", "--allow-empty", "-m", "new"]);
    env.git_succeeds(&["-C", "app", "push", "-q"]);
    let states = env.accounts();
    assert_eq!(states.len(), 1, "{states:?}");
    assert_eq!(states[0]["state"], "ok");
    let text = env.program(&["token", url], "").stdout;
    assert_eq!(text, format!("{ADA}\n"));
    // The account was revoked: it is set aside although a variable is set.
    env.program(&["erase"], format!("{}{}", wanted("acme/app"), pair(ADA)));
    assert!(
        fs::read_to_string(env.data().join("accounts.toml"))
            .unwrap()
            .contains("rejected")
    );
}

#[test]
fn a_variable_that_was_just_refused_is_passed_over() {
    let (mut env, _stand_in) = world();
    let refused = |env: &TestEnv, token: &str| {
        let request = format!("protocol=https\nhost=bitbucket.org\n{}", pair(token));
        assert_eq!(env.program(&["erase"], request).status, 0);
    };
    refused(&env, BOB);
    assert_eq!(env.get_cloud(""), pair(ADA));
    assert_eq!(get(&env, "acme/app"), pair(ADA));
    env.set("BITBUCKET_API_TOKEN", "unknown");
    assert_eq!(env.get_cloud(""), pair("unknown"));
    refused(&env, "unknown");
    assert_eq!(env.get_cloud(""), pair(ADA));
    assert_eq!(env.accounts()[0]["state"], "unchecked", "none is set aside");
}

#[test]
fn an_app_password_in_a_variable_hides_no_account() {
    let env = TestEnv::new();
    env.login(ADA, &["ada"]);
    let mut env = env;
    env.set("BITBUCKET_USERNAME", "ada");
    env.set("BITBUCKET_APP_PASSWORD", "p");
    assert_eq!(env.get_cloud(""), pair(ADA));
}

#[test]
fn the_settings_turn_the_variables_off_for_every_command() {
    let (env, stand_in) = world();
    let config = env.data().join("config.toml");
    let told = |arguments: &[&str]| {
        let outcome = env.program(arguments, BOB);
        let text = outcome.stdout + &outcome.stderr;
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ")
    };
    let commands = [
        &["status"][..],
        &["doctor", "--offline", "--all"],
        &["doctor", "acme/app"],
        &[
            "login",
            "x",
            "--with-token",
            "--no-verify",
            "--store",
            "file",
        ],
    ];
    for command in &commands {
        let text = told(command);
        let answers = "BITBUCKET_API_TOKEN is set in the environment and answers";
        let comes_first =
            "BITBUCKET_API_TOKEN is set and answers for bitbucket.org ahead of the accounts";
        let is_said = text.contains(comes_first) || text.contains(answers);
        assert!(is_said, "{command:?}: {text}");
    }
    fs::write(&config, "environment = false\n").unwrap();
    env.program(&["logout", "x"], "");
    for command in &commands {
        let text = told(command);
        assert!(!text.contains("BITBUCKET_API_TOKEN"), "{text}");
    }
    env.program(&["logout", "x"], "");
    stand_in.forget_requests();
    assert_eq!(get(&env, "acme/app"), pair(ADA));
    assert_eq!(env.get_cloud(""), pair(ADA));
    let url = "https://bitbucket.org/acme/app.git";
    assert_eq!(env.program(&["token", url], "").stdout, format!("{ADA}\n"));
    assert_eq!(asked(&stand_in), 0);
    let given = format!("{}{}", wanted("acme/app"), reply(STATIC, BOB));
    env.program(&["erase"], given);
    assert!(!env.data().join("refusals.toml").exists());
    fs::write(&config, "environment = 'no'\n").unwrap();
    let outcome = env.program(&["get"], wanted("acme/app"));
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
}

#[test]
fn a_secret_that_a_variable_and_an_account_share_is_refused_for_both() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.allow(Credential::api_token(ADA)).revoke();
    env.login(ADA, &["ada", "--email", "ada@example.com"]);
    let mut env = env;
    env.set("BITBUCKET_TOKEN", ADA);
    let request = format!("protocol=https\nhost=bitbucket.org\n{}", pair(ADA));
    assert_eq!(env.get_cloud(""), pair(ADA));
    env.program(&["erase"], request);
    assert_eq!(env.get_cloud(""), "");
}

#[test]
fn a_variable_without_an_answer_keeps_its_place() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let mut env = env;
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(ADA));
    let bob = stand_in.allow(Credential::api_token(BOB));
    env.login(ADA, &["ada"]);
    env.set("BITBUCKET_API_TOKEN", BOB);
    bob.limit_rate();
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    assert_eq!(get(&env, "acme/app"), pair(BOB));
    assert!(asked(&stand_in) <= 2, "asked once of each");
}
