//! The real keyring: gnome-keyring on a session bus of its own, as the desktop starts it.

use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, reply};
use crate::support::keyring::in_session;

fn requested() -> String {
    format!("printf 'protocol=https\\nhost=bitbucket.org\\n' | timeout 30 '{PROGRAM}' get")
}

#[test]
fn auto_chooses_the_keyring_and_says_so() {
    let mut env = TestEnv::new();
    env.configure_plain();
    let script = format!(
        "printf '%s' '{API_TOKEN}' | '{PROGRAM}' login --no-verify --with-token work && {}",
        requested()
    );
    let Some(outcome) = in_session(&mut env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.stderr,
        "Stored the secret of 'work' for bitbucket.org in the OS keyring\n"
    );
    assert_eq!(
        outcome.stdout,
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    assert!(!env.data().join("secrets").exists());
}

#[test]
fn a_keyring_keeps_long_secrets_replaces_and_forgets_them() {
    let mut env = TestEnv::new();
    env.configure_plain();
    let long = "x".repeat(6_000);
    let count =
        "secret-tool search --all service git-credential-bitbucket 2>/dev/null | grep -c '^secret'";
    let script = format!(
        "set -e; login() {{ '{PROGRAM}' login --no-verify --with-token --kind access-token work; }}
         printf '%s' short | login; printf '%s' '{long}' | login
         {}; {count}; '{PROGRAM}' logout work; {count} || true",
        requested()
    );
    let Some(outcome) = in_session(&mut env, &script) else {
        return;
    };
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        outcome.stdout,
        format!("{}1\n0\n", reply("x-token-auth", &long)),
        "the old entry is gone"
    );
}

#[test]
fn what_git_gave_is_kept_in_the_keyring_and_erased_from_it() {
    let mut env = TestEnv::new();
    env.configure_plain();
    let credential = "protocol=https\\nhost=bitbucket.org\\nusername=ada\\npassword=j\\374rgen\\n";
    let script = format!(
        "set -e; printf '{credential}' | '{PROGRAM}' store; {}; '{PROGRAM}' status --json
         printf '{credential}' | '{PROGRAM}' erase; {}",
        requested(),
        requested()
    );
    let Some(outcome) = in_session(&mut env, &script) else {
        return;
    };
    // The last one finds nobody.
    let line = "git-credential-bitbucket: warning: nobody has signed in to bitbucket.org: \
                'git credential-bitbucket login' signs in\n";
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (0, line),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stdout
            .starts_with("username=ada\npassword=j\u{fffd}rgen\n{"),
        "{outcome:?}"
    );
    assert!(
        outcome.stdout.contains("\"store\": \"keyring\"") && outcome.stdout.ends_with("}\n"),
        "{outcome:?}"
    );
}

#[test]
fn a_locked_keyring_is_named_and_git_goes_on() {
    let mut env = TestEnv::new();
    env.configure_plain();
    let lock = "gdbus call --session -d org.freedesktop.secrets -o /org/freedesktop/secrets \
                -m org.freedesktop.Secret.Service.Lock \"['/org/freedesktop/secrets/collection/login']\" >/dev/null";
    let script = format!(
        "printf '%s' '{API_TOKEN}' | '{PROGRAM}' login --no-verify --with-token work && {lock}; {}",
        requested()
    );
    let Some(outcome) = in_session(&mut env, &script) else {
        return;
    };
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    let error = "git-credential-bitbucket: error: cannot read the secret of 'work': the OS keyring is locked\n\
                 git-credential-bitbucket: hint: unlock it, for example by signing in to the desktop, and try again\n";
    assert!(outcome.stderr.ends_with(error), "{}", outcome.stderr);
}
