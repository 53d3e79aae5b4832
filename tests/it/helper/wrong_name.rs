//! A token beside a wrong user name: git reports the pair in `erase`.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, STATIC, TestEnv, reply};
use crate::support::stand_in::{Credential, StandIn};

const APP: &str = "path=acme/app.git\n";

fn start() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    (env, stand_in)
}

/// What `erase` says.
fn erase(env: &TestEnv, more: &str, username: &str, password: &str) -> String {
    let pair = format!(
        "protocol=https\nhost=bitbucket.org\n{more}{}",
        reply(username, password)
    );
    let outcome = env.program(&["erase"], pair);
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (0, ""),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
    outcome.stderr
}

#[test]
fn the_token_is_kept_under_its_right_name_for_the_place_it_was_typed_for() {
    for (token, right, reach, email) in [
        (API_TOKEN, STATIC, "acme", Some("ada@example.com")),
        (ACCESS_TOKEN, "x-token-auth", "acme/app", None),
    ] {
        let (env, _stand_in) = start();
        let said = erase(&env, APP, "ada@example.com", token);
        assert!(
            said.contains("'ada@example.com' is no user name for")
                && said.contains("run the command again"),
            "{said}"
        );
        assert_eq!(env.get_cloud(APP), reply(right, token));
        let account = &env.accounts()[0];
        assert_eq!(account["for"], serde_json::json!([reach]));
        assert_eq!(
            (account["email"].as_str(), account["origin"].as_str()),
            (email, Some("git"))
        );
        assert_eq!(env.get_cloud("path=other/app.git\n"), "", "not for others");
        // The same report once more changes nothing.
        erase(&env, APP, "ada@example.com", token);
        assert_eq!(env.get_cloud(APP), reply(right, token));
    }
}

#[test]
fn nothing_is_tried_without_a_path_or_where_the_name_may_be_right() {
    let (env, stand_in) = start();
    let said = erase(&env, "", "ada@example.com", API_TOKEN);
    assert!(said.contains(&format!("git needs '{STATIC}'")), "{said}");
    assert_eq!(
        erase(&env, APP, STATIC, &API_TOKEN.replace("canary", "wrong")),
        ""
    );
    assert_eq!(erase(&env, APP, "ada@example.com", "hunter2"), "");
    for host in ["api.bitbucket.org", "evil.example", "git.corp.example:7990"] {
        let pair = format!(
            "protocol=https\nhost={host}\n{APP}{}",
            reply("ada@example.com", API_TOKEN)
        );
        assert_eq!(env.program(&["erase"], pair).stderr, "", "{host}");
    }
    assert!(stand_in.requests().is_empty());
    assert!(env.accounts().is_empty());
}

#[test]
fn a_revoked_token_is_tried_once_in_ten_minutes() {
    let (env, stand_in) = start();
    let revoked = API_TOKEN.replace("canary", "revoked");
    let said = erase(&env, APP, "ada@example.com", &revoked);
    assert!(said.contains("Bitbucket refuses the API token"), "{said}");
    assert_eq!(stand_in.requests().len(), 1);
    assert_eq!(erase(&env, APP, "ada@example.com", &revoked), "");
    assert_eq!(stand_in.requests().len(), 1);
    assert!(env.accounts().is_empty());
}

#[test]
fn only_gits_own_success_counts() {
    let (env, stand_in) = start();
    stand_in.show_a_page(true);
    let said = erase(&env, APP, "ada@example.com", API_TOKEN);
    assert!(said.contains("git needs"), "{said}");
    assert!(env.accounts().is_empty());
}

#[test]
fn what_is_kept_that_way_beats_nothing_from_login() {
    let (env, _stand_in) = start();
    env.login(ACCESS_TOKEN, &["work", "--for", "acme/other"]);
    erase(&env, APP, "bob", API_TOKEN);
    assert_eq!(
        env.get_cloud("path=acme/other.git\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(env.get_cloud(APP), reply(STATIC, API_TOKEN));
    assert_eq!(
        env.accounts()[1]["username"].as_str(),
        None,
        "no name that nobody has proved"
    );
    // It came out of a URL: the token is known under its right name already.
    let said = erase(&env, APP, "bob", API_TOKEN);
    assert!(said.contains("git needs"), "{said}");
}
