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
