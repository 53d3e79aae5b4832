//! `curl`: the user's own curl, with the right authorization, and the secret nowhere else.

mod elsewhere;

use crate::support::canary::leaks;
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, Outcome, PROGRAM, TestEnv, has, run,
};
use crate::support::stand_in::{Authorization, Credential, StandIn};
use std::fs;
use std::time::Duration;

const STATUS: &str =
    "https://api.bitbucket.org/2.0/repositories/acme/app/commit/abc/statuses/build";

const REPOSITORY: &str = "https://api.bitbucket.org/2.0/repositories/acme/app";

const USER: &str = "https://api.bitbucket.org/2.0/user";

const BODY: &str = r#"{"key":"ci","state":"SUCCESSFUL","url":"https://ci.example/1"}"#;

/// A repository, an API token that sees it, and an account with it.
fn signed_in() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    env.login(API_TOKEN, &["work", "--email", "ada@example.com"]);
    stand_in.forget_requests();
    (env, stand_in)
}

fn curl(env: &TestEnv, arguments: &[&str], input: &str) -> Outcome {
    let all: Vec<&str> = ["curl"].iter().chain(arguments).copied().collect();
    let outcome = env.program(&all, input);
    assert!(!leaks(outcome.stdout.as_bytes()) && !leaks(outcome.stderr.as_bytes()));
    outcome
}

/// The HTTP status, without the answer itself.
fn http_status(env: &TestEnv, arguments: &[&str]) -> String {
    let mut all = vec!["-sS", "-o", "/dev/null", "-w", "%{http_code}"];
    all.extend(arguments);
    let outcome = curl(env, &all, "");
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (0, ""),
        "{arguments:?}"
    );
    outcome.stdout
}

/// Refused before anything is sent: what was said.
fn refused(env: &TestEnv, stand_in: &StandIn, arguments: &[&str]) -> String {
    let outcome = curl(env, arguments, "");
    assert_eq!(outcome.status, 2, "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.stdout, "", "{arguments:?}");
    let [error, hint] = outcome.stderr.lines().collect::<Vec<_>>()[..] else {
        panic!("{arguments:?}: {outcome:?}");
    };
    assert!(
        error.starts_with("git-credential-bitbucket: error: "),
        "{error}"
    );
    assert!(
        hint.starts_with("git-credential-bitbucket: hint: "),
        "{hint}"
    );
    assert!(stand_in.requests().is_empty(), "{arguments:?}");
    outcome.stderr
}

#[test]
fn a_build_status_is_posted_from_a_file_and_from_standard_input() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    fs::write(env.home().join("status.json"), BODY).unwrap();
    let json = "Content-Type: application/json";
    for (data, input) in [("@status.json", ""), ("@-", BODY)] {
        let outcome = curl(
            &env,
            &["-sS", "-X", "POST", STATUS, "-H", json, "-d", data],
            input,
        );
        assert_eq!(
            (outcome.status, outcome.stderr.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        assert!(outcome.stdout.contains(r#""key":"ci""#), "{outcome:?}");
    }
    let requests = stand_in.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.status, Some(201));
        assert_eq!(
            (request.method.as_str(), request.body.as_str()),
            ("POST", BODY)
        );
        assert_eq!(request.user(), Some("ada@example.com"));
        assert_eq!(request.secret(), Some(API_TOKEN));
        assert!(request.agent.starts_with("curl/"), "the user's own curl");
    }
}

#[test]
fn each_kind_presents_itself_as_rest_wants_it() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    stand_in.allow(Credential::app_password(APP_PASSWORD).user("ada"));
    env.login(API_TOKEN, &["a", "--email", "ada@example.com"]);
    assert_eq!(http_status(&env, &[REPOSITORY]), "200");
    env.login(ACCESS_TOKEN, &["a", "--kind", "access-token"]);
    assert_eq!(http_status(&env, &[REPOSITORY]), "200");
    env.login(
        APP_PASSWORD,
        &["a", "--kind", "app-password", "--username", "ada"],
    );
    let outcome = curl(
        &env,
        &["-s", "-o", "/dev/null", "-w", "%{http_code}", REPOSITORY],
        "",
    );
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "401"));
    assert!(
        outcome.stderr.contains("is an app password"),
        "{}",
        outcome.stderr
    );

    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    assert_eq!(http_status(&env, &[REPOSITORY]), "200");
    let sent: Vec<_> = stand_in
        .requests()
        .iter()
        .filter(|request| request.agent.starts_with("curl/"))
        .map(|request| request.authorization.clone().unwrap())
        .collect();
    let basic = |user: &str, secret: &str| Authorization::Basic {
        user: user.to_owned(),
        secret: secret.to_owned(),
    };
    let bearer = || Authorization::Bearer(ACCESS_TOKEN.to_owned());
    let expected = [
        basic("ada@example.com", API_TOKEN),
        bearer(),
        basic("ada", APP_PASSWORD),
        bearer(),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn a_long_and_odd_secret_arrives_whole() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in) = TestEnv::with_stand_in();
    let secret = format!("canary\"\\t#{}\\", "x".repeat(8000));
    env.set("BITBUCKET_ACCESS_TOKEN", &secret);
    assert_eq!(http_status(&env, &[USER]), "401");
    assert_eq!(stand_in.requests()[0].secret(), Some(secret.as_str()));
}

#[test]
fn the_account_is_found_by_workspace_and_repository() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = TestEnv::with_stand_in();
    let token = |name: &str| ACCESS_TOKEN.replace("0A1B", &format!("{name:0>4}"));
    for (name, scope) in [("1", "acme"), ("2", "acme/app"), ("3", "other")] {
        env.login(&token(name), &[name, "--for", scope]);
    }
    stand_in.forget_requests();
    let path = "https://api.bitbucket.org/2.0";
    for url in [
        format!("{path}/repositories/acme/app/pullrequests?state=OPEN"),
        format!("{path}/repositories/Acme/site"),
        format!("{path}/workspaces/other"),
        "https://bitbucket.org/acme/app/downloads/x".to_owned(),
    ] {
        http_status(&env, &[&url]);
    }
    let requests = stand_in.requests();
    let sent: Vec<_> = requests
        .iter()
        .filter_map(|request| request.secret())
        .collect();
    assert_eq!(sent, [token("2"), token("1"), token("3"), token("2")]);

    stand_in.forget_requests();
    for (url, words) in [
        (
            format!("{path}/user"),
            "no account is for 'api.bitbucket.org': '1' is for acme, '2' is for acme/app, '3' is for other",
        ),
        (
            format!("{path}/repositories/nobody/x"),
            "no account is for 'nobody/x': '1' is for acme",
        ),
    ] {
        let outcome = curl(&env, &[&url], "");
        assert_eq!(outcome.status, 1);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    let user = format!("{path}/user");
    let outcome = env.program(&["--account", "1", "curl", &user], "");
    let words = "no account is for 'api.bitbucket.org': '1' is for acme, and no other account";
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    assert!(stand_in.requests().is_empty());
}

#[test]
fn a_data_center_host_is_asked_by_project_and_repository() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center("git.corp.example:7990", "/bitbucket");
    data_center.repository("prj/app");
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    let url = "https://git.corp.example:7990/bitbucket/rest/api/1.0/projects/prj/repos/app";
    assert!(refused(&env, &stand_in, &[url]).contains("login --host HOST"));
    for (name, scope) in [("one", "prj/app"), ("two", "other")] {
        env.login(
            if name == "one" {
                "BBDC-canary"
            } else {
                "BBDC-other-canary"
            },
            &[
                name,
                "--host",
                "git.corp.example:7990",
                "--username",
                "bob",
                "--for",
                scope,
            ],
        );
    }
    assert_eq!(http_status(&env, &[url]), "200");
}

#[test]
fn what_is_missing_is_an_error_with_a_hint_and_nothing_is_sent() {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    let fails = |env: &TestEnv, words: &str, hint: &str| {
        let outcome = curl(env, &[USER], "");
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
    };
    fails(
        &env,
        "nobody has signed in to bitbucket.org",
        "'git credential-bitbucket login' signs in",
    );
    env.login(API_TOKEN, &["one"]);
    fails(
        &env,
        "the e-mail of the Atlassian account",
        "edit one --email ADDRESS",
    );
    env.follow(
        &curl(&env, &[USER], "").stderr,
        "ADDRESS",
        "ada@example.com",
    );
    assert_eq!(env.accounts()[0]["email"], "ada@example.com");
    env.set("BITBUCKET_APP_PASSWORD", APP_PASSWORD);
    fails(&env, "needs a user name", "set BITBUCKET_USERNAME");
    assert_eq!(
        stand_in.count(|request| request.agent.starts_with("curl/")),
        0
    );
}

#[test]
fn the_exit_status_is_curls() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    let nowhere = "https://api.bitbucket.org/2.0/nowhere";
    assert_eq!(curl(&env, &["-sf", nowhere], "").status, 22);
    assert_eq!(curl(&env, &["-s", nowhere], "").status, 0);
    assert_eq!(
        curl(&env, &["-s", "--cacert", "missing", USER], "").status,
        77
    );
    stand_in.delay(Duration::from_secs(5));
    assert_eq!(curl(&env, &["-sm1", USER], "").status, 28);
    // A signal is what git and shells make 128 and more of.
    let mut command = env.command("sh");
    command.args([
        "-c",
        &format!("'{PROGRAM}' curl -s {USER} & sleep 1; kill -TERM $!; wait $!; exit $?"),
    ]);
    assert_eq!(run(command, b"").status, 128 + 15);
}

#[test]
fn a_reader_that_has_seen_enough_stops_curl_without_a_word_of_ours() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in) = signed_in();
    let mut command = env.command("sh");
    command.args(["-c", &format!("'{PROGRAM}' curl -sS {USER} | head -c 1")]);
    assert_eq!(run(command, b"").stdout, "{");
}

#[test]
fn without_curl_it_says_so() {
    let (env, stand_in) = signed_in();
    let mut command = env.command(PROGRAM);
    command.args(["curl", USER]).env("PATH", env.home());
    let outcome = run(command, b"");
    assert_eq!(outcome.status, 1);
    assert_eq!(
        outcome.stderr,
        "git-credential-bitbucket: error: there is no curl on PATH\n\
         git-credential-bitbucket: hint: install curl, or add its folder to PATH\n"
    );
    assert!(stand_in.requests().is_empty());
}

#[test]
fn a_curl_that_reads_nothing_does_not_keep_us_waiting() {
    let (env, _stand_in) = signed_in();
    let folder = env.home().join("bin");
    fs::create_dir(&folder).unwrap();
    crate::support::harness::write_program(&folder.join("curl"), "#!/bin/sh\nexit 7\n");
    let mut command = env.command(PROGRAM);
    command.args(["curl", USER]).env("PATH", folder);
    assert_eq!(run(command, b"").status, 7);
}

#[test]
fn an_encoded_path_is_read_as_the_server_reads_it() {
    let (env, stand_in) = signed_in();
    let at = |path: &str| {
        curl(
            &env,
            &[
                "-sS",
                &format!("https://api.bitbucket.org/2.0/repositories/{path}"),
            ],
            "",
        )
    };
    for path in [
        "acme%2Fapp",
        "acme/%2e%2E/beta/app%2f",
        "acme%5capp",
        "acme%252fapp",
    ] {
        assert_eq!(at(path).status, 2, "{path}");
    }
    assert!(stand_in.requests().is_empty());
}

#[test]
fn the_environment_answers_for_cloud_even_if_the_accounts_are_damaged() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    fs::create_dir_all(env.data()).unwrap();
    fs::write(env.data().join("accounts.toml"), "not = [ toml").unwrap();
    assert_eq!(http_status(&env, &[REPOSITORY]), "200");
}

#[test]
fn a_credential_that_git_gave_in_the_header_form_is_sent_as_it_came() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in) = signed_in();
    let data_center = stand_in.data_center("git.corp.example", "");
    data_center.repository("prj/app");
    data_center.allow(Credential::password("pw").user("ada"));
    fs::write(
        env.data().join("config.toml"),
        "hosts = ['git.corp.example']\n[store]\ndefault = 'file'\n",
    )
    .unwrap();
    // ada:pw
    let given = "capability[]=authtype\nauthtype=Basic\ncredential=YWRhOnB3\nprotocol=https\nhost=git.corp.example\n";
    assert_eq!(env.program(&["store"], given).status, 0);
    let outcome = curl(
        &env,
        &["-sS", "-o", "/dev/null", "https://git.corp.example/"],
        "",
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let requests = stand_in.requests();
    let sent = requests.last().expect("a request");
    assert_eq!((sent.user(), sent.secret()), (Some("ada"), Some("pw")));
}
