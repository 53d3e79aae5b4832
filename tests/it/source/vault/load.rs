//! Many at once, and how much memory one takes.

use std::fs;
use std::thread;

use serde_json::json;

use super::{
    Listener, ROOT, Server, WANTED, address, answer, configure, get, has_openbao, world_of_app_role,
};
use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, has, rounds, run};

#[test]
fn of_many_questions_eight_at_a_time_none_fails() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..rounds(50) {
                    let outcome = get(&env);
                    assert_eq!((outcome.stdout, outcome.stderr), (answer(), String::new()));
                }
            });
        }
    });
    assert_eq!(server.logins(), 1);
    assert_eq!(
        server.count("read", "secret/data/bitbucket/acme/app"),
        8 * rounds(50)
    );
}

/// KiB of memory at most, as the kernel counts them. A build for debugging brings larger code along; the benchmark holds
/// the real one to 16 MiB.
const MOST: u64 = if cfg!(debug_assertions) { 20 } else { 16 } * 1024;

#[test]
fn one_question_takes_little_memory() {
    if !has_openbao() || !has(&["time"]) {
        return;
    }
    let server = Server::start(Listener::Tls("localhost"));
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    let mut env = TestEnv::new();
    env.set("VAULT_TOKEN", ROOT);
    let ca = format!("ca = \"{}\"", server.ca().display());
    // The authority alone, and then all of the system's besides.
    let mut all = fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    all.extend(fs::read(server.ca()).unwrap());
    fs::write(env.path().join("all.pem"), all).unwrap();
    env.set(
        "SSL_CERT_FILE",
        env.path().join("all.pem").to_str().unwrap(),
    );
    for line in [ca.as_str(), ""] {
        configure(&env, &[&address(&server), line]);
        let mut command = env.command("time");
        command.args(["-f", "%M", PROGRAM, "get"]);
        let outcome = run(command, WANTED.as_bytes());
        assert_eq!(outcome.stdout, answer(), "{outcome:?}");
        let most: u64 = outcome.stderr.trim().parse().unwrap();
        assert!(most < MOST, "{most} KiB with '{line}'");
    }
}
