//! Which account a secret becomes, so that each repository works as before.

use std::fs;

use super::{environment, repository, scrub, set, stored, token, url, value};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, reply};

fn get(env: &TestEnv, path: &str) -> String {
    env.get_cloud(&format!("path={path}\n"))
}

fn other(number: usize) -> String {
    format!("ATCTT3xFfGN0canary-{number}-access-token-0000000000=0A1B2C3D")
}

#[test]
fn tokens_of_two_repositories_of_one_workspace_each_keep_their_own() {
    let env = environment();
    for number in 0..3 {
        repository(&env, &format!("tree/app{number}"));
        let url = url(&format!("app{number}")).replace(ACCESS_TOKEN, &other(number));
        set(
            &env,
            &format!("tree/app{number}"),
            "remote.origin.url",
            &url,
        );
    }
    scrub(&env, &["tree"]);
    for number in 0..3 {
        assert_eq!(
            get(&env, &format!("acme/app{number}.git")),
            reply("x-token-auth", &other(number))
        );
    }
    assert_eq!(
        get(&env, "acme/else.git"),
        "",
        "nobody had a token for that one"
    );
}

#[test]
fn one_token_of_two_repositories_serves_both_and_nothing_else() {
    let env = environment();
    for name in ["one", "two"] {
        repository(&env, &format!("tree/{name}"));
        set(
            &env,
            &format!("tree/{name}"),
            "remote.origin.url",
            &url(name),
        );
    }
    repository(&env, "tree/beta");
    let beta = url("x")
        .replace("/acme/", "/beta/")
        .replace(ACCESS_TOKEN, &other(1));
    set(&env, "tree/beta", "remote.origin.url", &beta);
    scrub(&env, &["tree"]);
    assert_eq!(env.accounts().len(), 2);
    for (path, token) in [
        ("acme/one.git", ACCESS_TOKEN),
        ("acme/two.git", ACCESS_TOKEN),
        ("beta/x.git", &other(1)),
    ] {
        assert_eq!(get(&env, path), reply("x-token-auth", token), "{path}");
    }
    for path in ["acme/three.git", "beta/three.git", "gamma/three.git"] {
        assert_eq!(get(&env, path), "", "{path}");
    }
}

#[test]
fn an_account_from_login_comes_before_a_token_that_was_found() {
    let env = environment();
    env.login(API_TOKEN, &["mine"]);
    repository(&env, "app");
    set(&env, "app", "remote.origin.url", &url("app"));
    scrub(&env, &["app"]);
    for path in ["acme/app.git", "acme/other.git"] {
        assert_eq!(
            get(&env, path),
            reply("x-bitbucket-api-token-auth", API_TOKEN)
        );
    }
    // It is there, for the repository in which it was found.
    assert_eq!(env.program(&["logout", "mine"], "").status, 0);
    assert_eq!(
        get(&env, "acme/app.git"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(get(&env, "acme/other.git"), "");
}

#[test]
fn a_secret_that_an_account_has_already_is_not_stored_twice() {
    let env = environment();
    env.login(ACCESS_TOKEN, &["work", "--for", "beta"]);
    repository(&env, "app");
    set(&env, "app", "remote.origin.url", &url("app"));
    scrub(&env, &["app"]);
    assert_eq!(stored(&env), [ACCESS_TOKEN]);
    let account = &env.accounts()[0];
    assert_eq!(
        (&account["name"], &account["origin"]),
        (&"work".into(), &"login".into())
    );
    assert_eq!(account["for"], serde_json::json!(["beta", "acme/app"]));

    env.login(API_TOKEN, &["all"]);
    set(
        &env,
        "app",
        "remote.two.url",
        &format!("https://{API_TOKEN}@bitbucket.org/gamma/x.git"),
    );
    scrub(&env, &["app"]);
    let all = &env.accounts()[1];
    assert_eq!(
        all["for"],
        serde_json::json!([]),
        "what serves the whole host serves this too"
    );
}

#[test]
fn an_account_from_login_is_never_tied_with_one_that_was_found() {
    let env = environment();
    env.login(API_TOKEN, &["mine", "--for", "acme/app"]);
    repository(&env, "app");
    set(&env, "app", "remote.origin.url", &url("app"));
    scrub(&env, &["app"]);
    assert_eq!(stored(&env), [API_TOKEN, ACCESS_TOKEN], "nothing is lost");
    assert_eq!(
        get(&env, "acme/app.git"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
}

#[test]
fn where_the_store_fails_the_url_keeps_its_secret() {
    let env = environment();
    fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'keyring'\n",
    )
    .unwrap();
    repository(&env, "app");
    set(&env, "app", "remote.origin.url", &url("app"));
    let outcome = env.program(&["scrub", "app"], "");
    super::assert_silent(&outcome);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("cannot store 'acme-app': cannot reach the OS keyring"),
        "{outcome:?}"
    );
    assert_eq!(value(&env, "app", "remote.origin.url"), url("app"));
}

#[test]
fn two_tokens_in_one_url_are_both_kept() {
    let env = environment();
    repository(&env, "app");
    set(
        &env,
        "app",
        "remote.origin.url",
        &format!("https://{API_TOKEN}:{ACCESS_TOKEN}@bitbucket.org/acme/app.git"),
    );
    scrub(&env, &["app"]);
    assert_eq!(stored(&env), [API_TOKEN, ACCESS_TOKEN]);
    assert_eq!(
        value(&env, "app", "remote.origin.url"),
        "https://bitbucket.org/acme/app.git"
    );
    let _ = token(&env, "acme-app");
}
