//! `login` asks Bitbucket, and tells which mistake it is: each explanation once.

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, Outcome, TestEnv, ephemeral, reply,
};
use crate::support::stand_in::{Credential, Silence, StandIn};

const READ: &str = "read:repository:bitbucket";
const WRITE: &str = "write:repository:bitbucket";
const USER: &str = "read:user:bitbucket";

fn start() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    env.configure_plain();
    stand_in.repository("acme/app");
    (env, stand_in)
}

fn login(env: &TestEnv, secret: &str, arguments: &[&str]) -> Outcome {
    env.program(
        &[&["login", "--with-token", "--store", "file"], arguments].concat(),
        secret,
    )
}

/// It was stored, and this was said.
fn stored(outcome: &Outcome, said: &str) {
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("Stored the secret") && outcome.stderr.contains(said),
        "{outcome:?}"
    );
}

/// Nothing was stored, and this was said, with a hint.
fn refused(env: &TestEnv, outcome: &Outcome, said: &str) {
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains(&format!("error: {said}")),
        "{outcome:?}"
    );
    assert!(
        outcome.stderr.contains("git-credential-bitbucket: hint: "),
        "{outcome:?}"
    );
    assert!(env.accounts().is_empty(), "nothing is stored");
}

#[test]
fn a_token_that_works_is_stored_and_its_owner_named() {
    let (env, stand_in) = start();
    stand_in.allow(
        Credential::api_token(API_TOKEN)
            .user("ada")
            .email("ada@example.com")
            .scopes([READ, WRITE, USER]),
    );
    let outcome = login(
        &env,
        API_TOKEN,
        &["--email", "ada@example.com", "--for", "acme/app"],
    );
    stored(&outcome, "bitbucket.org knows it as 'ada'\n");
    assert!(stand_in.refused().is_empty());
    let asked: Vec<String> = stand_in
        .requests()
        .iter()
        .filter_map(|request| request.user().map(str::to_owned))
        .collect();
    assert_eq!(asked, ["ada@example.com", "x-bitbucket-api-token-auth"]);
}

#[test]
fn an_access_token_is_known_although_it_is_no_user() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    stored(
        &login(&env, ACCESS_TOKEN, &["--for", "acme/app"]),
        "bitbucket.org knows it\n",
    );
}

#[test]
fn without_an_e_mail_git_s_own_address_is_asked_and_without_a_repository_nobody() {
    let (env, stand_in) = start();
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    stored(
        &login(&env, API_TOKEN, &["--for", "acme/app"]),
        "bitbucket.org knows it\n",
    );
    assert!(
        stand_in
            .requests()
            .iter()
            .all(|request| request.host.starts_with("bitbucket.org"))
    );
    stored(
        &login(&env, API_TOKEN, &[]),
        "warning: it is stored unchecked: Bitbucket can only be asked with '--email' or '--for",
    );
    env.program(&["logout", "--all"], "");
    handle.revoke();
    let outcome = login(&env, API_TOKEN, &["--for", "acme/app"]);
    refused(
        &env,
        &outcome,
        "Bitbucket refuses the API token: it was made without scopes, has expired or was revoked\n",
    );
    assert!(
        outcome
            .stderr
            .contains("https://id.atlassian.com/manage-profile/security/api-tokens"),
        "{outcome:?}"
    );
}

#[test]
fn a_token_without_scopes_or_revoked_is_refused() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::unscoped_api_token(API_TOKEN));
    let outcome = login(&env, API_TOKEN, &["--email", "ada@example.com"]);
    refused(
        &env,
        &outcome,
        "Bitbucket refuses the API token: it was made without scopes, has expired or was revoked, or it does not belong to 'ada@example.com'",
    );
    let outcome = login(&env, ACCESS_TOKEN, &[]);
    refused(
        &env,
        &outcome,
        "Bitbucket refuses the access token: it has expired or was revoked",
    );
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
}

#[test]
fn the_wrong_e_mail_is_told_from_the_wrong_token_where_git_takes_the_token() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::api_token(API_TOKEN).email("ada@example.com"));
    let outcome = login(
        &env,
        API_TOKEN,
        &["--email", "bob@example.com", "--for", "acme/app"],
    );
    refused(
        &env,
        &outcome,
        "Bitbucket knows the token, but it does not belong to 'bob@example.com'",
    );
}

#[test]
fn the_wrong_kind_is_named() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token("no-prefix-at-all"));
    let outcome = login(
        &env,
        "no-prefix-at-all",
        &["--kind", "api-token", "--email", "ada@example.com"],
    );
    refused(&env, &outcome, "that is an access token, not an API token");
    assert!(
        outcome
            .stderr
            .contains("hint: sign in with '--kind access-token'"),
        "{outcome:?}"
    );

    stand_in.allow(Credential::api_token("no-prefix-either").email("ada@example.com"));
    let outcome = login(
        &env,
        "no-prefix-either",
        &["--kind", "access-token", "--email", "ada@example.com"],
    );
    refused(&env, &outcome, "that is an API token, not an access token");
}

#[test]
fn a_missing_scope_is_named_and_the_token_kept() {
    let rows: [(&[&str], &str); 3] = [
        (
            &[READ, USER],
            "warning: the token works, but cannot push: it lacks the scope 'write:repository:bitbucket'",
        ),
        (
            &[WRITE, USER],
            "warning: the token works, but cannot fetch: it lacks the scope 'read:repository:bitbucket'",
        ),
        (
            &["read:pullrequest:bitbucket"],
            "warning: the token works, but cannot fetch",
        ),
    ];
    for (scopes, said) in rows {
        let (env, stand_in) = start();
        stand_in.allow(
            Credential::api_token(API_TOKEN)
                .email("ada@example.com")
                .scopes(scopes.iter().copied()),
        );
        stored(
            &login(&env, API_TOKEN, &["--email", "ada@example.com"]),
            said,
        );
    }
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).scopes(["repository"]));
    stored(
        &login(&env, ACCESS_TOKEN, &[]),
        "it lacks the scope 'repository:write'",
    );
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).scopes(["repository:write"]));
    stored(&login(&env, ACCESS_TOKEN, &[]), "bitbucket.org knows it\n");
}

#[test]
fn a_repository_that_the_token_may_not_see_is_named() {
    let (env, stand_in) = start();
    stand_in.repository("other/app");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    let outcome = login(
        &env,
        ACCESS_TOKEN,
        &["--for", "acme/app", "--for", "other/app"],
    );
    stored(
        &outcome,
        "warning: the secret works, but it cannot see 'other/app'",
    );
}

#[test]
fn an_app_password_is_not_checked() {
    let (env, stand_in) = start();
    let outcome = login(&env, APP_PASSWORD, &["--username", "ada"]);
    stored(&outcome, "removed app passwords on 2026-07-28");
    assert!(stand_in.requests().is_empty());
}

#[test]
fn a_rate_limit_and_an_unreachable_bitbucket_leave_the_token_unchecked() {
    let (env, stand_in) = start();
    let handle = stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    handle.limit_rate();
    stored(
        &login(&env, ACCESS_TOKEN, &["one"]),
        "stored unchecked: Bitbucket limits our requests (429)",
    );
    drop(stand_in);
    stored(
        &login(&env, ACCESS_TOKEN, &["two"]),
        "stored unchecked: cannot ask Bitbucket: cannot get through the proxy: ",
    );

    let (mut env, _stand_in) = start();
    env.set("NO_PROXY", "bitbucket.org");
    stored(
        &login(&env, ACCESS_TOKEN, &["three"]),
        "stored unchecked: cannot ask Bitbucket: cannot connect: ",
    );
}

#[test]
fn a_bitbucket_that_never_answers_is_not_waited_for_for_ever() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    stand_in.fall_silent(Silence::Request);
    stored(
        &login(&env, ACCESS_TOKEN, &[]),
        "stored unchecked: cannot ask Bitbucket: no answer within 10 seconds",
    );
}

#[test]
fn certificates_come_from_where_git_has_them() {
    let (mut env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    let ca = stand_in.ca_file().display().to_string();
    env.set("GIT_SSL_CAINFO", "");
    env.set("SSL_CERT_FILE", "");
    let outcome = login(&env, ACCESS_TOKEN, &["one"]);
    stored(
        &outcome,
        "stored unchecked: cannot ask Bitbucket: the server's certificate is not trusted",
    );
    assert!(outcome.stderr.contains("http.sslCAInfo"), "{outcome:?}");
    env.git_succeeds(&[
        "config",
        "--global",
        "http.https://api.bitbucket.org.sslCAInfo",
        &ca,
    ]);
    stored(
        &login(&env, ACCESS_TOKEN, &["two"]),
        "bitbucket.org knows it",
    );
    env.set("GIT_SSL_CAINFO", "/nowhere.pem");
    stored(
        &login(&env, ACCESS_TOKEN, &["three"]),
        "cannot read the certificates in '/nowhere.pem'",
    );
}

#[test]
fn the_proxy_of_git_s_configuration_is_used() {
    let (mut env, stand_in) = start();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.set("HTTPS_PROXY", "http://127.0.0.1:9");
    env.set("https_proxy", "http://127.0.0.1:9");
    stored(&login(&env, ACCESS_TOKEN, &["one"]), "stored unchecked: ");
    env.git_succeeds(&["config", "--global", "http.proxy", &stand_in.proxy()]);
    stored(
        &login(&env, ACCESS_TOKEN, &["two"]),
        "bitbucket.org knows it",
    );
}

#[test]
fn a_data_center_token_is_checked_and_its_user_found_out() {
    let (env, stand_in) = start();
    let data_center = stand_in.data_center("git.corp.example:7990", "/bitbucket");
    data_center.repository("prj/app");
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    let place = "git.corp.example:7990/bitbucket";
    let outcome = login(
        &env,
        "BBDC-canary",
        &[
            "dc",
            "--host",
            place,
            "--username",
            "bob",
            "--for",
            "prj/app",
        ],
    );
    stored(&outcome, "git.corp.example:7990 knows it as 'bob'");
    assert_eq!(
        env.get("protocol=https\nhost=git.corp.example:7990\npath=bitbucket/scm/prj/app.git\n"),
        reply("bob", "BBDC-canary")
    );
    env.git_succeeds(&[
        "ls-remote",
        "https://git.corp.example:7990/bitbucket/scm/prj/app.git",
    ]);

    env.program(&["logout", "--all"], "");
    stored(
        &login(&env, "BBDC-canary", &["dc", "--host", place]),
        "knows it as 'bob'",
    );
    assert_eq!(env.accounts()[0]["username"], "bob");

    env.program(&["logout", "--all"], "");
    let outcome = login(&env, "BBDC-other", &["--host", place, "--username", "bob"]);
    refused(
        &env,
        &outcome,
        "git.corp.example:7990 refuses the user name and the secret",
    );
    let outcome = login(
        &env,
        "BBDC-canary",
        &["dc", "--host", "git.corp.example:7990"],
    );
    refused(
        &env,
        &outcome,
        "there is no Bitbucket at git.corp.example:7990",
    );
    assert!(
        outcome
            .stderr
            .contains("if Bitbucket lies below a path, say '--host HOST/PATH'"),
        "{outcome:?}"
    );
}

#[test]
fn a_data_center_that_refuses_basic_is_answered_with_bearer() {
    let (env, stand_in) = start();
    let data_center = stand_in.data_center("git.corp.example", "");
    data_center.repository("prj/app");
    data_center.disable_basic(true);
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    data_center.allow(Credential::password("hunter2").user("bob"));
    let at = ["--host", "git.corp.example", "--username", "bob"];
    let outcome = login(
        &env,
        "hunter2",
        &[&at[..], &["--kind", "app-password"]].concat(),
    );
    refused(
        &env,
        &outcome,
        "git.corp.example has disabled Basic authentication",
    );

    stored(&login(&env, "BBDC-canary", &at), "knows it as 'bob'");
    let context = "protocol=https\nhost=git.corp.example\n";
    let header = ephemeral("authtype=Bearer\ncredential=BBDC-canary\n");
    assert_eq!(
        env.get(&format!("capability[]=authtype\n{context}")),
        header
    );
    assert_eq!(
        env.get(context),
        reply("bob", "BBDC-canary"),
        "for whoever knows no Bearer"
    );
    env.git_succeeds(&[
        "clone",
        "--quiet",
        "https://git.corp.example/scm/prj/app.git",
    ]);
    let erase =
        format!("capability[]=authtype\nauthtype=Bearer\ncredential=BBDC-canary\n{context}");
    assert_eq!(env.program(&["erase"], erase).status, 0);
    assert_eq!(env.accounts()[0]["state"], "rejected");
}

#[test]
fn a_project_token_of_a_data_center_has_no_user_and_goes_as_bearer() {
    let (env, stand_in) = start();
    let data_center = stand_in.data_center("git.corp.example", "");
    data_center.repository("prj/app");
    data_center.allow(Credential::project_http_access_token("BBDC-project"));
    stored(
        &login(
            &env,
            "BBDC-project",
            &["--host", "git.corp.example", "--for", "prj/app"],
        ),
        "git.corp.example knows it",
    );
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    env.git_succeeds(&[
        "clone",
        "--quiet",
        "https://git.corp.example/scm/prj/app.git",
    ]);
}

#[test]
fn what_a_server_sends_is_not_printed() {
    let (env, stand_in) = start();
    // A Data Center without a context path: a page of HTML, not JSON.
    stand_in.data_center("git.corp.example", "/elsewhere");
    let outcome = login(
        &env,
        "BBDC-canary",
        &["--host", "git.corp.example", "--username", "bob"],
    );
    refused(&env, &outcome, "there is no Bitbucket at git.corp.example");
    assert!(!outcome.stderr.contains("Not found"), "{outcome:?}");
}

#[test]
fn a_proxy_that_cannot_be_asked_through_is_named() {
    let (mut env, _stand_in) = start();
    env.set("HTTPS_PROXY", "socks5h://127.0.0.1:9");
    env.set("https_proxy", "socks5h://127.0.0.1:9");
    let outcome = login(&env, ACCESS_TOKEN, &[]);
    stored(
        &outcome,
        "only an http proxy can be asked through, not SOCKS",
    );
}

#[test]
fn a_bearer_token_that_was_refused_as_a_password_stays_in_service() {
    let (env, stand_in) = start();
    let data_center = stand_in.data_center("git.corp.example", "");
    data_center.repository("prj/app");
    data_center.allow(Credential::project_http_access_token("BBDC-project"));
    stored(
        &login(&env, "BBDC-project", &["--host", "git.corp.example"]),
        "",
    );
    // What git-lfs before 3.6 asks, sends, and reports.
    let context = "protocol=https\nhost=git.corp.example\n";
    assert_eq!(env.get(context), reply("x-token-auth", "BBDC-project"));
    let erase = format!("{context}username=x-token-auth\npassword=BBDC-project\n");
    assert_eq!(env.program(&["erase"], erase).status, 0);
    assert_eq!(
        env.get(context),
        "",
        "the same is not answered again, so that it ends"
    );
    env.git_succeeds(&["ls-remote", "https://git.corp.example/scm/prj/app.git"]);
    assert_eq!(env.accounts()[0]["state"], "ok");
}
