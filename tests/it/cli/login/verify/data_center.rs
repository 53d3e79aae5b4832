//! The same of a Data Center.

use super::{login, refused, start, stored};
use crate::support::harness::{ephemeral, reply};
use crate::support::stand_in::Credential;

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
