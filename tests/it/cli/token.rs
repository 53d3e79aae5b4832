//! `token`: one secret, for a script.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv};

#[test]
fn token_prints_one_secret_and_names_the_choice() {
    let env = TestEnv::new();
    assert_eq!(env.program(&["token"], "").status, 1);
    env.login(API_TOKEN, &["work"]);
    assert_eq!(env.program(&["token"], "").stdout, format!("{API_TOKEN}\n"));
    env.login(ACCESS_TOKEN, &["build"]);
    assert_eq!(
        env.program(&["token", "build"], "").stdout,
        format!("{ACCESS_TOKEN}\n")
    );
    let outcome = env.program(&["token"], "");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome.stderr.contains("hint: name one of 'work', 'build'"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn token_prints_the_secret_that_would_answer_for_a_place() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me"]);
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    let token = |place: &str| env.program(&["token", place], "");
    for (place, secret) in [
        ("acme/site", ACCESS_TOKEN),
        ("https://bitbucket.org/acme/site.git", ACCESS_TOKEN),
        (
            "https://api.bitbucket.org/2.0/repositories/acme/site",
            ACCESS_TOKEN,
        ),
        ("other/site", API_TOKEN),
        ("https://x-token-auth@bitbucket.org/other/site", API_TOKEN),
    ] {
        let outcome = token(place);
        assert_eq!(
            outcome.stdout,
            format!("{secret}\n"),
            "{place}: {outcome:?}"
        );
    }
    for place in [
        "https://evil.example/acme/site",
        "http://bitbucket.org/acme/site",
    ] {
        let outcome = token(place);
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (1, ""),
            "{place}"
        );
    }
    // A name wins over a place.
    env.login(
        &API_TOKEN.replace("0A1B", "9999"),
        &["acme/site", "--for", "third"],
    );
    assert!(token("acme/site").stdout.contains("9999"));
    // Nothing answers there any more.
    env.program(&["logout", "me"], "");
    let outcome = token("other/site");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("no account is for 'other/site': '"),
        "{outcome:?}"
    );
}

#[test]
fn one_account_that_may_not_answer_is_told_with_its_fix_as_the_hint() {
    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &["site", "--for", "acme/site"]);
    let token = || env.program(&["--account", "site", "token", "beta/x"], "");
    let said = "git-credential-bitbucket: error: 'site' is for acme/site only, and no other account may answer\n\
                git-credential-bitbucket: hint: 'git credential-bitbucket edit site --for acme/site --for beta/x' \
                lets it answer here\n";
    assert_eq!(token().stderr, said);
    env.follow(said, "", "");
    assert_eq!(token().stdout, format!("{ACCESS_TOKEN}\n"));
}
