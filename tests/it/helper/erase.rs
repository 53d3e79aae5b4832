//! `erase`: what a refusal sets aside, and what it leaves alone.

use crate::support::harness::{API_TOKEN, STATIC, TestEnv, reply};
use std::fs;

#[test]
fn a_refused_token_from_login_is_set_aside_and_not_lost() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let refused =
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    assert_eq!(env.get_cloud(""), "");
    assert_eq!(env.accounts()[0]["state"].as_str(), Some("rejected"));
    assert_eq!(env.program(&["status"], "").status, 1);
    assert_eq!(
        env.program(&["token", "work"], "").stdout,
        format!("{API_TOKEN}\n")
    );

    // That it works after all puts it back; so does signing in again.
    assert_eq!(env.program(&["store"], &refused).status, 0);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    env.login(API_TOKEN, &["work"]);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
}

#[test]
fn an_erase_of_something_else_leaves_the_token_alone() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--email", "ada@example.com"]);
    let erases = [
        // A stale password of another helper's, or one out of a URL.
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword=stale\n"),
        // git died while writing a value with a CR: no secret.
        "protocol=https\nhost=bitbucket.org\n".to_owned(),
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\n"),
        // The e-mail in a URL was refused, not the token.
        format!(
            "protocol=https\nhost=bitbucket.org\nusername=ada@example.com\npassword={API_TOKEN}\n"
        ),
        // A mistyped e-mail at REST.
        format!(
            "protocol=https\nhost=api.bitbucket.org\nusername=ada@example.com\npassword={API_TOKEN}\n"
        ),
    ];
    for erase in erases {
        assert_eq!(env.program(&["erase"], &erase).status, 0);
        assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN), "{erase}");
    }
}

#[test]
fn a_password_that_git_gave_is_removed_when_it_is_refused() {
    let env = TestEnv::new();
    let wrong = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=wrong\n";
    assert_eq!(env.program(&["store"], wrong).status, 0);
    assert_eq!(env.get_cloud(""), reply("ada", "wrong"));
    assert_eq!(env.program(&["erase"], wrong).status, 0);
    assert_eq!(env.get_cloud(""), "");
    assert!(env.accounts().is_empty());
    let secrets = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert_eq!(
        secrets
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        0,
        "the secret is gone as well"
    );
}

#[test]
fn an_erase_without_a_password_removes_nothing_that_git_gave() {
    let env = TestEnv::new();
    let pair = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=right\n";
    assert_eq!(env.program(&["store"], pair).status, 0);
    // git dies while it writes `u:x%0dy@`, and the erase ends behind the user name.
    for erase in [
        "protocol=https\nhost=bitbucket.org\nusername=ada\n",
        "protocol=https\nhost=bitbucket.org\n",
    ] {
        assert_eq!(env.program(&["erase"], erase).status, 0);
        assert_eq!(env.get_cloud(""), "", "it is set aside");
        assert_eq!(env.accounts()[0]["state"], "rejected");
        assert_eq!(env.accounts().len(), 1);
        // That it works after all puts it back.
        assert_eq!(env.program(&["store"], pair).status, 0);
        assert_eq!(env.get_cloud(""), reply("ada", "right"));
    }
}

#[test]
fn a_token_that_git_gave_and_was_refused_is_kept_aside_when_the_next_one_comes() {
    let env = TestEnv::new();
    let credential = |token: &str| {
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={token}\n")
    };
    let next = API_TOKEN.replace("canary", "next");
    assert_eq!(env.program(&["store"], credential(API_TOKEN)).status, 0);
    assert_eq!(env.program(&["erase"], credential(API_TOKEN)).status, 0);
    assert_eq!(env.program(&["store"], credential(&next)).status, 0);
    let own = format!("username={STATIC}\n");
    assert_eq!(env.get_cloud(&own), reply(STATIC, &next));
    let states: Vec<_> = env
        .accounts()
        .iter()
        .map(|account| account["state"].clone())
        .collect();
    assert_eq!(states, ["rejected", "ok"]);
}
