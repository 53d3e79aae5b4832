//! `logout`: an account and its secret go, and nothing else.

use crate::support::harness::{API_TOKEN, TestEnv, another};
use crate::support::terminal::Terminal;
use std::fs;

#[test]
fn logout_removes_one_account_with_its_secret_or_all_of_them() {
    let env = TestEnv::new();
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        env.login(&another(API_TOKEN, number), &[name]);
    }
    let entries = || {
        let secrets = fs::read_to_string(env.data().join("secrets")).unwrap();
        secrets
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count()
    };
    assert_eq!(env.program(&["logout"], "").status, 1, "which one");
    assert_eq!(env.program(&["logout", "two"], "").status, 0);
    assert_eq!((env.accounts().len(), entries()), (2, 2));
    assert_eq!(env.program(&["logout", "two"], "").status, 1);
    assert_eq!(env.program(&["logout", "two", "--all"], "").status, 2);
    assert_eq!(env.program(&["logout", "--all"], "").status, 0);
    assert_eq!((env.accounts().len(), entries()), (0, 0));
    assert_eq!(env.program(&["logout", "--all"], "").status, 0);
}

#[test]
fn logging_out_takes_the_host_out_of_gits_configuration_as_well() {
    let env = TestEnv::new();
    env.program(&["setup"], "");
    env.login(
        "BBDC-canary",
        &["--host", "git.corp.example", "--username", "ada"],
    );
    let has_host = || {
        let list = env.git_succeeds(&["config", "--list"]).stdout;
        list.contains("git.corp.example")
    };
    assert!(has_host());
    assert_eq!(env.program(&["logout", "ada"], "").status, 0);
    assert!(!has_host());
}

#[test]
fn a_terminal_asks_before_all_accounts_go() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.login(API_TOKEN, &["one"]);
    env.login(&another(API_TOKEN, 1), &["two"]);
    terminal.types_anew("git-credential-bitbucket logout --all; echo do''ne");
    terminal.expect("Remove 2 accounts and their secrets? [y/N]");
    terminal.types("");
    let screen = terminal.expect("done");
    assert!(screen.contains("error: nothing was changed"), "{screen}");
    assert_eq!(env.accounts().len(), 2);
    terminal.types_anew("git-credential-bitbucket logout --all; echo do''ne");
    terminal.expect("[y/N]");
    terminal.types("y");
    terminal.expect("done");
    assert!(env.accounts().is_empty());
}
