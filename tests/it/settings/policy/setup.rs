//! `setup --system`: git of a whole machine, and out again.

use super::{assert_refused, change, machine};
use crate::support::harness::{Outcome, PROGRAM, TestEnv, run, write_private};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

// `setup --system`

/// A copy of the program where everybody can start it.
fn program_for_all(env: &TestEnv) -> PathBuf {
    let folder = env.path().join("usr-bin");
    fs::create_dir(&folder).unwrap();
    for path in [env.path(), folder.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = folder.join("git-credential-bitbucket");
    // Copied by another process: one that was forked while we wrote would keep it from being started.
    let mut copy = env.command("cp");
    copy.arg(PROGRAM).arg(&program);
    assert_eq!(run(copy, b"").status, 0);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// A machine whose git has a system-wide file of its own, and the program for all of its users.
fn machine_for_all(text: &str) -> Option<(TestEnv, PathBuf, PathBuf)> {
    let mut env = machine(text)?;
    let gitconfig = env.path().join("gitconfig");
    env.set("GIT_CONFIG_SYSTEM", gitconfig.to_str().unwrap());
    // git looks at it as it does at any.
    env.set("GIT_CONFIG_NOSYSTEM", "0");
    let program = program_for_all(&env);
    Some((env, gitconfig, program))
}

fn start(env: &TestEnv, program: &Path, arguments: &[&str]) -> Outcome {
    let mut command = env.command(program);
    command.args(arguments);
    run(command, b"")
}

#[test]
fn the_whole_machine_is_set_up_for_its_own_hosts_and_another_administrator_can_undo_it() {
    let text = "hosts = [\"git.corp.example:7990\"]\nlookup = [\"folder\"]\n[store.folder]\npath = \"/run/secrets\"\n";
    let Some((env, gitconfig, program)) = machine_for_all(text) else {
        return;
    };
    // What root has set up for itself is not everybody's.
    env.login(
        "BBDC-canary",
        &["--host", "git.root.example", "--username", "root"],
    );
    write_private(
        &env.data().join("config.toml"),
        "hosts = [\"git.other.example\"]\n",
    );
    env.git_succeeds(&[
        "config",
        "--global",
        "credential.https://bitbucket.org.helper",
        "manager",
    ]);
    fs::write(&gitconfig, "[core]\n\tpager = less\n").unwrap();
    let outcome = start(&env, &program, &["setup", "--system"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let shown = program.display();
    let section = |host: &str| {
        format!(
            "[credential \"https://{host}\"]\n\thelper =\n\thelper = {shown}\n\tuseHttpPath = true\n"
        )
    };
    let written =
        "[core]\n\tpager = less\n[include]\n\tpath = /etc/git-credential-bitbucket/gitconfig\n";
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), written);
    let included = || fs::read_to_string(env.system_folder().join("gitconfig")).unwrap();
    let sections = format!(
        "{}{}{}{}[credential \"https://git.corp.example\"]\n\thelper = {shown}\n",
        section("bitbucket.org"),
        section("www.bitbucket.org"),
        section("api.bitbucket.org"),
        section("git.corp.example:7990"),
    );
    assert_eq!(included().split_once('\n').unwrap().1, sections);
    assert!(
        !outcome.stderr.contains("manager"),
        "root's own helpers are another matter: {outcome:?}"
    );
    let record = env.system_folder().join("setup.toml");
    assert_eq!(
        fs::metadata(&record).unwrap().permissions().mode() & 0o777,
        0o644
    );
    assert!(!env.data().join("setup.toml").exists());

    // Twice changes nothing; another host is added when there is one.
    assert_eq!(start(&env, &program, &["setup", "--system"]).status, 0);
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), written);
    assert_eq!(included().split_once('\n').unwrap().1, sections);
    change(&env, "hosts = [\"git.new.example\"]\n");
    assert_eq!(start(&env, &program, &["setup", "--system"]).status, 0);
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), written);
    let text = included();
    assert!(
        text.contains("git.new.example") && !text.contains("git.corp.example"),
        "{text}"
    );

    // Somebody else, with a home of their own.
    let mut undo = env.command(&program);
    undo.args(["setup", "--system", "--undo"])
        .env("GIT_CREDENTIAL_BITBUCKET_HOME", env.path().join("another"));
    let outcome = run(undo, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        fs::read_to_string(&gitconfig).unwrap(),
        "[core]\n\tpager = less\n"
    );
    assert!(!record.exists() && !env.system_folder().join("gitconfig").exists());
}

#[test]
fn what_setup_makes_below_etc_everybody_can_read_whatever_the_umask() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    fs::remove_dir_all(env.system_folder()).unwrap();
    let mut shell = env.command("sh");
    let script = "umask 077; \"$1\" setup --system
        stat -c '%a %n' /etc/git-credential-bitbucket /etc/git-credential-bitbucket/*
        setpriv --reuid=65534 --regid=65534 --clear-groups git config credential.https://bitbucket.org.usehttppath";
    shell.args(["-c", script, "sh"]);
    shell.arg(&program);
    let outcome = run(shell, b"");
    assert_eq!(
        outcome.stdout,
        "755 /etc/git-credential-bitbucket\n644 /etc/git-credential-bitbucket/gitconfig\n644 /etc/git-credential-bitbucket/setup.toml\ntrue\n",
        "{outcome:?}"
    );
    assert_eq!(
        fs::metadata(gitconfig).unwrap().permissions().mode() & 0o777,
        0o644
    );
}

#[test]
fn only_hosts_that_are_allowed_are_set_up() {
    let text = "hosts = [\"git.corp.example\", \"git.old.example\"]\n[policy]\nhosts = [\"git.corp.example\"]\n";
    let Some((env, gitconfig, program)) = machine_for_all(text) else {
        return;
    };
    let outcome = start(&env, &program, &["setup", "--system"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let text = fs::read_to_string(env.system_folder().join("gitconfig")).unwrap();
    assert_eq!(text.matches("[credential ").count(), 1, "{text}");
    assert!(text.contains("https://git.corp.example\""), "{text}");
    assert_eq!(
        start(&env, &program, &["setup", "--system", "--undo"]).status,
        0
    );
    assert!(!gitconfig.exists());
    change(&env, "[policy]\nhosts = [\"git.corp.example\"]\n");
    let outcome = start(&env, &program, &["setup", "--system"]);
    assert_refused(
        &outcome,
        "the policy of this machine allows none of the hosts",
    );
}

#[test]
fn a_user_sets_git_up_on_top_of_the_machine_and_doctor_names_a_helper_that_still_sees_the_token() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    assert_eq!(start(&env, &program, &["setup", "--system"]).status, 0);
    let machine = fs::read_to_string(&gitconfig).unwrap();
    let chain = || {
        let outcome = start(&env, &program, &["doctor", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let mut checks = json["checks"].as_array().unwrap().iter();
        let check = checks
            .find(|check| check["id"] == "chain.bitbucket.org")
            .unwrap();
        format!("{}: {}", check["outcome"], check["message"]).replace('"', "")
    };
    assert_eq!(chain(), "pass: git asks this helper, and no other");
    env.git_succeeds(&["config", "--global", "credential.helper", "store"]);
    let told = chain();
    assert!(
        told.starts_with("warn: git asks this helper, and gives your credentials to 'store' ('"),
        "{told}"
    );
    assert_eq!(start(&env, &program, &["setup"]).status, 0);
    assert_eq!(chain(), "pass: git asks this helper, and no other");
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), machine);
    // Each undoes its own.
    assert_eq!(
        start(&env, &program, &["setup", "--system", "--undo"]).status,
        0
    );
    assert_eq!(chain(), "pass: git asks this helper, and no other");
    assert_eq!(start(&env, &program, &["setup", "--undo"]).status, 0);
    assert!(chain().starts_with("fail: git does not ask this helper"));
}

#[test]
fn a_program_that_others_cannot_start_or_could_replace_is_not_set_up_for_all() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    let folder = program.parent().unwrap();
    for (path, mode, why) in [
        (env.path(), 0o700, "is closed to them"),
        (folder, 0o750, "is closed to them"),
        (&program, 0o744, "is closed to them"),
        (&program, 0o777, "somebody else can change"),
        (folder, 0o775, "somebody else can change"),
        (env.path(), 0o777, "somebody else can change"),
        (env.path(), 0o775, "somebody else can change"),
    ] {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = start(&env, &program, &["setup", "--system"]);
        fs::set_permissions(path, before).unwrap();
        assert_refused(&outcome, "is not a program for all users: ");
        assert!(
            outcome.stderr.contains(why) && outcome.stderr.contains("--prefix /usr/local"),
            "{outcome:?}"
        );
        assert!(!gitconfig.exists());
    }
}

#[test]
fn without_permission_setup_for_the_machine_says_who_may() {
    let Some((env, gitconfig, program)) = machine_for_all("") else {
        return;
    };
    fs::write(&gitconfig, "").unwrap();
    let start = |arguments: &[&str]| {
        let mut command = env.command("setpriv");
        command
            .args(["--bounding-set=-all", "--inh-caps=-all"])
            .arg(&program)
            .args(arguments);
        run(command, b"")
    };
    let assert_told = |outcome: &Outcome| {
        assert_refused(
            outcome,
            "error: only an administrator can set up the whole machine: ",
        );
        assert!(
            outcome
                .stderr
                .contains("hint: run it as root, for example with 'sudo'"),
            "{outcome:?}"
        );
    };
    fs::set_permissions(env.system_folder(), fs::Permissions::from_mode(0o555)).unwrap();
    assert_told(&start(&["setup", "--system"]));
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), "");
    fs::set_permissions(env.system_folder(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(start(&["setup", "--system"]).status, 0);
    fs::set_permissions(env.system_folder(), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(env.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let outcome = start(&["setup", "--system", "--undo"]);
    for path in [env.path(), &env.system_folder()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_told(&outcome);
}
