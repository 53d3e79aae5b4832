//! What a person sees while something takes long, in tmux.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::harness::{API_TOKEN, TestEnv, run, write_program};
use crate::support::stand_in::Credential;
use crate::support::terminal::Terminal;

const EMAIL: &str = "ada@example.com";

#[test]
fn a_line_shows_while_bitbucket_does_not_answer_and_touches_no_other() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    stand_in.allow(Credential::api_token(API_TOKEN).email(EMAIL));
    env.login(API_TOKEN, &["work", "--email", EMAIL]);
    stand_in.delay_answers(Duration::from_secs(4));
    // As git's progress: without an end of its line.
    terminal.types(
        "clear; printf 'Objects: 12%% '; git-credential-bitbucket status --verify; echo do''ne",
    );
    let screen = terminal.expect("Objects: 12% asking bitbucket.org…");
    assert!(!screen.contains("knows it"), "{screen}");
    let screen = terminal.expect("done");
    assert!(
        screen.contains("Objects: 12% 'work': bitbucket.org knows it"),
        "{screen}"
    );
    assert!(!screen.contains("asking"), "{screen}");

    // Where nobody looks there is none.
    terminal
        .types_anew("git-credential-bitbucket status --verify 2>seen; cat -v seen; echo do''ne");
    let screen = terminal.expect("done");
    assert!(
        screen.contains("\n'work': bitbucket.org knows it"),
        "{screen}"
    );
    assert!(!screen.contains("asking"), "{screen}");
}

#[test]
fn accounts_are_verified_side_by_side() {
    const MANY: usize = 8;
    let delay = Duration::from_secs(3);
    let (env, stand_in) = TestEnv::with_stand_in();
    for number in 0..MANY {
        let secret = format!("{API_TOKEN}{number}");
        stand_in.allow(Credential::api_token(&secret).email(EMAIL));
        let (name, place) = (format!("a{number}"), format!("acme{number}"));
        env.login(&secret, &[&name, "--email", EMAIL, "--for", &place]);
    }
    stand_in.delay_answers(delay);
    let start = Instant::now();
    let outcome = env.program(&["status", "--verify", "--json"], "");
    let took = start.elapsed();
    assert_eq!(
        outcome.stderr.matches("knows it").count(),
        MANY,
        "{outcome:?}"
    );
    assert_eq!(
        outcome.stdout.matches("\"ok\"").count(),
        MANY,
        "{outcome:?}"
    );
    assert!(took < delay * 6, "{took:?}");
}

#[test]
fn scrub_says_how_far_it_is() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    for name in ["one", "two"] {
        env.git_succeeds(&["init", "-q", name]);
    }
    let mut find = env.command("sh");
    find.args(["-c", "command -v git"]);
    let git = run(find, b"").stdout;
    let slow = env.path().join("slow");
    fs::create_dir(&slow).unwrap();
    let script = format!("case \" $* \" in *' grep '*) sleep 3; esac\nexec {git}");
    write_program(
        &slow.join("git"),
        &format!("#!/bin/sh\n{} \"$@\"\n", script.trim_end()),
    );
    terminal.types(&format!(
        "clear; PATH='{}':$PATH git-credential-bitbucket scrub .; echo do''ne",
        slow.display()
    ));
    terminal.expect("searched 0 of 2 repositories…");
    let screen = terminal.expect("done");
    assert!(screen.contains("Searched 2 repositories\n"), "{screen}");
    assert!(!screen.contains("searched"), "{screen}");
}
