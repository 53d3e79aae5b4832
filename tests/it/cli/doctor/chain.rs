//! Which programs git finds, and our place among its helpers.

use std::fs;

use super::{
    assert_starts, config, doctor, edit_accounts, finding, found, path_with, program_at, set_up,
    with_git,
};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, PROGRAM, TestEnv, write_private};

#[test]
fn a_small_post_buffer_matters_to_a_bearer_account_only() {
    let data_center = |version: &str| {
        let env = with_git(version);
        env.login(
            "BBDC-canary",
            &["dc", "--host", "git.corp.example:7990", "--username", "ada"],
        );
        env
    };
    let id = "post-buffer.git.corp.example:7990";
    let env = data_center("2.47.3");
    assert!(found(&doctor(&env, &[]).1, id).is_empty());
    edit_accounts(&env, "host = ", "bearer = true\nhost = ");
    let warning = finding(&env, id);
    assert_starts(&warning, "warn: git 2.46 to 2.53 drops the Authorization");
    let command = "git config --global http.https://git.corp.example:7990.postBuffer 524288000";
    assert!(
        warning.ends_with(&format!("; fix: '{command}'")),
        "{warning}"
    );
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    env.git_succeeds(&words);
    assert_starts(&finding(&env, id), "pass: pushes of up to 524288000 bytes");

    let env = data_center("2.54.0");
    edit_accounts(&env, "host = ", "bearer = true\nhost = ");
    assert_starts(&finding(&env, id), "pass: this git keeps the Authorization");
}

#[test]
fn our_place_in_the_chain_is_told_for_each_host() {
    let env = TestEnv::new();
    let setup = "'git credential-bitbucket setup'";
    let id = "chain.bitbucket.org";
    assert_eq!(
        finding(&env, id),
        format!("fail: git does not ask this helper; fix: {setup}")
    );
    config(&env, "credential.helper", "store");
    let file = env.git_config().display().to_string();
    assert_eq!(
        finding(&env, id),
        format!("fail: git does not ask this helper, but 'store' ('{file}'); fix: {setup}")
    );
    config(&env, "credential.helper", "bitbucket");
    assert_eq!(
        finding(&env, id),
        format!(
            "warn: git asks 'store' ('{file}') before this helper, and gives it your credentials; fix: {setup}"
        )
    );
    config(
        &env,
        "credential.helper",
        "!f() { echo password=canary; }; f",
    );
    let both = finding(&env, id);
    assert_starts(&both, "warn: git asks 'store' ('");
    assert!(
        both.contains("and gives your credentials to 'a shell command' ('"),
        "{both}"
    );
    env.set_up();
    assert_eq!(
        finding(&env, id),
        "pass: git asks this helper, and no other"
    );

    env.login(
        "BBDC-canary",
        &["dc", "--host", "git.corp.example", "--username", "ada"],
    );
    assert_starts(&finding(&env, "chain.git.corp.example"), "pass: ");
    write_private(
        &env.data().join("config.toml"),
        "hosts = ['other.example']\n",
    );
    assert_starts(
        &finding(&env, "chain.other.example"),
        "warn: git asks 'store' ('",
    );
}

#[test]
fn a_helper_in_the_repository_stands_behind_setup_and_has_to_be_taken_out_there() {
    let env = set_up();
    env.git_succeeds(&["init", "-q", "."]);
    env.git_succeeds(&["config", "credential.helper", "cache"]);
    assert_eq!(
        finding(&env, "chain.bitbucket.org"),
        "fail: git asks this helper, and gives your credentials to 'cache' ('.git/config') too; \
         fix: take 'cache' out of '.git/config'"
    );
}

#[test]
fn a_program_that_git_is_told_to_start_has_to_be_there_and_to_be_this_one() {
    let env = TestEnv::new();
    let other = env.path().join("other/git-credential-bitbucket");
    config(&env, "credential.helper", other.to_str().unwrap());
    let id = "chain.bitbucket.org";
    let missing = finding(&env, id);
    assert_starts(&missing, "fail: git is set to start '");
    assert!(missing.contains("which does not exist"), "{missing}");
    program_at(&other, "exit 1");
    assert_starts(&finding(&env, id), "warn: git starts another program, '");
}

#[test]
fn a_foreign_program_of_our_name_is_found_before_and_behind_us() {
    let mut env = TestEnv::new();
    env.set("PATH", &path_with(&[]));
    assert_starts(
        &finding(&env, "program"),
        &format!("pass: '{PROGRAM}' is the only program"),
    );

    let folder = env.path().join("foreign");
    program_at(&folder.join("git-credential-bitbucket"), "exit 1");
    env.set("PATH", &format!("{}:{}", path_with(&[]), folder.display()));
    let behind = finding(&env, "program");
    assert_starts(&behind, "warn: another program of this name, '");
    assert!(behind.contains("is later on PATH"), "{behind}");

    env.set("PATH", &path_with(&[&folder]));
    let before = finding(&env, "program");
    assert_starts(&before, "warn: another program of this name, '");
    assert!(before.contains("comes before this one on PATH"), "{before}");
    env.configure_plain();
    let asked = finding(&env, "program");
    assert_starts(&asked, "fail: another program of this name");
    assert!(
        asked.ends_with(&format!("; fix: '{PROGRAM} setup' makes git ask this one")),
        "{asked}"
    );

    env.set("PATH", "/usr/local/bin:/usr/bin:/bin");
    assert!(finding(&env, "program").contains("is in no folder of PATH"));
}

#[test]
fn a_link_to_this_program_is_no_foreign_one() {
    let mut env = TestEnv::new();
    let folder = env.path().join("links");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(PROGRAM, folder.join("git-credential-bitbucket")).unwrap();
    env.set("PATH", &path_with(&[&folder]));
    assert_starts(&finding(&env, "program"), "pass: ");
}

#[test]
fn an_account_for_a_workspace_needs_use_http_path() {
    let env = TestEnv::new();
    env.configure_plain();
    let id = "use-http-path.bitbucket.org";
    env.login(API_TOKEN, &["me"]);
    assert!(found(&doctor(&env, &[]).1, id).is_empty());
    env.login(ACCESS_TOKEN, &["work", "--for", "acme"]);
    assert_eq!(
        finding(&env, id),
        "fail: git does not name the repository, but 'work' is for acme only; \
         fix: 'git credential-bitbucket setup'"
    );
    config(&env, "credential.https://bitbucket.org.useHttpPath", "yes");
    assert_starts(&finding(&env, id), "pass: ");
}

/// The finding about the helpers of bitbucket.org after this value has been set.
fn judged(env: &TestEnv, value: &str) -> String {
    env.git_succeeds(&["config", "--global", "credential.helper", value]);
    finding(env, "chain.bitbucket.org")
}

#[test]
fn a_helper_is_ours_if_git_starts_this_program_by_it() {
    let env = TestEnv::new();
    let ours = "pass: git asks this helper, and no other";
    let folder = env.path().join("a b");
    fs::create_dir(&folder).unwrap();
    let link = folder.join("git-credential-bitbucket");
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let link = link.display();
    for value in [
        "bitbucket",
        PROGRAM,
        "!git credential-bitbucket",
        "!f() { git-credential-bitbucket \"$@\" 2>/dev/null || true; }; f",
        &format!("!{PROGRAM}"),
        &format!("!'{link}'"),
        &format!("!\"{link}\""),
        &format!("!f() {{ {PROGRAM} \"$@\"; }}; f"),
    ] {
        assert_eq!(judged(&env, value), ours, "{value}");
    }
}

#[test]
fn a_helper_of_our_name_that_starts_something_else_is_named_with_its_file() {
    let mut env = TestEnv::new();
    let file = env.git_config().display().to_string();
    let setup = "fix: 'git credential-bitbucket setup'";
    for value in [
        "!f() { echo password=canary; }; f git-credential-bitbucket",
        "!echo git-credential-bitbucket",
        "bitbucket --no-such-option",
    ] {
        let found = judged(&env, value);
        assert!(found.starts_with("fail: '"), "{value}: {found}");
        assert!(
            found.ends_with(&format!(
                "('{file}') names this helper, but does not start it; {setup}"
            )),
            "{value}: {found}"
        );
    }
    // What goes through a pipe or a file, others can read.
    assert_starts(
        &judged(&env, &format!("!tee /tmp/x | {PROGRAM}")),
        "fail: git does not ask this helper, but 'a shell command'",
    );

    let folder = env.path().join("foreign");
    let other = folder.join("git-credential-bitbucket");
    program_at(&other, "echo password=canary");
    env.set("PATH", &path_with(&[&folder]));
    assert_eq!(
        judged(&env, "bitbucket"),
        format!(
            "fail: git makes 'bitbucket' ('{file}') into another program, '{}'; fix: '{PROGRAM} setup'",
            other.display()
        )
    );
    env.set("PATH", "/usr/local/bin:/usr/bin:/bin");
    assert_starts(
        &judged(&env, "bitbucket"),
        &format!("fail: git makes 'bitbucket' ('{file}') into no command"),
    );
    config(&env, "alias.credential-bitbucket", "!echo canary");
    assert_starts(
        &judged(&env, "bitbucket"),
        &format!(
            "fail: git makes 'bitbucket' ('{file}') into the alias 'alias.credential-bitbucket'"
        ),
    );
    // The fix fixes it.
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_starts(&finding(&env, "chain.bitbucket.org"), "pass: ");
}

#[test]
fn what_a_repository_brings_is_not_started() {
    let env = TestEnv::new();
    env.git_succeeds(&["init", "-q", "."]);
    let id = "chain.bitbucket.org";
    let marker = env.path().join("started");
    let touch = format!(
        "!f() {{ echo canary >'{}'; {PROGRAM} \"$@\"; }}; f",
        marker.display()
    );
    env.git_succeeds(&["config", "credential.helper", &touch]);
    assert_eq!(
        finding(&env, id),
        "fail: git does not ask this helper, but 'a shell command' ('.git/config'); \
         fix: 'git credential-bitbucket setup'"
    );
    assert!(!marker.exists(), "a repository's helper was started");
    for value in ["bitbucket", PROGRAM] {
        env.git_succeeds(&["config", "credential.helper", value]);
        assert_eq!(
            finding(&env, id),
            "pass: git asks this helper, and no other",
            "{value}"
        );
    }
    let other = env.path().join("other/git-credential-bitbucket");
    program_at(&other, &format!("touch '{}'", marker.display()));
    env.git_succeeds(&["config", "credential.helper", other.to_str().unwrap()]);
    assert_eq!(
        finding(&env, id),
        format!(
            "warn: git starts another program, '{}'; fix: to use this one: take '{0}' out of '.git/config'",
            other.display()
        )
    );
    assert!(!marker.exists(), "a repository's helper was started");
}

#[test]
fn a_helper_of_the_command_line_and_an_empty_one_are_named_with_what_really_removes_them() {
    let env = set_up();
    let through_git = |settings: &[&str]| {
        let mut arguments: Vec<&str> = Vec::new();
        for setting in settings {
            arguments.extend(["-c", setting]);
        }
        arguments.extend(["credential-bitbucket", "doctor", "--offline", "--json"]);
        let outcome = env.git(&arguments);
        let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        found(&checks, "chain.bitbucket.org").remove(0)
    };
    assert_starts(&through_git(&[]), "pass: ");
    assert_eq!(
        through_git(&["credential.helper=cache"]),
        "fail: git asks this helper, and gives your credentials to 'cache' ('command line:') too; fix: \
         start git without 'cache': '-c credential.helper=…', GIT_CONFIG_COUNT or GIT_CONFIG_PARAMETERS sets it"
    );
    let off = through_git(&["credential.helper="]);
    assert_starts(
        &off,
        "fail: an empty helper ('command line:'), as JetBrains IDEs and GitHub Desktop set it, switches off '",
    );
    assert!(
        off.contains("fix: start git without the empty 'credential.helper': "),
        "{off}"
    );
    assert_starts(
        &through_git(&["credential.helper=", "credential.helper=bitbucket"]),
        "pass: ",
    );

    // What stands behind setup's lines is cut off only by force.
    config(
        &env,
        "credential.helper",
        "!node /x/.vscode-server/ask.js git-credential-helper $*",
    );
    let file = env.git_config().display().to_string();
    assert_eq!(
        finding(&env, "chain.bitbucket.org"),
        format!(
            "fail: git asks this helper, and gives your credentials to 'a shell command' of VS Code ('{file}') too; \
             fix: 'git credential-bitbucket setup --force'"
        )
    );
    env.git_succeeds(&["config", "--global", "--unset", "credential.helper"]);
    env.git_succeeds(&["init", "-q", "."]);
    env.git_succeeds(&["config", "credential.helper", ""]);
    let off = finding(&env, "chain.bitbucket.org");
    assert!(
        off.ends_with("fix: take the empty 'credential.helper' out of '.git/config'"),
        "{off}"
    );
    env.git_succeeds(&["config", "--unset", "credential.helper"]);
    assert_starts(&finding(&env, "chain.bitbucket.org"), "pass: ");
}

#[test]
fn a_helper_that_hangs_is_given_up() {
    let env = TestEnv::new();
    let start = std::time::Instant::now();
    let found = judged(&env, "!sleep 60; git-credential-bitbucket");
    assert!(found.contains("does not start it"), "{found}");
    // It is started once for each run, whatever the number of hosts.
    assert!(start.elapsed().as_secs() < 16, "{:?}", start.elapsed());
}
