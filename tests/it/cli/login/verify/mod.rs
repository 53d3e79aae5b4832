//! `login` asks Bitbucket, and tells which mistake it is: each explanation once.

mod data_center;
mod network;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, Outcome, TestEnv, another};
use crate::support::stand_in::{Credential, StandIn};

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
        &login(&env, &another(API_TOKEN, 1), &[]),
        "warning: the secret is stored unchecked: Bitbucket can only be asked with '--email' or '--for",
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
        "the API token was made without scopes, and Bitbucket takes no such token",
    );
    // Where Bitbucket does not name the reason.
    let outcome = login(
        &env,
        &API_TOKEN.replace("0000", "1111"),
        &["--email", "ada@example.com"],
    );
    refused(
        &env,
        &outcome,
        "Bitbucket refuses the API token: it was made without scopes, has expired, was revoked, or is not that of 'ada@example.com'",
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
    refused(
        &env,
        &outcome,
        "the secret works, but it cannot see 'other/app'",
    );
    assert!(outcome.stderr.contains("'--no-verify' stores it"));
    let again = ["--for", "other/app", "--no-verify"];
    stored(&login(&env, ACCESS_TOKEN, &again), "");
    assert_eq!(env.accounts()[0]["state"], "unchecked");
}

#[test]
fn a_workspace_that_bitbucket_does_not_find_is_named() {
    let (env, stand_in) = start();
    let scopes = [READ, WRITE, USER, "read:workspace:bitbucket"];
    let ada = || Credential::api_token(API_TOKEN).email("ada@example.com");
    let handle = stand_in.allow(ada().scopes(scopes));
    let wrong = ["--email", "ada@example.com", "--for", "acne"];
    refused(
        &env,
        &login(&env, API_TOKEN, &wrong),
        "the secret works, but it cannot see 'acne'",
    );
    stored(
        &login(
            &env,
            API_TOKEN,
            &["--email", "ada@example.com", "--for", "acme"],
        ),
        "bitbucket.org knows it",
    );
    assert_eq!(env.accounts()[0]["state"], "ok");
    // A token that may not ask about workspaces is not refused.
    env.program(&["logout", "--all"], "");
    handle.set_scopes([READ, WRITE, USER]);
    stored(&login(&env, API_TOKEN, &wrong), "bitbucket.org knows it");
}

#[test]
fn what_is_stored_unchecked_says_how_to_check_it() {
    let (env, stand_in) = start();
    stand_in.allow(Credential::api_token(API_TOKEN).email("ada@example.com"));
    let yours = another(API_TOKEN, 1);
    let handle = stand_in.allow(Credential::api_token(&yours).email("ada@example.com"));
    let outcome = login(&env, API_TOKEN, &["me"]);
    stored(
        &outcome,
        "hint: 'git credential-bitbucket edit me --email ADDRESS' allows the check\n",
    );
    let status = env.program(&["status", "--verify"], "");
    assert_eq!(status.status, 0, "{status:?}");
    assert!(status.stdout.contains("  unchecked\n"), "{status:?}");
    assert!(
        status.stderr.contains("warning: 'me' is unchecked: "),
        "{status:?}"
    );
    handle.limit_rate();
    let outcome = login(&env, &yours, &["you", "--email", "ada@example.com"]);
    stored(
        &outcome,
        "hint: 'git credential-bitbucket status --verify you' checks it\n",
    );
    assert_eq!(env.accounts()[1]["state"], "unchecked");
    handle.restore();
    env.program(&["status", "--verify", "you"], "");
    assert_eq!(env.accounts()[1]["state"], "ok");
}

#[test]
fn without_an_e_mail_the_remote_of_the_current_folder_is_asked() {
    for (refuse, sees, status, said) in [
        (false, "acme", 0, "bitbucket.org knows it\n"),
        (
            false,
            "beta",
            0,
            "warning: the secret works, but it cannot see 'acme/app'",
        ),
        (true, "acme", 1, "error: Bitbucket refuses the API token"),
    ] {
        let (env, stand_in) = start();
        let handle = stand_in.allow(Credential::api_token(API_TOKEN).sees(sees));
        if refuse {
            handle.revoke();
        }
        env.git_succeeds(&["init", "-q", "."]);
        let remote = "https://someone@bitbucket.org/acme/app.git";
        env.git_succeeds(&["remote", "add", "origin", remote]);
        let outcome = login(&env, API_TOKEN, &[]);
        assert_eq!(outcome.status, status, "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        let states = env.accounts();
        assert!(
            states.iter().all(|account| account["state"] == "ok"),
            "{states:?}"
        );
    }
}

#[test]
fn an_app_password_is_not_checked() {
    let (env, stand_in) = start();
    let outcome = login(&env, APP_PASSWORD, &["--username", "ada"]);
    stored(
        &outcome,
        "is an app password; Bitbucket removed these on 2026-07-28",
    );
    assert!(stand_in.requests().is_empty());
}
