//! A token that is there already: the environment's, the token helper's, that of the file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;

use super::{Server, answer, configure, error, get, world};
use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, run, write_private};

/// A token that may read, and the environment without one.
fn with_reader() -> Option<(TestEnv, Server, String)> {
    let (mut env, server) = world()?;
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    server.policy("git", &["secret/data/bitbucket/*"]);
    let token = server.token(&["git"]);
    // Empty is as good as unset.
    env.set("VAULT_TOKEN", "");
    Some((env, server, token))
}

fn helper(env: &TestEnv, script: &str) -> PathBuf {
    let path = env.path().join("token-helper");
    crate::support::harness::write_program(&path, &format!("#!/bin/sh\n{script}\n"));
    let line = format!("# mine\ntoken_helper = \"{}\"\n", path.display());
    write_private(&env.home().join(".vault"), &line);
    path
}

fn forbidden(server: &Server) -> String {
    format!(
        "Vault at '{}' does not let us read 'secret/data/bitbucket/acme/app' (403)",
        server.address
    )
}

#[test]
fn each_source_of_a_token_comes_before_the_next() {
    let Some((mut env, server, token)) = with_reader() else {
        return;
    };
    assert_eq!(error(&env), "there is no token for Vault");
    write_private(&env.home().join(".vault-token"), &format!("{token}\n"));
    assert_eq!(
        get(&env).stdout,
        answer(),
        "the file that signing in writes"
    );
    helper(&env, "echo wrong");
    assert_eq!(
        error(&env),
        forbidden(&server),
        "the helper's comes before it"
    );
    env.set("VAULT_TOKEN", &token);
    assert_eq!(get(&env).stdout, answer(), "and the variable's before that");
    env.set("BAO_TOKEN", "wrong");
    assert_eq!(
        error(&env),
        forbidden(&server),
        "OpenBao's name of it first"
    );
    env.set("BAO_TOKEN", &format!(" {token}\n"));
    env.set("VAULT_TOKEN", "wrong");
    assert_eq!(get(&env).stdout, answer());
}

#[test]
fn the_file_may_lie_where_openbao_puts_it() {
    let Some((mut env, _server, token)) = with_reader() else {
        return;
    };
    let path = env.path().join("elsewhere");
    write_private(&path, &token);
    env.set("BAO_TOKEN_PATH", path.to_str().unwrap());
    assert_eq!(get(&env).stdout, answer());
}

#[test]
fn what_bao_login_leaves_is_enough() {
    let Some((env, server, token)) = with_reader() else {
        return;
    };
    let mut login = env.command(super::bao());
    login
        .args(["login", "-"])
        .env("BAO_ADDR", &server.address)
        .env_remove("VAULT_TOKEN");
    let outcome = run(login, token.as_bytes());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(get(&env).stdout, answer());
}

#[test]
fn a_token_helper_that_fails_is_named_and_the_file_is_not_taken_in_its_place() {
    let Some((mut env, _server, token)) = with_reader() else {
        return;
    };
    write_private(&env.home().join(".vault-token"), &token);
    let path = helper(&env, &format!("test $1 = get && echo {token}"));
    assert_eq!(get(&env).stdout, answer());
    let named = format!("the token helper '{}'", path.display());

    helper(&env, "echo canary; echo canary >&2; exit 3");
    assert_eq!(error(&env), format!("{named} fails"));
    helper(&env, "exit 0");
    assert_eq!(error(&env), "there is no token for Vault");
    helper(&env, "echo two; echo lines");
    assert_eq!(
        error(&env),
        format!("the token from {named} is not one of Vault")
    );
    fs::remove_file(&path).unwrap();
    let message = error(&env);
    assert!(
        message.starts_with(&format!("{named} cannot be started: ")),
        "{message}"
    );
    // Where Vault's tool is told to look.
    let other = env.path().join("vault.hcl");
    write_private(&other, "");
    env.set("VAULT_CONFIG_PATH", other.to_str().unwrap());
    assert_eq!(get(&env).stdout, answer());
}

#[test]
fn a_token_helper_that_hangs_is_not_waited_for() {
    let Some((env, _server, _)) = with_reader() else {
        return;
    };
    let path = helper(&env, "sleep 1000 & sleep 1000");
    assert_eq!(
        error(&env),
        format!(
            "the token helper '{}' does not answer within 3 seconds",
            path.display()
        )
    );
}

#[test]
fn a_token_helper_is_told_none_of_bitbuckets_secrets() {
    let Some((mut env, _server, token)) = with_reader() else {
        return;
    };
    let seen = env.path().join("seen");
    helper(&env, &format!("env >'{}'; echo {token}", seen.display()));
    // For another host than Bitbucket's these are no account.
    env.set("BITBUCKET_EMAIL", "ada@example.com");
    assert_eq!(get(&env).stdout, answer());
    let seen = fs::read_to_string(seen).unwrap();
    assert!(
        seen.contains("BITBUCKET_EMAIL") && !seen.contains("canary"),
        "{seen}"
    );
}

#[test]
fn a_configuration_that_others_can_write_names_no_program() {
    let Some((env, _server, token)) = with_reader() else {
        return;
    };
    helper(&env, &format!("echo {token}"));
    let path = env.home().join(".vault");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let error = error(&env);
    assert!(
        error.starts_with(&format!("'{}' can be ", path.display())),
        "{error}"
    );
}

#[test]
fn openbaos_own_configuration_comes_before_vaults() {
    let Some((env, _server, token)) = with_reader() else {
        return;
    };
    helper(&env, &format!("echo {token}"));
    fs::rename(env.home().join(".vault"), env.home().join(".bao")).unwrap();
    write_private(
        &env.home().join(".vault"),
        "token_helper = \"/nowhere/helper\"\n",
    );
    assert_eq!(get(&env).stdout, answer());
}

#[test]
fn a_token_helper_with_a_relative_path_is_not_started() {
    let env = TestEnv::new();
    // It is not even asked.
    configure(&env, &["address = \"http://127.0.0.1:1\""]);
    let program = helper(&env, "touch \"$HOME/started\"; echo token");
    let line = "token_helper = \"./token-helper\"\n";
    write_private(&env.home().join(".vault"), line);
    let mut command = env.command(PROGRAM);
    command.arg("get").current_dir(program.parent().unwrap());
    let request = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
    let outcome = run(command, request.as_bytes());
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome.stderr.contains("is not an absolute path"),
        "{outcome:?}"
    );
    assert!(!env.home().join("started").exists());
}
