//! Files that are not as we wrote them: what is damaged is named and kept, and what is only newer is no damage.

use std::fs;
use std::path::PathBuf;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, another, reply, write_private};

const REQUEST: &str = "protocol=https\nhost=bitbucket.org\n";

/// What lies in the data folder and was set aside.
fn set_aside(env: &TestEnv, name: &str) -> Vec<PathBuf> {
    let start = format!("{name}.damaged-");
    let entries = fs::read_dir(env.data()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(&start)
        })
        .collect()
}

#[test]
fn git_and_everybody_who_only_looks_leave_damaged_accounts_as_they_are() {
    for content in ["[account\n", "", "\0\0\0\0", "account = 1\n"] {
        let env = TestEnv::new();
        env.login(API_TOKEN, &["work"]);
        let path = env.data().join("accounts.toml");
        write_private(&path, content);
        let given = format!("{REQUEST}username=ada\npassword=given\n");
        let refused = format!("{REQUEST}password={API_TOKEN}\n");
        for (arguments, input) in [
            (&["get"][..], REQUEST),
            (&["store"], &given),
            (&["erase"], &refused),
            (&["status"], ""),
            (&["token"], ""),
            (&["logout", "--all"], ""),
            (&["setup"], ""),
            // Nothing was given, so nothing is begun anew.
            (&["login", "--with-token"], "\n"),
        ] {
            let outcome = env.program(arguments, input);
            assert_eq!(
                (outcome.status, outcome.stdout.as_str()),
                (1, ""),
                "{outcome:?}"
            );
            if arguments[0] != "login" {
                assert!(
                    outcome.stderr.contains("accounts.toml'")
                        && !outcome.stderr.contains(" called "),
                    "{outcome:?}"
                );
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert!(set_aside(&env, "accounts.toml").is_empty());
    }
}

#[test]
fn login_sets_damaged_accounts_aside_and_says_so() {
    for content in ["[account\n", "", "\0\0\0\0"] {
        let env = TestEnv::new();
        env.login(API_TOKEN, &["work"]);
        write_private(&env.data().join("accounts.toml"), content);
        let outcome = env.login(ACCESS_TOKEN, &["new"]);
        let aside = set_aside(&env, "accounts.toml");
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), content);
        let told = format!("hint: fix '{}' and rename it back", aside[0].display());
        assert!(
            outcome.stderr.contains("accounts.toml' is damaged (")
                && outcome.stderr.contains(&told),
            "{outcome:?}"
        );
        assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));

        // Once more in the same second: nothing that was set aside is lost either.
        write_private(&env.data().join("accounts.toml"), "[again\n");
        env.login(ACCESS_TOKEN, &["new"]);
        assert_eq!(set_aside(&env, "accounts.toml").len(), 2);
    }
}

#[test]
fn what_a_newer_version_wrote_survives_each_command_of_this_one() {
    let mut env = TestEnv::new();
    env.configure_plain();
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    let data = env.data();
    let append = |name: &str, text: &str| {
        let path = data.join(name);
        let content = fs::read_to_string(&path).unwrap();
        write_private(&path, &format!("{content}{text}"));
    };
    append(
        "accounts.toml",
        "colour = \"blue\"\n[[account]]\nname = \"moon\"\nhost = \"bitbucket.org\"\nkind = \"quantum-token\"\n\
         store = \"moon\"\nentry = \"moon@bitbucket.org#00000001\"\norigin = \"login\"\n[future]\nlevel = 9\n",
    );
    let is_kept = || {
        let text = fs::read_to_string(data.join("accounts.toml")).unwrap();
        for kept in ["colour = \"blue\"", "kind = \"quantum-token\"", "level = 9"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(set_aside(&env, "accounts.toml").is_empty());
    };
    env.login(ACCESS_TOKEN, &["other", "--for", "beta"]);
    is_kept();
    let given = format!("{REQUEST}path=gamma/x\nusername=ada\npassword=given\n");
    assert_eq!(env.program(&["store"], &given).status, 0);
    is_kept();
    assert_eq!(env.program(&["erase"], &given).status, 0);
    let refused = format!("{REQUEST}path=acme/x\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], refused).status, 0);
    is_kept();
    assert_eq!(env.program(&["logout", "other"], "").status, 0);
    is_kept();

    assert_eq!(env.program(&["setup"], "").status, 0);
    let record = fs::read_to_string(data.join("setup.toml")).unwrap();
    write_private(&data.join("setup.toml"), &format!("future = 1\n{record}"));
    env.login(
        "no-prefix",
        &[
            "elsewhere",
            "--host",
            "git.corp.example",
            "--kind",
            "http-access-token",
        ],
    );
    // This moves the include to the end, and so writes the record anew.
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", "cache"]);
    assert_eq!(env.program(&["setup", "--force"], "").status, 0);
    let again = fs::read_to_string(data.join("setup.toml")).unwrap();
    assert!(again.contains("future = 1"), "{again}");

    env.set("BITBUCKET_TOKEN", API_TOKEN);
    let refused = format!("{REQUEST}password={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    let known = fs::read_to_string(data.join("refusals.toml")).unwrap();
    write_private(&data.join("refusals.toml"), &format!("future = 1\n{known}"));
    env.set("BITBUCKET_TOKEN", ACCESS_TOKEN);
    assert_eq!(
        env.program(&["erase"], refused.replace(API_TOKEN, ACCESS_TOKEN))
            .status,
        0
    );
    let known = fs::read_to_string(data.join("refusals.toml")).unwrap();
    assert!(
        known.contains("future = 1") && known.matches("fingerprint").count() == 2,
        "{known}"
    );
}

#[test]
fn an_empty_file_of_secrets_is_told_and_login_begins_anew() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    write_private(&env.data().join("secrets"), "");
    let outcome = env.program(&["get"], REQUEST);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    let told = format!(
        "'work': '{}' is empty",
        env.data().join("secrets").display()
    );
    assert!(outcome.stderr.contains(&told), "{outcome:?}");
    env.login(API_TOKEN, &["work"]);
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
}

#[test]
fn a_damaged_secret_does_not_take_the_others_along() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    env.login(ACCESS_TOKEN, &["other", "--for", "beta"]);
    let path = env.data().join("secrets");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with("work@")).unwrap();
    let damaged = format!("{}!!", &line[..line.len() - 2]);
    write_private(&path, &text.replace(line, &damaged));
    let outcome = env.program(&["get"], format!("{REQUEST}path=acme/x\n"));
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("secrets': it is damaged, or sealed with another key"),
        "{outcome:?}"
    );
    env.login(&another(API_TOKEN, 1), &["third", "--for", "gamma"]);
    assert!(
        fs::read_to_string(&path).unwrap().contains(&damaged),
        "nothing is replaced in silence"
    );
    assert_eq!(
        env.get_cloud("path=beta/x\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    env.login(API_TOKEN, &["work"]);
    assert_eq!(
        env.get_cloud("path=acme/x\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
}

#[test]
fn secrets_that_are_no_file_of_ours_are_left_alone() {
    for content in ["\0\0\0\0", "somebody's diary\n"] {
        let env = TestEnv::new();
        env.login(API_TOKEN, &["work"]);
        let path = env.data().join("secrets");
        write_private(&path, content);
        let outcome = env.program(
            &["login", "--with-token", "--no-verify", "--store", "file"],
            API_TOKEN,
        );
        assert_eq!(outcome.status, 1);
        assert!(
            outcome
                .stderr
                .contains("secrets' is not a file of this program's secrets"),
            "{outcome:?}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn damaged_refusals_are_set_aside_and_a_refused_token_is_still_noted() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_TOKEN", API_TOKEN);
    fs::create_dir(env.data()).unwrap();
    write_private(&env.data().join("refusals.toml"), "key = 1\n");
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    assert!(
        set_aside(&env, "refusals.toml").is_empty(),
        "get writes nothing"
    );
    let outcome = env.program(&["erase"], format!("{REQUEST}password={API_TOKEN}\n"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert_eq!(env.get_cloud(""), "");
    let aside = set_aside(&env, "refusals.toml");
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), "key = 1\n");
    let doctor = env.program(&["doctor"], "");
    let name = aside[0].file_name().unwrap().to_str().unwrap();
    assert!(doctor.stdout.contains(name), "{}", doctor.stdout);
}

#[test]
fn a_damaged_record_of_setup_is_kept_as_git_still_has_what_it_told_of() {
    let env = TestEnv::new();
    assert_eq!(env.program(&["setup"], "").status, 0);
    let before = fs::read_to_string(env.git_config()).unwrap();
    let path = env.data().join("setup.toml");
    for content in ["file = 1\n", ""] {
        write_private(&path, content);
        for arguments in [&["setup"][..], &["setup", "--undo"]] {
            let outcome = env.program(arguments, "");
            assert_eq!(outcome.status, 1, "{outcome:?}");
            assert!(
                outcome.stderr.contains("setup.toml' is damaged"),
                "{outcome:?}"
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(fs::read_to_string(env.git_config()).unwrap(), before);
    }
}
