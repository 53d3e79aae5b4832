//! Two accounts that fit equally: none of them answers, and each command says so.

use crate::cli::doctor::{assert_starts, doctor, finding, found};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv};

/// That `get` answers nothing and names both.
fn assert_tie(env: &TestEnv) {
    let wanted = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";
    let outcome = env.program(&["get"], wanted);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert_eq!(
        outcome.stderr,
        "git-credential-bitbucket: error: two accounts fit 'https://bitbucket.org/acme/site.git': 'me' and 'you'\n"
    );
}

#[test]
fn two_accounts_that_fit_equally_are_told_by_each_command_and_none_answers() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me"]);
    assert!(found(&doctor(&env, &[]).1, "ambiguous").is_empty());
    let outcome = env.login(ACCESS_TOKEN, &["you"]);
    let warning = "warning: 'me' and 'you' fit bitbucket.org equally, so none of them answers\n";
    assert!(outcome.stderr.contains(warning), "{outcome:?}");
    assert!(outcome.stderr.contains("--for WORKSPACE\n"), "{outcome:?}");
    assert!(env.program(&["status"], "").stderr.contains(warning));
    assert_tie(&env);

    env.login(ACCESS_TOKEN, &["you", "--for", "acme"]);
    assert!(!env.program(&["status"], "").stderr.contains("equally"));
    assert!(found(&doctor(&env, &[]).1, "ambiguous").is_empty());
}

#[test]
fn doctor_says_what_parts_two_accounts_that_fit_equally() {
    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &["me", "--for", "acme"]);
    assert!(found(&doctor(&env, &[]).1, "ambiguous").is_empty());
    env.login(
        &ACCESS_TOKEN.replace("0A1B", "9999"),
        &["you", "--for", "acme"],
    );
    assert_starts(
        &finding(&env, "ambiguous"),
        "fail: 'me' and 'you' fit acme on bitbucket.org equally, so none of them answers; fix: limit one to a workspace: ",
    );
    assert_tie(&env);

    env.login(ACCESS_TOKEN, &["me", "--username", "ada"]);
    env.login(API_TOKEN, &["you", "--username", "bob"]);
    let tie = finding(&env, "ambiguous");
    assert_starts(&tie, "warn: ");
    assert!(
        tie.contains("unless the URL names a user; fix: name one in the remote's URL"),
        "{tie}"
    );
}
