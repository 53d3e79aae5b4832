//! What Bitbucket says, about each account and about a URL; and that doctor is short and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{HTTPS, asked, assert_starts, config, found, one, path_with};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv};
use crate::support::stand_in::{Credential, Silence, StandIn};

fn world() -> (TestEnv, StandIn) {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    env.set("PATH", &path_with(&[]));
    env.set_up();
    config(&env, "transfer.credentialsInUrl", "die");
    (env, stand_in)
}

fn token(number: usize) -> String {
    ACCESS_TOKEN.replace("canary-", &format!("canary-{number}-"))
}

#[test]
fn nothing_wrong_is_said_in_few_lines() {
    let (env, stand_in) = world();
    stand_in.allow(Credential::api_token(API_TOKEN));
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    env.login(API_TOKEN, &["me", "--email", "ada@example.com"]);
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    let (_, checks) = asked(&env, &[]);
    assert_eq!(
        one(&checks, "account.me"),
        "pass: 'me' works; bitbucket.org knows it as 'ada'"
    );
    env.has_worked("path=beta/x\n");
    let outcome = env.program(&["doctor"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stdout.starts_with("nothing is wrong, "),
        "{outcome:?}"
    );
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(lines.len() <= 12, "{outcome:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
    let (_, checks) = asked(&env, &[]);
    assert!(
        one(&checks, "account.me").ends_with("; bitbucket.org knows it as 'ada'"),
        "{checks:?}"
    );
    assert!(
        one(&checks, "account.work").ends_with("; bitbucket.org knows it"),
        "{checks:?}"
    );
    stand_in.forget_requests();
    let (_, checks) = asked(&env, &["--offline"]);
    assert_eq!(
        one(&checks, "account.me"),
        "pass: 'me' is an API token for bitbucket.org"
    );
    assert!(stand_in.requests().is_empty(), "--offline asks nobody");
}

#[test]
fn what_bitbucket_says_of_an_account_is_named_with_its_fix() {
    let (mut env, stand_in) = world();
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN).scopes(["repository"]));
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    env.login(API_TOKEN, &["gone", "--email", "ada@example.com"]);
    let (status, checks) = asked(&env, &[]);
    assert_eq!(status, 1);
    let limited = one(&checks, "account.work");
    assert_starts(
        &limited,
        "warn: 'work': the token works, but cannot push: it lacks the scope 'repository:write'; fix: ",
    );
    assert_starts(
        &one(&checks, "account.gone"),
        "fail: 'gone': Bitbucket refuses the API token: ",
    );
    let outcome = env.program(&["doctor"], "");
    assert!(
        outcome.stdout.starts_with("warn  account.work  "),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains("pass  "), "{outcome:?}");
    let summary = outcome.stdout.lines().last().unwrap();
    assert_starts(summary, "1 failed, 1 warning, ");

    // What is set aside, and what Bitbucket knows all the same.
    handle.set_scopes(["repository:write"]);
    let erase = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/x\nusername=x-token-auth\npassword={ACCESS_TOKEN}\n"
    );
    env.program(&["erase"], erase);
    let aside = one(&asked(&env, &[]).1, "account.work");
    assert_starts(
        &aside,
        "fail: 'work' was refused by bitbucket.org and is set aside; bitbucket.org knows it; fix: 'git credential-bitbucket status --verify work'",
    );
    env.program(&["status", "--verify", "work"], "");
    assert_starts(&one(&asked(&env, &[]).1, "account.work"), "pass: ");

    env.set("BITBUCKET_TOKEN", &token(1));
    assert_starts(
        &one(&asked(&env, &[]).1, "environment"),
        "fail: 'BITBUCKET_TOKEN': Bitbucket refuses the access token",
    );
}

#[test]
fn no_network_is_no_failure() {
    let (mut env, _stand_in) = world();
    env.login(API_TOKEN, &["me", "--email", "ada@example.com"]);
    env.login(ACCESS_TOKEN, &["new", "--for", "acme"]);
    env.has_worked("path=beta/x\n");
    env.set("HTTPS_PROXY", "http://127.0.0.1:9");
    env.set("https_proxy", "http://127.0.0.1:9");
    let (status, checks) = asked(&env, &[]);
    assert_eq!(status, 0, "{checks:?}");
    assert_starts(
        &one(&checks, "account.me"),
        "skip: 'me' is unchecked: cannot ask Bitbucket: ",
    );
    assert_starts(
        &one(&checks, "account.new"),
        "warn: 'new' is unchecked: cannot ask Bitbucket: ",
    );
    env.has_worked("path=acme/x\n");
    let outcome = env.program(&["doctor"], "");
    assert!(
        outcome.stdout.starts_with("nothing is wrong, ")
            && outcome
                .stdout
                .contains("2 skipped (account.me, account.new)"),
        "{outcome:?}"
    );
    let (status, checks) = asked(&env, &["acme/site"]);
    assert_eq!(status, 0, "{checks:?}");
    assert_starts(&one(&checks, "fetch"), "skip: ");
}

#[test]
fn accounts_are_asked_at_the_same_time_and_no_silence_lasts() {
    let (env, stand_in) = world();
    for number in 0..6 {
        let secret = token(number);
        stand_in.allow(Credential::access_token(&secret));
        let name = format!("a{number}");
        env.login(&secret, &[&name, "--for", &format!("w{number}")]);
    }
    stand_in.delay(Duration::from_secs(2));
    let start = Instant::now();
    let outcome = env.program(&["doctor", "--json"], "");
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    for number in 0..6 {
        assert!(
            one(checks, &format!("account.a{number}")).ends_with("knows it"),
            "{checks:?}"
        );
    }
    stand_in.fall_silent(Silence::Connection);
    let start = Instant::now();
    let outcome = env.program(&["doctor"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_url_is_asked_about_with_the_account_that_answers() {
    let (env, stand_in) = world();
    stand_in.repository("acme/site");
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    for url in [
        HTTPS,
        "acme/site",
        "git@bitbucket.org:acme/site.git",
        "ssh://git@ssh.bitbucket.org/acme/site.git",
        "ssh://git@altssh.bitbucket.org:443/acme/site.git",
    ] {
        let (status, checks) = asked(&env, &[url]);
        assert_eq!(status, 0, "{checks:?}");
        assert_eq!(one(&checks, "fetch"), "pass: 'work' can fetch acme/site");
        assert_eq!(one(&checks, "push"), "pass: 'work' can push acme/site");
        assert_eq!(
            found(&checks, "url").len(),
            usize::from(url.contains("git@"))
        );
    }
    let outcome = env.program(&["doctor", "acme/site"], "");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(
        lines.len() <= 12 && lines[0].starts_with("pass  answer  "),
        "{outcome:?}"
    );

    let says = |id: &str| one(&asked(&env, &["acme/site"]).1, id);
    handle.set_scopes(["repository"]);
    assert_eq!(says("fetch"), "pass: 'work' can fetch acme/site");
    assert_starts(
        &says("push"),
        "fail: 'work' cannot push acme/site: the token works, but cannot push: it lacks the scope 'repository:write'; fix: ",
    );
    handle.set_scopes(["pipeline"]);
    assert!(says("fetch").contains("it lacks the scope 'repository'"));
    assert_eq!(says("push"), "skip: see fetch");
    handle.set_scopes(["repository:write"]);

    let (status, checks) = asked(&env, &["acme/other"]);
    assert_eq!(status, 1);
    assert_starts(
        &one(&checks, "fetch"),
        "fail: 'work' cannot fetch acme/other: the secret works, but it cannot see 'acme/other'",
    );
    for (text, start) in [
        (
            "To access this repository, an admin must whitelist your IP.",
            "the IP list of the workspace 'acme' does not have your address; fix: ",
        ),
        (
            "You must enable two-step verification to access this workspace.",
            "the workspace 'acme' demands two-step verification of the owner; fix: turn it on: https://",
        ),
        (
            "This workspace has been deactivated.",
            "the workspace 'acme' is deactivated; fix: an administrator of it can sign in and choose 'Reactivate workspace': https://bitbucket.org/acme/",
        ),
        (
            "The requested repository either does not exist or you do not have access.",
            "the token works, but is not allowed to fetch 'acme/site'; fix: ",
        ),
    ] {
        stand_in.forbid(text);
        assert_starts(
            &says("fetch"),
            &format!("fail: 'work' cannot fetch acme/site: {start}"),
        );
    }
    stand_in.forbid("");
    handle.revoke();
    assert!(
        says("fetch").contains("Bitbucket refuses the access token: it has expired or was revoked")
    );
}

#[test]
fn a_repository_that_refuses_a_good_token_is_told_from_a_bad_token() {
    let (env, stand_in) = world();
    stand_in.repository("acme/site");
    stand_in.allow(Credential::api_token(API_TOKEN).refused_by("acme"));
    env.login(API_TOKEN, &["me", "--email", "ada@example.com"]);
    assert_starts(
        &one(&asked(&env, &["acme/site"]).1, "fetch"),
        "fail: 'me' cannot fetch acme/site: bitbucket.org knows 'me', but refuses it for this repository; fix: give its owner access there",
    );
}

#[test]
fn a_data_center_is_found_by_its_ssh_url() {
    let (env, stand_in) = world();
    let server = stand_in.data_center("git.corp.example:7990", "/bitbucket");
    server.repository("prj/app");
    let secret = "BBDC-canary";
    server.allow(Credential::http_access_token(secret));
    env.login(
        secret,
        &[
            "dc",
            "--host",
            "git.corp.example:7990/bitbucket",
            "--username",
            "ada",
        ],
    );
    let (status, checks) = asked(&env, &["ssh://git@git.corp.example:7999/prj/app.git"]);
    assert_eq!(status, 0, "{checks:?}");
    assert_eq!(one(&checks, "push"), "pass: 'dc' can push prj/app");
}

#[test]
fn doctor_changes_nothing() {
    let (env, stand_in) = world();
    stand_in.repository("acme/site");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).scopes(["repository"]));
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    env.login(API_TOKEN, &["gone", "--email", "ada@example.com"]);
    env.login(APP_PASSWORD, &["old", "--username", "ada", "--for", "d"]);
    let before = (tree(&env.home()), tree(&env.data()));
    for arguments in [&[][..], &["--offline"], &["acme/site"], &["beta/site"]] {
        asked(&env, arguments);
    }
    assert_eq!((tree(&env.home()), tree(&env.data())), before);
}

/// Each file below a folder, with its content.
fn tree(folder: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
            files.insert(path, Vec::new());
        } else {
            let content = fs::read(&path).unwrap();
            files.insert(path, content);
        }
    }
    files
}
