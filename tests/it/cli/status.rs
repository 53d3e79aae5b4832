//! `status`: the accounts, their state, and what to do.

use crate::support::harness::{API_TOKEN, APP_PASSWORD, TestEnv};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn status_shows_a_table_and_says_what_to_do() {
    let env = TestEnv::new();
    env.configure_plain();
    env.login(
        API_TOKEN,
        &[
            "work",
            "--for",
            "Acme",
            "--for",
            "acme/app.git",
            "--expires",
            "2099-01-31",
        ],
    );
    env.login(APP_PASSWORD, &["old", "--username", "ada"]);
    let outcome = env.program(&["status"], "");
    assert_eq!(outcome.status, 1, "an app password needs attention");
    assert_eq!(
        outcome.stdout,
        "NAME  KIND          HOST           FOR            STORE  EXPIRES     STATE\n\
         work  api-token     bitbucket.org  acme,acme/app  file   2099-01-31  unchecked\n\
         old   app-password  bitbucket.org  -              file   -           retired\n"
    );
    assert_eq!(
        outcome.stderr,
        "'work' is unchecked: bitbucket.org has not seen its secret yet: 'git credential-bitbucket edit work --email ADDRESS' allows the check\n\
         'old' is an app password; Bitbucket removed these on 2026-07-28 (git shows error 410): 'git credential-bitbucket login old' replaces it\n"
    );
    assert_eq!(env.program(&["status", "work"], "").status, 0);
    assert_eq!(env.program(&["status", "nobody"], "").status, 1);
}

#[test]
fn status_as_json_keeps_its_contract() {
    let env = TestEnv::new();
    env.login(
        API_TOKEN,
        &["work", "--email", "ada@example.com", "--for", "acme"],
    );
    let accounts = env.accounts();
    let expected = serde_json::json!([{
        "name": "work", "host": "bitbucket.org", "kind": "api-token", "username": null, "email": "ada@example.com",
        "for": ["acme"], "store": "file", "expires": null, "origin": "login", "state": "unchecked",
    }]);
    assert_eq!(serde_json::Value::Array(accounts), expected);
    assert_eq!(
        TestEnv::new().program(&["status", "--json"], "").stdout,
        "{\n  \"accounts\": []\n}\n"
    );
}

#[test]
fn status_tells_the_states_apart() {
    let env = TestEnv::new();
    let day = |days: i64| {
        let date = std::process::Command::new("date")
            .args(["-u", "-d", &format!("{days} days"), "+%F"])
            .output();
        String::from_utf8(date.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    for (name, days) in [("expired", -1), ("today", 0), ("soon", 13), ("later", 20)] {
        env.login(API_TOKEN, &[name, "--for", name, "--expires", &day(days)]);
    }
    let state = |name: &str| {
        let accounts = env.accounts();
        let account = accounts
            .iter()
            .find(|account| account["name"] == name)
            .expect("the account");
        account["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!(
        ["expired", "today", "soon", "later"].map(state),
        ["expired", "expiring", "expiring", "unchecked"]
    );
    env.has_worked("path=later/x\n");
    assert_eq!(state("later"), "ok");
    assert_eq!(env.program(&["status", "soon"], "").status, 0);
    assert_eq!(env.program(&["status", "expired"], "").status, 1);

    fs::remove_file(env.data().join("secrets")).unwrap();
    assert_eq!(state("later"), "missing");
    fs::write(env.data().join("secrets"), "").unwrap();
    fs::set_permissions(
        env.data().join("secrets"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    assert_eq!(state("later"), "unreachable");
}

#[test]
fn a_signed_in_again_account_loses_the_day_on_which_the_old_secret_expired() {
    let env = TestEnv::new();
    env.login(
        API_TOKEN,
        &[
            "work",
            "--email",
            "ada@example.com",
            "--expires",
            "2026-01-01",
        ],
    );
    env.login(&API_TOKEN.replace("0A1B", "9999"), &["work"]);
    let account = &env.accounts()[0];
    assert_eq!(account["state"], "unchecked");
    assert_eq!(account["expires"], serde_json::Value::Null);
    assert_eq!(
        account["email"], "ada@example.com",
        "what was not named stays"
    );
}

#[test]
fn status_tells_of_a_token_in_the_environment_and_of_its_refusal() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_TOKEN", API_TOKEN);
    let told = |text: &str| {
        let stderr = env.program(&["status"], "").stderr;
        assert!(stderr.contains(text), "{stderr}");
    };
    told("BITBUCKET_TOKEN is set and answers for bitbucket.org ahead of the accounts");
    env.program(
        &["erase"],
        format!("protocol=https\nhost=bitbucket.org\npassword={API_TOKEN}\n"),
    );
    told("BITBUCKET_TOKEN is set, but bitbucket.org refused it");
}

#[test]
fn status_tells_of_an_app_password_in_the_environment() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_USERNAME", "ada");
    env.set("BITBUCKET_APP_PASSWORD", APP_PASSWORD);
    let told = env.program(&["status"], "").stderr;
    assert!(
        told.contains(
            "BITBUCKET_APP_PASSWORD is an app password; Bitbucket removed these on 2026-07-28"
        ),
        "{told}"
    );
    assert!(told.contains("set BITBUCKET_API_TOKEN instead"), "{told}");
}
