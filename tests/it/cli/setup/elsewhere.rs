//! A configuration that somebody else manages or copies: containers, Nix, read-only homes.

use super::included::{at_home, setup_at_home};
use super::{config, include, included};
use crate::support::harness::{API_TOKEN, Outcome, PROGRAM, TestEnv, has, reply, run};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

#[test]
fn in_a_container_a_copied_gitconfig_does_no_harm_and_the_forwarder_answers() {
    let host = TestEnv::new();
    setup_at_home(&host, &[]);
    let mut container = TestEnv::new();
    fs::copy(host.git_config(), container.git_config()).unwrap();
    // What an IDE writes into the container's system scope.
    let forwarder = container.path().join("forwarder");
    crate::support::harness::write_program(
        &forwarder,
        "#!/bin/sh\n[ \"$1\" = get ] && printf 'username=ada\\npassword=forwarded\\n'\nexit 0\n",
    );
    let system = container.path().join("system-gitconfig");
    let text = format!("[credential]\n\thelper = {}\n", forwarder.display());
    fs::write(&system, text).unwrap();
    container.set("GIT_CONFIG_NOSYSTEM", "0");
    container.set("GIT_CONFIG_SYSTEM", system.to_str().unwrap());
    let fill = |env: &TestEnv| {
        let request = b"protocol=https\nhost=bitbucket.org\npath=acme/app\n\n";
        run(at_home(env, "git", &["credential", "fill"]), request)
    };
    let outcome = fill(&container);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert!(
        outcome.stdout.contains("password=forwarded\n"),
        "{outcome:?}"
    );
    // On the host the include cuts such a helper off.
    let mut on_host = host;
    on_host.set("GIT_CONFIG_NOSYSTEM", "0");
    on_host.set("GIT_CONFIG_SYSTEM", system.to_str().unwrap());
    assert_ne!(fill(&on_host).status, 0);
}

#[test]
fn print_shows_both_files_and_writes_nothing() {
    let env = TestEnv::new();
    env.login(
        "BBDC-canary",
        &["--host", "git.corp.example", "--username", "ada"],
    );
    let before = config(&env);
    let printed = env.program(&["setup", "--print", "--guard"], "");
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    assert_eq!(config(&env), before);
    for name in ["gitconfig", "setup.toml", "setup.lock"] {
        assert!(!env.data().join(name).exists(), "{name}");
    }
    env.program(&["setup", "--guard"], "");
    let file = env.data().join("gitconfig");
    assert_eq!(
        printed.stdout,
        format!(
            "# {}\n{}# {}\n{}",
            env.git_config().display(),
            include(&env),
            file.display(),
            included(&env)
        )
    );
    assert!(printed.stdout.contains("git.corp.example"), "{printed:?}");
    assert_eq!(
        env.program(&["setup", "--print"], "").stdout,
        printed.stdout
    );
    let plain = env.program(&["setup", "--print", "--no-guard"], "").stdout;
    assert!(!plain.contains("\n[transfer]"), "{plain}");
    assert_eq!(env.program(&["setup", "--print", "--undo"], "").status, 2);
}

/// A folder that only its manager can change, with the files of this text in it.
fn store(env: &TestEnv, files: &[(&str, &str)]) -> PathBuf {
    let store = env.path().join("nix-store");
    fs::create_dir(&store).unwrap();
    for (name, text) in files {
        fs::write(store.join(name), text).unwrap();
        fs::set_permissions(store.join(name), fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(&store, fs::Permissions::from_mode(0o555)).unwrap();
    store
}

/// Runs the program without root's way around modes.
fn as_anybody(env: &TestEnv, arguments: &[&str], input: &str) -> Outcome {
    let mut command = at_home(
        env,
        "setpriv",
        &["--bounding-set=-all", "--inh-caps=-all", PROGRAM],
    );
    command.args(arguments);
    run(command, input.as_bytes())
}

#[test]
fn a_configuration_that_another_program_manages_gets_the_lines_to_declare() {
    if !has(&["setpriv"]) {
        return;
    }
    let env = TestEnv::new();
    let text = config(&env);
    let store = store(&env, &[("gitconfig", &text)]);
    fs::remove_file(env.git_config()).unwrap();
    std::os::unix::fs::symlink(store.join("gitconfig"), env.git_config()).unwrap();
    let outcome = as_anybody(&env, &["setup"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("error: git's configuration cannot be changed here: "),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .ends_with("'git credential-bitbucket setup --print'\n"),
        "{outcome:?}"
    );
    assert_eq!(config(&env), text);
    let file = env
        .home()
        .join(".config/git-credential-bitbucket/gitconfig");
    assert!(!file.exists(), "nothing includes it");
    let printed = as_anybody(&env, &["setup", "--print"], "");
    assert_eq!(printed.status, 0, "{printed:?}");
}

#[test]
fn what_is_declared_contents_doctor_setup_and_login() {
    if !has(&["setpriv"]) {
        return;
    }
    let env = TestEnv::new();
    let printed = as_anybody(&env, &["setup", "--print"], "").stdout;
    let title = format!("# {}/.config", env.home().display());
    let at = printed.find(&title).unwrap();
    let text = format!("{}{}", config(&env), &printed[..at]);
    let rest = printed[at..].split_once('\n').unwrap().1;
    let store = store(&env, &[("gitconfig", &text), ("included", rest)]);
    let file = env
        .home()
        .join(".config/git-credential-bitbucket/gitconfig");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::remove_file(env.git_config()).unwrap();
    std::os::unix::fs::symlink(store.join("gitconfig"), env.git_config()).unwrap();
    std::os::unix::fs::symlink(store.join("included"), &file).unwrap();
    assert_eq!(as_anybody(&env, &["setup"], "").status, 0);
    let login = ["login", "--with-token", "--no-verify", "--store", "file"];
    let outcome = as_anybody(&env, &login, API_TOKEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
    let git = at_home(&env, "git", &["credential", "fill"]);
    let answer = run(git, b"protocol=https\nhost=bitbucket.org\n\n").stdout;
    let expected = reply("x-bitbucket-api-token-auth", API_TOKEN);
    assert!(answer.ends_with(&expected), "{answer}");
    let doctor = as_anybody(&env, &["doctor", "--all"], "").stdout;
    for id in ["chain.bitbucket.org", "setup"] {
        assert!(doctor.contains(&format!("pass  {id}")), "{doctor}");
    }
    assert!(!doctor.contains("setup' "), "{doctor}");

    // A host that the declared file lacks is no reason to fail.
    let more = ["--host", "git.corp.example", "--username", "ada"];
    let outcome = as_anybody(&env, &[&login[..], &more].concat(), "BBDC-canary");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("warning: git.corp.example: git does not ask this helper\n"),
        "{outcome:?}"
    );
    let outcome = as_anybody(&env, &["setup"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.ends_with("setup --print'\n"), "{outcome:?}");
    // What is another program's stays at an undo.
    let outcome = as_anybody(&env, &["setup", "--undo"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(file.is_symlink());
}
