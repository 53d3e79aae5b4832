//! `setup`: alone for our hosts, and out again without a trace.

mod earlier;
mod elsewhere;
mod included;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, reply, run};

const BEFORE: &str = "# mine\n[credential]\n\thelper = store\n[user]\n\tname = Ada";

fn with_store() -> TestEnv {
    let env = TestEnv::new();
    fs::write(env.git_config(), BEFORE).unwrap();
    env
}

fn config(env: &TestEnv) -> String {
    fs::read_to_string(env.git_config()).unwrap()
}

/// The lines that setup writes into git's own file.
fn include(env: &TestEnv) -> String {
    let path = env.data().join("gitconfig");
    format!("[include]\n\tpath = {}\n", path.display())
}

/// The program's own file, which they include.
fn included(env: &TestEnv) -> String {
    fs::read_to_string(env.data().join("gitconfig")).unwrap()
}

#[test]
fn setup_cuts_the_chain_and_names_whom_it_cut_off() {
    let env = with_store();
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("The helper 'store' in '"),
        "{}",
        outcome.stderr
    );
    assert_eq!(config(&env), format!("{BEFORE}\n{}", include(&env)));
    let section = |host: &str| {
        format!(
            "[credential \"https://{host}\"]\n\thelper =\n\thelper = {PROGRAM}\n\tuseHttpPath = true\n"
        )
    };
    let sections: String = ["bitbucket.org", "www.bitbucket.org", "api.bitbucket.org"]
        .map(section)
        .concat();
    let text = included(&env);
    let (comment, rest) = text.split_once('\n').unwrap();
    assert!(comment.starts_with("# "), "{text}");
    assert_eq!(rest, sections);
}

#[test]
fn setup_twice_changes_nothing() {
    let env = with_store();
    env.program(&["setup"], "");
    let record = || fs::read_to_string(env.data().join("setup.toml")).unwrap();
    let everything = || (config(&env), included(&env), record());
    let once = everything();
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 0);
    assert_eq!(everything(), once);
    assert!(
        !outcome.stderr.contains("no longer asked"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn undo_leaves_the_file_as_it_was_to_the_byte_and_mode() {
    for before in [BEFORE, "", "[user]\n\tname = Ada\n\n# end\n"] {
        let env = TestEnv::new();
        fs::write(env.git_config(), before).unwrap();
        fs::set_permissions(env.git_config(), fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(env.program(&["setup"], "").status, 0);
        assert_ne!(config(&env), before);
        assert_eq!(
            fs::metadata(env.git_config()).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
        assert_eq!(config(&env), before);
        for name in ["setup.toml", "gitconfig"] {
            assert!(!env.data().join(name).exists(), "{name}");
        }
        assert_eq!(
            env.program(&["setup", "--undo"], "").status,
            0,
            "there is nothing left to undo"
        );
    }
}

#[test]
fn undo_removes_a_file_that_setup_made() {
    let env = TestEnv::new();
    fs::remove_file(env.git_config()).unwrap();
    assert_eq!(env.program(&["setup"], "").status, 0);
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert!(!env.git_config().exists());
}

#[test]
fn undo_keeps_the_file_that_a_line_of_the_user_includes() {
    let env = TestEnv::new();
    assert_eq!(env.program(&["setup"], "").status, 0);
    let file = env.data().join("gitconfig");
    let own = format!("[include]\n  path = {} ; mine\n", file.display());
    fs::remove_file(env.data().join("setup.toml")).unwrap();
    fs::write(env.git_config(), &own).unwrap();
    let outcome = env.program(&["setup", "--undo"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(config(&env), own);
    assert!(file.exists(), "git asks this helper as before");
    let said = "has nothing that setup wrote\ngit-credential-bitbucket: hint: ";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);

    fs::write(env.git_config(), "").unwrap();
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert!(!file.exists());
}

#[test]
fn undo_keeps_what_git_wrote_since() {
    let env = with_store();
    env.program(&["setup"], "");
    env.git_succeeds(&["config", "--global", "alias.st", "status"]);
    env.git_succeeds(&[
        "config",
        "--global",
        "credential.https://bitbucket.org.username",
        "ada",
    ]);
    // git adds this to the section that setup made.
    env.git_succeeds(&["config", "--global", "--add", "include.path", "~/mine"]);
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    let list = env.git_succeeds(&["config", "--global", "--list"]).stdout;
    assert_eq!(
        list,
        "credential.helper=store\nuser.name=Ada\ninclude.path=~/mine\nalias.st=status\ncredential.https://bitbucket.org.username=ada\n"
    );
}

#[test]
fn the_include_stays_where_it_stands_and_force_puts_it_behind_another_helper() {
    let env = with_store();
    env.program(&["setup"], "");
    fs::write(
        env.git_config(),
        config(&env) + "[credential]\n\thelper = cache\n",
    )
    .unwrap();
    let behind = config(&env);
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("gives your credentials to 'cache' ('"),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .contains("hint: 'git credential-bitbucket setup --force'\n"),
        "{outcome:?}"
    );
    assert_eq!(config(&env), behind);
    assert_eq!(env.program(&["setup", "--force"], "").status, 0);
    assert!(config(&env).ends_with(&include(&env)), "{}", config(&env));
    assert_eq!(config(&env).matches("[include]").count(), 1);
    let outcome = env.program(&["status"], "");
    assert_eq!(
        outcome.stderr,
        format!(
            "No account yet in '{}', set by GIT_CREDENTIAL_BITBUCKET_HOME: 'git credential-bitbucket login' adds one\n",
            env.data().display()
        )
    );
    let moved = config(&env);
    assert_eq!(env.program(&["setup", "--force"], "").status, 0);
    assert_eq!(config(&env), moved, "with nothing behind it, it stays");
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert_eq!(
        config(&env),
        format!("{BEFORE}\n[credential]\n\thelper = cache\n")
    );
}

#[test]
fn a_foreign_helper_for_bitbucket_is_disturbed_only_by_force() {
    let env = TestEnv::new();
    env.git_succeeds(&[
        "config",
        "--global",
        "credential.https://bitbucket.org.helper",
        "manager",
    ]);
    let before = config(&env);
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("names another helper, 'manager'"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome
            .stderr
            .ends_with("'git credential-bitbucket setup --force'\n"),
        "{}",
        outcome.stderr
    );
    assert_eq!(config(&env), before);
    assert_eq!(env.program(&["setup", "--force"], "").status, 0);
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert_eq!(config(&env), before);
}

#[test]
fn a_symbolic_link_stays_one() {
    let env = TestEnv::new();
    let real = env.path().join("dotfiles-gitconfig");
    fs::rename(env.git_config(), &real).unwrap();
    std::os::unix::fs::symlink(&real, env.git_config()).unwrap();
    assert_eq!(env.program(&["setup"], "").status, 0);
    assert!(fs::symlink_metadata(env.git_config()).unwrap().is_symlink());
    assert!(fs::read_to_string(real).unwrap().ends_with(&include(&env)));
}

#[test]
fn another_git_that_writes_the_file_is_respected() {
    let env = with_store();
    fs::write(env.home().join(".gitconfig.lock"), "").unwrap();
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("another git is writing"),
        "{}",
        outcome.stderr
    );
    assert_eq!(config(&env), BEFORE);
    assert!(
        env.home().join(".gitconfig.lock").exists(),
        "it is not ours to remove"
    );
}

#[test]
fn a_path_with_blanks_and_quotes_works() {
    let env = TestEnv::new();
    let folder = env.path().join("my \"own\" it's");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("git-credential-bitbucket");
    // Copied by another process: one that was forked while we wrote would keep it from being started.
    let mut copy = env.command("cp");
    copy.arg(PROGRAM).arg(&program);
    assert_eq!(run(copy, b"").status, 0);
    let mut command = env.command(&program);
    command.arg("setup");
    assert_eq!(run(command, b"").status, 0);
    env.login(API_TOKEN, &[]);
    let mut fill = env.command("git");
    fill.args(["credential", "fill"])
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let outcome = run(fill, b"protocol=https\nhost=bitbucket.org\n\n");
    assert!(
        outcome
            .stdout
            .ends_with(&reply("x-bitbucket-api-token-auth", API_TOKEN)),
        "{outcome:?}"
    );
}

#[test]
fn a_last_line_that_goes_on_does_not_swallow_what_setup_writes() {
    for before in [
        "[alias]\n\tx = status \\",
        "[alias]\n\tx = status \\\n",
        "[alias]\r\n\tx = status \\\r\n",
    ] {
        let env = TestEnv::new();
        fs::write(env.git_config(), before).unwrap();
        let outcome = env.program(&["setup"], "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert_eq!(
            env.git(&["config", "--get", "alias.x"]).stdout.trim(),
            "status"
        );
        assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
        assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
        assert_eq!(config(&env), before);
    }
}

#[test]
fn undo_finds_its_lines_however_they_are_indented() {
    let env = with_store();
    env.program(&["setup"], "");
    fs::write(env.git_config(), config(&env).replace('\t', "    ")).unwrap();
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert!(!config(&env).contains("bitbucket"), "{}", config(&env));
}

#[test]
fn a_symbolic_link_that_leads_nowhere_yet_is_followed_as_git_follows_it() {
    let env = TestEnv::new();
    fs::remove_file(env.git_config()).unwrap();
    std::os::unix::fs::symlink("dot/gitconfig", env.git_config()).unwrap();
    assert_eq!(env.program(&["setup"], "").status, 0);
    assert!(fs::symlink_metadata(env.git_config()).unwrap().is_symlink());
    assert!(env.home().join("dot/gitconfig").exists());
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert!(fs::symlink_metadata(env.git_config()).unwrap().is_symlink());
}

#[test]
fn what_somebody_took_out_by_hand_is_not_put_back_by_login() {
    let env = with_store();
    env.program(&["setup"], "");
    fs::write(env.git_config(), BEFORE).unwrap();
    env.login(API_TOKEN, &[]);
    assert_eq!(config(&env), BEFORE);
    fs::remove_file(env.git_config()).unwrap();
    env.login(API_TOKEN, &[]);
    assert!(!env.git_config().exists());
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
}

#[test]
fn the_secret_in_another_helper_s_value_is_not_shown() {
    let env = TestEnv::new();
    for key in [
        "credential.helper",
        "credential.https://bitbucket.org.helper",
    ] {
        env.git_succeeds(&[
            "config",
            "--global",
            key,
            &format!("!f() {{ echo password={API_TOKEN}; }}; f"),
        ]);
        for command in [&["setup"][..], &["status"], &["setup", "--force"]] {
            let outcome = env.program(command, "");
            assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
        }
        env.program(&["setup", "--undo"], "");
    }
}

#[test]
fn what_git_does_not_have_or_cannot_be_written_is_refused() {
    let mut env = TestEnv::new();
    env.set("GIT_CONFIG_GLOBAL", "");
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("GIT_CONFIG_GLOBAL is empty"),
        "{}",
        outcome.stderr
    );
    env.set("GIT_CONFIG_GLOBAL", "/dev/null");
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("'/dev/null' is not a file"),
        "{}",
        outcome.stderr
    );
    assert!(!env.data().join("setup.toml").exists());
}

#[test]
fn the_guard_is_part_of_what_setup_writes_and_undo_takes_back() {
    let env = with_store();
    let guard = "[transfer]\n\tcredentialsInUrl = die\n";
    let plain = env.program(&["setup"], "");
    assert!(
        plain
            .stderr
            .contains("'git credential-bitbucket setup --guard'"),
        "{plain:?}"
    );
    assert!(!included(&env).contains(guard));
    let guarded = env.program(&["setup", "--guard"], "");
    assert_eq!(guarded.status, 0, "{guarded:?}");
    assert!(
        guarded
            .stderr
            .contains("git refuses URLs that hold a password")
    );
    assert!(included(&env).ends_with(guard), "{}", included(&env));
    let value = env.git(&["config", "transfer.credentialsInUrl"]).stdout;
    assert_eq!(value, "die\n");
    // What brings the sections up to date keeps it.
    env.login(API_TOKEN, &["--for", "acme", "--host", "bitbucket.org"]);
    env.program(&["setup"], "");
    assert!(included(&env).ends_with(guard), "{}", included(&env));
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert_eq!(config(&env), BEFORE);
}

#[test]
fn a_guard_that_is_there_already_is_left_to_whoever_set_it() {
    let env = with_store();
    let before = format!("{BEFORE}\n[transfer]\n\tcredentialsInUrl = die\n");
    fs::write(env.git_config(), &before).unwrap();
    let outcome = env.program(&["setup", "--guard"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(config(&env).matches("credentialsInUrl").count(), 1);
    assert!(!outcome.stderr.contains("--guard"), "{outcome:?}");
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert_eq!(config(&env), before);
}
