//! What an answer does without: files it has no need of, and accounts that are for something else.

use std::fmt::Write as _;
use std::fs;

use crate::support::harness::{API_TOKEN, TestEnv};
#[cfg(target_os = "linux")]
use crate::support::harness::{has, run};

const REQUEST: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n\n";

/// The files of the test's own folder that the program opens, of those that are there.
#[cfg(target_os = "linux")]
fn opened(env: &TestEnv, operation: &str, input: &str) -> Vec<String> {
    let trace = env.path().join("trace");
    let mut command = env.command("strace");
    command
        .args(["-f", "-e", "trace=open,openat,openat2", "-o"])
        .arg(&trace)
        .args([crate::support::harness::PROGRAM, operation]);
    let outcome = run(command, input.as_bytes());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("exited with 0"), "{trace}");
    let folder = format!("{}/", env.path().display());
    let there = trace.lines().filter(|line| !line.contains("ENOENT"));
    let names = there.filter_map(|line| line.split('"').nth(1)?.strip_prefix(&folder));
    names.map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn no_file_is_opened_that_the_answer_does_not_need() {
    if !has(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--for", "acme"]);
    let needed = ["data/accounts.toml", "data/secrets", "data/secrets.key"];
    assert_eq!(opened(&env, "get", REQUEST), needed);
    env.has_worked("path=acme/app.git\n");
    let reply = env.program(&["get"], REQUEST).stdout;
    let reply = format!("{}\n{reply}\n", REQUEST.trim_end());
    assert_eq!(opened(&env, "store", &reply), needed);
    let none: [&str; 0] = [];
    let ephemeral = format!("ephemeral=1\n{reply}");
    assert_eq!(opened(&env, "store", &ephemeral), needed[..1]);
    let elsewhere = REQUEST.replace("https", "http");
    assert_eq!(opened(&env, "get", &elsewhere), none);
    assert_eq!(opened(&env, "capability", ""), none);
    // The environment needs none, where no account fits as well.
    let mut env = TestEnv::new();
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    assert_eq!(opened(&env, "get", REQUEST), none);
    assert_eq!(opened(&env, "store", &reply), none);
}

#[test]
fn of_many_accounts_only_those_that_may_answer_are_read() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["right", "--for", "acme/app"]);
    let path = env.data().join("accounts.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for number in 0..300 {
        let _ = write!(
            text,
            "\n[[account]]\nname = \"a{number}\"\nhost = \"bitbucket.org\"\nkind = \"access-token\"\n\
             for = [\"acme/app-{number}\"]\nstore = \"file\"\nentry = \"a{number}@bitbucket.org#0\"\norigin = \"login\"\n"
        );
    }
    fs::write(&path, &text).unwrap();
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "1");
    let outcome = env.program(&["get"], REQUEST);
    let password = format!("password={API_TOKEN}\n");
    assert!(outcome.stdout.contains(&password), "{outcome:?}");
    let said = "accounts: 300 of 301 cannot answer";
    assert!(outcome.stderr.contains(said), "{outcome:?}");

    // Damage to another one is told to whoever asks for that one, or reads them all.
    fs::write(&path, text.replace("name = \"a7\"", "nickname = \"a7\"")).unwrap();
    let outcome = env.program(&["get"], REQUEST);
    assert!(outcome.stdout.contains(&password), "{outcome:?}");
    let other = REQUEST.replace("app.git", "app-7");
    for arguments in [&["get"][..], &["status"]] {
        let outcome = env.program(arguments, &other);
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(outcome.stderr.contains("cannot parse"), "{outcome:?}");
    }
}
