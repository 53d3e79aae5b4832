//! Several programs on one Data Center host: a token is for what lies below the path of its instance.

use crate::support::harness::{TestEnv, reply};

const HOST: &str = "git.corp.example";
const TOKEN: &str = "BBDC-canary-0000000000000000000000";
const OTHER: &str = "BBDC-canary-1111111111111111111111";

fn login(env: &TestEnv, secret: &str, name: &str, place: &str) {
    let options = [name, "--host", place, "--username", name];
    env.login(secret, &options);
}

fn get(env: &TestEnv, path: &str) -> String {
    let path = if path.is_empty() {
        String::new()
    } else {
        format!("path={path}\n")
    };
    let outcome = env.program(&["get"], format!("protocol=https\nhost={HOST}\n{path}"));
    outcome.stdout
}

#[test]
fn a_token_is_for_what_lies_below_the_path_of_its_instance() {
    let env = TestEnv::new();
    login(&env, TOKEN, "bob", &format!("{HOST}/bitbucket"));
    for path in [
        "bitbucket/scm/prj/app.git",
        "bitbucket/scm/prj/app.git/info/lfs",
        "bitbucket/rest/api/1.0/projects/PRJ",
        // The host's only account.
        "",
    ] {
        assert_eq!(get(&env, path), reply("bob", TOKEN), "{path}");
    }
    for path in [
        "gitlab/group/app.git",
        "gitlab/bitbucket/scm/prj/app.git",
        "scm/prj/app.git",
        "bitbucket-old/scm/prj/app.git",
        "Bitbucket/scm/prj/app.git",
        "bitbucket/../gitlab/app.git",
        "bitbucket/%2e%2e/gitlab/app.git",
        "bitbucket//../gitlab/app.git",
        "./bitbucket/scm/prj/app.git",
    ] {
        assert_eq!(get(&env, path), "", "{path}");
    }
    let url = format!("https://{HOST}/gitlab/group/app.git");
    env.program(&["setup"], "");
    let explained = env.program(&["doctor", &url], "");
    assert!(explained.stdout.contains("/bitbucket"), "{explained:?}");
}

#[test]
fn an_account_of_the_whole_host_leaves_the_others_paths_alone() {
    let env = TestEnv::new();
    login(&env, TOKEN, "bob", &format!("{HOST}/bitbucket"));
    login(&env, OTHER, "eve", HOST);
    assert_eq!(get(&env, "bitbucket/scm/prj/app.git"), reply("bob", TOKEN));
    assert_eq!(get(&env, "scm/prj/app.git"), reply("eve", OTHER));
    for path in ["", "x/../bitbucket/scm/prj/app.git", "/%62itbucket/x"] {
        assert_eq!(get(&env, path), "", "{path}");
    }
    // Also where the other one is for a repository that is not wanted.
    let place = format!("{HOST}/stash");
    let options = [
        "dan",
        "--host",
        &place,
        "--username",
        "dan",
        "--for",
        "prj/app",
    ];
    env.login(TOKEN, &options);
    assert_eq!(get(&env, "stash/scm/prj/app.git"), reply("dan", TOKEN));
    assert_eq!(get(&env, "stash/scm/prj/other.git"), "");
}

#[test]
fn what_git_gives_is_for_the_instance_that_it_came_from() {
    let env = TestEnv::new();
    env.program(&["setup"], "");
    login(&env, TOKEN, "bob", &format!("{HOST}/bitbucket"));
    let path = "stash/scm/prj/app.git";
    let given = format!(
        "protocol=https\nhost={HOST}\npath={path}\n{}",
        reply("eve", OTHER)
    );
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(get(&env, path), reply("eve", OTHER));
    for path in ["other/scm/prj/app.git", "scm/prj/app.git"] {
        assert_eq!(get(&env, path), "", "{path}");
    }
}
