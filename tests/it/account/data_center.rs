//! Data Center: a token goes with its user's name where that works, so that large pushes work.

use std::fs;

use crate::support::harness::{Outcome, TestEnv, has, noise, reply, write_private};
use crate::support::stand_in::{Credential, DataCenter, StandIn};
use crate::support::terminal::Terminal;

const HOST: &str = "git.corp.example";
const APP: &str = "https://git.corp.example/scm/prj/app.git";
const WANTED: &str = "protocol=https\nhost=git.corp.example\npath=scm/prj/app.git\n";
/// git 2.46 to 2.53 need it for a token without a user.
const BUFFER: &str = "git config --global http.https://git.corp.example.postBuffer 524288000";

fn world() -> (TestEnv, StandIn, DataCenter) {
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center(HOST, "");
    data_center.repository("prj/app");
    env.set_up();
    (env, stand_in, data_center)
}

/// The command of the README, with what follows it.
fn login(env: &TestEnv, token: &str, more: &[&str]) -> Outcome {
    let all = ["login", "--host", HOST, "--with-token", "--store", "file"];
    env.program(&[&all[..], more].concat(), token)
}

fn signed_in(env: &TestEnv, token: &str, more: &[&str]) -> Outcome {
    let outcome = login(env, token, more);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    outcome
}

/// Whether a file of three megabytes that does not compress is pushed.
fn push(env: &TestEnv, name: &str) -> Outcome {
    commit(env, name);
    env.git(&["-C", "app", "push", "--quiet"])
}

fn commit(env: &TestEnv, name: &str) {
    if !env.home().join("app").exists() {
        env.git_succeeds(&["clone", "--quiet", APP, "app"]);
    }
    let content = noise(3_000_000);
    fs::write(env.home().join("app").join(name), content).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "--quiet", "-m", name]);
}

fn pushes(env: &TestEnv, name: &str) {
    let outcome = push(env, name);
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

fn push_with_lfs(env: &TestEnv) {
    if !has(&["git-lfs"]) {
        return;
    }
    env.git_succeeds(&["lfs", "install", "--skip-repo"]);
    env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
    pushes(env, "large.bin");
}

/// The only account, as 0.1 wrote it.
fn as_of_an_earlier_version(env: &TestEnv, username: &str) {
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("username"));
    let lines: Vec<&str> = lines.collect();
    let old = format!("username = \"{username}\"\nbearer = true\nstore");
    write_private(&path, &(lines.join("\n") + "\n").replacen("store", &old, 1));
}

#[test]
fn a_token_goes_with_its_user_s_name_whatever_letters_that_has() {
    for (name, has_plus) in [
        ("bob", false),
        ("ada@corp.example", false),
        ("CORP\\ada", false),
        ("jürgen", false),
        ("ada lovelace", false),
        ("ada lovelace", true),
        ("a+b", false),
        ("a+b", true),
    ] {
        let (env, _stand_in, data_center) = world();
        if has_plus {
            data_center.write_plus_for_blank();
        }
        data_center.allow(Credential::http_access_token("BBDC-canary").user(name));
        let outcome = signed_in(&env, "BBDC-canary", &[]);
        let said = format!("git.corp.example knows it as '{name}'");
        assert!(outcome.stderr.contains(&said), "{outcome:?}");
        assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
        assert_eq!(env.accounts()[0]["username"], name);
        assert_eq!(env.get(WANTED), reply(name, "BBDC-canary"));
        pushes(&env, "large");
        if name == "jürgen" {
            push_with_lfs(&env);
        }
    }
}

#[test]
fn a_wrong_user_name_beside_a_right_token_is_put_right() {
    let (env, _stand_in, data_center) = world();
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    let outcome = signed_in(&env, "BBDC-canary", &["--username", "bob@corp.example"]);
    assert!(outcome.stderr.contains("knows it as 'bob'"), "{outcome:?}");
    assert_eq!(env.get(WANTED), reply("bob", "BBDC-canary"));
}

#[test]
fn where_basic_is_refused_a_token_goes_as_bearer_and_login_says_what_large_pushes_need() {
    for only_git in [false, true] {
        let (env, _stand_in, data_center) = world();
        data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
        if only_git {
            data_center.disable_basic_for_git();
        } else {
            data_center.disable_basic(true);
        }
        let outcome = signed_in(&env, "BBDC-canary", &["--for", "prj/app"]);
        assert!(
            outcome
                .stderr
                .contains("refuses a user name with the token: remote URLs must have none"),
            "{outcome:?}"
        );
        needs_the_buffer(&env, &outcome);
        // git-lfs before 3.6 knows no Bearer.
    }
}

#[test]
fn a_token_without_a_user_goes_as_bearer() {
    let (env, _stand_in, data_center) = world();
    data_center.allow(Credential::project_http_access_token("BBDC-project"));
    data_center.accept_x_token_auth(true);
    let outcome = signed_in(&env, "BBDC-project", &["--for", "prj"]);
    assert!(!outcome.stderr.contains("user name"), "{outcome:?}");
    needs_the_buffer(&env, &outcome);
    push_with_lfs(&env);
}

/// A large push fails, which costs nothing, and with what `login` and `setup` say it works.
fn needs_the_buffer(env: &TestEnv, login: &Outcome) {
    let version = env.git(&["version"]).stdout;
    let minor = version.split('.').nth(1).and_then(|it| it.parse().ok());
    if !minor.is_some_and(|minor: u32| (46..54).contains(&minor)) {
        return pushes(env, "large");
    }
    let hint = format!("hint: {BUFFER}\n");
    let again = env.program(&["setup"], "");
    for outcome in [login, &again] {
        assert!(outcome.stderr.contains(&hint), "{outcome:?}");
    }
    let token_works = || {
        assert_eq!(env.git(&["ls-remote", APP]).status, 0);
        assert_eq!(env.accounts()[0]["state"], "ok");
    };
    commit(env, "large");
    // More often than comebacks are trusted.
    for round in 0..7 {
        let outcome = env.git(&["-C", "app", "push", "--quiet"]);
        assert_ne!(outcome.status, 0, "{outcome:?}");
        if round < 2 {
            token_works();
        }
    }
    token_works();
    env.shell(BUFFER);
    pushes(env, "larger");
    token_works();
    let again = env.program(&["setup"], "");
    assert!(!again.stderr.contains("postBuffer"), "{again:?}");
}

#[test]
fn on_a_terminal_the_buffer_is_set_for_who_agrees() {
    let (env, _stand_in, data_center) = world();
    data_center.allow(Credential::project_http_access_token("BBDC-project"));
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let key = "http.https://git.corp.example.postBuffer";
    let command = format!("git credential-bitbucket login --host {HOST} --store file");
    for (answer, value) in [("n", ""), ("y", "524288000\n")] {
        terminal.types_anew(&command);
        terminal.expect("it will not show");
        terminal.types("BBDC-project");
        terminal.expect("User name");
        terminal.types("");
        terminal.expect("[Y/n]");
        terminal.types(answer);
        terminal.expect(if answer == "n" {
            "hint: git config"
        } else {
            "git now keeps"
        });
        assert_eq!(env.git(&["config", "--global", key]).stdout, value);
    }
}

#[test]
fn accounts_of_an_earlier_version_are_put_right() {
    // In the file a percent sign is encoded.
    for (name, old) in [("jürgen", "j%25C3%25BCrgen"), ("bob", "bob")] {
        for arguments in [
            &["status", "--verify"][..],
            &["login", "mine", "--with-token"],
        ] {
            let (env, _stand_in, data_center) = world();
            data_center.allow(Credential::http_access_token("BBDC-canary").user(name));
            signed_in(&env, "BBDC-canary", &["mine"]);
            as_of_an_earlier_version(&env, old);
            assert_eq!(env.accounts()[0]["username"], old);
            let outcome = env.program(arguments, "BBDC-canary");
            assert_eq!(outcome.status, 0, "{outcome:?}");
            assert_eq!(env.accounts()[0]["username"], name);
            assert_eq!(env.get(WANTED), reply(name, "BBDC-canary"));
            pushes(&env, "large");
        }
    }
}

#[test]
fn a_user_name_that_is_told_later_changes_how_the_token_goes() {
    let (env, stand_in, data_center) = world();
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    signed_in(&env, "BBDC-canary", &["mine", "--no-verify"]);
    let outcome = env.program(&["edit", "mine", "--username", "bob"], "");
    assert!(
        outcome
            .stderr
            .contains("'mine': git.corp.example knows it as 'bob'"),
        "{outcome:?}"
    );
    assert_eq!(env.get(WANTED), reply("bob", "BBDC-canary"));
    data_center.disable_basic(true);
    assert_eq!(
        env.program(&["edit", "mine", "--username", "bobby"], "")
            .status,
        0
    );
    assert_eq!(env.accounts()[0]["username"], "bob");
    let wanted = format!("capability[]=authtype\n{WANTED}");
    assert!(env.get(&wanted).contains("authtype=Bearer"));
    // Nobody can be asked: the name is taken as it is.
    drop(stand_in);
    assert_eq!(
        env.program(&["edit", "mine", "--username", ""], "").status,
        0
    );
    assert!(env.get(&wanted).contains("authtype=Bearer"));
    assert_eq!(
        env.program(&["edit", "mine", "--username", "bob"], "")
            .status,
        0
    );
    assert_eq!(env.get(WANTED), reply("bob", "BBDC-canary"));
}
