//! Clients that are not installed here: the bytes that each sends, and what git's own helpers keep.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, STATIC, TestEnv, has, reply, run};

/// What a client sends with `get`, and what it then reports.
const ROWS: [(&str, &str); 6] = [
    // git, and all that start it: no leading slash, no blank line.
    (
        "git",
        "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=bitbucket.org\npath=acme/app.git\nwwwauth[]=Basic realm=\"Bitbucket.org HTTP\"\n",
    ),
    // cargo's libgit2, with a user name from its configuration.
    (
        "libgit2",
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername=ann\n",
    ),
    // gitoxide: the path first, and in its reports the URL and a blank line.
    (
        "gitoxide",
        "path=acme/app.git\nprotocol=https\nhost=bitbucket.org\n\n",
    ),
    // scmrepo (DVC).
    (
        "scmrepo",
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n\n",
    ),
    // Go: without `.git`.
    ("go", "protocol=https\nhost=bitbucket.org\npath=acme/app\n"),
    // git-annex.
    (
        "git-annex",
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git/config\n",
    ),
];

#[test]
fn each_client_gets_the_account_of_its_place() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["personal"]);
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    for (client, request) in ROWS {
        let answer = env.program(&["get"], request);
        let pair = reply("x-token-auth", ACCESS_TOKEN);
        assert!(answer.stdout.contains(&pair), "{client}: {answer:?}");
        let other = env.program(&["get"], request.replace("acme/", "other/"));
        assert!(
            other.stdout.contains(&reply(STATIC, API_TOKEN)),
            "{client}: {other:?}"
        );
    }
}

/// gitoxide adds the URL to what it reports.
#[test]
fn a_report_with_the_url_is_understood() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let report = format!(
        "url=https://bitbucket.org/acme/app.git\npath=acme/app.git\nprotocol=https\nhost=bitbucket.org\n\
         username={STATIC}\npassword={API_TOKEN}\n\n"
    );
    for (operation, state) in [("store", "ok"), ("erase", "rejected"), ("store", "ok")] {
        let outcome = env.program(&[operation], &report);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert_eq!(env.accounts()[0]["state"], state, "{operation}");
    }
}

/// The callback of docs/clients.md for isomorphic-git, without isomorphic-git.
#[test]
fn the_callback_for_isomorphic_git_gives_the_pair() {
    if !has(&["node"]) {
        return;
    }
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    env.configure_plain();
    let page = include_str!("../../../docs/clients.md");
    let (_, example) = page
        .split_once("```js\n")
        .expect("the page has the callback");
    let (callback, _) = example.split_once("```").expect("it ends");
    let script = format!("{callback}console.log(onAuth('https://bitbucket.org/acme/app.git'))");
    let mut node = env.command("node");
    node.args(["-e", &script]);
    let outcome = run(node, b"");
    let pair = format!("{{\n  username: '{STATIC}',\n  password: '{API_TOKEN}'\n}}\n");
    assert_eq!(outcome.stdout, pair, "{outcome:?}");
}

/// git's `cache` obeys `ephemeral`, its `store` does not: only a chain that `setup` has cut keeps the token out of it.
#[test]
fn git_store_keeps_even_what_is_ephemeral() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let kept = || {
        let mut fill = env.command("git");
        fill.args(["credential", "fill"]);
        let place = "protocol=https\nhost=bitbucket.org\ncapability[]=authtype\n";
        let answer = run(fill, place.as_bytes()).stdout;
        assert!(answer.contains(API_TOKEN), "{answer}");
        let mut approve = env.command("git");
        approve.args(["credential", "approve"]);
        assert_eq!(run(approve, answer.as_bytes()).status, 0);
        let content = std::fs::read_to_string(env.home().join(".git-credentials"));
        std::fs::remove_file(env.home().join(".git-credentials")).ok();
        content.unwrap_or_default().contains("bitbucket.org")
    };
    env.git_succeeds(&["config", "--global", "credential.helper", "store"]);
    env.git_succeeds(&[
        "config",
        "--global",
        "--add",
        "credential.helper",
        "bitbucket",
    ]);
    assert!(kept());
    assert_eq!(env.program(&["setup", "--force"], "").status, 0);
    assert!(!kept());
    // What is added later stands behind it.
    env.git_succeeds(&["config", "--global", "--unset-all", "credential.helper"]);
    env.git_succeeds(&["config", "--global", "credential.helper", "store"]);
    assert!(kept());
    assert_eq!(env.program(&["setup", "--force"], "").status, 0);
    assert!(!kept());
}
