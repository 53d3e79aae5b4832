//! Whole stories: real git and git-lfs over literal `https://bitbucket.org` URLs, the token in a real OpenBao.

use std::fs;

use serde_json::json;

use super::{Listener, Server, app_role_lines, configure, has_openbao};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, has};
use crate::support::stand_in::{Credential, StandIn};

const APP: &str = "https://bitbucket.org/acme/app.git";

/// A runner that logs in with `approle`, and has set up git.
fn runner() -> Option<(TestEnv, Server, StandIn)> {
    if !has_openbao() {
        return None;
    }
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let server = Server::start(Listener::Tls("localhost"));
    let (role_id, secret_id) = server.app_role(&json!({}));
    fs::write(env.path().join("role-id"), role_id).unwrap();
    fs::write(env.path().join("secret-id"), secret_id).unwrap();
    let mut lines = app_role_lines(&env, &server).to_vec();
    lines.push(format!("ca = \"{}\"", server.ca().display()));
    configure(&env, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    env.set_up();
    Some((env, server, stand_in))
}

#[test]
fn clone_fetch_and_push_with_large_files_cost_one_login() {
    if !has(&["git-lfs"]) {
        return;
    }
    let Some((env, server, stand_in)) = runner() else {
        return;
    };
    stand_in.allow(Credential::api_token(API_TOKEN));
    server.put("bitbucket/acme/_default", &json!({ "password": API_TOKEN }));
    env.git_succeeds(&["lfs", "install", "--skip-repo"]);
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
    fs::write(env.home().join("app/large.bin"), "x".repeat(100_000)).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "-m", "large"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    env.git_succeeds(&["clone", "--quiet", APP, "again"]);
    let large = fs::read(env.home().join("again/large.bin")).unwrap();
    assert_eq!(large.len(), 100_000);
    assert_eq!(server.logins(), 1);
    assert!(stand_in.refused().is_empty(), "{:?}", stand_in.refused());
    assert!(
        !env.data().join("accounts.toml").exists(),
        "nothing is kept"
    );
    assert!(!env.data().join("secrets").exists());
}

#[test]
fn a_rotation_between_two_fetches_takes_effect() {
    let Some((env, server, stand_in)) = runner() else {
        return;
    };
    let old = stand_in.allow(Credential::api_token(API_TOKEN));
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    // The new one is made, put there, and only then the old one is revoked.
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme/app"));
    server.put("bitbucket/acme/app", &json!({ "password": ACCESS_TOKEN }));
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    old.revoke();
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    assert_eq!(server.logins(), 1);
}

#[test]
fn a_rotation_in_the_wrong_order_costs_one_refusal_and_mends_itself() {
    let Some((env, server, stand_in)) = runner() else {
        return;
    };
    let old = stand_in.allow(Credential::api_token(API_TOKEN));
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    old.revoke();
    assert_ne!(env.git(&["-C", "app", "fetch", "--quiet"]).status, 0);
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme/app"));
    server.put("bitbucket/acme/app", &json!({ "password": ACCESS_TOKEN }));
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
}

#[test]
fn a_submodule_of_another_workspace_gets_that_ones_secret() {
    let Some((env, server, stand_in)) = runner() else {
        return;
    };
    stand_in.repository("beta/lib");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    stand_in.allow(Credential::access_token("ATCTT3xbeta").sees("beta"));
    server.put(
        "bitbucket/acme/_default",
        &json!({ "password": ACCESS_TOKEN }),
    );
    server.put(
        "bitbucket/beta/_default",
        &json!({ "password": "ATCTT3xbeta" }),
    );
    env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    let other = "https://bitbucket.org/beta/lib.git";
    env.git_succeeds(&["-C", "app", "submodule", "--quiet", "add", other, "lib"]);
    assert_eq!(server.logins(), 1);
}
