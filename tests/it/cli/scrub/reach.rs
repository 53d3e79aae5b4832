//! For what a secret that was found becomes an account: no more than where it was found, in every order of commands.

use std::collections::BTreeMap;
use std::fs;

use super::{repository, scrub, set, url, use_file_store};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, reply, write_private};
use crate::support::stand_in::{Credential, StandIn};

const OF_SITE: &str = "ATCTT3xFfGN0canary-site-token-000000000000000=0A1B2C3D";
const OF_PROJECT: &str = "ATCTT3xFfGN0canary-project-token-000000000000=0A1B2C3D";

fn with_stand_in() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    use_file_store(&env);
    (env, stand_in)
}

/// What each account is for.
fn reaches(env: &TestEnv) -> BTreeMap<String, Vec<String>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let row = |account: &serde_json::Value| {
        let reach = account["for"].as_array().unwrap().iter();
        (text(&account["name"]), reach.map(text).collect())
    };
    env.accounts().iter().map(row).collect()
}

fn rows<const N: usize>(rows: [(&str, &[&str]); N]) -> BTreeMap<String, Vec<String>> {
    let owned = |reach: &[&str]| reach.iter().map(|&it| it.to_owned()).collect();
    let rows = rows.into_iter();
    rows.map(|(name, reach)| (name.to_owned(), owned(reach)))
        .collect()
}

fn clone_with(env: &TestEnv, name: &str, token: &str) {
    repository(env, name);
    set(
        env,
        name,
        "remote.origin.url",
        &url(name).replace(ACCESS_TOKEN, token),
    );
}

#[test]
fn an_access_token_is_for_its_repository_unless_bitbucket_calls_it_a_workspaces() {
    let (env, stand_in) = with_stand_in();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    stand_in.allow(Credential::access_token(OF_SITE).sees("acme/site"));
    let of_project = Credential::access_token(OF_PROJECT).sees("acme");
    stand_in.allow(of_project.reported_as("project_access_token"));
    for (name, token) in [
        ("app", ACCESS_TOKEN),
        ("site", OF_SITE),
        ("core", OF_PROJECT),
    ] {
        clone_with(&env, name, token);
    }
    scrub(&env, &["site"]);
    scrub(&env, &["core"]);
    scrub(&env, &["app"]);
    let expected = rows([
        ("acme-site", &["acme/site"]),
        ("acme-core", &["acme/core"]),
        ("acme", &["acme"]),
    ]);
    assert_eq!(reaches(&env), expected);
    for (name, token) in [
        ("app", ACCESS_TOKEN),
        ("site", OF_SITE),
        ("core", OF_PROJECT),
        ("else", ACCESS_TOKEN),
    ] {
        let answer = env.get_cloud(&format!("path=acme/{name}.git\n"));
        assert_eq!(answer, reply("x-token-auth", token), "{name}");
    }
    let requests = stand_in.requests();
    let asked = |token: &str| {
        let of_it = requests.iter().filter(|it| it.secret() == Some(token));
        of_it.count()
    };
    assert_eq!(
        [ACCESS_TOKEN, OF_SITE, OF_PROJECT].map(asked),
        [1, 1, 1],
        "each is asked about once"
    );
}

#[test]
fn where_nobody_can_be_asked_it_is_for_the_repositories_in_which_it_was_found() {
    let env = super::environment();
    clone_with(&env, "app", ACCESS_TOKEN);
    scrub(&env, &["app"]);
    let one = rows([("acme-app", &["acme/app"])]);
    assert_eq!(reaches(&env), one);
    clone_with(&env, "two", ACCESS_TOKEN);
    scrub(&env, &["two"]);
    let both = rows([("acme-app", &["acme/app", "acme/two"])]);
    assert_eq!(reaches(&env), both);
    assert_eq!(env.get_cloud("path=acme/three.git\n"), "");
}

/// What each place gets, after these commands in this order.
fn after(order: &[usize]) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let (env, stand_in) = with_stand_in();
    stand_in.allow(Credential::api_token(API_TOKEN));
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme/app"));
    stand_in.allow(Credential::access_token(OF_SITE).sees("acme/site"));
    stand_in.repository("acme/app");
    stand_in.repository("acme/site");
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    env.configure_plain();
    clone_with(&env, "app", ACCESS_TOKEN);
    clone_with(&env, "site", OF_SITE);
    // The same token once more, beside no path, and the token of a person.
    let lines = format!(
        "https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org\nhttps://ada%40example.com:{API_TOKEN}@bitbucket.org\n"
    );
    for command in order {
        match command {
            0 => drop(scrub(&env, &["app", "site"])),
            1 => {
                write_private(&env.home().join(".git-credentials"), &lines);
                let outcome = env.program(&["import", "--remove"], "");
                assert_eq!(outcome.status, 0, "{outcome:?}");
            }
            _ => drop(env.login(API_TOKEN, &["mine", "--email", "ada@example.com"])),
        }
    }
    for name in ["app", "site"] {
        env.git_succeeds(&["-C", name, "ls-remote"]);
    }
    let paths = [
        "acme/app.git",
        "acme/site.git",
        "acme/else.git",
        "beta/x.git",
    ];
    let answers = paths.map(|path| env.get_cloud(&format!("path={path}\n")));
    (reaches(&env), answers.into())
}

#[test]
fn scrub_and_import_end_in_the_same_in_either_order() {
    let (reaches, answers) = after(&[0, 1]);
    assert_eq!(reaches["acme-app"], ["acme/app"]);
    assert_eq!(
        answers,
        [
            reply("x-token-auth", ACCESS_TOKEN),
            reply("x-token-auth", OF_SITE),
            reply("x-bitbucket-api-token-auth", API_TOKEN),
            reply("x-bitbucket-api-token-auth", API_TOKEN),
        ]
    );
    let (other, same_answers) = after(&[1, 0]);
    assert_eq!(same_answers, answers);
    let all = |reaches: BTreeMap<String, Vec<String>>| {
        let mut all: Vec<_> = reaches.into_values().collect();
        all.sort();
        all
    };
    assert_eq!(all(other), all(reaches), "whatever their names");
}

#[test]
fn what_is_found_never_comes_before_an_account_from_login_in_any_order() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let (_, answers) = after(&order);
        let mine = reply("x-bitbucket-api-token-auth", API_TOKEN);
        assert_eq!(answers, vec![mine; 4], "{order:?}");
    }
}

#[test]
fn the_fault_of_one_account_does_not_hide_what_the_others_of_its_store_have() {
    let env = super::environment();
    for (name, token) in [("one", API_TOKEN), ("two", ACCESS_TOKEN)] {
        env.login(token, &[name, "--for", "beta"]);
    }
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace(
        "entry = \"one@bitbucket.org",
        "entry = \"one@elsewhere.example",
    );
    fs::write(&path, text).unwrap();
    clone_with(&env, "app", ACCESS_TOKEN);
    let outcome = scrub(&env, &["app"]);
    assert_eq!(
        outcome.stderr.matches("cannot tell what 'one' has").count(),
        1,
        "{outcome:?}"
    );
    assert_eq!(reaches(&env)["two"], ["beta", "acme/app"]);
    assert_eq!(env.accounts().len(), 2, "it is not stored twice");
}

#[test]
fn of_two_persons_tokens_in_one_workspace_each_repository_gets_the_one_that_opens_it() {
    let (env, stand_in) = with_stand_in();
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    env.configure_plain();
    let of_bob = API_TOKEN.replace("api-token", "bob-token");
    for (name, token) in [("app", API_TOKEN), ("site", &of_bob)] {
        let place = format!("acme/{name}");
        stand_in.repository(&place);
        stand_in.allow(Credential::api_token(token).sees(&place));
        clone_with(&env, name, token);
    }
    scrub(&env, &["app"]);
    scrub(&env, &["site"]);
    for (name, token) in [("app", API_TOKEN), ("site", &of_bob)] {
        env.git_succeeds(&["-C", name, "ls-remote"]);
        let answer = env.get_cloud(&format!("path=acme/{name}.git\n"));
        assert_eq!(answer, reply("x-bitbucket-api-token-auth", token), "{name}");
    }
}
