//! A repository whose remotes hold a token goes on working without it.

use std::fs;
use std::path::PathBuf;

use super::{
    environment, files_with_canaries, repository, scrub, set, stored, url, use_file_store,
};
use crate::support::harness::{ACCESS_TOKEN, TestEnv, has};
use crate::support::stand_in::{Credential, StandIn};

fn with_token() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    use_file_store(&env);
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    (env, stand_in)
}

fn commit(env: &TestEnv, name: &str, content: &[u8]) {
    fs::write(env.home().join("app").join(name), content).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "-m", name]);
}

#[test]
fn fetch_push_submodules_and_lfs_work_afterwards_without_a_question() {
    let (env, stand_in) = with_token();
    let library = stand_in.repository("acme/library");
    stand_in
        .repository("acme/app")
        .with_submodule("library", &library);
    env.git_succeeds(&["clone", "--quiet", &url("app"), "app"]);
    set(&env, "app", "submodule.library.url", &url("library"));
    env.git_succeeds(&["-C", "app", "submodule", "--quiet", "update"]);
    if has(&["git-lfs"]) {
        env.git_succeeds(&["lfs", "install", "--skip-repo"]);
        env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
        commit(&env, "first.bin", b"first");
        env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    }
    assert!(!files_with_canaries(&env.home()).is_empty());

    scrub(&env, &["app"]);
    assert_eq!(files_with_canaries(&env.home()), Vec::<PathBuf>::new());
    assert_eq!(files_with_canaries(&env.data()), Vec::<PathBuf>::new());
    assert_eq!(stored(&env), [ACCESS_TOKEN]);
    assert_ne!(
        env.git(&["-C", "app", "fetch"]).status,
        0,
        "nobody answers yet"
    );
    assert_eq!(env.program(&["setup", "--guard"], "").status, 0);
    commit(&env, "second.bin", b"second");
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    env.git_succeeds(&["-C", "app", "pull", "--quiet"]);
    env.git_succeeds(&["-C", "app", "submodule", "--quiet", "update", "--remote"]);
    env.git_succeeds(&["-C", "app", "remote", "update"]);
    let used: Vec<String> = stand_in
        .requests()
        .iter()
        // The question what the token is for.
        .filter(|request| request.path != "/2.0/user")
        .filter_map(|request| request.user().map(str::to_owned))
        .collect();
    assert!(used.iter().all(|user| user == "x-token-auth"), "{used:?}");
    assert_eq!(files_with_canaries(&env.home()), Vec::<PathBuf>::new());
    assert_eq!(env.accounts()[0]["state"], "ok");
}

#[test]
fn what_a_pull_by_url_left_behind_goes_too() {
    let (env, stand_in) = with_token();
    let app = stand_in.repository("acme/app");
    env.git_succeeds(&["clone", "--quiet", &url("app"), "app"]);
    let app = app.with_file("new", b"content");
    env.git_succeeds(&["-C", "app", "pull", "--quiet", &url("app"), "main"]);
    let reflog = env.home().join("app/.git/logs/HEAD");
    assert!(
        fs::read_to_string(&reflog).unwrap().contains("canary"),
        "git writes what it was told"
    );
    scrub(&env, &["app"]);
    assert_eq!(files_with_canaries(&env.home()), Vec::<PathBuf>::new());
    let text = fs::read_to_string(&reflog).unwrap();
    assert!(
        text.contains("pull --quiet https://x-token-auth@bitbucket.org/acme/app.git main"),
        "{text}"
    );
    let head = env
        .git_succeeds(&["-C", "app", "rev-parse", "HEAD@{0}"])
        .stdout;
    assert_eq!(head.trim(), app.head());
}

#[test]
fn a_secret_that_goes_with_its_twin_is_told_as_moved() {
    let env = environment();
    let reflog = repository(&env, "app").join(".git/logs/HEAD");
    let wide = format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/");
    let id = "0".repeat(40);
    let line = |url: &str| format!("{id} {id} Ada <ada@example.org> 1 +0000\tpull: {url}\n");
    fs::write(&reflog, line(&wide) + &line(&url("app"))).unwrap();
    let outcome = scrub(&env, &["app"]);
    assert_eq!(files_with_canaries(&env.home()), Vec::<PathBuf>::new());
    let moved = outcome.stdout.matches("moved to account").count();
    assert_eq!(moved, 2, "{outcome:?}");
    assert!(!outcome.stderr.contains("still there"), "{outcome:?}");
}

#[test]
fn the_guard_makes_git_refuse_such_urls_from_then_on() {
    let (env, stand_in) = with_token();
    stand_in.repository("acme/app");
    assert_eq!(env.program(&["setup", "--guard"], "").status, 0);
    let outcome = env.git(&["clone", &url("app"), "app"]);
    assert_ne!(outcome.status, 0);
    assert!(
        outcome.stderr.contains("uses plaintext credentials"),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
}
