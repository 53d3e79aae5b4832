//! git's operations through the real binary: what is answered, and what is not.

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, PROGRAM, STATIC, TestEnv, ephemeral, reply, run,
};
use crate::support::terminal::Terminal;
use std::fs;

#[test]
fn capability_names_the_protocol_version_and_authtype() {
    let outcome = TestEnv::new().program(&["capability"], "");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (0, "version 0\ncapability authtype\n")
    );
}

#[test]
fn a_mistyped_command_is_no_operation_of_gits() {
    let env = TestEnv::new();
    for (words, hint) in [
        (
            &["lgoin", "work"][..],
            "did you mean 'git credential-bitbucket login'?",
        ),
        (
            &["stauts", "--json"],
            "did you mean 'git credential-bitbucket status'?",
        ),
        (
            &["frobnicate", "x"],
            "'git credential-bitbucket -h' lists the commands",
        ),
    ] {
        let outcome = env.program(words, "");
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (2, ""),
            "{outcome:?}"
        );
        let word = words[0];
        for said in [&format!("error: '{word}' is not a command"), hint] {
            assert!(outcome.stderr.contains(said), "{outcome:?}");
        }
    }
    let outcome = env.program(&["lgoin"], "");
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (0, ""),
        "git passes one word"
    );
}

#[test]
fn an_unknown_operation_is_ignored_in_silence() {
    let outcome = TestEnv::new().program(
        &["frobnicate"],
        "protocol=https\nhost=bitbucket.org\n".repeat(10_000),
    );
    assert_eq!(
        (
            outcome.status,
            outcome.stdout.as_str(),
            outcome.stderr.as_str()
        ),
        (0, "", "")
    );
}

#[test]
fn each_kind_is_answered_with_its_own_user_name() {
    let rows: [(&str, &[&str], &str); 3] = [
        (API_TOKEN, &["--username", "ada"], STATIC),
        (ACCESS_TOKEN, &[], "x-token-auth"),
        (APP_PASSWORD, &["--username", "ada"], "ada"),
    ];
    for (secret, arguments, username) in rows {
        let env = TestEnv::new();
        env.login(secret, arguments);
        assert_eq!(env.get_cloud(""), reply(username, secret));
        assert_eq!(
            env.get_cloud("capability[]=authtype\ncapability[]=state\n"),
            ephemeral(&reply(username, secret))
        );
    }
}

#[test]
fn a_data_center_token_goes_with_its_user_name_and_only_to_its_host() {
    let env = TestEnv::new();
    env.login(
        "BBDC-canary",
        &["--host", "Git.Corp.Example:7990", "--username", "ada"],
    );
    let at = |host: &str| {
        env.get(&format!(
            "protocol=https\nhost={host}\npath=scm/prj/app.git\n"
        ))
    };
    assert_eq!(at("git.corp.example:7990"), reply("ada", "BBDC-canary"));
    for host in ["git.corp.example", "git.corp.example:7991", "bitbucket.org"] {
        assert_eq!(at(host), "", "{host}");
    }
}

#[test]
fn rest_is_answered_with_the_e_mail_and_a_token_that_wants_bearer_with_a_header() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--email", "ada@example.com"]);
    let rest = "protocol=https\nhost=api.bitbucket.org\n";
    assert_eq!(env.get(rest), reply("ada@example.com", API_TOKEN));

    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &[]);
    let header = ephemeral(&format!("authtype=Bearer\ncredential={ACCESS_TOKEN}\n"));
    assert_eq!(env.get(&format!("{rest}capability[]=authtype\n")), header);
    let outcome = env.program(&["get"], rest);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome.stderr.contains("only as Bearer"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_trace_tells_what_was_decided_and_no_secret() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    let file = env.path().join("trace.log");
    for target in ["1", file.to_str().unwrap()] {
        env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", target);
        let mut said = String::new();
        for operation in ["get", "store", "erase"] {
            let request = format!(
                "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername={STATIC}\npassword={API_TOKEN}\n"
            );
            said += &env.program(&[operation], request).stderr;
        }
        if target != "1" {
            assert_eq!(said, "");
            said = fs::read_to_string(&file).unwrap();
        }
        for step in [
            "get: protocol https, host bitbucket.org, path acme/app.git; with user name, password",
            "decision: 'work': Answers; 0 do not fit",
            "store: has it",
            "reply: user name 'x-bitbucket-api-token-auth' and password",
            "store: it is what 'work' has already",
            "erase: 0 to remove, 1 to set aside",
            " ms  done",
        ] {
            assert!(said.contains(step), "{step} in {said}");
        }
        assert!(!said.contains("canary"), "{said}");
        env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "0");
        env.login(API_TOKEN, &["work"]);
    }
}

#[test]
fn what_git_gave_with_an_end_that_has_passed_is_not_answered_and_hides_nothing() {
    let env = TestEnv::new();
    let place = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";
    let old = "username=bob\npassword=old\npassword_expiry_utc=1000000000\n";
    let outcome = env.program(&["store"], format!("{place}{old}"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let alone = env.program(&["get"], place);
    assert_eq!((alone.status, alone.stdout.as_str()), (0, ""));
    let outcome = env.program(
        &["store"],
        format!("{place}username=ada\npassword=good\npassword_expiry_utc=9999999999\n"),
    );
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    // The newest of those that git gave would answer.
    let outcome = env.program(&["store"], format!("{place}{old}"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let answer = env.get(place);
    assert!(answer.contains("username=ada\npassword=good\n"), "{answer}");
}

#[cfg(unix)]
#[test]
fn the_trace_goes_to_a_file_of_the_users_own_alone() {
    use std::os::unix::fs::{chown, symlink};

    let mut env = TestEnv::new();
    let (target, link) = (env.path().join("target"), env.path().join("link"));
    let foreign = env.path().join("foreign");
    for path in [&target, &foreign] {
        fs::write(path, "").unwrap();
    }
    symlink(&target, &link).unwrap();
    let dangling = env.path().join("dangling");
    symlink(env.path().join("made"), &dangling).unwrap();
    let mut places = vec![(&link, &target)];
    let made = env.path().join("made");
    places.push((&dangling, &made));
    // Only root can give a file away.
    if chown(&foreign, Some(12345), None).is_ok() {
        places.push((&foreign, &foreign));
    }
    for (named, written) in places {
        env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", named.to_str().unwrap());
        env.program(&["get"], "protocol=https\nhost=bitbucket.org\n");
        let said = fs::read_to_string(written).unwrap_or_default();
        assert_eq!(said, "", "{}", named.display());
    }
    assert!(!made.exists());
}

/// pre-commit and others drop every variable of git's.
#[test]
fn the_variables_have_second_names_for_programs_that_drop_gits() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let trace = env.path().join("trace.log");
    let get = |first: Option<&str>| {
        let mut command = env.command(PROGRAM);
        command
            .arg("get")
            .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
            .env("BITBUCKET_CREDENTIAL_HOME", env.data())
            .env("BITBUCKET_CREDENTIAL_TRACE", &trace)
            .envs(first.map(|home| ("GIT_CREDENTIAL_BITBUCKET_HOME", home)));
        run(command, b"protocol=https\nhost=bitbucket.org\n")
    };
    for first in [None, Some("")] {
        assert_eq!(get(first).stdout, reply(STATIC, API_TOKEN));
    }
    assert!(
        fs::read_to_string(&trace)
            .unwrap()
            .contains("reply: user name")
    );
    // The first name counts where both are set.
    let empty = env.path().join("empty").display().to_string();
    assert_eq!(get(Some(&empty)).stdout, "");
    assert!(
        get(Some("data"))
            .stderr
            .contains("GIT_CREDENTIAL_BITBUCKET_HOME is not")
    );
    let mut command = env.command(PROGRAM);
    command
        .arg("status")
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
        .env("BITBUCKET_CREDENTIAL_HOME", "data");
    let error = "error: BITBUCKET_CREDENTIAL_HOME is not an absolute path\n";
    assert!(run(command, b"").stderr.contains(error));
}

/// git forgets what stands before `url=`.
#[test]
fn the_hint_about_bearer_works_with_a_url_too() {
    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &[]);
    env.configure_plain();
    let fill = |request: &str| {
        let mut command = env.command("git");
        command.args(["credential", "fill"]);
        env.forget_what_was_said();
        run(command, request.as_bytes())
    };
    let url = "url=https://api.bitbucket.org/2.0/user\n";
    let place = "protocol=https\nhost=api.bitbucket.org\n";
    let line = "capability[]=authtype\n";
    for request in [url.to_owned(), place.to_owned(), format!("{line}{url}")] {
        let outcome = fill(&request);
        assert!(
            outcome.stderr.contains("only as Bearer"),
            "{request}: {outcome:?}"
        );
    }
    if let Some(terminal) = Terminal::open(&env) {
        env.forget_what_was_said();
        terminal.types(&format!("printf '{place}' | git-credential-bitbucket get"));
        terminal.expect("hint: put the line 'capability[]=authtype' at the end of");
    }
    for place in [url, place] {
        let outcome = fill(&format!("{place}{line}"));
        assert!(
            outcome
                .stdout
                .contains(&format!("credential={ACCESS_TOKEN}\n")),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_relative_folder_for_the_programs_files_is_refused() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    for home in ["data", "./data", "../data"] {
        for arguments in [
            &["get"][..],
            &["login", "other", "--with-token"],
            &["status"],
        ] {
            let mut command = env.command(PROGRAM);
            command
                .args(arguments)
                .current_dir(env.path())
                .env("GIT_CREDENTIAL_BITBUCKET_HOME", home);
            let outcome = run(command, b"protocol=https\nhost=bitbucket.org\n");
            assert_eq!(
                (outcome.status, outcome.stdout.as_str()),
                (1, ""),
                "{outcome:?}"
            );
            let error = "error: GIT_CREDENTIAL_BITBUCKET_HOME is not an absolute path\n";
            assert!(outcome.stderr.contains(error), "{outcome:?}");
        }
    }
}
