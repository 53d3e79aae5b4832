//! Vault's token, what it was got with, and the secret are in no stream, argument or file but where they belong.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{WANTED, world_of_app_role};
use crate::support::canary::leaks;
use crate::support::harness::{PROGRAM, has, run};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn nothing_of_a_login_is_in_a_trace_a_message_or_another_file() {
    let Some((mut env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    let trace = env.home().join("trace.log");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
    let mut tokens = Vec::new();
    let mut silent = |env: &crate::support::harness::TestEnv, arguments: &[&str]| {
        let outcome = env.program(arguments, WANTED);
        assert!(!leaks(outcome.stderr.as_bytes()), "{outcome:?}");
        for path in files(&env.data()) {
            let content = fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!leaks(&content), "{name}");
            if name.starts_with("vault-login-") && !name.contains('.') {
                let text = String::from_utf8(content).unwrap();
                tokens.extend(text.split_whitespace().nth(1).map(str::to_owned));
            }
        }
        for token in &tokens {
            assert!(!outcome.stderr.contains(token), "{outcome:?}");
            assert!(!outcome.stdout.contains(token), "{outcome:?}");
        }
    };
    silent(&env, &["get"]);
    for arguments in [&["doctor"][..], &["doctor", "--json"], &["status"]] {
        silent(&env, arguments);
    }
    server.policy("git", &["secret/data/other"]);
    silent(&env, &["get"]);
    silent(&env, &["doctor", "https://bitbucket.org/acme/app.git"]);
    fs::write(env.path().join("secret-id"), "canary-another").unwrap();
    silent(&env, &["get"]);
    silent(&env, &["doctor"]);
    assert!(!tokens.is_empty(), "the test would notice");
    let trace = fs::read(&trace).unwrap();
    let text = String::from_utf8_lossy(&trace);
    assert!(text.contains("vault: login with approle"), "{text}");
    assert!(!leaks(&trace), "{text}");
    assert!(
        tokens.iter().all(|token| !text.contains(token.as_str())),
        "{text}"
    );
}

#[test]
fn no_process_is_started_and_no_argument_tells_anything() {
    if !has(&["strace"]) {
        return;
    }
    let Some((env, _server)) = world_of_app_role(&json!({})) else {
        return;
    };
    let log = env.path().join("trace");
    let mut command = env.command("strace");
    command
        .args(["-f", "-v", "-s", "100000", "-e", "trace=execve", "-o"])
        .arg(&log)
        .args([PROGRAM, "get"]);
    let outcome = run(command, WANTED.as_bytes());
    assert!(leaks(outcome.stdout.as_bytes()), "{outcome:?}");
    let text = fs::read_to_string(log).unwrap();
    assert!(!leaks(text.as_bytes()), "{text}");
    assert_eq!(text.matches("execve(").count(), 1, "{text}");
}
