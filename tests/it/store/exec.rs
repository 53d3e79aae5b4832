//! The store `exec` with real programs: docker-credential-pass with a throw-away key, docker-credential-secretservice
//! in a session of its own.

use std::fs;

use tempfile::TempDir;

use crate::source::{OF_THE_HOST, OF_THE_WORKSPACE, assert_nearest_answers};
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, Outcome, PROGRAM, TestEnv, has, reply, run, write_private,
};
use crate::support::keyring::in_session;
use crate::support::stand_in::{Credential, StandIn};

const PASS: &str = "docker-credential-pass";
const APP: &str = "https://bitbucket.org/acme/app.git";

/// A key without a passphrase, and the agent that keeps it; gone when dropped.
pub(crate) struct Keys {
    /// Short, as the names of the agent's sockets must be.
    folder: TempDir,
}

impl Drop for Keys {
    fn drop(&mut self) {
        let mut kill = std::process::Command::new("gpgconf");
        kill.args(["--kill", "all"])
            .env("GNUPGHOME", self.folder.path());
        let _ = kill.status();
    }
}

/// An empty password store of pass; nothing when pass is not there.
pub(crate) fn with_pass(env: &mut TestEnv) -> Option<Keys> {
    if !has(&[PASS, "pass", "gpg", "gpgconf"]) {
        return None;
    }
    let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp");
    let keys = Keys {
        folder: folder.unwrap(),
    };
    env.set("GNUPGHOME", keys.folder.path().to_str().unwrap());
    let store = env.path().join("passwords").display().to_string();
    env.set("PASSWORD_STORE_DIR", &store);
    let script = "gpg --quiet --batch --passphrase '' --quick-generate-key throw-away future-default default never &&
                  pass init throw-away";
    let mut command = env.command("sh");
    command.args(["-c", script]);
    let outcome = run(command, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    configure(env, PASS, "");
    Some(keys)
}

/// Names the program of the store, and says more at the beginning of the settings.
pub(crate) fn configure(env: &TestEnv, program: &str, more: &str) {
    fs::create_dir_all(env.data()).unwrap();
    let settings = format!("{more}\n[store.exec]\nprogram = '{program}'\n");
    write_private(&env.data().join("config.toml"), &settings);
}

/// What an operation of the program itself comes to.
fn program(env: &TestEnv, operation: &str, input: &str) -> Outcome {
    let mut command = env.command(PASS);
    command.arg(operation);
    run(command, input.as_bytes())
}

/// Puts a credential where somebody else would have put it.
fn put(env: &TestEnv, url: &str, username: &str, secret: &str) {
    let message =
        serde_json::json!({"ServerURL": url, "Username": username, "Secret": secret}).to_string();
    let outcome = program(env, "store", &message);
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

/// Which URLs the program has something for.
fn list(env: &TestEnv) -> Vec<String> {
    let outcome = program(env, "list", "");
    let list: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    list.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn pass_keeps_a_secret_and_logout_takes_it_out() {
    let mut env = TestEnv::new();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    env.configure_plain();
    let outcome = env.login(API_TOKEN, &["work", "--store", "exec"]);
    assert_eq!(
        outcome.stderr,
        "Stored the secret of 'work' for bitbucket.org with 'docker-credential-pass'\n"
    );
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    assert_eq!(
        env.program(&["token", "work"], "").stdout,
        format!("{API_TOKEN}\n")
    );
    let account = &env.accounts()[0];
    assert_eq!(
        (&account["store"], &account["state"]),
        (&"exec".into(), &"unchecked".into())
    );
    assert_eq!(list(&env).len(), 1);
    env.login(ACCESS_TOKEN, &["work", "--store", "exec"]);
    assert_eq!(
        list(&env).len(),
        1,
        "what was replaced is not left behind: {:?}",
        list(&env)
    );
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));
    assert_eq!(env.program(&["logout", "work"], "").status, 0);
    assert_eq!(list(&env), [""; 0]);
    assert_eq!(env.get_cloud(""), "");
}

#[test]
fn pass_keeps_a_long_secret_one_beyond_ascii_and_a_name_that_is_an_address() {
    let mut env = TestEnv::new();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    let long = "x".repeat(6_000);
    let quoted = "p\"ä\\s$(x)'ß\u{1f511}";
    let name = "ada.lovelace-of-the-analytical-engine@department.corp.example";
    for secret in [&long[..], quoted] {
        env.login(secret, &[name, "--store", "exec", "--kind", "access-token"]);
        assert_eq!(env.get_cloud(""), reply("x-token-auth", secret));
    }
    env.program(&["logout", "--all"], "");
    assert_eq!(list(&env), [""; 0]);
}

#[test]
fn what_git_gives_is_kept_with_the_program_unless_it_is_no_text() {
    let mut env = TestEnv::new();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    configure(&env, PASS, "store.default = 'exec'");
    let credential = |password: &[u8]| {
        let start = b"protocol=https\nhost=bitbucket.org\nusername=ada\npassword=";
        [&start[..], password, b"\n"].concat()
    };
    let outcome = env.program(&["store"], credential(b"j\xfcrgen"));
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .ends_with("'exec' keeps text only, and the secret is not UTF-8\n"),
        "{outcome:?}"
    );
    assert_eq!((env.accounts().len(), list(&env).len()), (0, 0));
    let outcome = env.program(&["store"], credential("jürgen".as_bytes()));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(env.get_cloud(""), reply("ada", "jürgen"));
    assert_eq!(
        env.program(&["erase"], credential("jürgen".as_bytes()))
            .status,
        0
    );
    assert_eq!((env.accounts().len(), list(&env).len()), (0, 0));
}

#[test]
fn the_repositorys_secret_comes_before_its_workspaces_and_that_before_the_hosts() {
    let mut env = TestEnv::new();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    configure(&env, PASS, "lookup = ['exec']");
    assert_eq!(env.get_cloud("path=acme/app.git\n"), "");
    put(&env, "https://bitbucket.org", "<token>", OF_THE_HOST);
    put(
        &env,
        "https://bitbucket.org/acme",
        "x-token-auth",
        OF_THE_WORKSPACE,
    );
    put(
        &env,
        "https://bitbucket.org/acme/app",
        "ada@example.com",
        API_TOKEN,
    );
    put(&env, "https://git.corp.example", "bob", "never");
    assert_nearest_answers(&env);
    let rest = "protocol=https\nhost=api.bitbucket.org\npath=2.0/repositories/acme/app\n";
    assert_eq!(env.get(rest), reply("ada@example.com", API_TOKEN));
    assert_eq!(env.get("protocol=https\nhost=git.corp.example\n"), "");
    let worked = format!("protocol=https\nhost=bitbucket.org\nusername=x\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["store"], worked).status, 0);
    assert_eq!(env.accounts().len(), 0, "nothing is copied");
}

#[test]
fn git_works_with_what_pass_has_and_with_what_it_has_next() {
    let (mut env, stand_in): (TestEnv, StandIn) = TestEnv::with_stand_in();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    configure(&env, PASS, "lookup = ['exec']");
    stand_in.repository("acme/app");
    let old = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.set_up();
    put(
        &env,
        "https://bitbucket.org/acme/app",
        "<token>",
        ACCESS_TOKEN,
    );
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    old.revoke();
    let new = ACCESS_TOKEN.replace("0A1B", "9999");
    stand_in.allow(Credential::access_token(&new));
    assert_ne!(env.git(&["-C", "app", "fetch"]).status, 0);
    put(&env, "https://bitbucket.org/acme/app", "<token>", &new);
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    assert_eq!(env.accounts().len(), 0);
    assert!(!env.data().join("secrets").exists());
}

#[test]
fn the_secret_service_keeps_gives_back_and_forgets() {
    let mut env = TestEnv::new();
    if !has(&["docker-credential-secretservice"]) {
        return;
    }
    configure(&env, "docker-credential-secretservice", "lookup = ['exec']");
    let long = "x".repeat(6_000);
    let request =
        "printf 'protocol=https\\nhost=bitbucket.org\\npath=acme/app.git\\n' | timeout 30";
    let script = format!(
        "set -e; get() {{ {request} '{PROGRAM}' get; }}
         get; printf '{long}' | '{PROGRAM}' login work --with-token --no-verify --store exec --kind access-token
         get; '{PROGRAM}' token work; '{PROGRAM}' status --json | grep -o '\"state\": \"[a-z]*\"'
         '{PROGRAM}' logout work; docker-credential-secretservice list; get
         printf '{{\"ServerURL\":\"https://bitbucket.org/acme\",\"Username\":\"x\",\"Secret\":\"other\"}}' |
             docker-credential-secretservice store
         get"
    );
    let Some(outcome) = in_session(&mut env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let kept = reply("x-token-auth", &long);
    assert_eq!(
        outcome.stdout,
        format!(
            "{kept}{long}\n\"state\": \"unchecked\"\n{{}}\n{}",
            reply("x", "other")
        ),
        "{outcome:?}"
    );
}

#[test]
fn no_program_learns_a_secret_from_its_arguments_or_its_environment() {
    let mut env = TestEnv::new();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    let (witness, log) = (env.path().join("witness"), env.path().join("seen"));
    let script = format!(
        "#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ >>'{}'\nexec {PASS} \"$@\"\n",
        log.display()
    );
    crate::support::harness::write_program(&witness, &script);
    configure(&env, witness.to_str().unwrap(), "");
    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    env.set("BITBUCKET_APP_PASSWORD", "canary");
    env.login(API_TOKEN, &["work", "--store", "exec"]);
    assert_eq!(env.program(&["token", "work"], "").status, 0);
    assert_eq!(env.program(&["logout", "work"], "").status, 0);
    let seen = fs::read(&log).unwrap();
    let text = String::from_utf8_lossy(&seen);
    for operation in ["store", "get", "erase"] {
        assert!(text.contains(&format!("\0{operation}\0")), "{text}");
    }
    assert!(!crate::support::canary::leaks(&seen), "{text}");
}

#[test]
fn a_grant_lies_with_the_program() {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    let Some(_keys) = with_pass(&mut env) else {
        return;
    };
    stand_in.repository("acme/app");
    stand_in.consumer("KEY", API_TOKEN).private();
    let arguments = [
        "login",
        "grant",
        "--client-id",
        "KEY",
        "--client-credentials",
        "--with-token",
        "--store",
        "exec",
    ];
    let outcome = env.program(&arguments, API_TOKEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    env.set_up();
    env.git_succeeds(&["ls-remote", APP]);
    assert_eq!(env.accounts()[0]["store"], "exec");
    assert_eq!(list(&env).len(), 1);
}
