//! Whole stories: real git, git-lfs and submodules over literal `https://bitbucket.org` URLs, against the stand-in.

use std::fs;
use std::path::PathBuf;
use std::thread;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, has, noise, run};
use crate::support::stand_in::{Credential, StandIn};

const APP: &str = "https://bitbucket.org/acme/app.git";

/// Signed in with an API token, set up, and a repository to work on.
fn signed_in() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    env.set_up();
    env.login(API_TOKEN, &[]);
    (env, stand_in)
}

fn clone(env: &TestEnv, url: &str, name: &str) -> PathBuf {
    env.git_succeeds(&["clone", "--quiet", url, name]);
    env.home().join(name)
}

fn commit(env: &TestEnv, name: &str, content: &[u8]) {
    fs::write(env.home().join("app").join(name), content).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "-m", name]);
}

#[test]
fn from_first_use_to_push_without_a_question() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    assert_ne!(env.git(&["clone", APP]).status, 0, "it is private");
    env.set_up();
    env.login(API_TOKEN, &[]);
    clone(&env, APP, "app");
    commit(&env, "new", b"content");
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    env.git_succeeds(&["-C", "app", "fetch", "--quiet"]);
    env.git_succeeds(&["-C", "app", "pull", "--quiet"]);
    let status = env
        .git_succeeds(&["-C", "app", "status", "--short", "--branch"])
        .stdout;
    assert_eq!(status, "## main...origin/main\n");
    assert!(stand_in.refused().is_empty(), "nothing else was contacted");
    let names = stand_in.requests();
    assert!(
        names
            .iter()
            .filter_map(|request| request.user())
            .all(|user| user == "x-bitbucket-api-token-auth")
    );
    assert_eq!(
        env.git(&["-C", "app", "remote", "get-url", "origin"])
            .stdout,
        format!("{APP}\n")
    );
}

#[test]
fn plain_configuration_without_setup_works_as_well() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.configure_plain();
    env.login(ACCESS_TOKEN, &["--for", "acme"]);
    clone(&env, APP, "app");
}

#[test]
fn a_data_center_host_works_beside_bitbucket_org() {
    let (env, stand_in) = signed_in();
    let data_center = stand_in.data_center("git.corp.example:7990", "");
    data_center.repository("prj/app");
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    env.login(
        "BBDC-canary",
        &[
            "--host",
            "git.corp.example:7990",
            "--username",
            "bob",
            "--for",
            "PRJ",
        ],
    );
    clone(&env, "https://git.corp.example:7990/scm/prj/app.git", "dc");
    clone(&env, APP, "app");
    let to = |host: &str| {
        let requests = stand_in.requests();
        let secrets = requests
            .iter()
            .filter(|request| request.host.starts_with(host))
            .filter_map(|request| request.secret().map(str::to_owned));
        secrets.collect::<Vec<_>>()
    };
    assert!(
        !to("git.corp.example").is_empty()
            && to("git.corp.example")
                .iter()
                .all(|secret| secret == "BBDC-canary")
    );
    assert!(
        !to("bitbucket.org").is_empty()
            && to("bitbucket.org").iter().all(|secret| secret == API_TOKEN)
    );
}

#[test]
fn two_accounts_on_one_host_answer_for_their_own_workspace() {
    let (env, stand_in) = TestEnv::with_stand_in();
    for (workspace, token) in [
        ("acme", ACCESS_TOKEN.to_owned()),
        ("beta", ACCESS_TOKEN.replace("0A1B", "9999")),
    ] {
        stand_in.repository(&format!("{workspace}/app"));
        stand_in.allow(Credential::access_token(&token).sees(workspace));
        env.login(&token, &[workspace, "--for", workspace]);
    }
    env.program(&["setup"], "");
    clone(&env, APP, "app");
    clone(&env, "https://bitbucket.org/Beta/app", "other");
}

#[test]
fn a_private_submodule_and_a_wiki_need_no_question() {
    let (env, stand_in) = signed_in();
    let library = stand_in.repository("acme/library");
    stand_in
        .repository("acme/super")
        .with_submodule("library", &library);
    stand_in.repository("acme/old").with_wiki();
    env.git_succeeds(&[
        "clone",
        "--quiet",
        "--recurse-submodules",
        "https://bitbucket.org/acme/super.git",
    ]);
    assert!(env.home().join("super/library/.git").exists());
    env.git_succeeds(&["-C", "super", "submodule", "update", "--remote", "--quiet"]);
    clone(&env, "https://bitbucket.org/acme/old.git/wiki", "wiki");
}

#[test]
fn lfs_pushes_and_pulls_without_a_question() {
    if !has(&["git-lfs"]) {
        return;
    }
    let (env, _stand_in) = signed_in();
    env.git_succeeds(&["lfs", "install", "--skip-repo"]);
    clone(&env, APP, "app");
    env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
    let content = noise(200_000);
    commit(&env, "large.bin", &content);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    clone(&env, APP, "again");
    assert_eq!(
        fs::read(env.home().join("again/large.bin")).unwrap(),
        content
    );
}

#[test]
fn www_bitbucket_org_is_another_name_of_bitbucket_org() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.set_up();
    let www = "https://www.bitbucket.org/acme/app.git";
    // What worked under one name is kept, and answers under both.
    let given = format!("username=x-token-auth\npassword={ACCESS_TOKEN}\n");
    let mut approve = env.command("git");
    approve.args(["credential", "approve"]);
    let outcome = run(approve, format!("url={www}\n{given}").as_bytes());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(env.accounts()[0]["host"], "bitbucket.org");
    assert_eq!(env.accounts()[0]["for"][0], "acme/app");
    env.git_succeeds(&["ls-remote", APP]);
    clone(&env, www, "app");
    commit(&env, "new", b"content");
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    if has(&["git-lfs"]) {
        env.git_succeeds(&["lfs", "install", "--skip-repo"]);
        env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
        commit(&env, "large.bin", &noise(10_000));
        env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    }
    assert!(stand_in.refused().is_empty(), "nothing else was contacted");
    handle.revoke();
    assert_ne!(env.git(&["ls-remote", www]).status, 0);
    assert_eq!(env.accounts()[0]["state"], "rejected");
}

#[test]
fn lfs_ends_when_the_token_was_revoked() {
    if !has(&["git-lfs", "timeout"]) {
        return;
    }
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app").public();
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    env.program(&["setup"], "");
    env.login(API_TOKEN, &[]);
    env.git_succeeds(&["lfs", "install", "--skip-repo"]);
    clone(&env, APP, "app");
    env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
    commit(&env, "large.bin", &noise(10_000));
    handle.revoke();
    let mut push = env.command("timeout");
    push.args(["60", "git", "-C", "app", "lfs", "push", "origin", "main"]);
    let outcome = run(push, b"");
    assert!(outcome.status != 0 && outcome.status != 124, "{outcome:?}");
    assert!(
        stand_in.count(|request| request.secret() == Some(API_TOKEN)) < 10,
        "git-lfs does not go round in circles"
    );
    assert_eq!(env.accounts()[0]["state"], "rejected");
}

#[test]
fn a_push_of_three_megabytes_and_small_buffers_work() {
    let (env, _stand_in) = signed_in();
    clone(&env, APP, "app");
    commit(&env, "large", &noise(3_000_000));
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    env.git_succeeds(&[
        "clone",
        "--quiet",
        "-c",
        "http.postBuffer=65536",
        APP,
        "again",
    ]);
    commit(&env, "larger", &noise(1_000_000));
    env.git_succeeds(&[
        "-C",
        "app",
        "-c",
        "http.postBuffer=65536",
        "push",
        "--quiet",
    ]);
    env.git_succeeds(&[
        "-C",
        "again",
        "-c",
        "http.postBuffer=65536",
        "fetch",
        "--quiet",
    ]);
}

#[test]
fn eight_parallel_fetches_all_succeed() {
    let (env, _stand_in) = signed_in();
    (0..8).for_each(|number| drop(clone(&env, APP, &format!("app{number}"))));
    let before = env.accounts();
    thread::scope(|scope| {
        for number in 0..8 {
            let env = &env;
            scope.spawn(move || {
                env.git_succeeds(&["-C", &format!("app{number}"), "fetch", "--quiet"])
            });
        }
    });
    assert_eq!(env.accounts(), before);
}

#[test]
fn one_stray_401_loses_no_account() {
    let (env, stand_in) = signed_in();
    stand_in.refuse_every(1);
    assert_ne!(env.git(&["ls-remote", APP]).status, 0);
    stand_in.refuse_every(0);
    assert_eq!(env.accounts()[0]["state"], "rejected");
    assert_eq!(env.program(&["token"], "").stdout, format!("{API_TOKEN}\n"));
    env.login(API_TOKEN, &[]);
    env.git_succeeds(&["ls-remote", APP]);
}

#[test]
fn a_wrong_password_typed_at_gits_own_prompt_is_gone_after_the_refusal() {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.program(&["setup"], "");
    let askpass = env.path().join("askpass");
    let answers = |password: &str| {
        crate::support::harness::write_program(
            &askpass,
            &format!(
                "#!/bin/sh\ncase $1 in User*) echo x-token-auth;; *) echo '{password}';; esac\n"
            ),
        );
    };
    env.set("GIT_ASKPASS", askpass.to_str().unwrap());
    answers("wrong");
    assert_ne!(env.git(&["ls-remote", APP]).status, 0);
    assert_eq!(env.accounts().len(), 0);
    answers(ACCESS_TOKEN);
    env.git_succeeds(&["ls-remote", APP]);
    answers("wrong again");
    env.git_succeeds(&["ls-remote", APP]);
    assert_eq!(env.accounts()[0]["kind"], "access-token");
}

#[test]
fn what_the_server_says_reaches_the_user() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.repository("other/app");
    env.program(&["setup"], "");
    stand_in.allow(
        Credential::api_token(API_TOKEN)
            .scopes(["read:repository:bitbucket"])
            .sees("acme"),
    );
    stand_in.allow(Credential::app_password(APP_PASSWORD));
    env.login(API_TOKEN, &["work"]);
    clone(&env, APP, "app");
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "--allow-empty", "-m", "x"]);
    let push = env.git(&["-C", "app", "push"]).stderr;
    assert!(push.contains("403"), "{push}");
    let invisible = env
        .git(&["clone", "https://bitbucket.org/other/app.git", "other"])
        .stderr;
    assert!(invisible.contains("not found"), "{invisible}");
    assert_eq!(
        env.accounts()[0]["state"],
        "ok",
        "neither says anything about the token"
    );

    env.login(APP_PASSWORD, &["work", "--username", "ada"]);
    let retired = env.git(&["-C", "app", "fetch"]).stderr;
    assert!(
        retired.contains("410") && retired.contains("App passwords"),
        "{retired}"
    );
}

#[test]
fn no_other_host_and_no_other_protocol_ever_sees_the_token() {
    let (env, stand_in) = signed_in();
    let evil = stand_in.data_center("evil.example", "");
    evil.repository("acme/app");
    evil.allow(Credential::password("x").user("eve"));
    for url in [
        "https://evil.example/scm/acme/app.git",
        "https://bitbucket.org@evil.example/scm/acme/app.git",
        "http://bitbucket.org/acme/app.git",
        "https://bitbucket.org.evil.example/acme/app.git",
    ] {
        assert_ne!(env.git(&["ls-remote", url]).status, 0, "{url}");
    }
    assert_eq!(stand_in.count(|request| request.host != "bitbucket.org" && request.secret() == Some(API_TOKEN)), 0);
    assert_eq!(
        stand_in.count(|request| request.secret() == Some(API_TOKEN)),
        0
    );
}

#[test]
fn after_setup_a_neighbour_ends_up_with_nothing_of_ours() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    let file = env.home().join(".git-credentials");
    env.git_succeeds(&["config", "--global", "credential.helper", "store"]);
    env.git_succeeds(&[
        "config",
        "--global",
        "--add",
        "credential.helper",
        "bitbucket",
    ]);
    let outcome = env.login(API_TOKEN, &[]);
    assert!(
        outcome.stderr.contains("'store' ('"),
        "the neighbour is named: {}",
        outcome.stderr
    );
    env.git_succeeds(&["ls-remote", APP]);
    assert!(
        fs::read_to_string(&file).unwrap().contains("canary"),
        "this is what setup is good for"
    );

    fs::remove_file(&file).unwrap();
    env.set_up();
    env.git_succeeds(&["ls-remote", APP]);
    assert!(!file.exists());
}
