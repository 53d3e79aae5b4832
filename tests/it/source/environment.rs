//! The environment's variables: a credential for a job that has no accounts.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, PROGRAM, STATIC, TestEnv, reply, run};
use std::fs;

#[test]
fn the_environment_answers_ahead_of_the_accounts_and_needs_no_home() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    env.set("BITBUCKET_ACCESS_TOKEN", &format!("  {ACCESS_TOKEN}\n"));
    assert_eq!(
        env.get_cloud("username=ada\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(env.get("protocol=https\nhost=git.corp.example\n"), "");

    let mut command = env.command(PROGRAM);
    command
        .arg("get")
        .env_remove("HOME")
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME");
    let outcome = run(command, b"protocol=https\nhost=bitbucket.org\n");
    assert_eq!(
        (outcome.status, outcome.stdout),
        (0, reply("x-token-auth", ACCESS_TOKEN)),
        "{}",
        outcome.stderr
    );
}

#[test]
fn each_variable_of_the_environment_is_answered_as_its_kind() {
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let rows: [(Variables<'_>, &str, &str); 6] = [
        (&[("BITBUCKET_API_TOKEN", "t")], STATIC, "t"),
        (&[("BITBUCKET_ACCESS_TOKEN", "t")], "x-token-auth", "t"),
        (&[("BITBUCKET_TOKEN", API_TOKEN)], STATIC, API_TOKEN),
        (
            &[("BITBUCKET_TOKEN", ACCESS_TOKEN)],
            "x-token-auth",
            ACCESS_TOKEN,
        ),
        (
            &[("BITBUCKET_TOKEN", "eyJ.oauth")],
            "x-token-auth",
            "eyJ.oauth",
        ),
        (
            &[
                ("BITBUCKET_USERNAME", "ada"),
                ("BITBUCKET_APP_PASSWORD", "p"),
            ],
            "ada",
            "p",
        ),
    ];
    for (variables, username, password) in rows {
        let mut env = TestEnv::new();
        for (name, value) in variables {
            env.set(name, value);
        }
        assert_eq!(
            env.get_cloud(""),
            reply(username, password),
            "{variables:?}"
        );
    }
}

#[test]
fn a_data_centers_token_in_the_environment_is_not_shown_to_bitbucket_org() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_TOKEN", "BBDC-canary-of-a-data-center");
    assert_eq!(env.get_cloud(""), "");
    env.login(API_TOKEN, &[]);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
}

#[test]
fn a_refused_token_of_the_environment_is_not_answered_again_until_it_changes() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    let refused =
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    assert_eq!(env.get_cloud(""), "");
    let kept = fs::read_to_string(env.data().join("refusals.toml")).unwrap();
    assert!(!kept.contains("canary"), "{kept}");
    env.set("BITBUCKET_API_TOKEN", "another");
    assert_eq!(env.get_cloud(""), reply(STATIC, "another"));
}

#[test]
fn what_the_environment_answers_is_not_copied_into_a_store() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    for password in [API_TOKEN, "something-else"] {
        let given =
            format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={password}\n");
        assert_eq!(env.program(&["store"], given).status, 0);
    }
    assert!(!env.data().exists());
}

#[test]
fn a_token_is_found_in_a_variable_and_its_start_names_its_kind() {
    let url = format!("https://ada:{API_TOKEN}@bitbucket.org/acme/app.git");
    for (name, value, answer) in [
        (
            "BITBUCKET_ACCESS_TOKEN",
            API_TOKEN,
            reply(STATIC, API_TOKEN),
        ),
        (
            "BITBUCKET_APP_PASSWORD",
            API_TOKEN,
            reply(STATIC, API_TOKEN),
        ),
        (
            "BITBUCKET_API_TOKEN",
            &format!("'Bearer {ACCESS_TOKEN}'"),
            reply("x-token-auth", ACCESS_TOKEN),
        ),
        ("BITBUCKET_TOKEN", &url, reply(STATIC, API_TOKEN)),
        (
            "BITBUCKET_TOKEN",
            &url.replace("bitbucket.org", "x.example"),
            String::new(),
        ),
        (
            "BITBUCKET_ACCESS_TOKEN",
            "'quoted'",
            reply("x-token-auth", "'quoted'"),
        ),
    ] {
        let mut env = TestEnv::new();
        env.set(name, value);
        assert_eq!(env.get_cloud(""), answer, "{name}={value}");
    }
    let mut env = TestEnv::new();
    env.set("BITBUCKET_TOKEN", &format!("ada@example.com:{API_TOKEN}"));
    let rest = env.get("protocol=https\nhost=api.bitbucket.org\n");
    assert_eq!(rest, reply("ada@example.com", API_TOKEN));
    env.set("BITBUCKET_TOKEN", &API_TOKEN.replacen("-api", "\n-api", 1));
    let outcome = env.program(&["get"], "protocol=https\nhost=bitbucket.org\n");
    assert_eq!(outcome.status, 1, "half a token is sent to nobody");
}
