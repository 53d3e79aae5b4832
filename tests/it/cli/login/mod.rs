//! `login` without a terminal: what it takes, what it refuses, and what it says.

mod files;
mod owners;
mod pasted;
mod verify;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, another, reply};
use crate::support::stand_in::Credential;
use std::fs;

#[test]
fn signing_in_says_where_the_secret_lies() {
    let env = TestEnv::new();
    env.configure_plain();
    let outcome = env.login(API_TOKEN, &["work"]);
    let path = env.data().join("secrets");
    assert_eq!(
        outcome.stderr,
        format!(
            "Stored the secret of 'work' for bitbucket.org in the file '{}'\n",
            path.display()
        )
    );
    assert_eq!(outcome.stdout, "");
}

#[test]
fn without_a_keyring_auto_falls_back_to_the_file_and_says_why() {
    let env = TestEnv::new();
    let outcome = env.login(API_TOKEN, &["--store", "auto"]);
    assert!(
        outcome
            .stderr
            .contains("secrets', as there is no OS keyring here\n"),
        "{}",
        outcome.stderr
    );
    assert_eq!(env.accounts()[0]["store"], "file");
    let outcome = env.program(
        &[
            "login",
            "--no-verify",
            "--with-token",
            "--store",
            "keyring",
            "other",
        ],
        API_TOKEN,
    );
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("hint: where there is no desktop"),
        "{}",
        outcome.stderr
    );
    assert_eq!(env.accounts().len(), 1);
}

#[test]
fn without_a_terminal_what_is_missing_is_named() {
    let env = TestEnv::new();
    let rows: [(&[&str], &str, &str); 4] = [
        (&["login", "work"], "", "login work --with-token"),
        (
            &["login", "--no-verify", "--with-token"],
            "hunter2",
            "'--kind' one of api-token, access-token, app-password",
        ),
        (
            &[
                "login",
                "--no-verify",
                "--with-token",
                "--host",
                "git.corp.example",
            ],
            "x",
            "app-password, http-access-token",
        ),
        (
            &["login", "--no-verify", "--with-token"],
            APP_PASSWORD,
            "--username NAME",
        ),
    ];
    for (arguments, input, hint) in rows {
        let outcome = env.program(arguments, input);
        assert_eq!(outcome.status, 1, "{arguments:?}");
        let last = outcome.stderr.lines().last().expect("a hint");
        assert!(
            last.starts_with("git-credential-bitbucket: hint: ") && last.contains(hint),
            "{}",
            outcome.stderr
        );
    }
    assert!(!env.data().join("accounts.toml").exists());
}

#[test]
fn what_cannot_be_a_token_is_refused() {
    let env = TestEnv::new();
    for input in [
        "",
        "\n",
        "  \n",
        "a\u{1b}[2Jb\n",
        "a\0b\n",
        &"x".repeat(65_001),
    ] {
        let outcome = env.program(
            &[
                "login",
                "--no-verify",
                "--with-token",
                "--kind",
                "access-token",
            ],
            input,
        );
        assert_eq!(outcome.status, 1, "{:?}", &input[..input.len().min(10)]);
    }
    assert!(!env.data().join("accounts.toml").exists());
}

#[test]
fn only_the_first_line_is_the_token_and_white_space_around_it_is_dropped() {
    let env = TestEnv::new();
    env.login(&format!(" \t{API_TOKEN}\r\nsecond line\n"), &[]);
    assert_eq!(env.program(&["token"], "").stdout, format!("{API_TOKEN}\n"));
}

#[test]
fn mistakes_of_kind_and_name_are_explained() {
    let env = TestEnv::new();
    let rows: [(&[&str], &str, i32, &str); 8] = [
        (
            &["--kind", "access-token"],
            API_TOKEN,
            1,
            "that is an API token, not an access token",
        ),
        (
            &["--kind", "access-token"],
            "BBDC-x",
            1,
            "that is an HTTP access token of a Data Center, and bitbucket.org is another host",
        ),
        (
            &["--kind", "http-access-token"],
            API_TOKEN,
            2,
            "bitbucket.org has no credential of kind 'http-access-token'",
        ),
        (
            &["--username", "ada@example.com"],
            API_TOKEN,
            1,
            "'ada@example.com' is an e-mail",
        ),
        (&["--email", "ada"], API_TOKEN, 1, "'ada' is not an e-mail"),
        (
            &["--host", "https://bitbucket.org"],
            API_TOKEN,
            2,
            "takes a host alone",
        ),
        (
            &["--for", "a/b/c"],
            API_TOKEN,
            2,
            "not of the form WORKSPACE or WORKSPACE/REPOSITORY",
        ),
        (
            &["--username", "a:b", "--kind", "app-password"],
            "x",
            2,
            "cannot have a colon",
        ),
    ];
    for (arguments, secret, status, message) in rows {
        let outcome = env.program(
            &[
                &["login", "--no-verify", "--with-token", "--store", "file"],
                arguments,
            ]
            .concat(),
            secret,
        );
        assert_eq!(outcome.status, status, "{arguments:?} {}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
    }
    assert!(!env.data().join("accounts.toml").exists());
}

#[test]
fn a_secret_as_an_argument_is_refused_and_not_repeated() {
    let env = TestEnv::new();
    for arguments in [
        &["login", API_TOKEN][..],
        &["login", "--username", ACCESS_TOKEN],
        &["login", "work", API_TOKEN],
        &["login", "--kind", API_TOKEN],
        &["login", "--expires", API_TOKEN],
        &[&format!("--token={API_TOKEN}")],
        &["token", API_TOKEN],
        &["logout", ACCESS_TOKEN],
        &["status", APP_PASSWORD],
        &[
            "login",
            "--host",
            "git.corp.example",
            "BBDC-canary-0123456789abcdefghij",
        ],
        &["login", "--for", API_TOKEN],
        &[API_TOKEN],
    ] {
        let outcome = env.program(arguments, "");
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    }
}

#[test]
fn the_default_name_is_the_user_name_else_the_first_scope_else_the_host() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--username", "ada", "--for", "acme"]);
    env.login(
        ACCESS_TOKEN,
        &["--for", "Acme/App.git", "--for", "acme/site"],
    );
    env.login(&another(ACCESS_TOKEN, 1), &[]);
    env.login(
        "BBDC-x",
        &["--host", "git.corp.example", "--username", "ada"],
    );
    let names: Vec<String> = env
        .accounts()
        .iter()
        .map(|account| account["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["ada", "acme-app", "bitbucket.org", "ada@git.corp.example"]
    );
}

#[test]
fn signing_in_again_without_a_name_replaces_the_account_of_the_same_owner_and_says_so() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let email = ["--email", "ada@example.com"];
    let login = |token: &str, options: &[&str]| {
        stand_in.allow(Credential::api_token(token));
        let always = ["login", "--with-token", "--store", "file"];
        let outcome = env.program(&[&always, &email[..], options].concat(), token);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.stderr
    };
    let first = login(API_TOKEN, &["--expires", "2099-01-31"]);
    assert!(first.contains("Stored the secret of 'ada'"), "{first}");
    let second = login(&another(API_TOKEN, 1), &[]);
    assert!(second.contains("Replaced the secret of 'ada'"), "{second}");
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 1);
    assert_eq!(
        (&accounts[0]["email"], &accounts[0]["expires"]),
        (&"ada@example.com".into(), &"2099-01-31".into())
    );
}

#[test]
fn what_git_gave_makes_room_for_a_login_of_the_same_name() {
    let env = TestEnv::new();
    let given = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=given\n";
    assert_eq!(env.program(&["store"], given).status, 0);
    env.login(API_TOKEN, &["--username", "ada"]);
    let rows: Vec<String> = env
        .accounts()
        .iter()
        .map(|account| format!("{} {}", account["name"], account["origin"]))
        .collect();
    assert_eq!(rows, ["\"ada\" \"login\"", "\"ada-2\" \"git\""]);
    assert_eq!(env.program(&["token", "ada-2"], "").stdout, "given\n");
}

#[test]
fn signing_in_under_a_name_that_exists_replaces_the_secret_in_place() {
    let env = TestEnv::new();
    env.login(
        APP_PASSWORD,
        &["work", "--username", "ada", "--for", "acme"],
    );
    env.login(API_TOKEN, &["work"]);
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 1);
    assert_eq!(
        (&accounts[0]["kind"], &accounts[0]["username"]),
        (&"api-token".into(), &"ada".into())
    );
    assert_eq!(accounts[0]["for"][0], "acme");
    assert_eq!(
        env.get_cloud("path=acme/app\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    let secrets = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert_eq!(
        secrets
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        1,
        "the old secret is gone"
    );

    let outcome = env.program(
        &[
            "login",
            "work",
            "--with-token",
            "--host",
            "git.corp.example",
        ],
        "BBDC-x",
    );
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("'work' is an account for bitbucket.org"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_app_password_is_stored_and_said_to_be_retired_on_bitbucket_org_only() {
    let env = TestEnv::new();
    let outcome = env.login(APP_PASSWORD, &["--username", "ada"]);
    assert!(
        outcome
            .stderr
            .contains("is an app password; Bitbucket removed these on 2026-07-28"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome
            .stderr
            .contains("git credential-bitbucket login ada"),
        "{}",
        outcome.stderr
    );
    let outcome = env.login(
        "x",
        &[
            "dc",
            "--username",
            "ada",
            "--host",
            "git.corp.example",
            "--kind",
            "app-password",
        ],
    );
    assert!(!outcome.stderr.contains("2026-07-28"), "{}", outcome.stderr);
}

#[test]
fn a_name_that_was_meant_replaces_also_what_git_gave() {
    let env = TestEnv::new();
    let given =
        |token: &str| format!("protocol=https\nhost=bitbucket.org\nusername=x\npassword={token}\n");
    assert_eq!(env.program(&["store"], given(API_TOKEN)).status, 0);
    assert_eq!(env.program(&["erase"], given(API_TOKEN)).status, 0);
    env.login(&API_TOKEN.replace("0A1B", "9999"), &["x"]);
    let accounts = env.accounts();
    assert_eq!(accounts.len(), 1);
    assert_eq!(
        (&accounts[0]["state"], &accounts[0]["origin"]),
        (&"unchecked".into(), &"login".into())
    );
}

#[test]
fn a_day_that_stays_from_the_old_secret_is_told() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me", "--expires", "2099-01-31"]);
    let outcome = env.login(API_TOKEN, &["me"]);
    assert!(
        outcome
            .stderr
            .contains("Its expiry date stays 2099-01-31: 'git credential-bitbucket edit me --expires YYYY-MM-DD' changes it"),
        "{outcome:?}"
    );
    env.follow(&outcome.stderr, "YYYY-MM-DD", "2099-12-31");
    assert_eq!(env.accounts()[0]["expires"], "2099-12-31");
    let outcome = env.login(API_TOKEN, &["me", "--expires", "2020-01-31"]);
    assert!(
        outcome
            .stderr
            .contains("warning: 'me' has expired on 2020-01-31\n"),
        "{outcome:?}"
    );
}
