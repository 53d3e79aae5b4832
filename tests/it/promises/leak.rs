//! A canary secret goes through every command: it may come out of `get` and `token`, and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};

use crate::support::canary::leaks;
#[cfg(target_os = "linux")]
use crate::support::harness::PROGRAM;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, Outcome, TestEnv, has, run};
use crate::support::stand_in::Credential;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() && !path.is_symlink() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

pub(super) fn assert_nothing_leaked_into_files(env: &TestEnv) {
    for path in files(&env.home()).into_iter().chain(files(&env.data())) {
        assert!(!leaks(&fs::read(&path).unwrap()), "{}", path.display());
    }
}

pub(super) fn assert_silent(outcome: &Outcome) {
    assert!(
        !leaks(outcome.stdout.as_bytes()) && !leaks(outcome.stderr.as_bytes()),
        "{outcome:?}"
    );
}

#[test]
fn the_canary_is_in_the_reply_and_in_no_other_stream_or_file() {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    // The trace is among the files that are looked through at the end.
    let trace = env.home().join("trace.log");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    stand_in.allow(Credential::access_token(ACCESS_TOKEN).sees("acme"));
    assert_silent(&env.program(&["setup"], ""));
    assert_silent(&env.login(API_TOKEN, &["one", "--email", "ada@example.com"]));
    assert_silent(&env.login(ACCESS_TOKEN, &["two", "--for", "acme"]));
    assert_silent(&env.login(
        APP_PASSWORD,
        &["three", "--username", "ada", "--for", "nobody"],
    ));

    let git = |arguments: &[&str]| {
        let mut command = env.command("git");
        command
            .args(arguments)
            .env("GIT_TRACE", "1")
            .env("GIT_TRACE_CURL", "1");
        let outcome = run(command, b"");
        assert_silent(&outcome);
        outcome.status
    };
    assert_eq!(git(&["clone", "https://bitbucket.org/acme/app.git"]), 0);
    assert_eq!(
        git(&["clone", "https://ada@bitbucket.org/acme/app.git", "again"]),
        0
    );
    assert_eq!(git(&["-C", "app", "fetch"]), 0);
    let checked = [
        "login",
        "four",
        "--with-token",
        "--store",
        "file",
        "--for",
        "acme/app",
    ];
    assert_silent(&env.program(&checked, ACCESS_TOKEN));
    if has(&["curl"]) {
        let ca = stand_in.ca_file().display().to_string();
        let rest = "https://api.bitbucket.org/2.0/repositories/acme/app";
        let outcome = env.program(&["curl", "-sS", "--cacert", &ca, rest], "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert_silent(&outcome);
    }
    handle.revoke();
    assert_silent(&env.program(
        &[
            "login",
            "five",
            "--with-token",
            "--email",
            "ada@example.com",
        ],
        API_TOKEN,
    ));
    git(&["ls-remote", "https://bitbucket.org/other/app.git"]);

    let reply = env.program(
        &["get"],
        "protocol=https\nhost=bitbucket.org\npath=acme/app\n",
    );
    assert!(leaks(reply.stdout.as_bytes()), "the test would notice");
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["doctor", "https://bitbucket.org/acme/app.git"],
        &["login", "--no-verify", "--with-token"],
        &["token"],
        &["logout", "three"],
        &["setup", "--undo"],
        &["setup"],
        &["-h"],
        &["rubbish"],
    ] {
        assert_silent(&env.program(arguments, format!("\u{1}{API_TOKEN}")));
    }
    let requests = [
        format!("protocol=https\nhost=bitbucket.org\n{API_TOKEN}\n"),
        format!("protocol=https\nhost=bitbucket.org\npassword={API_TOKEN}\rx\n"),
        format!("protocol=https\nhost=bitbucket.org\nhost={API_TOKEN}\n"),
        format!("protocol=https\nhost=bitbucket.org\nusername={APP_PASSWORD}x\n"),
    ];
    for request in requests {
        for operation in ["store", "erase"] {
            assert_silent(&env.program(&[operation], &request));
        }
    }
    assert!(
        fs::read_to_string(&trace).unwrap().contains("reply: "),
        "there is a trace"
    );
    assert_nothing_leaked_into_files(&env);
    for repository in ["app", "again"] {
        assert_silent(&env.git(&["-C", repository, "config", "--list"]));
    }
}

#[test]
fn the_secret_of_an_oauth_consumer_is_the_canary_too() {
    let (mut env, stand_in) = TestEnv::with_stand_in();
    let trace = env.home().join("trace.log");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
    stand_in.consumer("KEY", API_TOKEN).private();
    let grant = [
        "--client-id",
        "KEY",
        "--client-credentials",
        "--with-token",
        "--store",
        "file",
    ];
    let outcome = env.program(&[&["login", "grant"], &grant[..]].concat(), API_TOKEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_silent(&outcome);
    assert_silent(&env.program(&["token", "grant"], ""));
    stand_in.consumer("WRONG", ACCESS_TOKEN);
    let wrong = [
        "login",
        "wrong",
        "--client-id",
        "WRONG",
        "--client-credentials",
        "--with-token",
    ];
    assert_silent(&env.program(&wrong, API_TOKEN));
    for arguments in [
        &["status", "--verify"][..],
        &["doctor"],
        &["logout", "grant"],
    ] {
        assert_silent(&env.program(arguments, ""));
    }
    assert_nothing_leaked_into_files(&env);
}

#[test]
fn what_lay_in_the_open_is_shown_by_no_command_and_stays_in_no_file() {
    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &["one"]);
    env.git_succeeds(&["init", "--quiet", "app"]);
    let url = format!("https://ada:{API_TOKEN}@bitbucket.org/acme/app.git");
    let header = format!(
        "Authorization: Basic {}",
        Base64::encode_string(format!("ada:{API_TOKEN}").as_bytes())
    );
    for (key, value) in [
        ("remote.open.url", &url),
        ("http.https://bitbucket.org/.extraHeader", &header),
    ] {
        env.git_succeeds(&["-C", "app", "config", key, value]);
    }
    env.git_succeeds(&["config", "--global", "remote.global.url", &url]);
    crate::support::harness::write_private(
        &env.home().join(".git-credentials"),
        &format!("{url}\n"),
    );
    crate::support::harness::write_private(
        &env.home().join(".netrc"),
        &format!("machine bitbucket.org login ada password {APP_PASSWORD}\n"),
    );
    for arguments in [
        &["doctor"][..],
        &["scrub", "app", "--dry-run"],
        &["scrub", "app", "--json"],
        &["scrub", "--global"],
        &["import", "--dry-run"],
        &["import", "helper:store"],
        &["import", "--remove"],
        &["setup", "--guard"],
        &["status"],
    ] {
        assert_silent(&env.program(arguments, ""));
    }
    assert_nothing_leaked_into_files(&env);
}

/// Commands that write down their own arguments and environment before they become the real ones.
#[cfg(target_os = "linux")]
fn with_witnesses(env: &mut TestEnv) -> PathBuf {
    let folder = env.path().join("witnesses");
    let log = env.path().join("seen");
    fs::create_dir(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    for name in ["git", "curl"] {
        let real = path
            .split(':')
            .map(|folder| Path::new(folder).join(name))
            .find(|path| path.exists());
        let script = format!(
            "#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ >>'{}'\nexec '{}' \"$@\"\n",
            log.display(),
            real.unwrap().display()
        );
        crate::support::harness::write_program(&folder.join(name), &script);
    }
    let own = Path::new(PROGRAM).parent().unwrap().display().to_string();
    env.set("PATH", &format!("{}:{own}:{path}", folder.display()));
    log
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_that_is_started_is_told_a_secret_as_argument_or_in_its_environment() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in) = TestEnv::with_stand_in();
    let log = with_witnesses(&mut env);
    stand_in.repository("acme/app");
    let handle = stand_in.allow(Credential::api_token(API_TOKEN));
    let login = [
        "login",
        "one",
        "--with-token",
        "--store",
        "file",
        "--for",
        "acme/app",
        "--email",
        "ada@example.com",
    ];
    let url = format!("https://ada:{ACCESS_TOKEN}@bitbucket.org/beta/app.git");
    crate::support::harness::write_private(
        &env.home().join(".git-credentials"),
        &format!("{url}\n"),
    );
    env.git_succeeds(&["init", "--quiet", "app"]);
    let config = env.home().join("app/.git/config");
    fs::write(&config, format!("[remote \"x\"]\n\turl = {url}\n")).unwrap();
    let ca = stand_in.ca_file().display().to_string();
    let rest = "https://api.bitbucket.org/2.0/repositories/acme/app";
    stand_in.consumer("KEY", API_TOKEN);
    env.set("BROWSER", "curl -s");
    let commands: [&[&str]; 13] = [
        &[
            "login",
            "grant",
            "--client-id",
            "KEY",
            "--no-browser",
            "--with-token",
        ],
        &login,
        &["setup", "--guard"],
        &["curl", "-sS", "--cacert", &ca, rest],
        &["token", "one"],
        &["doctor"],
        &["doctor", "https://bitbucket.org/acme/app.git"],
        &["scrub", "app"],
        &["import", "--remove"],
        &["import", "helper:store"],
        &["status", "--verify"],
        &["get"],
        &["logout", "--all"],
    ];
    for fails in [false, true] {
        if fails {
            handle.revoke();
        }
        for arguments in commands {
            let input = if arguments[0] == "get" {
                "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n".to_owned()
            } else {
                API_TOKEN.to_owned()
            };
            env.program(arguments, input);
        }
    }
    let seen = fs::read(&log).unwrap();
    let count = |word: &[u8]| {
        seen.windows(word.len())
            .filter(|part| *part == word)
            .count()
    };
    assert!(
        count(b"curl\0") > 0 && count(b"config\0") > 3,
        "the witnesses were asked"
    );
    assert!(!leaks(&seen), "{}", String::from_utf8_lossy(&seen));
}

#[cfg(target_os = "linux")]
#[test]
fn no_other_program_of_the_user_can_look_into_ours() {
    let env = TestEnv::new();
    let (mut shell, program) = env.shell_of_a_plain_user();
    let script = r#"
        mkfifo request
        "$1" get <request &
        exec 3>request
        closed=no core=allowed
        for attempt in $(seq 500); do
            case $(cat /proc/$!/comm) in git-credential-*)
                cat /proc/$!/environ /proc/$!/maps >/dev/null 2>&1 || { closed=yes; break; } ;;
            esac
            sleep 0.01
        done
        cat /proc/$$/environ >/dev/null && echo "own: open"
        grep -q '^Max core file size  *0  *0 ' /proc/$!/limits && core=none
        echo "closed: $closed, core: $core"
        exec 3>&-
        wait"#;
    shell.args(["-c", script, "sh"]).arg(program);
    let outcome = run(shell, b"");
    assert_eq!(
        outcome.stdout, "own: open\nclosed: yes, core: none\n",
        "{outcome:?}"
    );
}

#[test]
fn a_damaged_store_is_described_without_its_content() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let rest = format!("\n{API_TOKEN}\n");
    for (name, content) in [
        ("accounts.toml", format!("x = 1{rest}")),
        ("config.toml", format!("hosts = '{API_TOKEN}'")),
        ("setup.toml", rest.clone()),
        ("secrets", rest.clone()),
        ("secrets.key", rest.clone()),
    ] {
        let path = env.data().join(name);
        let before = fs::read(&path).ok();
        crate::support::harness::write_private(&path, &content);
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["doctor"],
            &["setup"],
            &["logout", "nobody"],
        ] {
            assert_silent(&env.program(arguments, ""));
        }
        // These two may answer where the damage is none of theirs.
        for arguments in [&["token", "work"][..], &["get"]] {
            let outcome = env.program(arguments, "protocol=https\nhost=bitbucket.org\n");
            assert!(!leaks(outcome.stderr.as_bytes()), "{outcome:?}");
        }
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_is_started_with_a_secret_in_its_arguments_or_environment() {
    if !has(&["strace"]) {
        return;
    }
    let (env, stand_in) = TestEnv::with_stand_in();
    stand_in.repository("acme/app");
    stand_in.allow(Credential::api_token(API_TOKEN));
    env.program(&["setup"], "");
    let trace = env.path().join("trace");
    let traced = |arguments: &[&str], input: &str| {
        let mut command = env.command("strace");
        command
            .args([
                "-f",
                "-v",
                "-s",
                "100000",
                "-e",
                "trace=execve",
                "-o",
                trace.to_str().unwrap(),
            ])
            .args(arguments);
        let outcome = run(command, input.as_bytes());
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let text = fs::read(&trace).unwrap();
        assert!(!leaks(&text), "{}", String::from_utf8_lossy(&text));
        String::from_utf8_lossy(&text).into_owned()
    };
    traced(
        &[
            PROGRAM,
            "login",
            "--no-verify",
            "--with-token",
            "--store",
            "file",
        ],
        API_TOKEN,
    );
    traced(&[PROGRAM, "status"], "");
    let text = traced(&["git", "clone", "https://bitbucket.org/acme/app.git"], "");
    assert!(
        text.contains("git-credential-bitbucket"),
        "the helper was seen: {text}"
    );
}
