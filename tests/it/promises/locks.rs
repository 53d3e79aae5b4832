//! A file system without locks, such as NFS without its lock daemon: `flock` fails with `ENOLCK`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, another, has, run};

const LOGIN: [&str; 5] = ["login", "--with-token", "--no-verify", "--store", "file"];

/// The program where no file can be locked. The words go to strace as well.
fn without_locks(env: &TestEnv, strace: &[&str]) -> Command {
    let mut command = env.command("strace");
    command
        .args(["-f", "-o", "/dev/null", "-e", "trace=flock,rename"])
        .args(["-e", "inject=flock:error=ENOLCK"])
        .args(strace)
        .arg(PROGRAM);
    command
}

fn login(env: &TestEnv, name: &str, strace: &[&str]) -> (i32, String) {
    let mut command = without_locks(env, strace);
    command.args(LOGIN).arg(name);
    let number = name.bytes().map(usize::from).sum();
    let outcome = run(command, another(API_TOKEN, number).as_bytes());
    (outcome.status, outcome.stderr)
}

/// The lock files that are left.
fn left(env: &TestEnv) -> Vec<PathBuf> {
    let paths = fs::read_dir(env.data())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let ends = ["held", "stale"].map(Some);
    paths
        .filter(|path| ends.contains(&path.extension().and_then(|end| end.to_str())))
        .collect()
}

#[test]
fn without_locks_nothing_is_lost() {
    if !has(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    thread::scope(|scope| {
        let env = &env;
        for number in 0..8 {
            scope.spawn(move || {
                let (status, said) = login(env, &format!("n{number}"), &[]);
                assert_eq!(status, 0, "{said}");
            });
        }
    });
    assert_eq!(env.accounts().len(), 8);
    assert!(left(&env).is_empty(), "{:?}", left(&env));
}

#[test]
fn a_lock_file_of_a_dead_process_blocks_nobody() {
    if !has(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    // Killed while it renames what it wrote: with its lock file there.
    for (number, lock) in [(1, "secrets.lock.held"), (2, "accounts.lock.held")] {
        let kill = format!("inject=rename:signal=KILL:when={number}");
        login(&env, "killed", &["-e", &kill]);
        assert_eq!(left(&env), [env.data().join(lock)]);
        thread::scope(|scope| {
            let env = &env;
            for name in ["a", "b", "c"] {
                scope.spawn(move || {
                    let (status, said) = login(env, name, &[]);
                    assert_eq!(status, 0, "{said}");
                });
            }
        });
        assert!(left(&env).is_empty(), "{:?}", left(&env));
        assert!(env.accounts().len() >= 3);
    }
}

/// What another machine has made is believed for ten minutes.
#[test]
fn a_lock_file_of_another_machine_is_waited_for_and_named() {
    if !has(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    let (status, said) = login(&env, "first", &[]);
    assert_eq!(status, 0, "{said}");
    let held = env.data().join("accounts.lock.held");
    fs::write(&held, "1 another-boot pid:[1]").unwrap();
    let (status, said) = login(&env, "second", &[]);
    assert_eq!(status, 1, "{said}");
    let hint = format!(
        "hint: if no 'git-credential-bitbucket' runs on any machine, remove '{}'",
        held.display()
    );
    assert!(
        said.contains("accounts.lock' stays locked") && said.contains(&hint),
        "{said}"
    );
    let old = SystemTime::now() - Duration::from_secs(601);
    File::options()
        .write(true)
        .open(&held)
        .unwrap()
        .set_modified(old)
        .unwrap();
    // A process that died while it removed one.
    let mark = env.data().join("accounts.lock.stale");
    fs::write(&mark, "").unwrap();
    File::options()
        .write(true)
        .open(&mark)
        .unwrap()
        .set_modified(old)
        .unwrap();
    let (status, said) = login(&env, "third", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(left(&env).is_empty(), "{:?}", left(&env));
}
