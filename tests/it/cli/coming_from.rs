//! What `docs/coming-from.md` says of other helpers, with those that can be had here.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::harness::{API_TOKEN, TestEnv, has, reply, run, write_private};
use crate::support::keyring;

const PAGE: &str = include_str!("../../../docs/coming-from.md");
const SOURCES: &str = "/usr/share/doc/git/contrib/credential/libsecret";

/// The first block in this language below a heading.
fn block(heading: &str, language: &str) -> String {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, block) = section.split_once(&format!("\n```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

fn environment() -> TestEnv {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    let settings = "[store]\ndefault = 'file'\n";
    fs::write(env.data().join("config.toml"), settings).unwrap();
    env
}

/// Runs the page's commands; gives what they printed.
fn follow(env: &TestEnv, commands: &str) -> String {
    let mut shell = env.command("sh");
    shell.args(["-ec", &format!("exec 2>&1\n{commands}")]);
    let outcome = run(shell, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(!outcome.stdout.contains("canary"), "{outcome:?}");
    outcome.stdout
}

fn assert_answers(env: &TestEnv) {
    let answer = env.get("protocol=https\nhost=bitbucket.org\npath=acme/site.git\n");
    let static_name = "x-bitbucket-api-token-auth";
    assert_eq!(answer, reply(static_name, API_TOKEN));
}

#[test]
fn from_the_file_of_git_credential_store_the_page_s_command_takes_all_and_prints_what_it_shows() {
    let env = environment();
    let secret = API_TOKEN.replace('=', "%3D");
    let lines = format!("https://ada:{secret}@bitbucket.org\nhttps://u:other-canary@github.com\n");
    write_private(&env.home().join(".git-credentials"), &lines);
    follow(&env, "git credential-bitbucket setup --no-guard");
    let printed = follow(&env, &block("store and `.git-credentials`", "sh"));
    let home = env.home().display().to_string();
    let shown = block("store and `.git-credentials`", "console");
    assert_eq!(printed.replace(&home, "/home/ada"), shown);
    assert_answers(&env);
}

#[test]
fn from_a_netrc_the_page_s_command_takes_bitbucket_s_machine_and_leaves_the_others() {
    let env = environment();
    let other = "machine example.com login u password other-canary\n";
    let lines = format!("machine bitbucket.org login ada password {API_TOKEN}\n{other}");
    let netrc = env.home().join(".netrc");
    write_private(&netrc, &lines);
    follow(&env, &block("netrc", "sh"));
    assert_eq!(fs::read_to_string(netrc).unwrap().trim_start(), other);
    assert_answers(&env);
}

#[test]
fn from_git_credential_cache_the_command_of_the_table_takes_over() {
    let env = environment();
    let command = "git credential-bitbucket import helper:cache";
    assert!(PAGE.contains(&format!("| `cache` | `{command}` | yes |")));
    let approve = format!(
        "printf 'protocol=https\\nhost=bitbucket.org\\nusername=ada\\npassword={API_TOKEN}\\n\\n' \
         | git -c credential.helper=cache credential approve\n"
    );
    follow(&env, &(approve + command + "\ngit credential-cache exit\n"));
    assert_answers(&env);
}

#[test]
fn from_libsecret_the_page_s_commands_move_the_entry_within_the_keyring() {
    if !has(&keyring::TOOLS) || !has(&["make", "cc", "pkg-config"]) {
        return;
    }
    if !Path::new(SOURCES).exists() {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "no {SOURCES}");
        eprintln!("skipped: git's source of git-credential-libsecret is not here");
        return;
    }
    let mut env = environment();
    fs::remove_file(env.data().join("config.toml")).unwrap();
    let folder = env.path().join("libsecret");
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(SOURCES).arg(&folder);
    assert!(copy.status().unwrap().success());
    let mut make = Command::new("make");
    make.arg("-sC").arg(&folder);
    assert!(make.status().unwrap().success());
    let (path, own) = (std::env::var("PATH").unwrap(), folder.display());
    let attributes =
        format!("protocol=https\nhost=bitbucket.org\nusername=ada\npassword={API_TOKEN}\n");
    fs::write(env.home().join("attributes"), attributes).unwrap();
    let commands = block("libsecret, osxkeychain and wincred", "sh");
    let script = format!(
        "set -e
        PATH=\"$PATH:{own}:{path}\"
        git-credential-libsecret store < attributes
        git config --global credential.helper libsecret
        {commands}
        git credential-bitbucket status
        printf 'protocol=https\\nhost=bitbucket.org\\n\\n' | git-credential-libsecret get | wc -c
        printf 'protocol=https\\nhost=bitbucket.org\\n\\n' | git credential fill"
    );
    let Some(outcome) = keyring::in_session(&mut env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("keyring"), "{outcome:?}");
    assert!(
        outcome.stdout.contains("\n0\n"),
        "the old entry is there: {outcome:?}"
    );
    assert!(
        outcome.stdout.contains(&format!("password={API_TOKEN}\n")),
        "{outcome:?}"
    );
}
