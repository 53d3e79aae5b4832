//! What we start in our turn: it never has our secrets, never comes out of somebody's repository, and never keeps git
//! waiting.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, reply, run};

const REQUEST: &str = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    crate::support::harness::write_program(path, &format!("#!/bin/sh\n{text}\n"));
}

/// A folder that comes first on PATH, with these programs in it.
fn first_on_path(env: &mut TestEnv, programs: &[&str], text: &str) -> PathBuf {
    let folder = env.path().join("first");
    for program in programs {
        script(&folder.join(program), text);
    }
    let path = std::env::var("PATH").unwrap();
    env.set("PATH", &format!("{}:{path}", folder.display()));
    folder
}

#[test]
fn a_git_that_hangs_keeps_get_no_longer_than_the_time_of_an_answer() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let refused = format!("{REQUEST}password={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    first_on_path(&mut env, &["git"], "sleep 60");
    let begun = Instant::now();
    let outcome = env.program(&["get"], REQUEST);
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[test]
fn no_program_that_is_started_has_a_secret_in_its_environment() {
    let mut env = TestEnv::new();
    let log = env.path().join("environments");
    let real = |name: &str| {
        let output = run(
            {
                let mut command = env.command("sh");
                command.args(["-c", &format!("command -v {name}")]);
                command
            },
            b"",
        );
        output.stdout.trim().to_owned()
    };
    let (git, curl) = (real("git"), real("curl"));
    let text = format!(
        "env >>'{0}'; echo \"== ${{0##*/}} $*\" >>'{0}'\ncase ${{0##*/}} in git) exec {git} \"$@\" ;; curl) exec {curl} \"$@\" ;; esac",
        log.display()
    );
    let programs = ["git", "curl", "xdg-open", "browser", "git-credential-other"];
    let folder = first_on_path(&mut env, &programs, &text);
    env.login(API_TOKEN, &["work"]);
    env.set("BROWSER", folder.join("browser").to_str().unwrap());
    for variable in [
        "BITBUCKET_API_TOKEN",
        "BITBUCKET_ACCESS_TOKEN",
        "BITBUCKET_TOKEN",
        "BITBUCKET_APP_PASSWORD",
    ] {
        env.set(variable, "canary-in-the-environment");
    }
    for variable in ["BITBUCKET_STEP_OIDC_TOKEN", "VAULT_TOKEN", "BAO_TOKEN"] {
        env.set(variable, "canary-of-a-service");
    }
    env.set("BITBUCKET_USERNAME", "ada");
    env.set("BITBUCKET_EMAIL", "ada@example.com");
    let oauth = ["login", "o", "--client-id", "key", "--with-token"];
    for arguments in [
        &["get"][..],
        &["store"],
        &["erase"],
        &["status", "--verify"],
        &["doctor"],
        &["doctor", "https://bitbucket.org/acme/app.git"],
        &["setup"],
        &["setup", "--undo"],
        &["scrub", "--global", "--dry-run"],
        &["import", "helper:other"],
        &[
            "curl",
            "--max-time",
            "1",
            "https://api.bitbucket.org/2.0/user",
        ],
        &oauth,
    ] {
        let mut command = env.command("timeout");
        command.arg("5").arg(PROGRAM).args(arguments);
        run(command, REQUEST.as_bytes());
    }
    let seen = fs::read_to_string(&log).unwrap();
    for started in [
        "== git config",
        "credential fill",
        "== git-credential-other",
        "== curl",
        "== browser",
    ] {
        assert!(seen.contains(started), "{started}: {seen}");
    }
    assert!(!seen.contains("canary-in-the-environment"), "{seen}");
    // A helper may fetch its secrets from Vault; nobody else needs the token.
    let mut environment = String::new();
    for line in seen.lines() {
        let Some(started) = line.strip_prefix("== ") else {
            environment.push_str(line);
            continue;
        };
        let is_helper = started.contains("credential fill") || started.contains("credential-other");
        assert_eq!(
            environment.contains("canary-of-a-service"),
            is_helper,
            "{started}"
        );
        environment.clear();
    }
}

#[test]
fn no_program_is_taken_from_a_relative_folder_of_path() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let clone = env.path().join("clone");
    for program in ["git", "curl"] {
        script(
            &clone.join("bin").join(program),
            "touch ../started; touch started",
        );
    }
    let path = std::env::var("PATH").unwrap();
    env.set("PATH", &format!("bin::.:{path}"));
    for arguments in [
        &["get"][..],
        &["doctor"],
        &["setup"],
        &[
            "curl",
            "--max-time",
            "1",
            "https://api.bitbucket.org/2.0/user",
        ],
    ] {
        let mut command = env.command("timeout");
        command.arg("20").arg(PROGRAM).args(arguments);
        command.current_dir(&clone);
        let outcome = run(command, REQUEST.as_bytes());
        if arguments == ["get"] {
            assert_eq!(
                outcome.stdout,
                reply("x-bitbucket-api-token-auth", API_TOKEN)
            );
        }
    }
    for place in [env.path().join("started"), clone.join("started")] {
        assert!(!place.exists(), "{}", place.display());
    }
}
