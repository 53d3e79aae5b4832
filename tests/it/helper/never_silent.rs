//! Where nobody answers, one line says why and what to do: to IDEs and logs too, which are no terminal.

use std::fs;
use std::thread;
use std::time::Duration;

#[cfg(target_os = "linux")]
use crate::support::harness::PROGRAM;
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, run, write_private, write_program,
};

const CLOUD: &str = "protocol=https\nhost=bitbucket.org\n";
const NOBODY: &str =
    "warning: nobody has signed in to bitbucket.org: 'git credential-bitbucket login' signs in";
const REFUSED: &str = "warning: 'work' was refused by bitbucket.org and is set aside: \
     'git credential-bitbucket login work' replaces it";

fn start() -> TestEnv {
    let env = TestEnv::new();
    env.configure_plain();
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    env
}

/// What we say while git looks for a credential, without our name.
fn said_for(env: &TestEnv, url: &str) -> Vec<String> {
    let mut git = env.command("git");
    git.args(["credential", "fill"]);
    let outcome = run(git, format!("url={url}\n").as_bytes());
    let has_none = outcome.status == 128 && outcome.stdout.is_empty();
    assert!(
        has_none && !outcome.stderr.contains("canary"),
        "{outcome:?}"
    );
    let own = |line: &str| {
        line.strip_prefix("git-credential-bitbucket: ")
            .map(str::to_owned)
    };
    outcome.stderr.lines().filter_map(own).collect()
}

fn said(env: &TestEnv) -> Vec<String> {
    said_for(env, "https://bitbucket.org/acme/app.git")
}

/// An environment whose one account was refused.
fn refused() -> TestEnv {
    let env = start();
    env.login(API_TOKEN, &["work"]);
    refuse(&env, API_TOKEN);
    env
}

fn refuse(env: &TestEnv, secret: &str) {
    let outcome = env.program(&["erase"], format!("{CLOUD}password={secret}\n"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
}

#[test]
fn each_account_that_cannot_answer_is_named_with_what_to_do() {
    let env = refused();
    assert_eq!(said(&env), [REFUSED]);

    let env = start();
    env.login(API_TOKEN, &["work"]);
    fs::remove_file(env.data().join("secrets")).unwrap();
    let replaces = "'git credential-bitbucket login work' replaces it";
    assert_eq!(
        said(&env),
        [format!(
            "warning: 'work' has no secret in the file: {replaces}"
        )]
    );

    let env = start();
    env.login(API_TOKEN, &["work"]);
    let accounts = env.data().join("accounts.toml");
    let text = fs::read_to_string(&accounts).unwrap();
    write_private(&accounts, &format!("{text}password_expiry_utc = 1\n"));
    assert_eq!(
        said(&env),
        [format!(
            "warning: 'work' has expired on 1970-01-01: {replaces}"
        )]
    );

    let env = start();
    env.login(
        APP_PASSWORD,
        &["work", "--kind", "app-password", "--username", "ada"],
    );
    refuse(&env, APP_PASSWORD);
    let retired = "is an app password; Bitbucket removed these on 2026-07-28 (git shows error 410)";
    assert_eq!(
        said(&env),
        [format!("warning: 'work' {retired}: {replaces}")]
    );
}

#[test]
fn a_variable_that_was_refused_is_named() {
    let mut env = start();
    env.set("BITBUCKET_ACCESS_TOKEN", ACCESS_TOKEN);
    refuse(&env, ACCESS_TOKEN);
    assert_eq!(
        said(&env),
        ["warning: BITBUCKET_ACCESS_TOKEN was refused by bitbucket.org: give it another value"]
    );
}

#[test]
fn where_all_accounts_are_for_others_the_line_says_for_whom_and_its_fix_answers() {
    let env = start();
    env.login(API_TOKEN, &["ci", "--for", "acme/site"]);
    let line = "warning: no account is for 'acme/app': 'ci' is for acme/site; \
                'git credential-bitbucket login --for acme/app' signs in";
    assert_eq!(said(&env), [line]);
    let store = "login --store file --no-verify --with-token <../token";
    fs::write(env.path().join("token"), API_TOKEN).unwrap();
    env.follow(line, "login", store);
    assert!(!env.get_cloud("path=acme/app.git\n").is_empty());
}

#[test]
fn a_store_that_is_silent_or_forbidden_is_an_error_with_its_hint() {
    let mut env = start();
    env.hurry(10);
    let program = env.path().join("program");
    write_program(&program, "#!/bin/sh\nsleep 60\n");
    fs::create_dir(env.data()).unwrap();
    let config = format!(
        "lookup = ['exec']\n[store.exec]\nprogram = '{}'\n",
        program.display()
    );
    write_private(&env.data().join("config.toml"), &config);
    let lines = said(&env);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("error: cannot ask the store 'exec': "),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("hint: "), "{lines:?}");
    assert_eq!(said(&env), [""; 0], "said already");
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_policy_forbids_is_an_error_with_its_hint() {
    let policy = "[policy]\nstores = [\"keyring\"]\n";
    let Some(env) = TestEnv::new().with_system_config("") else {
        return;
    };
    env.configure_plain();
    env.login(API_TOKEN, &["work"]);
    fs::write(env.system_config(), policy).unwrap();
    let lines = said(&env);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("error: 'work' is not used: the policy of this machine"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("hint: "), "{lines:?}");
}

#[test]
fn that_nobody_has_signed_in_is_said_unless_another_helper_comes_after_us() {
    let env = start();
    assert_eq!(said(&env), [NOBODY]);
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", "store"]);
    env.forget_what_was_said();
    assert_eq!(said(&env), [""; 0]);
    // What we know of an account is said all the same.
    let env = refused();
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", "store"]);
    assert_eq!(said(&env), [REFUSED]);
}

#[test]
fn a_host_of_nobody_hears_nothing() {
    let env = refused();
    for url in [
        "https://github.com/acme/app.git",
        "https://git.corp.example/acme/app.git",
    ] {
        assert_eq!(said_for(&env, url), [""; 0], "{url}");
        let host = url.split('/').nth(2).unwrap();
        let request = format!("protocol=https\nhost={host}\npath=acme/app.git\n");
        let outcome = env.program(&["--account", "work", "get"], request);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{url}");
    }
    // One that the settings name is ours, and the line names it.
    write_private(
        &env.data().join("config.toml"),
        "hosts = ['git.corp.example']\n",
    );
    assert_eq!(
        said_for(&env, "https://git.corp.example/scm/acme/app.git"),
        ["warning: nobody has signed in to git.corp.example: \
          'git credential-bitbucket login --host git.corp.example' signs in"]
    );
}

#[test]
fn eight_at_once_say_it_once_and_it_is_said_again_after_ten_seconds() {
    let mut env = refused();
    let lines: Vec<String> = thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| said(&env))).collect();
        starts
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    assert_eq!(lines, [REFUSED]);
    assert_eq!(said(&env), [""; 0]);
    // Another line is another matter, and so is an older one.
    let beta = "https://git.corp.example/beta/app.git";
    env.login(
        "BBDC-canary",
        &["dc", "--host", "git.corp.example", "--for", "acme"],
    );
    assert_eq!(said_for(&env, beta).len(), 1);
    let of_file = || fs::read_to_string(env.data().join("said")).unwrap();
    let text = of_file();
    assert!(
        text.lines().count() <= 2 && !text.contains("work"),
        "{text}"
    );
    env.hurry(100);
    thread::sleep(Duration::from_millis(150));
    assert_eq!(said(&env), [REFUSED]);
    let text = fs::read_to_string(env.data().join("said")).unwrap();
    assert_eq!(text.lines().count(), 1, "what is older is gone: {text}");
}

#[cfg(target_os = "linux")]
#[test]
fn where_nothing_can_be_written_it_is_said_each_time() {
    use crate::support::disk::namespace;

    let env = refused();
    let Some(way) = namespace(&env) else { return };
    let script =
        "mount --bind \"$D\" \"$D\" && mount -o remount,ro,bind \"$D\" || exit 99; exec \"$@\"";
    for _ in 0..2 {
        let mut command = env.command(way[0]);
        command
            .args(&way[1..])
            .args(["sh", "-c", script, "sh", PROGRAM, "get"])
            .env("D", env.path());
        let outcome = run(command, CLOUD.as_bytes());
        assert_eq!(
            (outcome.status, outcome.stderr),
            (0, format!("git-credential-bitbucket: {REFUSED}\n"))
        );
    }
}

#[test]
fn a_get_that_answers_is_silent() {
    let env = refused();
    env.login(API_TOKEN, &["other"]);
    let day = tomorrow(&env);
    env.login(
        ACCESS_TOKEN,
        &["soon", "--for", "acme/app", "--expires", &day],
    );
    let outcome = env.program(&["get"], format!("{CLOUD}path=acme/app.git\n"));
    assert!(outcome.stdout.contains(ACCESS_TOKEN), "{outcome:?}");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert!(!env.data().join("said").exists());
}

/// Tomorrow.
fn tomorrow(env: &TestEnv) -> String {
    let outcome = env.shell("date -u -d tomorrow +%F");
    outcome.stdout.trim().to_owned()
}
