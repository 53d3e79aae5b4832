//! Many processes at once: every update is there afterwards.

use std::thread;

use crate::harness::{API_TOKEN, TestEnv, reply};

#[test]
fn sixteen_processes_that_store_at_once_lose_nothing() {
    let env = TestEnv::new();
    let pair = |number: usize| {
        format!(
            "protocol=https\nhost=bitbucket.org\nusername=user{number}\npassword=pass{number}\n"
        )
    };
    thread::scope(|scope| {
        for number in 0..16 {
            let env = &env;
            scope.spawn(move || {
                let outcome = env.program(&["store"], pair(number));
                assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
            });
        }
    });
    for number in 0..16 {
        let answer = env.get_cloud(&format!("username=user{number}\n"));
        assert_eq!(
            answer,
            reply(&format!("user{number}"), &format!("pass{number}"))
        );
    }
}

#[test]
fn readers_see_a_whole_account_while_it_is_replaced() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..20 {
                env.login(API_TOKEN, &["work"]);
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
