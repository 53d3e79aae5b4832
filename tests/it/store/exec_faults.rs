//! Programs for the store `exec` that misbehave, each in its own way.

use std::fs;
use std::time::{Duration, Instant};

use super::exec::configure;
use crate::support::canary::leaks;
use crate::support::harness::{
    API_TOKEN, Outcome, PROGRAM, TestEnv, has, reply, run, write_program,
};
use crate::support::terminal::Terminal;

const WANTED: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
/// An operation of git's has five seconds; the rest is for a machine that does other things as well. Two waits in a row
/// would take ten.
const PATIENCE: Duration = Duration::from_secs(9);

/// An environment whose `exec` is this script; `$1` is the operation.
fn env_with(script: &str) -> TestEnv {
    let env = TestEnv::new();
    let program = env.path().join("program");
    write_program(&program, &format!("#!/bin/sh\n{script}\n"));
    configure(&env, program.to_str().unwrap(), "lookup = ['exec']");
    env
}

/// What becomes of a `get` without a terminal, and how long it takes.
fn timed_get(env: &TestEnv) -> (Outcome, Duration) {
    let mut command = env.command("setsid");
    command.args(["-w", PROGRAM, "get"]);
    let start = Instant::now();
    (run(command, WANTED.as_bytes()), start.elapsed())
}

#[test]
fn each_way_to_say_that_there_is_nothing_is_understood() {
    for script in [
        // The programs of Docker's own, and those of clouds.
        "echo 'credentials not found in native keychain'; exit 1",
        "printf 'Credentials not found in native keychain'; exit 1",
        "echo 'credentials not found in native keychain' >&2; exit 1",
        // Older ones of pass.
        r#"echo '{"ServerURL":"https://bitbucket.org","Username":"","Secret":""}'"#,
        // Scripts for password managers.
        "echo '{}'",
        r#"echo '{"ServerURL":"x","Username":null,"Secret":null}'"#,
        "exit 0",
        "exit 1",
        "cat >/dev/null; echo; exit 1",
    ] {
        let env = env_with(script);
        let outcome = env.program(&["get"], WANTED);
        let line = "git-credential-bitbucket: warning: nobody has signed in to bitbucket.org: \
                    'git credential-bitbucket login' signs in\n";
        assert_eq!(
            (outcome.status, &outcome.stdout[..], &outcome.stderr[..]),
            (0, "", line),
            "{script}"
        );
    }
}

#[test]
fn what_fails_in_another_way_is_an_error_that_repeats_none_of_its_words() {
    for (script, error) in [
        ("echo canary; exit 1", "fails at 'get' (exit status 1)"),
        ("echo canary >&2; exit 1", "fails at 'get' (exit status 1)"),
        ("exit 2", "fails at 'get' (exit status 2)"),
        (
            r#"echo '{"Secret":"canary"}'; exit 4"#,
            "fails at 'get' (exit status 4)",
        ),
        ("kill -9 $$", "fails at 'get' (a signal)"),
        (
            "echo canary",
            "does not answer as a docker-credential-helper does",
        ),
        (
            r#"echo '{"Secret":"canary"}'; yes '' | head -c 2000000"#,
            "prints too much",
        ),
        (
            r#"echo '{"Secret":"canary"}'; yes canary | head -c 2000000 >&2"#,
            "prints too much",
        ),
        (
            r#"echo '{"Username":"canary","Secret":["canary"]}'"#,
            "does not answer as a docker-credential-helper does",
        ),
        (
            r#"printf '{"Secret":"canary\377"}'"#,
            "does not answer as a docker-credential-helper does",
        ),
        (
            r#"printf '%s' '{"Secret":"canary\nhost=evil.example"}'"#,
            "has a password with a line break or another control character",
        ),
        (
            r#"printf '%s' '{"Username":"canary\npassword=x","Secret":"canary"}'"#,
            "has a user name with a line break or another control character",
        ),
    ] {
        let env = env_with(script);
        let outcome = env.program(&["get"], WANTED);
        assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""), "{script}");
        assert!(
            outcome.stderr.contains(error) && !leaks(outcome.stderr.as_bytes()),
            "{script}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn a_program_that_is_missing_or_has_a_relative_path_is_named() {
    let env = env_with("exit 1");
    // Somebody's repository, with a program of that path in it.
    let folder = env.home().join("bin");
    fs::create_dir(&folder).unwrap();
    write_program(&folder.join("program"), "#!/bin/sh\ntouch started\n");
    for (program, error) in [
        ("docker-credential-nobody", "there is no program '"),
        ("/nonexistent/program", "there is no program '"),
        ("/etc/passwd", "cannot start '"),
        ("/", "cannot start '"),
        ("bin/program", "is a relative path"),
        ("./bin/program", "is a relative path"),
        ("~/bin/program", "is a relative path"),
        ("docker-credential-nobody --flag", "there is no program '"),
        ("", "there is no program '"),
    ] {
        configure(&env, program, "lookup = ['exec']");
        let outcome = env.program(&["get"], WANTED);
        assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""), "{program}");
        assert!(outcome.stderr.contains(error), "{}", outcome.stderr);
    }
    let hint = "fix: set 'program' of [store.exec] in config.toml to a name on PATH or an";
    let outcome = env.program(&["doctor"], "");
    assert!(outcome.stdout.contains(hint), "{outcome:?}");
    assert!(!env.home().join("started").exists());
}

#[test]
fn a_program_that_hangs_is_ended_with_all_it_started() {
    if !has(&["setsid"]) {
        return;
    }
    let scripts = [
        // Started in its turn, it keeps the pipes.
        "sleep 60 & echo $! >>pids; echo $$ >>pids; sleep 60",
        // There is nothing to read any more, and it goes on.
        "echo $$ >>pids; exec >&- 2>&-; sleep 60",
        // It answered, and goes on.
        r#"echo $$ >>pids; echo '{"Secret":"canary"}'; sleep 60"#,
        // It never reads, and never ends to speak.
        "echo $$ >>pids; exec <&-; while :; do echo canary; sleep 1; done",
    ];
    std::thread::scope(|scope| {
        for script in scripts {
            scope.spawn(move || {
                let env = env_with(script);
                let (outcome, took) = timed_get(&env);
                assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""), "{script}");
                assert!(
                    outcome.stderr.contains("does not answer within 5 seconds")
                        && !leaks(outcome.stderr.as_bytes()),
                    "{script}: {outcome:?}"
                );
                assert!(took < PATIENCE, "{script}: {took:?}");
                // Whoever adopts an orphan may be slow to bury it.
                let alive = "for pid in $(cat pids); do ps -o stat= -p $pid; done | grep -v Z";
                let mut command = env.command("sh");
                command.args(["-c", alive]);
                let outcome = run(command, b"");
                assert_eq!(outcome.stdout, "", "{script}: still there");
            });
        }
    });
}

#[test]
fn three_slow_answers_do_not_add_up() {
    if !has(&["setsid"]) {
        return;
    }
    let env = env_with("sleep 3; echo 'credentials not found in native keychain'; exit 1");
    let (outcome, took) = timed_get(&env);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    for script in ["yes canary", "yes canary >&2; exit 1", "cat /dev/zero"] {
        let env = env_with(&format!("exec 3>&1; {script}"));
        let outcome = env.program(&["get"], WANTED);
        assert_eq!((outcome.status, &outcome.stdout[..]), (1, ""), "{script}");
        assert!(!leaks(outcome.stderr.as_bytes()), "{outcome:?}");
    }
}

#[test]
fn a_program_that_does_not_read_a_long_secret_keeps_nobody_waiting() {
    let env = env_with("exec <&-; exit 3");
    // Each of these takes two bytes on the way.
    let long = format!("canary{}", "\"".repeat(60_000));
    let arguments = [
        "login",
        "--with-token",
        "--no-verify",
        "--kind",
        "access-token",
        "--store",
        "exec",
    ];
    let outcome = env.program(&arguments, &long);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("fails at 'store' (exit status 3)")
            && !leaks(outcome.stderr.as_bytes()),
        "{}",
        outcome.stderr
    );
    assert_eq!(env.accounts().len(), 0);
}

#[test]
fn a_program_that_forgets_or_does_not_forget_is_found_out() {
    // It takes everything, and keeps nothing.
    let env = env_with("cat >/dev/null; exit 0");
    let arguments = [
        "login",
        "work",
        "--with-token",
        "--no-verify",
        "--store",
        "exec",
    ];
    let outcome = env.program(&arguments, API_TOKEN);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("the store 'exec' did not give back what it was given"),
        "{}",
        outcome.stderr
    );
    assert_eq!(env.accounts().len(), 0);
    // It says that it has erased, and has not.
    let env = env_with("case $1 in store) cat >kept ;; get) cat kept ;; erase) ;; esac");
    env.login(API_TOKEN, &["work", "--store", "exec"]);
    let outcome = env.program(&["logout", "work"], "");
    assert!(
        outcome
            .stderr
            .contains("still has the secret after 'erase'"),
        "{outcome:?}"
    );
}

#[test]
fn a_program_that_is_gone_is_told_by_status_and_git_goes_on() {
    let env = env_with("case $1 in store) cat >kept ;; get) cat kept ;; erase) rm kept ;; esac");
    env.login(API_TOKEN, &["work", "--store", "exec"]);
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    fs::remove_file(env.path().join("program")).unwrap();
    assert_eq!(env.accounts()[0]["state"], "unreachable");
    let outcome = env.program(&["get"], WANTED);
    assert_eq!(
        (outcome.status, &outcome.stdout[..]),
        (1, ""),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .contains("cannot read the secret of 'work': there is no program '"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_program_can_ask_at_the_terminal() {
    let env = env_with(
        r#"printf 'Master password: ' >/dev/tty; read -r word </dev/tty
           [ "$word" = open ] && echo '{"Username":"","Secret":"ATCTTunlocked"}'"#,
    );
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types(&format!(
        "printf 'protocol=https\\nhost=bitbucket.org\\n' | '{PROGRAM}' get"
    ));
    terminal.expect("Master password:");
    terminal.types("open");
    terminal.expect("password=ATCTTunlocked");
}
