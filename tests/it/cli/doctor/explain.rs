//! `doctor URL`: which account answers, and why the others do not.

use std::fs;

use super::{HTTPS, assert_starts, config, doctor, found, one, set_up};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, another};

#[test]
fn a_url_is_explained_account_by_account() {
    let env = set_up();
    env.login(API_TOKEN, &["me"]);
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    env.login(
        &another(ACCESS_TOKEN, 1),
        &["other", "--for", "beta", "--for", "gamma/x"],
    );
    let (status, checks) = doctor(&env, &[HTTPS]);
    assert_eq!(status, 0);
    let lines: Vec<String> = [
        "chain.bitbucket.org",
        "path",
        "answer",
        "account.me",
        "account.other",
    ]
    .iter()
    .map(|id| one(&checks, id))
    .collect();
    assert_eq!(
        lines,
        [
            "pass: git asks this helper, and no other",
            "pass: git sends 'acme/site.git', which is about acme/site",
            "pass: 'work' answers with the user name 'x-token-auth': it is for acme, it comes from login",
            "skip: 'me' fits, but another one is more specific",
            "skip: 'other' is for beta, gamma/x only",
        ]
    );
    let around = ["prompts", "proxy.bitbucket.org"];
    assert_eq!(checks.len(), 5 + around.len(), "{checks:?}");
    for id in around {
        assert_starts(&one(&checks, id), "pass: ");
    }
    // What git then gets is what was said.
    assert!(
        env.get_cloud("path=acme/site.git\n")
            .contains("username=x-token-auth")
    );

    let answer = |url: &str| one(&doctor(&env, &[url]).1, "answer");
    assert_starts(
        &answer("https://bitbucket.org/else/x.git"),
        "pass: 'me' answers with the user name 'x-bitbucket-api-token-auth': it is for all of bitbucket.org",
    );
    assert_starts(
        &answer("https://BitBucket.org:443/GAMMA/X"),
        "pass: 'other' answers",
    );
    assert_eq!(
        answer("https://api.bitbucket.org/2.0/user"),
        "fail: 'me' is chosen, but lacks the e-mail of the Atlassian account; fix: \
         add it: 'git credential-bitbucket edit me --email ADDRESS'"
    );
    env.follow(
        &answer("https://api.bitbucket.org/2.0/user"),
        "ADDRESS",
        "ada@example.com",
    );
    assert_starts(
        &answer("https://api.bitbucket.org/2.0/user"),
        "pass: 'me' answers",
    );
    assert_starts(
        &answer("https://api.bitbucket.org/2.0/repositories/acme/site"),
        "pass: 'work' answers as Bearer",
    );
}

#[test]
fn without_use_http_path_a_url_is_judged_without_its_path() {
    let env = TestEnv::new();
    env.configure_plain();
    env.login(ACCESS_TOKEN, &["one", "--for", "acme"]);
    env.login(&another(ACCESS_TOKEN, 1), &["two", "--for", "beta"]);
    let (status, checks) = doctor(&env, &[HTTPS]);
    assert_eq!(status, 1);
    assert_starts(
        &one(&checks, "path"),
        "warn: git does not send the path (credential.useHttpPath is not set), so the path does not count",
    );
    assert_eq!(
        one(&checks, "answer"),
        "fail: no account answers: git asks its next helper, or you; fix: \
         'git credential-bitbucket setup' makes git name the repository"
    );
    assert_eq!(
        one(&checks, "account.one"),
        "skip: 'one' is for acme only, and git names no repository"
    );
    assert_eq!(env.get_cloud(""), "");
}

#[test]
fn the_user_name_of_a_url_and_what_was_set_aside_count() {
    let env = set_up();
    env.login(ACCESS_TOKEN, &["ada", "--username", "ada"]);
    env.login(API_TOKEN, &["bob", "--username", "bob"]);
    let (_, checks) = doctor(&env, &[HTTPS]);
    assert_starts(&one(&checks, "answer"), "pass: 'ada' answers");
    let named = "https://bob@bitbucket.org/acme/site.git";
    let (_, checks) = doctor(&env, &[named]);
    assert!(
        one(&checks, "answer").contains("the user name matches"),
        "{checks:?}"
    );
    assert_eq!(
        one(&checks, "account.ada"),
        "skip: 'ada' fits, but the user name matches another one"
    );
    config(&env, "credential.https://bitbucket.org.username", "ada");
    assert_starts(
        &one(&doctor(&env, &[HTTPS]).1, "answer"),
        "pass: 'ada' answers",
    );

    env.program(
        &["erase"],
        format!(
            "protocol=https\nhost=bitbucket.org\nusername=x-token-auth\npassword={ACCESS_TOKEN}\n"
        ),
    );
    let (_, checks) = doctor(&env, &[HTTPS]);
    assert_eq!(
        one(&checks, "account.ada"),
        "skip: 'ada' was refused by bitbucket.org and is set aside; fix: \
         'git credential-bitbucket status --verify ada' asks again"
    );
    assert_starts(&one(&checks, "answer"), "pass: 'bob' answers");
}

#[test]
fn what_is_not_ours_is_said_not_to_be() {
    let env = set_up();
    let explain = |url: &str| {
        let (status, checks) = doctor(&env, &[url]);
        (status, one(&checks, "url"))
    };
    for url in [
        "https://github.com/acme/site.git",
        "https://bitbucket.org.evil.example/x",
        "https://bitbucket.org@evil.example/x",
    ] {
        let (status, line) = explain(url);
        assert_eq!(status, 0);
        assert!(line.contains("this helper does not answer for "), "{line}");
    }
    let (status, line) = explain("http://ada:canary@bitbucket.org/acme/site.git");
    assert_eq!(status, 1);
    assert!(
        line.ends_with("; fix: use 'https://bitbucket.org/acme/site.git'"),
        "{line}"
    );
    assert_eq!(
        explain("ssh://git@bitbucket.org/acme/site.git").1,
        "skip: git asks this helper over https only; what follows is about 'https://bitbucket.org/acme/site.git'"
    );
    assert_eq!(
        explain("https://ada:canary@bitbucket.org/acme/site.git").1,
        "fail: the URL holds a secret, so git asks no helper; fix: \
         use 'https://bitbucket.org/acme/site.git', and revoke the secret"
    );
    let token = format!("https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/site.git");
    let outcome = env.program(&["doctor", &token], "");
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
    for text in [
        "git@canary.example:acme/site.git",
        "canary",
        "",
        "https://canary%zz/x",
    ] {
        let outcome = env.program(&["doctor", text], "");
        assert_eq!(outcome.status, 2, "{outcome:?}");
        assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
        assert!(
            outcome
                .stderr
                .contains("error: the argument is not a URL\n"),
            "{outcome:?}"
        );
    }
}

#[test]
fn an_account_that_is_meant_but_has_no_secret_does_not_answer() {
    let env = set_up();
    env.login(API_TOKEN, &["me"]);
    fs::remove_file(env.data().join("secrets")).unwrap();
    let answer = one(&doctor(&env, &[HTTPS]).1, "answer");
    assert_starts(
        &answer,
        "fail: 'me' has no secret in the file; fix: 'git credential-bitbucket login me'",
    );
}

#[test]
fn while_the_environment_answers_no_account_does() {
    let mut env = set_up();
    env.login(API_TOKEN, &["me"]);
    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    let (_, checks) = doctor(&env, &[HTTPS]);
    assert_eq!(
        one(&checks, "answer"),
        "pass: BITBUCKET_TOKEN is set in the environment and answers; of 2 that fit equally it comes first \
         (without an answer of Bitbucket)"
    );
    assert_eq!(
        one(&checks, "account.me"),
        "skip: 'me' does not answer while BITBUCKET_TOKEN is set"
    );
}

#[test]
fn a_bearer_account_is_warned_of_a_user_name_in_the_url() {
    let env = TestEnv::new();
    env.program(&["setup"], "");
    env.login("BBDC-canary", &["dc", "--host", "git.corp.example"]);
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("kind = ", "bearer = true\nkind = ");
    crate::support::harness::write_private(&path, &text);
    let (_, checks) = doctor(&env, &["https://ada@git.corp.example/scm/prj/app.git"]);
    assert_starts(
        &one(&checks, "url"),
        "warn: 'dc' is sent as Bearer; a host that refuses Basic answers 403 to a URL with a user name",
    );
    let (_, checks) = doctor(&env, &["https://git.corp.example/scm/prj/app.git"]);
    assert_starts(&one(&checks, "answer"), "pass: 'dc' answers as Bearer");
    // No account is for a project, so git need not send the path.
    assert_starts(&one(&checks, "path"), "pass: ");
}

#[test]
fn a_set_aside_account_is_named_with_one_mend() {
    let env = TestEnv::new();
    env.program(&["setup"], "");
    env.login(API_TOKEN, &["work"]);
    let refused = format!("protocol=https\nhost=bitbucket.org\npassword={API_TOKEN}\n");
    env.program(&["erase"], refused);
    let (status, checks) = doctor(&env, &["https://bitbucket.org/acme/site.git"]);
    assert_eq!(status, 1);
    assert_starts(
        &one(&checks, "answer"),
        "fail: 'work' was refused by bitbucket.org and is set aside; fix: ",
    );
    assert!(!one(&checks, "account.work").contains("fix"), "{checks:?}");
}

#[test]
fn what_the_environment_lacks_is_told_as_get_would_tell_it() {
    let mut env = TestEnv::new();
    env.program(&["setup"], "");
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    let (_, checks) = doctor(&env, &["https://api.bitbucket.org/2.0/user"]);
    assert_starts(
        &one(&checks, "answer"),
        "fail: BITBUCKET_API_TOKEN is set in the environment and chosen, but lacks the e-mail",
    );
    let (_, checks) = doctor(&env, &["https://bitbucket.org/acme/site.git"]);
    assert_starts(
        &one(&checks, "answer"),
        "pass: BITBUCKET_API_TOKEN is set in the environment and answers",
    );
}

#[test]
fn a_url_that_git_rewrites_is_explained_as_git_reads_it() {
    let env = set_up();
    env.login(API_TOKEN, &["me"]);
    let url = "https://bitbucket.org/acme/site.git";
    config(&env, "url.https://bitbucket.org/.insteadOf", "bb:");
    let (_, checks) = doctor(&env, &["bb:acme/site.git"]);
    assert!(found(&checks, "url").is_empty(), "{checks:?}");
    assert_starts(&one(&checks, "answer"), "pass: 'me' answers");
    config(
        &env,
        "url.git@bitbucket.org:.insteadOf",
        "https://bitbucket.org/",
    );
    let (_, checks) = doctor(&env, &[url]);
    assert_eq!(
        one(&checks, "url"),
        format!(
            "skip: git goes to 'git@bitbucket.org:acme/site.git' instead, and asks this helper over https only; \
             what follows is about '{url}'"
        )
    );
}

#[test]
fn accounts_that_cannot_be_read_are_one_fault() {
    let env = set_up();
    env.login(API_TOKEN, &["me"]);
    fs::write(env.data().join("accounts.toml"), "[again\n").unwrap();
    let (status, checks) = doctor(&env, &[HTTPS]);
    assert_eq!(status, 1);
    assert_starts(&one(&checks, "accounts"), "fail: cannot parse ");
    assert_eq!(one(&checks, "answer"), "skip: the accounts cannot be read");
}
