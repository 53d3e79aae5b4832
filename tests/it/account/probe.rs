//! One stray refusal costs nothing: Bitbucket is asked before a token is given up.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, PROGRAM, TestEnv, has, reply};
use crate::support::stand_in::{Credential, Handle, Silence, StandIn};
use crate::support::terminal::Terminal;

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";

/// Signed in with an API token that git may have been refused.
fn signed_in() -> (TestEnv, StandIn, Handle) {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    env.set_up();
    env.login(API_TOKEN, &["mine"]);
    (env, stand_in, handle)
}

fn answer() -> String {
    reply("x-bitbucket-api-token-auth", API_TOKEN)
}

/// git reports that the token was refused.
fn refuse(env: &TestEnv) {
    let request = format!("{WANTED}{}", answer());
    assert_eq!(env.program(&["erase"], request).status, 0);
}

/// What `get` answers; a message is nobody's fault here.
fn get(env: &TestEnv) -> String {
    let outcome = env.program(&["get"], WANTED);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    outcome.stdout
}

fn paths(stand_in: &StandIn) -> Vec<String> {
    let requests = stand_in.requests().into_iter();
    requests.map(|request| request.path).collect()
}

fn state(env: &TestEnv) -> String {
    env.accounts()[0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_that_bitbucket_knows_is_back_at_once() {
    let (env, stand_in, _handle) = signed_in();
    refuse(&env);
    assert_eq!(state(&env), "rejected");
    assert_eq!(get(&env), answer());
    assert_eq!(
        paths(&stand_in),
        ["/2.0/user", "/acme/app.git/info/refs"],
        "asked once"
    );
    assert_eq!(state(&env), "ok");
    assert_eq!(get(&env), answer());
    assert_eq!(stand_in.requests().len(), 2, "and then believed");
}

#[test]
fn version_0_1_is_told_too_that_a_token_is_back() {
    let (env, _stand_in, _handle) = signed_in();
    refuse(&env);
    let noted = || std::fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(!noted().contains("is_back"), "{}", noted());
    assert_eq!(get(&env), answer());
    assert!(
        noted().contains("times = 0\nis_back = true\n"),
        "{}",
        noted()
    );
    refuse(&env);
    assert!(!noted().contains("is_back"), "{}", noted());
}

#[test]
fn a_token_that_was_revoked_stays_aside_and_is_not_asked_about_all_the_time() {
    let (env, stand_in, handle) = signed_in();
    handle.revoke();
    refuse(&env);
    for _ in 0..5 {
        assert_eq!(get(&env), "");
    }
    let both = ["/2.0/user", "/acme/app.git/info/refs"];
    assert_eq!(
        paths(&stand_in),
        [both, both].concat(),
        "what is refused is asked twice"
    );
    assert_eq!(state(&env), "rejected");
    let outcome = env.program(&["doctor"], "");
    assert!(
        outcome.stdout.contains("was refused by bitbucket.org"),
        "{outcome:?}"
    );

    let refused = env.program(&["status", "--verify"], "");
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("warning: 'mine' is unchecked: Bitbucket can only be asked with '--email'"),
        "{refused:?}"
    );
    // What login checks, verify checks too.
    env.login(API_TOKEN, &["mine", "--for", "acme/app"]);
    let refused = env.program(&["status", "--verify", "--json"], "");
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stdout.contains("\"rejected\""), "{refused:?}");
    handle.restore();
    let good = env.program(&["status", "--verify", "mine"], "");
    assert_eq!(good.status, 0, "{good:?}");
    assert!(
        good.stderr.contains("'mine': bitbucket.org knows it"),
        "{good:?}"
    );
    assert_eq!((state(&env).as_str(), get(&env)), ("ok", answer()));
}

#[test]
fn five_times_in_ten_minutes_bitbucket_is_believed_and_no_more() {
    let (env, _stand_in, _handle) = signed_in();
    for _ in 0..5 {
        refuse(&env);
        assert_eq!(get(&env), answer());
    }
    refuse(&env);
    assert_eq!(
        get(&env),
        "",
        "after five comebacks they are no longer trusted"
    );
    assert_eq!(state(&env), "rejected");
}

#[test]
fn a_secret_that_worked_in_between_is_believed_anew() {
    let (env, stand_in, _handle) = signed_in();
    for _ in 0..7 {
        refuse(&env);
        assert_eq!(get(&env), answer());
        let request = format!("{WANTED}{}", answer());
        assert_eq!(env.program(&["store"], request).status, 0);
    }
    assert_eq!(
        (state(&env).as_str(), stand_in.requests().len()),
        ("ok", 14)
    );
}

#[test]
fn of_several_processes_one_asks_and_all_have_the_answer() {
    let (env, stand_in, _handle) = signed_in();
    refuse(&env);
    stand_in.delay(Duration::from_millis(300));
    let answers: Vec<String> = thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| get(&env))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(
        answers.iter().all(|given| *given == answer()),
        "{answers:?}"
    );
    assert_eq!(paths(&stand_in), ["/2.0/user", "/acme/app.git/info/refs"]);
}

#[test]
fn where_nobody_answers_git_goes_on_in_time_and_is_told() {
    let goes_on = |silence| {
        let (env, stand_in, _handle) = signed_in();
        refuse(&env);
        stand_in.fall_silent(silence);
        let start = Instant::now();
        assert_eq!(get(&env), "");
        assert!(
            start.elapsed() < Duration::from_secs(9),
            "{:?}",
            start.elapsed()
        );
        let start = Instant::now();
        assert_eq!(get(&env), "", "and is not asked again at once");
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(state(&env), "rejected");
        stand_in.fall_silent(Silence::Off);
    };
    // Side by side, as they only wait.
    thread::scope(|scope| {
        scope.spawn(|| goes_on(Silence::Connection));
        scope.spawn(|| goes_on(Silence::Request));
    });
}

#[test]
fn a_page_in_between_says_nothing_of_the_token() {
    let (env, stand_in, _handle) = signed_in();
    refuse(&env);
    stand_in.show_a_page(true);
    assert_eq!(get(&env), "");
    assert_eq!(state(&env), "rejected");
}

#[test]
fn without_a_repository_it_is_asked_as_rest() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.login(ACCESS_TOKEN, &["mine"]);
    let wanted = "protocol=https\nhost=bitbucket.org\n";
    let given = reply("x-token-auth", ACCESS_TOKEN);
    env.program(&["erase"], format!("{wanted}{given}"));
    assert_eq!(env.get(wanted), given);
    assert_eq!(paths(&stand_in), ["/2.0/user"]);
}

#[test]
fn a_secret_of_the_environment_is_asked_about_too() {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    refuse(&env);
    assert_eq!(get(&env), answer());
    handle.revoke();
    refuse(&env);
    assert_eq!((get(&env), get(&env)), (String::new(), String::new()));
    let both = ["/2.0/user", "/acme/app.git/info/refs"];
    assert_eq!(paths(&stand_in), [both, both, both].concat());
    handle.restore();
    let good = env.program(&["status", "--verify"], "");
    assert!(
        good.stderr.contains("'BITBUCKET_API_TOKEN' is unchecked"),
        "{good:?}"
    );
    env.set("BITBUCKET_EMAIL", "ada@example.com");
    let good = env.program(&["status", "--verify"], "");
    assert!(
        good.stderr
            .contains("'BITBUCKET_API_TOKEN': bitbucket.org knows it"),
        "{good:?}"
    );
    assert_eq!(get(&env), answer());
}

#[test]
fn a_data_center_is_asked_as_well() {
    let (env, stand_in) = TestEnv::with_stand_in();
    let data_center = stand_in.data_center("git.corp.example:7990", "/bitbucket");
    data_center.repository("prj/app");
    let secret = "BBDC-canary-0000000000000000000000";
    data_center.allow(Credential::http_access_token(secret).user("bob"));
    env.login(
        secret,
        &[
            "dc",
            "--host",
            "git.corp.example:7990/bitbucket",
            "--username",
            "bob",
        ],
    );
    let given = reply("bob", secret);
    for path in ["", "path=bitbucket/scm/prj/app.git\n"] {
        let wanted = format!("protocol=https\nhost=git.corp.example:7990\n{path}");
        env.program(&["erase"], format!("{wanted}{given}"));
        assert_eq!(env.get(&wanted), given, "{path}");
    }
    let whoami = "/bitbucket/rest/api/1.0/application-properties";
    let refs = "/bitbucket/scm/prj/app.git/info/refs";
    assert_eq!(paths(&stand_in), [whoami, whoami, refs]);
}

#[test]
fn one_refusal_in_twenty_under_eight_clones_at_once_loses_no_account() {
    let (env, stand_in, _handle) = signed_in();
    env.login(ACCESS_TOKEN, &["other", "--for", "beta"]);
    stand_in.refuse_every(20);
    for round in 0..5 {
        let clones: Vec<_> = (0..8)
            .map(|number| {
                let mut git = env.command("git");
                git.args(["clone", "--quiet", "https://bitbucket.org/acme/app.git"]);
                git.arg(format!("r{round}-{number}"));
                git.stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut clone in clones {
            // The one that was refused fails; nobody else is to suffer from it.
            clone.wait().unwrap();
        }
    }
    stand_in.refuse_every(0);
    assert_eq!(env.accounts().len(), 2);
    env.git_succeeds(&[
        "clone",
        "--quiet",
        "https://bitbucket.org/acme/app.git",
        "last",
    ]);
    assert_eq!(
        env.program(&["token", "mine"], "").stdout,
        format!("{API_TOKEN}\n")
    );
    assert_eq!(
        env.program(&["token", "other"], "").stdout,
        format!("{ACCESS_TOKEN}\n")
    );
    assert_eq!(state(&env), "ok");
}

#[test]
fn git_lfs_ends_when_a_secret_of_the_environment_was_revoked() {
    if !has(&["git-lfs", "timeout"]) {
        return;
    }
    let (mut env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app").public();
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    env.set_up();
    env.git_succeeds(&["lfs", "install", "--skip-repo"]);
    env.git_succeeds(&["clone", "--quiet", "https://bitbucket.org/acme/app.git"]);
    env.git_succeeds(&["-C", "app", "lfs", "track", "*.bin"]);
    std::fs::write(env.home().join("app/large.bin"), [7; 10_000]).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "-qm", "large"]);
    handle.revoke();
    let mut push = env.command("timeout");
    push.args(["60", "git", "-C", "app", "lfs", "push", "origin", "main"]);
    let outcome = crate::support::harness::run(push, b"");
    assert!(outcome.status != 0 && outcome.status != 124, "{outcome:?}");
    let sent = stand_in.count(|request| request.secret() == Some(API_TOKEN));
    assert!(sent < 12, "{sent} requests with a secret that was refused");
}

#[test]
fn an_erase_without_a_secret_touches_nothing_from_login() {
    let (env, stand_in, _handle) = signed_in();
    for request in [WANTED, "protocol=https\nhost=bitbucket.org\n"] {
        let mut command = env.command(PROGRAM);
        command.arg("erase");
        assert_eq!(
            crate::support::harness::run(command, request.as_bytes()).status,
            0
        );
    }
    assert_eq!(get(&env), answer());
    assert!(stand_in.requests().is_empty());
}

#[test]
fn an_expired_token_does_not_keep_bitbucket_from_being_asked_about_another_one() {
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    let _handle = stand_in.allow(Credential::api_token(API_TOKEN));
    let given = format!("{WANTED}{}", answer());
    assert_eq!(env.program(&["store"], given).status, 0);
    refuse(&env);
    let expired = format!("{WANTED}username=x\npassword=ATATTold\npassword_expiry_utc=1\n");
    assert_eq!(env.program(&["store"], expired).status, 0);
    // The newest that git gave comes first.
    assert_eq!(env.accounts()[0]["state"], "expired");
    assert_eq!(get(&env), answer());
}

#[test]
fn at_gits_terminal_a_line_says_that_bitbucket_is_asked() {
    let (env, stand_in, _handle) = signed_in();
    refuse(&env);
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    stand_in.delay_answers(Duration::from_millis(1800));
    terminal.types("clear; git ls-remote https://bitbucket.org/acme/app.git; echo do''ne");
    terminal.expect("asking bitbucket.org…");
    let screen = terminal.expect("done");
    assert!(screen.contains("refs/heads/"), "{screen}");
    assert!(!screen.contains("asking"), "{screen}");
}
