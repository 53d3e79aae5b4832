//! `switch`: which account comes first.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, STATIC, TestEnv, another, reply};

fn order(env: &TestEnv) -> String {
    let outcome = env.program(&["switch"], "");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let names: Vec<String> = env
        .accounts()
        .iter()
        .map(|account| account["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcome.stdout, names.join("\n") + "\n", "status shows it");
    names.join(" ")
}

#[test]
fn the_account_that_is_put_first_answers_at_once() {
    let env = TestEnv::new();
    assert_eq!(env.program(&["switch"], "").stdout, "");
    let his = another(API_TOKEN, 1);
    for (token, name) in [(API_TOKEN, "me"), (ACCESS_TOKEN, "you"), (&his, "he")] {
        env.login(token, &[name]);
    }
    assert_eq!(order(&env), "me you he");
    assert_eq!(env.get_cloud("path=a/b\n"), reply(STATIC, API_TOKEN));
    let outcome = env.program(&["switch", "you"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.stderr,
        "'you' now comes before accounts that fit equally\n"
    );
    assert_eq!(order(&env), "you me he");
    let answer = reply("x-token-auth", ACCESS_TOKEN);
    assert_eq!(env.get_cloud("path=a/b\n"), answer);

    // A replaced account keeps its place, a new one goes last.
    env.login(&another(ACCESS_TOKEN, 2), &["me"]);
    env.login(&another(ACCESS_TOKEN, 3), &["she"]);
    assert_eq!(order(&env), "you me he she");

    let outcome = env.program(&["switch", "nobody"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("no account 'nobody'"),
        "{outcome:?}"
    );
}

#[test]
fn what_git_gave_comes_last_until_somebody_switches_to_it() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me"]);
    env.program(&["logout", "me"], "");
    let give = |name: &str| {
        let given = format!(
            "protocol=https\nhost=bitbucket.org\npath={name}/x.git\nusername={name}\npassword=given-{name}\n"
        );
        assert_eq!(env.program(&["store"], given).status, 0);
    };
    give("ada");
    give("bob");
    env.login(API_TOKEN, &["me"]);
    assert_eq!(order(&env), "me bob ada", "the newest first");
    assert_eq!(env.get_cloud("path=ada/x.git\n"), reply(STATIC, API_TOKEN));
    assert_eq!(env.program(&["switch", "ada"], "").status, 0);
    assert_eq!(order(&env), "ada me bob");
    assert_eq!(env.accounts()[0]["origin"], "login");
    assert_eq!(env.get_cloud("path=ada/x.git\n"), reply("ada", "given-ada"));
}
