//! Homes that are not as usual: read-only, another user's, a snap's, none.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::harness::{API_TOKEN, Outcome, PROGRAM, STATIC, TestEnv, reply, run};

const FIX: &str = "hint: set GIT_CREDENTIAL_BITBUCKET_HOME to a folder of your own\n";

const PLACE: &str = "protocol=https\nhost=bitbucket.org\n";

const LOGIN: [&str; 6] = [
    "login",
    "--with-token",
    "--no-verify",
    "--store",
    "file",
    "other",
];

#[cfg(target_os = "linux")]
fn assert_one_line_and_its_fix(outcome: &Outcome, error: &str) {
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    let lines: Vec<_> = outcome.stderr.split_inclusive('\n').collect();
    let is_told = lines[0].contains(error) && lines[1].ends_with(FIX);
    assert!(lines.len() == 2 && is_told, "{error}: {outcome:?}");
}

/// Runs the program where the environment's folder is read-only.
#[cfg(target_os = "linux")]
fn read_only(env: &TestEnv, arguments: &[&str], input: &str) -> Option<Outcome> {
    use crate::support::disk::namespace;

    let way = namespace(env)?;
    let mut command = env.command(way[0]);
    let script =
        "mount --bind \"$D\" \"$D\" && mount -o remount,ro,bind \"$D\" || exit 99; exec \"$@\"";
    command
        .args(&way[1..])
        .args(["sh", "-c", script, "sh", PROGRAM])
        .args(arguments)
        .env("D", env.path());
    Some(run(command, input.as_bytes()))
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_home_answers_and_says_what_it_cannot_keep() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let Some(answer) = read_only(&env, &["get"], PLACE) else {
        return;
    };
    assert_eq!(answer.stdout, reply(STATIC, API_TOKEN), "{answer:?}");
    let worked = format!("{PLACE}username={STATIC}\npassword={API_TOKEN}\n");
    let outcome = read_only(&env, &["store"], &worked).unwrap();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let outcome = read_only(&env, &["status", "--json"], "").unwrap();
    assert!(outcome.stdout.contains("\"work\""), "{outcome:?}");
    // In the middle of git's output there is no hint.
    let outcome = read_only(&env, &["erase"], &worked).unwrap();
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    for arguments in [&LOGIN[..], &["logout", "work"]] {
        let outcome = read_only(&env, arguments, API_TOKEN).unwrap();
        assert_one_line_and_its_fix(&outcome, "Read-only file system");
    }

    // Where nobody has signed in, git goes on.
    let empty = TestEnv::new();
    let outcome = read_only(&empty, &["get"], PLACE).unwrap();
    outcome.assert_says_at_most_why();
    let line = "nobody has signed in to bitbucket.org";
    assert!(
        outcome.stdout.is_empty() && outcome.stderr.contains(line),
        "{outcome:?}"
    );
    let outcome = read_only(&empty, &LOGIN, API_TOKEN).unwrap();
    assert_one_line_and_its_fix(&outcome, "cannot make the folder");
}

/// `sudo -u` with the caller's HOME, as some set-ups keep it. root itself is told in the tests of the policy.
#[test]
fn a_home_of_another_user_is_named_with_the_fix() {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    let env = TestEnv::new();
    fs::set_permissions(env.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let foreign = env.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    let (mut shell, program) = env.shell_of_a_plain_user();
    // Only root can give a folder away, and only then is the shell another user's.
    if chown(&foreign, Some(12345), None).is_err() {
        return;
    }
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o700)).unwrap();
    shell
        .args(["-c", "\"$0\" get </dev/null; printf 'protocol=https\nhost=bitbucket.org\n' | \"$0\" get; \"$0\" status"])
        .arg(program)
        .env("HOME", &foreign)
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME");
    let outcome = run(shell, b"");
    let told: Vec<_> = outcome.stderr.lines().collect();
    let error = "Permission denied";
    assert!(
        told.len() == 4 && told[0].contains(error) && told[2].contains(error),
        "{outcome:?}"
    );
    let is_fix = |line: &str| FIX.contains(line.split("bitbucket: ").last().unwrap());
    assert!(is_fix(told[1]) && is_fix(told[3]), "{outcome:?}");
}

/// The program in a home without a variable of ours, as VS Code's snap starts it or as a terminal does.
fn in_home(env: &TestEnv, moved: Option<&Path>, arguments: &[&str], input: &str) -> Outcome {
    let mut command = env.command(PROGRAM);
    command
        .args(arguments)
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME");
    if let Some(moved) = moved {
        command
            .env("XDG_DATA_HOME", moved.join(".local/share"))
            .env("XDG_CONFIG_HOME", moved.join(".config"));
    }
    run(command, input.as_bytes())
}

#[test]
fn a_snap_and_a_terminal_share_the_accounts() {
    let env = TestEnv::new();
    let snap = env.home().join("snap/code/171");
    let outcome = in_home(&env, Some(&snap), &LOGIN, API_TOKEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for moved in [None, Some(&*snap), Some(&*env.home().join("snap/code/172"))] {
        let answer = in_home(&env, moved, &["get"], PLACE);
        assert_eq!(answer.stdout, reply(STATIC, API_TOKEN), "{answer:?}");
    }
    assert!(!env.home().join("snap").exists());
    assert!(
        env.home()
            .join(".local/share/git-credential-bitbucket/accounts.toml")
            .exists()
    );

    // Any other place is the user's own choice.
    let own: PathBuf = env.path().join("own");
    let answer = in_home(&env, Some(&own), &["get"], PLACE);
    assert_eq!((answer.status, answer.stdout.as_str()), (0, ""));
}

#[test]
fn no_account_yet_names_the_folder_and_what_moved_it() {
    let env = TestEnv::new();
    let usual = env.home().join(".local/share/git-credential-bitbucket");
    let here = usual.display();
    let login = "'git credential-bitbucket login' adds one";
    let first = |outcome: Outcome| outcome.stderr.lines().next().unwrap().to_owned();
    let status = |moved: Option<&Path>| first(in_home(&env, moved, &["status"], ""));
    let own = env.path().join("own");
    let data = own.join(".local/share/git-credential-bitbucket");
    let moved = format!(
        "No account yet in '{}', set by XDG_DATA_HOME",
        data.display()
    );
    assert_eq!(status(None), format!("No account yet in '{here}': {login}"));
    assert_eq!(status(Some(&own)), format!("{moved}: {login}"));

    assert_eq!(in_home(&env, None, &LOGIN, API_TOKEN).status, 0);
    let but = format!("but accounts lie in '{here}'");
    assert_eq!(
        status(Some(&own)),
        format!("{moved}, {but}: unset XDG_DATA_HOME to use them")
    );
    let variable = "GIT_CREDENTIAL_BITBUCKET_HOME";
    assert_eq!(
        first(env.program(&["status"], "")),
        format!(
            "No account yet in '{}', set by {variable}, {but}: unset {variable} to use them",
            env.data().display()
        )
    );
}

#[test]
fn under_sudo_it_says_so() {
    let env = TestEnv::new();
    let mut command = env.command(PROGRAM);
    command
        .arg("status")
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
        // A user of every system, in whose home are no accounts.
        .env("SUDO_USER", "daemon");
    let outcome = run(command, b"");
    let said = "git-credential-bitbucket', set by sudo: 'git";
    assert!(outcome.stderr.contains(said), "{outcome:?}");
}
