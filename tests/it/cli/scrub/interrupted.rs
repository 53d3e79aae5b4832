//! Killed half-way, and in company.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::{environment, repository, scrub, set, url, value};
use crate::support::harness::{ACCESS_TOKEN, PROGRAM, rounds, run};

#[test]
fn killed_at_any_moment_nothing_is_lost() {
    let env = environment();
    repository(&env, "app");
    fs::write(
        env.home().join("app/.git/config.worktree"),
        format!("[submodule \"lib\"]\n\turl = {}\n", url("lib")),
    )
    .unwrap();
    set(&env, "app", "remote.origin.url", &url("app"));
    let config = env.home().join("app/.git/config");
    let (full, modules) = (
        fs::read(&config).unwrap(),
        fs::read(env.home().join("app/.git/config.worktree")).unwrap(),
    );
    let command = || {
        let mut command = env.command(PROGRAM);
        command
            .args(["scrub", "app"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let start = Instant::now();
    assert!(command().status().unwrap().success());
    let duration = start.elapsed();

    let kills = u32::try_from(rounds(200)).unwrap();
    let mut interrupted = 0;
    for kill in 0..kills {
        fs::remove_dir_all(env.data()).unwrap();
        super::use_file_store(&env);
        fs::write(&config, &full).unwrap();
        fs::write(env.home().join("app/.git/config.worktree"), &modules).unwrap();
        let mut child = command().spawn().unwrap();
        // A step that shares no factor with the number of kills spreads them over the whole run.
        thread::sleep(duration * ((kill * 37) % kills) / kills);
        child.kill().unwrap();
        interrupted += u32::from(!child.wait().unwrap().success());

        let is_stored = || {
            env.program(&["token", "acme-app"], "")
                .stdout
                .contains(ACCESS_TOKEN)
        };
        for (key, file) in [
            ("remote.origin.url", "app/.git/config"),
            ("submodule.lib.url", "app/.git/config.worktree"),
        ] {
            let kept = env.git(&["config", "--file", file, "--get", key]).stdout;
            assert!(kept.starts_with("https://x-token-auth"), "{kept}");
            assert!(
                kept.contains(ACCESS_TOKEN) || is_stored(),
                "kill {kill}: {file}"
            );
        }
        // Only a git that was killed leaves its lock behind, and so do we, in the moment of the change itself.
        for lock in ["app/.git/config.lock", "app/.git/config.worktree.lock"] {
            let _ = fs::remove_file(env.home().join(lock));
        }
    }
    assert!(
        interrupted > kills / 4,
        "{interrupted} of {kills} came in time"
    );
    scrub(&env, &["app"]);
    assert_eq!(super::token(&env, "acme-app"), ACCESS_TOKEN);
    assert!(!value(&env, "app", "remote.origin.url").contains("canary"));
}

#[test]
fn others_may_write_the_same_configuration_meanwhile() {
    let env = environment();
    repository(&env, "app");
    for number in 0..20 {
        set(
            &env,
            "app",
            &format!("remote.r{number}.url"),
            &url(&format!("r{number}")),
        );
    }
    thread::scope(|scope| {
        for writer in 0..3 {
            let env = &env;
            scope.spawn(move || {
                for number in 0..20 {
                    let key = format!("test.w{writer}n{number}");
                    let deadline = Instant::now() + Duration::from_secs(20);
                    // git itself does not wait for the lock.
                    while env.git(&["-C", "app", "config", &key, "x"]).status != 0 {
                        assert!(Instant::now() < deadline);
                    }
                }
            });
        }
        for _ in 0..5 {
            let mut command = env.command(PROGRAM);
            command.args(["scrub", "app"]);
            let outcome = run(command, b"");
            assert_eq!(outcome.status, 0, "{outcome:?}");
        }
    });
    for number in 0..20 {
        let url = value(&env, "app", &format!("remote.r{number}.url"));
        assert_eq!(
            url,
            format!("https://x-token-auth@bitbucket.org/acme/r{number}.git")
        );
        for writer in 0..3 {
            assert_eq!(value(&env, "app", &format!("test.w{writer}n{number}")), "x");
        }
    }
}
