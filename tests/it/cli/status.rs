//! `status`, `token` and `logout`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv};

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
         work  api-token     bitbucket.org  acme,acme/app  file   2099-01-31  ok\n\
         old   app-password  bitbucket.org  -              file   -           retired\n"
    );
    assert_eq!(
        outcome.stderr,
        "'old' is an app password; Bitbucket removed these on 2026-07-28 (git shows error 410): 'git credential-bitbucket login old' replaces it\n"
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
        "for": ["acme"], "store": "file", "expires": null, "origin": "login", "state": "ok",
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
        ["expired", "expiring", "expiring", "ok"]
    );
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
    assert_eq!(account["state"], "ok");
    assert_eq!(account["expires"], serde_json::Value::Null);
    assert_eq!(
        account["email"], "ada@example.com",
        "what was not named stays"
    );
}

#[test]
fn a_file_that_others_can_read_is_refused_with_a_hint() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    for (name, mode) in [
        ("accounts.toml", 0o644),
        ("secrets", 0o640),
        ("secrets.key", 0o604),
    ] {
        let path = env.data().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = env.program(&["token"], "");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""), "{name}");
        assert!(
            outcome
                .stderr
                .contains(&format!("can be read by others (mode {mode:04o})")),
            "{}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains("hint: 'chmod 600' it"),
            "{}",
            outcome.stderr
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = env.program(&["token"], "");
    assert!(
        outcome.stderr.contains("others can write to the folder"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn files_are_private_from_their_first_moment_whatever_the_umask() {
    let env = TestEnv::new();
    let mut command = env.command("sh");
    command.args([
        "-c",
        "umask 0; exec git-credential-bitbucket login --no-verify --with-token --store file",
    ]);
    assert_eq!(
        crate::support::harness::run(command, API_TOKEN.as_bytes()).status,
        0
    );
    assert_eq!(
        fs::metadata(env.data()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(env.data()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.path()
        );
    }
}

#[test]
fn token_prints_one_secret_and_names_the_choice() {
    let env = TestEnv::new();
    assert_eq!(env.program(&["token"], "").status, 1);
    env.login(API_TOKEN, &["work"]);
    assert_eq!(env.program(&["token"], "").stdout, format!("{API_TOKEN}\n"));
    env.login(ACCESS_TOKEN, &["build"]);
    assert_eq!(
        env.program(&["token", "build"], "").stdout,
        format!("{ACCESS_TOKEN}\n")
    );
    let outcome = env.program(&["token"], "");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome.stderr.contains("hint: name one of 'work', 'build'"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn logout_removes_one_account_with_its_secret_or_all_of_them() {
    let env = TestEnv::new();
    for name in ["one", "two", "three"] {
        env.login(API_TOKEN, &[name]);
    }
    let entries = || {
        let secrets = fs::read_to_string(env.data().join("secrets")).unwrap();
        secrets
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count()
    };
    assert_eq!(env.program(&["logout"], "").status, 1, "which one");
    assert_eq!(env.program(&["logout", "two"], "").status, 0);
    assert_eq!((env.accounts().len(), entries()), (2, 2));
    assert_eq!(env.program(&["logout", "two"], "").status, 1);
    assert_eq!(env.program(&["logout", "two", "--all"], "").status, 2);
    assert_eq!(env.program(&["logout", "--all"], "").status, 0);
    assert_eq!((env.accounts().len(), entries()), (0, 0));
    assert_eq!(env.program(&["logout", "--all"], "").status, 0);
}

#[test]
fn an_unknown_setting_is_reported_with_its_place_and_not_its_value() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    fs::write(
        env.data().join("config.toml"),
        format!("[store]\ndefault = 'file'\ntoken = '{API_TOKEN}'\n"),
    )
    .unwrap();
    let outcome = env.program(&["status"], "");
    assert!(
        outcome.stderr.contains("config.toml:3: 'store.token'"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    assert_eq!(env.get_cloud(""), "", "git is not bothered with it");
}

#[test]
fn a_setting_that_cannot_be_is_reported_by_status() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    let settings = [
        (
            "[store]\ndefault = 'filee'\n",
            "line 2: the key cannot have this value",
        ),
        ("hosts = 1\n", "line 1: the key cannot have this value"),
        ("hosts = [\n", "config.toml': line 1: "),
    ];
    for (text, complaint) in settings {
        fs::write(env.data().join("config.toml"), text).unwrap();
        let outcome = env.program(&["status"], "");
        assert!(outcome.stderr.contains(complaint), "{}", outcome.stderr);
    }
    // A relative path would mean another file in each folder; and it may be a slip for "kernel".
    for setting in ["key = 'kernle'", "path = 'secrets'", "path = '~/secrets'"] {
        fs::write(
            env.data().join("config.toml"),
            format!("[store.file]\n{setting}\n"),
        )
        .unwrap();
        let outcome = env.program(
            &["login", "--no-verify", "--with-token", "--store", "file"],
            API_TOKEN,
        );
        assert_eq!(outcome.status, 1, "{}", outcome.stderr);
        assert!(
            outcome.stderr.contains("is not an absolute path"),
            "{}",
            outcome.stderr
        );
    }
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
fn completions_are_printed_for_four_shells() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let outcome = TestEnv::new().program(&["completions", shell], "");
        assert_eq!(outcome.status, 0);
        assert!(
            outcome.stdout.contains("login") && outcome.stdout.contains("with-token"),
            "{shell}"
        );
    }
    assert_eq!(
        TestEnv::new().program(&["completions", "tcsh"], "").status,
        2
    );
}

#[test]
fn bash_completes_also_behind_git() {
    if !crate::support::harness::has(&["bash"]) {
        return;
    }
    let env = TestEnv::new();
    let completed = |words: &str, position: u8| {
        let mut command = env.command("bash");
        let script = format!(
            "source <(git-credential-bitbucket completions bash)
             COMP_WORDS=({words}); COMP_CWORD={position}; _git_credential_bitbucket; echo \"${{COMPREPLY[@]}}\""
        );
        command.args(["--norc", "-c", &script]);
        let outcome = crate::support::harness::run(command, b"");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.stdout
    };
    assert_eq!(completed("git credential-bitbucket sta", 2), "status\n");
    assert_eq!(
        completed("git -C x credential-bitbucket login --with", 5),
        "--with-token\n"
    );
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
