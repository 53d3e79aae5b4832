//! config.toml: what is in it, and what is wrong with it.

use crate::support::harness::{API_TOKEN, TestEnv, reply};
use std::fs;
use std::os::unix::net::UnixListener;

#[test]
fn an_unknown_setting_is_reported_with_its_place_and_not_its_value() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    fs::write(
        env.data().join("config.toml"),
        format!("[store]\ndefault = 'file'\ntoken = '{API_TOKEN}'\n"),
    )
    .unwrap();
    let outcome = env.program(&["status"], "");
    assert!(
        outcome.stderr.contains("config.toml:3: 'store.token'"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    assert_eq!(env.get_cloud(""), "", "git is not bothered with it");
}

#[test]
fn a_setting_that_cannot_be_is_reported_by_status() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    let settings = [
        ("[store]\ndefault = 'filee'\n", "line 2: invalid value"),
        ("hosts = 1\n", "line 1: invalid value"),
        ("hosts = [\n", "config.toml': line 1: "),
    ];
    for (text, complaint) in settings {
        fs::write(env.data().join("config.toml"), text).unwrap();
        let outcome = env.program(&["status"], "");
        assert!(outcome.stderr.contains(complaint), "{}", outcome.stderr);
    }
    // A relative path would mean another file in each folder; and it may be a slip for "kernel".
    for setting in ["key = 'kernle'", "path = 'secrets'", "path = '~/secrets'"] {
        fs::write(
            env.data().join("config.toml"),
            format!("[store.file]\n{setting}\n"),
        )
        .unwrap();
        let outcome = env.program(
            &["login", "--no-verify", "--with-token", "--store", "file"],
            API_TOKEN,
        );
        assert_eq!(outcome.status, 1, "{}", outcome.stderr);
        assert!(
            outcome.stderr.contains("is not an absolute path"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn what_is_no_file_in_its_place_is_told_with_what_to_do() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    let path = env.data().join("config.toml");
    let socket = || drop(UnixListener::bind(&path).unwrap());
    let folder = || fs::create_dir(&path).unwrap();
    for make in [&socket as &dyn Fn(), &folder] {
        make();
        let outcome = env.program(&["status"], "");
        let expected = format!(
            "git-credential-bitbucket: warning: '{}' is not a file\n\
             git-credential-bitbucket: hint: move it away\n",
            path.display()
        );
        assert!(outcome.stderr.contains(&expected), "{outcome:?}");
        fs::rename(&path, env.path().join("aside")).unwrap();
        let outcome = env.program(&["status"], "");
        assert!(!outcome.stderr.contains("is not a file"), "{outcome:?}");
        let _ = fs::remove_file(env.path().join("aside"));
    }
}

#[test]
fn a_host_is_ours_when_the_configuration_lists_it() {
    let env = TestEnv::new();
    let given = "protocol=https\nhost=git.corp.example\nusername=ada\npassword=x\n";
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(env.get("protocol=https\nhost=git.corp.example\n"), "");
    fs::create_dir_all(env.data()).unwrap();
    fs::write(
        env.data().join("config.toml"),
        "hosts = ['git.corp.example']\n[store]\ndefault = 'file'\n",
    )
    .unwrap();
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(
        env.get("protocol=https\nhost=git.corp.example\n"),
        reply("ada", "x")
    );
}
