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
fn what_git_gave_is_replaced_where_nobody_can_be_asked_about_it() {
    let env = TestEnv::new();
    let given = "protocol=https\nhost=bitbucket.org\nusername=ada\n";
    let stored = env.program(&["store"], format!("{given}password=given\n"));
    assert_eq!(stored.status, 0, "{stored:?}");
    assert_eq!(env.program(&["erase"], given).status, 0);
    let outcome = env.program(&["get"], given);
    let fix = "'git credential-bitbucket login ada' replaces it";
    assert!(outcome.stderr.contains(fix), "{outcome:?}");
    env.login(API_TOKEN, &["ada"]);
    assert_eq!(env.accounts().len(), 1);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
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
    // The newest first, as it answers.
    assert_eq!(states, ["ok", "rejected"]);
}

/// git-annex asks for the configuration of a repository, and takes its absence for a refusal.
#[test]
fn an_erase_for_a_file_in_a_repository_says_nothing_about_the_token() {
    const HOST: &str = "git.corp.example:7990";
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    env.login("BBDC-canary", &["dc", "--host", HOST, "--username", "bob"]);
    let state_after = |host: &str, path: &str| {
        let (username, password) = match host {
            HOST => ("bob", "BBDC-canary"),
            _ => (STATIC, API_TOKEN),
        };
        let request = format!(
            "protocol=https\nhost={host}\npath={path}\nusername={username}\npassword={password}\n"
        );
        let outcome = env.program(&["erase"], &request);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{path}");
        let accounts = env.accounts();
        let account = accounts.iter().find(|account| account["host"] == host);
        let state = account.unwrap()["state"].as_str().unwrap().to_owned();
        assert_eq!(env.program(&["store"], &request).status, 0);
        state
    };
    for host in ["bitbucket.org", HOST] {
        assert_eq!(state_after(host, "acme/core.git/config"), "unchecked");
    }
    for (host, path) in [
        ("bitbucket.org", "acme/core.git/config"),
        ("bitbucket.org", "acme/core/config"),
        ("bitbucket.org", "/acme/core.git/annex/objects/ab"),
        ("bitbucket.org", "acme/core.git/info/attributes"),
        (HOST, "scm/acme/core.git/config"),
        (HOST, "bitbucket/scm/acme/core/config"),
    ] {
        assert_eq!(state_after(host, path), "ok", "{host} {path}");
    }
    for (host, path) in [
        ("bitbucket.org", "acme/core.git"),
        ("bitbucket.org", "acme/core"),
        ("bitbucket.org", "acme/core.git/"),
        ("bitbucket.org", "acme"),
        ("bitbucket.org", "acme/core.git/wiki"),
        (
            "bitbucket.org",
            "acme/core.git/info/refs?service=git-upload-pack",
        ),
        ("bitbucket.org", "acme/core/info/lfs/objects/batch"),
        ("bitbucket.org", "acme/core.git/git-receive-pack"),
        (HOST, "scm/acme/core.git"),
        (HOST, "bitbucket/scm/~bob/core.git/info/lfs"),
        (HOST, "acme/core"),
    ] {
        assert_eq!(state_after(host, path), "rejected", "{host} {path}");
    }
}
