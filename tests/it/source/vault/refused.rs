//! What git reports of a secret from Vault: nothing of it is kept, and one that was refused is not answered again until
//! it changes or Bitbucket knows it.

use std::fs;

use serde_json::{Value, json};

use super::{Listener, ROOT, Server, WANTED, address, answer, configure, get, has_openbao};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, Outcome, TestEnv, reply};
use crate::support::stand_in::{Credential, Handle, StandIn};

fn world() -> Option<(TestEnv, Server, StandIn, Handle)> {
    if !has_openbao() {
        return None;
    }
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    let server = Server::start(Listener::Plain);
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    configure(&env, &[&address(&server)]);
    env.set("VAULT_TOKEN", ROOT);
    Some((env, server, stand_in, handle))
}

/// git reports what became of the answer; git before 2.46 says no more than this.
fn report(env: &TestEnv, operation: &str, given: &str) -> Outcome {
    let outcome = env.program(&[operation], format!("{WANTED}{given}"));
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (0, ""),
        "{outcome:?}"
    );
    outcome
}

fn is_anything_kept(env: &TestEnv) -> bool {
    ["accounts.toml", "secrets"]
        .iter()
        .any(|name| env.data().join(name).exists())
}

#[test]
fn a_secret_that_worked_is_kept_nowhere_else() {
    let Some((env, server, _stand_in, _handle)) = world() else {
        return;
    };
    report(&env, "store", &answer());
    let capabilities = "capability[]=authtype\ncapability[]=state\n";
    report(&env, "store", &format!("{capabilities}{}", answer()));
    // What is no longer there, and what somebody typed meanwhile.
    server.put("bitbucket/acme/app", &json!({ "password": ACCESS_TOKEN }));
    report(&env, "store", &answer());
    report(&env, "store", &reply("ada", "typed"));
    assert!(!is_anything_kept(&env));
    // A server that is away may have it.
    assert_eq!(server.ask("PUT", "sys/seal", &Value::Null).0, 204);
    report(&env, "store", &answer());
    assert!(!is_anything_kept(&env));
}

#[test]
fn what_vault_does_not_have_is_kept_as_ever() {
    let Some((env, _server, _stand_in, _handle)) = world() else {
        return;
    };
    let config = env.data().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + "[store]\ndefault = \"file\"\n").unwrap();
    let wanted = "protocol=https\nhost=bitbucket.org\npath=other/app.git\n";
    let given = reply("x-token-auth", ACCESS_TOKEN);
    env.program(&["store"], format!("{wanted}{given}"));
    assert_eq!(env.get(wanted), given);
    assert_eq!(
        get(&env).stdout,
        answer(),
        "and serves its own repository alone"
    );
}

#[test]
fn a_refused_secret_is_answered_again_when_it_has_changed() {
    let Some((env, server, stand_in, handle)) = world() else {
        return;
    };
    handle.revoke();
    report(&env, "erase", &answer());
    for _ in 0..4 {
        let outcome = get(&env);
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (0, ""),
            "{outcome:?}"
        );
    }
    assert!(
        stand_in.requests().len() <= 4,
        "Bitbucket is not asked each time, but its two addresses twice"
    );
    server.put("bitbucket/acme/app", &json!({ "password": ACCESS_TOKEN }));
    assert_eq!(get(&env).stdout, reply("x-token-auth", ACCESS_TOKEN));
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    assert_eq!(get(&env).stdout, "", "the old one is still known");
    assert!(!is_anything_kept(&env));
}

#[test]
fn a_refused_secret_that_bitbucket_knows_is_back_at_once() {
    let Some((env, _server, stand_in, _handle)) = world() else {
        return;
    };
    report(&env, "erase", &answer());
    assert_eq!(get(&env).stdout, answer());
    assert_eq!(get(&env).stdout, answer());
    let paths = stand_in.requests().into_iter().map(|request| request.path);
    let once = ["/2.0/user", "/acme/app.git/info/refs"];
    assert_eq!(paths.collect::<Vec<_>>(), once, "asked once");
}

#[test]
fn a_success_forgets_the_refusal() {
    let Some((env, _server, stand_in, _handle)) = world() else {
        return;
    };
    report(&env, "erase", &answer());
    report(&env, "store", &answer());
    assert_eq!(get(&env).stdout, answer());
    assert!(stand_in.requests().is_empty(), "there is nothing to ask");
}

#[test]
fn an_erase_of_another_secret_or_without_one_changes_nothing() {
    let Some((env, _server, stand_in, _handle)) = world() else {
        return;
    };
    report(&env, "erase", &reply("ada", "typed"));
    report(&env, "erase", "");
    let wanted = "protocol=https\nhost=api.bitbucket.org\npath=2.0/repositories/acme/app\n";
    env.program(
        &["erase"],
        format!("{wanted}{}", reply("ada@example.com", API_TOKEN)),
    );
    assert_eq!(get(&env).stdout, answer());
    assert!(stand_in.requests().is_empty());
}
