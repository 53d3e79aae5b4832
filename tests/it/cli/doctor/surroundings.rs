//! The whole of it, and what git, the proxy and the environment have to do with it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{
    HTTPS, assert_starts, config, doctor, finding, one, path_with, set_up, text_of, with_git,
};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, PROGRAM, TestEnv, another};

#[test]
fn nothing_is_wrong_after_setup_and_login() {
    let mut env = set_up();
    env.set("PATH", &path_with(&[]));
    config(&env, "transfer.credentialsInUrl", "die");
    env.login(API_TOKEN, &["me"]);
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    env.has_worked("path=beta/x\n");
    env.has_worked("path=acme/x\n");
    let (status, checks) = doctor(&env, &[]);
    assert_eq!(status, 0);
    for check in &checks {
        assert_eq!(check["outcome"], "pass", "{check}");
        assert_eq!(check["hint"], Value::Null);
    }
    let ids: Vec<&str> = checks.iter().map(|check| text_of(&check["id"])).collect();
    assert_eq!(
        ids,
        [
            "git",
            "program",
            "chain.bitbucket.org",
            "use-http-path.bitbucket.org",
            "chain.www.bitbucket.org",
            "use-http-path.www.bitbucket.org",
            "chain.api.bitbucket.org",
            "use-http-path.api.bitbucket.org",
            "credentials-in-url",
            "secret-in-url",
            "extra-header",
            "lfs-access",
            "setup",
            "netrc",
            "config",
            "policy",
            "files",
            "store.file",
            "account.me",
            "account.work",
            "environment",
            "prompts",
            "proxy.bitbucket.org",
            "proxy.www.bitbucket.org",
            "proxy.api.bitbucket.org",
        ]
    );
}

#[test]
fn without_accounts_home_or_repository_it_still_says_what_it_can() {
    let mut env = TestEnv::new();
    env.set("GIT_CREDENTIAL_BITBUCKET_HOME", "");
    env.set("HOME", env.path().join("nowhere").to_str().unwrap());
    let (status, checks) = doctor(&env, &[]);
    assert_eq!(status, 1, "git does not ask us");
    assert_starts(&one(&checks, "accounts"), "skip: there is no account yet");
    assert_eq!(
        one(&checks, "files"),
        "skip: this program has written no files yet"
    );
    assert_starts(&one(&checks, "config"), "pass: there is no config.toml");
}

#[test]
fn without_git_the_rest_is_looked_at() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["me"]);
    env.has_worked("");
    let own = Path::new(PROGRAM).parent().unwrap().display().to_string();
    env.set("PATH", &own);
    let (status, checks) = doctor(&env, &[]);
    assert_eq!(status, 1);
    let git = one(&checks, "git");
    assert_starts(&git, "fail: cannot start git");
    assert!(
        git.ends_with("; fix: install git, or put it on PATH"),
        "{git}"
    );
    for id in [
        "chain",
        "credentials-in-url",
        "secret-in-url",
        "extra-header",
        "lfs-access",
    ] {
        assert_eq!(one(&checks, id), "skip: git could not be asked");
    }
    assert_starts(&one(&checks, "account.me"), "pass: 'me' is an API token");
    assert_starts(
        &one(&doctor(&env, &[HTTPS]).1, "answer"),
        "pass: 'me' answers",
    );
}

#[test]
fn without_git_the_path_of_a_url_counts() {
    let mut env = TestEnv::new();
    for (number, workspace) in ["other", "acme"].into_iter().enumerate() {
        let token = another(API_TOKEN, number);
        env.login(&token, &[workspace, "--for", workspace]);
    }
    let own = Path::new(PROGRAM).parent().unwrap().display().to_string();
    env.set("PATH", &own);
    let checks = doctor(&env, &[HTTPS]).1;
    assert_starts(&one(&checks, "path"), "skip: git did not say whether");
    assert_starts(&one(&checks, "answer"), "pass: 'acme' answers");
}

#[test]
fn a_mistake_in_gits_own_configuration_is_named() {
    let env = TestEnv::new();
    fs::write(env.git_config(), "[core\n").unwrap();
    let git = finding(&env, "git");
    assert_starts(&git, "fail: git ");
    assert!(git.contains("bad config line 1 in file"), "{git}");
}

#[test]
fn old_gits_are_told_by_their_version() {
    for (version, start) in [
        ("2.39.5", "warn: git 2.39.5 is older than the fixes"),
        (
            "2.47.1.windows.1",
            "warn: git 2.47.1.windows.1 is older than the fixes",
        ),
        ("2.45.3", "pass: git 2.45.3"),
        ("2.54.0", "pass: git 2.54.0"),
    ] {
        assert_starts(&finding(&with_git(version), "git"), start);
    }
}

#[test]
fn the_proxy_of_each_host_is_told_without_its_password() {
    let mut env = TestEnv::new();
    let id = "proxy.bitbucket.org";
    env.set("HTTPS_PROXY", "");
    assert_eq!(
        finding(&env, id),
        "pass: git goes to bitbucket.org directly"
    );
    env.set("HTTPS_PROXY", "u:canary@proxy.example:3128");
    assert_eq!(
        finding(&env, id),
        "pass: git goes to bitbucket.org through 'http://***@proxy.example:3128'"
    );
    env.set("NO_PROXY", "api.bitbucket.org");
    assert_eq!(
        finding(&env, "proxy.api.bitbucket.org"),
        "pass: git goes to api.bitbucket.org directly"
    );
    config(
        &env,
        "http.https://bitbucket.org.proxy",
        "socks5://u:canary@other.example",
    );
    assert_eq!(
        finding(&env, id),
        "pass: git goes to bitbucket.org through 'socks5://***@other.example'"
    );
}

#[test]
fn the_environment_says_which_credential_wins() {
    let mut env = TestEnv::new();
    let id = "environment";
    assert_starts(&finding(&env, id), "pass: no variable");
    env.set("BITBUCKET_TOKEN", API_TOKEN);
    env.set("BITBUCKET_ACCESS_TOKEN", ACCESS_TOKEN);
    assert_eq!(
        finding(&env, id),
        "pass: BITBUCKET_ACCESS_TOKEN is set and answers for bitbucket.org ahead of the accounts: 'environment = false' in config.toml turns it off; not used: BITBUCKET_TOKEN"
    );
    // It is no mistake, but whoever asks why an account does not answer has to see it.
    let plain = env.program(&["doctor", "--offline"], "").stdout;
    assert!(
        plain.contains("pass  environment  BITBUCKET_ACCESS_TOKEN is set"),
        "{plain}"
    );
    assert!(plain.contains("'environment = false'"), "{plain}");
    env.program(
        &["erase"],
        format!(
            "protocol=https\nhost=bitbucket.org\nusername=x-token-auth\npassword={ACCESS_TOKEN}\n"
        ),
    );
    assert_starts(
        &finding(&env, id),
        "fail: BITBUCKET_ACCESS_TOKEN is set, but bitbucket.org refused it",
    );
    assert_starts(
        &one(&doctor(&env, &[HTTPS]).1, "answer"),
        "fail: BITBUCKET_ACCESS_TOKEN was refused by bitbucket.org",
    );

    let mut env = TestEnv::new();
    env.set("BITBUCKET_APP_PASSWORD", APP_PASSWORD);
    assert!(
        finding(&env, id)
            .contains("an app password needs a user name; fix: set BITBUCKET_USERNAME")
    );
    env.set("BITBUCKET_USERNAME", "ada");
    assert!(
        finding(&env, id).contains("is an app password; Bitbucket removed these on 2026-07-28")
    );
}

#[test]
fn how_git_may_ask_is_told() {
    let mut env = TestEnv::new();
    assert_eq!(
        finding(&env, "prompts"),
        "pass: GIT_TERMINAL_PROMPT forbids git to ask on the terminal"
    );
    env.set("GIT_TERMINAL_PROMPT", "1");
    assert_eq!(
        finding(&env, "prompts"),
        "pass: where no helper answers, git asks on the terminal"
    );
    env.set("GIT_ASKPASS", "true");
    assert!(finding(&env, "prompts").ends_with("git asks through GIT_ASKPASS"));
    for (program, ide) in [
        ("/usr/share/code/extensions/git/dist/askpass.sh", "VS Code"),
        ("/tmp/intellij-git-askpass-local.sh", "a JetBrains IDE"),
        ("/opt/desktop-askpass-trampoline", "GitHub Desktop"),
    ] {
        env.set("GIT_ASKPASS", program);
        let told = finding(&env, "prompts");
        assert!(
            told.ends_with(&format!("through GIT_ASKPASS of {ide}")),
            "{told}"
        );
    }
    env.set("TERMINAL_EMULATOR", "JetBrains-JediTerm");
    assert!(finding(&env, "prompts").contains("unless 'Use credential helper' is ticked"));
    config(&env, "credential.interactive", "false");
    assert_eq!(
        finding(&env, "prompts"),
        "pass: credential.interactive forbids git to ask"
    );
}
