//! OAuth at Data Center: signing in, and what works then. `renewal` and `real_server` have it too.

use std::fs;
use std::io::Write as _;

use super::{
    CLIENT_SECRET, DC, DC_APP, allow, browser, data_center, free_port, get, login, now, password,
    signed_in_at_data_center, start, works,
};
use crate::support::harness::{PROGRAM, has};
use crate::support::stand_in::Authorization;

const HOST: [&str; 2] = ["--host", "git.corp.example:7990/bitbucket"];

#[test]
fn with_a_browser_one_signs_in_at_data_center_and_everything_works() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _data_center, consumer) = data_center();
    consumer.user("jürgen@corp");
    browser(&mut env, "");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "1");
    let port = free_port();
    let mut arguments = vec![
        "login",
        "mine",
        "--web",
        "--client-id",
        "KEY",
        "--with-token",
    ];
    arguments.extend(["--store", "file", "--port", &port]);
    arguments.extend(HOST);
    let outcome = env.program(&arguments, format!("{CLIENT_SECRET}\n"));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for line in [
        "https://git.corp.example:7990/bitbucket/plugins/servlet/applinks/listApplicationLinks",
        &format!("Callback URL: http://127.0.0.1:{port}/callback"),
        "git.corp.example:7990 knows it as 'jürgen@corp'",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {outcome:?}");
    }
    // As its documentation has it: the scopes in the query, ID and secret in the form.
    let requests = stand_in.requests();
    let of = |path: &str| {
        requests
            .iter()
            .rfind(|request| request.path.ends_with(path))
    };
    let asked = &of("/bitbucket/rest/oauth2/latest/authorize").unwrap().query;
    for part in ["scope=REPO_READ%20REPO_WRITE", "code_challenge_method=S256"] {
        assert!(asked.contains(part), "{asked}");
    }
    let state = asked.split("state=").nth(1).unwrap();
    let state = state.split('&').next().unwrap();
    assert!(outcome.stderr.contains("trace:"), "{outcome:?}");
    assert!(!outcome.stderr.contains(state), "{outcome:?}");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "");
    let token = of("/bitbucket/rest/oauth2/latest/token").unwrap();
    assert_eq!(token.authorization, None);
    assert!(
        token.body.contains("client_id=KEY&client_secret="),
        "{token:?}"
    );

    stand_in.forget_requests();
    let answer = get(&env).stdout;
    assert!(answer.starts_with("username=OAUTH_USERNAME\n"), "{answer}");
    let end = answer.split("password_expiry_utc=").nth(1).unwrap();
    let end: u64 = end.trim().parse().unwrap();
    assert!(end.abs_diff(now() + 3600) < 60, "{answer}");
    assert!(stand_in.requests().is_empty(), "from the store alone");

    env.git_succeeds(&["clone", "--quiet", DC_APP]);
    env.git_succeeds(&["-C", "app", "commit", "--allow-empty", "-qm", "new"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    assert_eq!(env.accounts().len(), 1, "git's store adds nothing");
    let account = &env.accounts()[0];
    for (key, value) in [
        ("kind", "oauth"),
        ("state", "ok"),
        ("host", DC),
        ("username", "jürgen@corp"),
    ] {
        assert_eq!(account[key], value, "{account}");
    }
    let written = fs::read_to_string(env.data().join("gitconfig")).unwrap();
    assert!(written.contains(&format!("https://{DC}")), "{written}");

    let token = password(&answer).unwrap();
    assert_eq!(env.program(&["token"], "").stdout, format!("{token}\n"));
    stand_in.forget_requests();
    let repository = "https://git.corp.example:7990/bitbucket/rest/api/1.0/projects/prj/repos/app";
    let rest = env.program(&["curl", "-s", repository], "");
    assert!(rest.stdout.contains("\"slug\":\"app\""), "{rest:?}");
    let shown = stand_in.requests()[0].authorization.clone();
    assert_eq!(shown, Some(Authorization::Bearer(token.to_owned())));

    let doctor = env.program(&["doctor", "--json"], "").stdout;
    assert!(!doctor.contains("\"fail\""), "{doctor}");
    let access = env.program(&["doctor", DC_APP], "");
    assert_eq!(access.status, 0, "{access:?}");
    for service in ["fetch", "push"] {
        let line = format!("'mine' can {service} prj/app");
        assert!(access.stdout.contains(&line), "{access:?}");
    }
    let edited = env.program(&["edit", "mine", "--rename", "corp"], "");
    assert_eq!(edited.status, 0, "{edited:?}");
    assert_eq!(env.program(&["status", "--verify"], "").status, 0);
    assert!(works(&env));
    let gone = env.program(&["logout", "corp"], "");
    let page = "https://git.corp.example:7990/bitbucket/plugins/servlet/oauth/users/access-tokens";
    assert!(gone.stderr.contains(page), "{gone:?}");
}

#[test]
fn where_an_instance_takes_no_callback_without_tls_the_address_is_pasted() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, _data_center, consumer) = data_center();
    consumer.wants_https();
    let mut command = env.command(PROGRAM);
    command.args([
        "login",
        "mine",
        "--web",
        "--client-id",
        "KEY",
        "--with-token",
    ]);
    command.args(["--store", "file"]).args(HOST);
    let (mut login, mut lines) = start(command);
    let mut input = login.stdin.take().unwrap();
    writeln!(input, "{CLIENT_SECRET}").unwrap();
    let url = lines
        .find(|line| line.starts_with("https://git.corp.example:7990/bitbucket/rest/oauth2/"))
        .expect("an address");
    let address = allow(&env, &url);
    assert!(
        address.starts_with("https://127.0.0.1:23418/callback?"),
        "{address}"
    );
    writeln!(input, "{address}").unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(login.wait().unwrap().success(), "{rest:?}");
    assert!(works(&env));
}

#[test]
fn where_basic_is_refused_git_shows_the_token_as_bearer() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, data_center, _consumer) = data_center();
    data_center.disable_basic(true);
    browser(&mut env, "");
    let outcome = login(&env, &[&HOST[..], &["--port", &free_port()]].concat());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn what_does_not_work_at_data_center_is_told() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _data_center, consumer) = data_center();
    browser(&mut env, "");
    let machine = login(&env, &[&HOST[..], &["--client-credentials"]].concat());
    assert_eq!(machine.status, 1, "{machine:?}");
    assert!(machine.stderr.contains("invalid_grant"), "{machine:?}");
    consumer.change_secret();
    let port = free_port();
    let outcome = login(&env, &[&HOST[..], &["--port", &port]].concat());
    assert_eq!(outcome.status, 1, "{outcome:?}");
    for part in ["unauthorized_client", "/bitbucket/plugins/servlet/applinks"] {
        assert!(outcome.stderr.contains(part), "{outcome:?}");
    }
    assert!(env.accounts().is_empty());
}

#[test]
fn where_an_instance_lets_it_a_machine_signs_in_without_anybody() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, _data_center, consumer) = data_center();
    consumer.private();
    let machine = login(&env, &[&HOST[..], &["--client-credentials"]].concat());
    assert_eq!(machine.status, 0, "{machine:?}");
    super::let_it_end(&env);
    assert!(works(&env));
}

#[test]
fn a_refused_grant_of_data_center_is_told_with_what_to_do() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, consumer) = signed_in_at_data_center();
    consumer.revoke();
    super::let_it_end(&env);
    super::ended(&env, "invalid_grant");
}
