//! Many processes at once: every update is there afterwards.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, another, reply};

#[test]
fn of_sixty_four_processes_at_once_each_one_leaves_its_mark() {
    let env = TestEnv::new();
    let credential = |number: usize| {
        format!(
            "protocol=https\nhost=bitbucket.org\npath=given/{number}\nusername=user{number}\npassword=pass{number}\n"
        )
    };
    let answer =
        |number: usize| env.get_cloud(&format!("path=given/{number}\nusername=user{number}\n"));
    env.login(API_TOKEN, &["still", "--for", "still"]);
    // What is erased below.
    for number in (0..64).filter(|number| number % 4 == 3) {
        let outcome = env.program(&["store"], credential(number));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    }
    thread::scope(|scope| {
        for number in 0..64 {
            let env = &env;
            scope.spawn(move || {
                let operation = match number % 4 {
                    0 => "store",
                    1 => {
                        let name = format!("login{number}");
                        let token = another(ACCESS_TOKEN, number);
                        return drop(env.login_beside_others(&token, &[&name, "--for", &name]));
                    }
                    2 => {
                        let reply = reply("x-bitbucket-api-token-auth", API_TOKEN);
                        return assert_eq!(env.get_cloud("path=still/x\n"), reply);
                    }
                    _ => "erase",
                };
                let outcome = env.program(&[operation], credential(number));
                assert_eq!(
                    (outcome.status, outcome.stderr.as_str()),
                    (0, ""),
                    "{operation}"
                );
            });
        }
    });
    for number in 0..64 {
        match number % 4 {
            0 => {
                let pair = reply(&format!("user{number}"), &format!("pass{number}"));
                assert_eq!(answer(number), pair);
            }
            1 => {
                let answer = env.get_cloud(&format!("path=login{number}/x\n"));
                assert_eq!(
                    answer,
                    reply("x-token-auth", &another(ACCESS_TOKEN, number))
                );
            }
            2 => {}
            _ => assert_eq!(answer(number), ""),
        }
    }
    assert_eq!(env.accounts().len(), 1 + 16 + 16);
}

#[test]
fn readers_see_a_whole_account_while_it_is_replaced_or_moved() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..20 {
                env.login_beside_others(API_TOKEN, &["work"]);
                let outcome = env.program(&["edit", "work", "--store", "file"], "");
                assert_eq!(outcome.status, 0, "{outcome:?}");
            }
        });
        while !writer.is_finished() {
            assert_eq!(
                env.get_cloud(""),
                reply("x-bitbucket-api-token-auth", API_TOKEN)
            );
        }
    });
}

/// As a process holds it that somebody has stopped half-way.
fn hold(env: &TestEnv, name: &str) -> File {
    let lock = File::create(env.data().join(name)).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn whoever_holds_the_locks_for_ever_does_not_keep_get_waiting_and_the_others_only_for_five_seconds()
{
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    let _locks = ["accounts.lock", "secrets.lock", "refusals.lock"].map(|name| hold(&env, name));
    let start = Instant::now();
    assert_eq!(
        env.get_cloud("path=acme/site\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    assert!(start.elapsed() < Duration::from_secs(3), "it takes no lock");

    let of = |path: &str, password: &str| {
        format!(
            "protocol=https\nhost=bitbucket.org\npath={path}\nusername=x\npassword={password}\n"
        )
    };
    let refused = of("acme/site", API_TOKEN).replace("username=x\n", "");
    thread::scope(|scope| {
        for (operation, input) in [("store", of("other/site", "another")), ("erase", refused)] {
            let env = &env;
            scope.spawn(move || {
                let start = Instant::now();
                let outcome = env.program(&[operation], input);
                assert_eq!(outcome.status, 1, "{operation}: {outcome:?}");
                let reason = ".lock' stays locked by another process";
                assert!(outcome.stderr.contains(reason), "{operation}: {outcome:?}");
                // Five, and some for a machine that does other things as well.
                assert!(start.elapsed() < Duration::from_secs(9), "{operation}");
            });
        }
    });
}

#[test]
fn a_trace_that_nobody_reads_keeps_nobody_waiting() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let pipe = env.path().join("pipe");
    assert!(env.command("mkfifo").arg(&pipe).status().unwrap().success());
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", pipe.to_str().unwrap());
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
}
