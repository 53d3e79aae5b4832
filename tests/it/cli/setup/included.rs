//! The file that git's configuration includes: what it holds, who writes it, and who may read it.

use super::{config, include, included};
use crate::support::harness::{API_TOKEN, Outcome, PROGRAM, TestEnv, has, run};
use crate::support::needs::skip;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

const PLACE: &str = ".config/git-credential-bitbucket/gitconfig";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A process whose home is all that says where files lie.
pub(super) fn at_home(env: &TestEnv, program: &str, arguments: &[&str]) -> Command {
    let mut command = env.command(program);
    command
        .args(arguments)
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME");
    command
}

pub(super) fn setup_at_home(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let mut all = vec!["setup"];
    all.extend(arguments);
    let outcome = run(at_home(env, PROGRAM, &all), b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    outcome
}

fn file_at_home(env: &TestEnv) -> PathBuf {
    env.home().join(PLACE)
}

#[test]
fn login_and_logout_write_it_once_setup_has_made_it() {
    let env = TestEnv::new();
    let data_center = ["--host", "git.corp.example:7990", "--username", "ada"];
    env.login("BBDC-canary", &data_center);
    assert!(!env.data().join("gitconfig").exists(), "setup has not run");
    assert_eq!(env.program(&["logout"], "").status, 0);
    assert!(!env.data().join("gitconfig").exists());

    env.program(&["setup"], "");
    let (own, without_account) = (config(&env), included(&env));
    env.login("BBDC-canary", &data_center);
    let has = |key: &str| {
        env.git(&["config", "--global", "--includes", "--get-all", key])
            .stdout
    };
    assert_eq!(
        has("credential.https://git.corp.example:7990.helper"),
        format!("\n{PROGRAM}\n")
    );
    assert_eq!(
        has("credential.https://git.corp.example:7990.useHttpPath"),
        "true\n"
    );
    assert_eq!(config(&env), own);
    assert_eq!(env.program(&["logout"], "").status, 0);
    assert_eq!(included(&env), without_account);

    // git includes a file that was lost: the next login makes it anew.
    fs::remove_file(env.data().join("gitconfig")).unwrap();
    env.login("BBDC-canary", &data_center);
    assert!(included(&env).contains("git.corp.example:7990"));
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    env.login(API_TOKEN, &[]);
    assert!(!env.data().join("gitconfig").exists(), "setup was undone");
}

#[test]
fn logins_at_the_same_time_leave_a_file_with_all_their_hosts() {
    let env = TestEnv::new();
    env.program(&["setup"], "");
    let hosts: Vec<String> = (0..6)
        .map(|number| format!("git.corp{number}.example"))
        .collect();
    thread::scope(|scope| {
        for host in &hosts {
            let env = &env;
            scope.spawn(move || {
                env.login_beside_others("BBDC-canary", &[host, "--host", host, "--username", "ada"])
            });
        }
    });
    let text = included(&env);
    for host in hosts {
        assert!(
            text.contains(&format!("https://{host}\"")),
            "{host}: {text}"
        );
    }
}

#[test]
fn libgit2_finds_a_host_that_has_a_port_without_it() {
    let env = TestEnv::new();
    for (host, secret) in [
        ("git.corp.example:7990", "BBDC-canary-1"),
        ("git.corp.example:8443", "BBDC-canary-2"),
        ("git.both.example", "BBDC-canary-3"),
        ("git.both.example:7990", "BBDC-canary-4"),
    ] {
        env.login(secret, &["--host", host, "--username", "ada"]);
    }
    env.program(&["setup"], "");
    let text = included(&env);
    let alone = format!("[credential \"https://git.corp.example\"]\n\thelper = {PROGRAM}\n");
    assert_eq!(text.matches(&alone).count(), 1, "{text}");
    assert!(text.ends_with(&alone), "{text}");
    let both = "[credential \"https://git.both.example\"]";
    assert_eq!(text.matches(both).count(), 1, "{text}");
    // Another service at that name keeps its helpers, and ours has nothing for it.
    let helper = env.path().join("theirs");
    crate::support::harness::write_program(
        &helper,
        "#!/bin/sh\necho username=eve; echo password=theirs\n",
    );
    let before = fs::read_to_string(env.git_config()).unwrap();
    let theirs = format!("[credential]\n\thelper = {}\n{before}", helper.display());
    fs::write(env.git_config(), theirs).unwrap();
    let fill = |host: &str| {
        let mut command = env.command("git");
        command.args(["credential", "fill"]);
        run(command, format!("url=https://{host}/a/b\n").as_bytes()).stdout
    };
    assert!(fill("git.corp.example").contains("password=theirs"));
    assert!(fill("git.corp.example:8443").contains("password=BBDC-canary-2"));
}

#[test]
fn it_lies_below_home_even_where_a_snap_moves_the_folders_of_xdg() {
    let env = TestEnv::new();
    let before = config(&env);
    let mut command = at_home(&env, PROGRAM, &["setup"]);
    let snap = env.home().join("snap/code/1");
    command
        .env("XDG_CONFIG_HOME", snap.join(".config"))
        .env("XDG_DATA_HOME", snap.join(".local/share"));
    let outcome = run(command, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let line = format!("[include]\n\tpath = ~/{PLACE}\n");
    assert_eq!(config(&env), format!("{before}{line}"));
    assert!(file_at_home(&env).exists());
    // A program outside the snap keeps its record elsewhere, and undoes it all the same.
    setup_at_home(&env, &["--undo"]);
    assert_eq!(config(&env), before);
    assert!(!file_at_home(&env).exists());
}

#[test]
fn the_one_folder_for_all_files_stays_closed() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    assert_eq!(env.program(&["setup"], "").status, 0);
    assert!(config(&env).ends_with(&include(&env)));
    assert_eq!(mode(&env.data()), 0o700);
    assert_eq!(mode(&env.data().join("gitconfig")), 0o644);
    let text = included(&env);
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn every_user_s_git_reads_it_whatever_the_umask() {
    if !has(&["setpriv"]) {
        return;
    }
    let env = TestEnv::new();
    for path in [env.path().to_owned(), env.home()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut shell = at_home(
        &env,
        "sh",
        &["-c", "umask 077; exec \"$@\"", "sh", PROGRAM, "setup"],
    );
    shell.env_remove("GIT_TERMINAL_PROMPT");
    assert_eq!(run(shell, b"").status, 0);
    let file = file_at_home(&env);
    assert_eq!(mode(&file), 0o644);
    for folder in file.ancestors().skip(1).take_while(|it| *it != env.home()) {
        assert_eq!(mode(folder), 0o755, "{}", folder.display());
    }
    let as_another = || {
        let git = ["--reuid=65534", "--regid=65534", "--clear-groups", "git"];
        let all = [
            &git[..],
            &[
                "config",
                "--get",
                "credential.https://bitbucket.org.usehttppath",
            ],
        ];
        run(at_home(&env, "setpriv", &all.concat()), b"")
    };
    let outcome = as_another();
    if outcome.stderr.contains("setpriv: ") {
        skip(&["root"]);
        return;
    }
    assert_eq!(outcome.stdout, "true\n", "{outcome:?}");

    // What closed it again is named with its fix; setup opens it too, and login.
    let folder = file.parent().unwrap();
    for (path, closed, open) in [(&*file, 0o600, 0o644), (folder, 0o700, 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(closed)).unwrap();
        assert_ne!(as_another().status, 0, "git dies of it");
        let doctor = run(at_home(&env, PROGRAM, &["doctor", "--json"]), b"").stdout;
        let fix = format!("chmod {open:o} {}", path.display());
        assert!(doctor.contains(&format!("\"'{fix}'\"")), "{doctor}");
        assert_eq!(run(at_home(&env, "sh", &["-c", &fix]), b"").status, 0);
        assert_eq!(as_another().stdout, "true\n");
        fs::set_permissions(path, fs::Permissions::from_mode(closed)).unwrap();
        setup_at_home(&env, &[]);
        assert_eq!(mode(path), open);
    }
}

#[test]
fn doctor_notices_that_it_is_gone_or_was_changed() {
    let env = TestEnv::new();
    let finding = || {
        let outcome = env.program(&["doctor", "--json"], "");
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let mut checks = json["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["id"] == "setup");
        check.map(|check| format!("{}: {}", check["outcome"], check["message"]).replace('"', ""))
    };
    assert_eq!(finding(), None);
    env.program(&["setup"], "");
    let file = env.data().join("gitconfig");
    let shown = file.display();
    let readable = format!("pass: git can read '{shown}'");
    assert_eq!(finding().as_deref(), Some(&*readable));
    let text = included(&env);
    fs::write(&file, text.replace("https://www.", "https://w.")).unwrap();
    let changed = format!("warn: '{shown}' is not as setup writes it");
    assert_eq!(finding(), Some(changed));
    env.program(&["setup"], "");
    assert_eq!(finding().as_deref(), Some(&*readable));
    fs::remove_file(&file).unwrap();
    let gone = format!("warn: git's configuration includes '{shown}', which does not exist");
    assert_eq!(finding(), Some(gone));
    env.program(&["setup"], "");
    assert_eq!(finding().as_deref(), Some(&*readable));
    assert_eq!(included(&env), text);
}
