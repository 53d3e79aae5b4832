//! What git gives, what `login` reads and what lies in the open are kept only where that is allowed.

use super::{CLOUD, change, exec_store, machine, machine_with_stand_in};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, reply, write_private};
use crate::support::stand_in::Credential;
use crate::support::terminal::Terminal;
use std::fs;

#[test]
fn what_git_gives_is_not_kept_where_that_is_not_allowed() {
    let Some(env) = machine("") else { return };
    let given = |secret: &str| format!("{CLOUD}username=ada\npassword={secret}\n");
    for (policy, secret) in [
        ("stores = [\"vault\"]", API_TOKEN),
        ("stores = [\"exec\"]\nkinds = []", API_TOKEN),
        ("kinds = [\"access-token\"]", API_TOKEN),
        ("kinds = [\"api-token\"]", APP_PASSWORD),
        ("kinds = [\"app-password\"]", "no-prefix-canary"),
        ("require_expiry = true", API_TOKEN),
        ("hosts = [\"git.corp.example\"]", API_TOKEN),
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        let outcome = env.program(&["store"], given(secret));
        assert_eq!(
            (outcome.status, outcome.stderr.as_str()),
            (0, ""),
            "{policy}: {outcome:?}"
        );
        assert!(env.accounts().is_empty(), "{policy}");
        assert!(!env.data().join("secrets").exists(), "{policy}");
    }
    // With an end that the server told it is another matter.
    change(&env, "[policy]\nrequire_expiry = true\n");
    env.program(
        &["store"],
        format!("{}password_expiry_utc=9999999999\n", given("no-prefix")),
    );
    assert_eq!(env.accounts().len(), 1);
}

#[test]
fn somebody_at_a_terminal_is_told_that_what_git_gives_is_not_kept() {
    let Some(env) = machine("[policy]\nkinds = [\"access-token\"]\n") else {
        return;
    };
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.configure_plain();
    let given = format!("{CLOUD}username=ada\npassword={API_TOKEN}\n");
    write_private(&env.home().join("given"), &given);
    terminal.types("git credential approve <given; echo status $?");
    let screen = terminal.expect("status 0");
    let screen = screen.replace('\n', "");
    assert!(
        screen.contains("warning: what git gave is not kept: the policy of this machine does not allow the kind 'api-token'"),
        "{screen}"
    );
    assert!(env.accounts().is_empty());
}

#[test]
fn what_git_gives_is_kept_although_an_account_that_is_not_allowed_has_it() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    change(&env, "[policy]\nstores = [\"exec\"]\n");
    let Some(program) = exec_store(&env) else {
        return;
    };
    write_private(
        &env.data().join("config.toml"),
        &format!("[store.exec]\nprogram = \"{program}\"\n"),
    );
    let given = format!("{CLOUD}username=x-bitbucket-api-token-auth\npassword={API_TOKEN}\n");
    let outcome = env.program(&["store"], given);
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (0, ""),
        "{outcome:?}"
    );
    assert_eq!(
        env.get_cloud("username=x-bitbucket-api-token-auth\n"),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    let stores: Vec<_> = env
        .accounts()
        .iter()
        .map(|account| account["store"].clone())
        .collect();
    assert_eq!(stores, ["file", "exec"]);
}

#[test]
fn first_contact_asks_for_nothing_that_it_could_not_keep() {
    for (policy, what) in [
        ("stores = [\"vault\"]", "a secret to be kept"),
        ("kinds = [\"access-token\"]", "the kind 'api-token'"),
        ("require_expiry = true", "a secret without an expiry date"),
    ] {
        let Some((env, stand_in)) = machine_with_stand_in(&format!("[policy]\n{policy}\n")) else {
            return;
        };
        stand_in.repository("acme/app");
        env.configure_plain();
        let Some(terminal) = Terminal::open(&env) else {
            return;
        };
        terminal.types("git ls-remote https://bitbucket.org/acme/app.git");
        // git's own question.
        let screen = terminal.expect("Username for").replace('\n', "");
        assert!(
            screen.contains("Nobody has signed in to bitbucket.org yet") && screen.contains(what),
            "{screen}"
        );
        assert!(!screen.contains("Token for"), "{screen}");
    }
}

#[test]
fn a_token_of_another_kind_typed_at_first_contact_is_not_handed_to_git() {
    let Some((env, stand_in)) = machine_with_stand_in("[policy]\nkinds = [\"api-token\"]\n") else {
        return;
    };
    stand_in.repository("acme/app");
    stand_in.allow(Credential::access_token(ACCESS_TOKEN));
    env.configure_plain();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types("git ls-remote https://bitbucket.org/acme/app.git");
    terminal.expect("Token for bitbucket.org (it will not show):");
    terminal.types(ACCESS_TOKEN);
    let screen = terminal.expect("Username for").replace('\n', "");
    assert!(
        screen.contains("does not allow the kind 'access-token'"),
        "{screen}"
    );
    assert_eq!(stand_in.count(|request| request.authorization.is_some()), 0);
}

#[test]
fn scrub_leaves_a_secret_in_its_url_that_it_cannot_keep() {
    let Some(env) = machine("") else { return };
    let repository = env.home().join("site");
    env.git_succeeds(&["init", "-q", repository.to_str().unwrap()]);
    let url = format!("https://ada:{APP_PASSWORD}@bitbucket.org/acme/site.git");
    let git = |arguments: &[&str]| {
        let all = [&["-C", repository.to_str().unwrap()][..], arguments].concat();
        env.git_succeeds(&all).stdout
    };
    git(&["remote", "add", "origin", &url]);
    let path = repository.to_str().unwrap();
    for policy in [
        "stores = [\"vault\"]",
        "kinds = [\"api-token\"]",
        "require_expiry = true",
        "hosts = []",
    ] {
        change(
            &env,
            &format!("[policy]\n{policy}\n[store]\ndefault = \"auto\"\n"),
        );
        for dry in [&["scrub", path, "--dry-run"][..], &["scrub", path]] {
            let outcome = env.program(dry, "");
            assert_eq!(outcome.status, 1, "{policy}: {outcome:?}");
            assert!(
                outcome
                    .stderr
                    .contains("the policy of this machine does not allow "),
                "{outcome:?}"
            );
            assert!(outcome.stdout.contains("still there"), "{outcome:?}");
            assert!(
                !outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"),
                "{outcome:?}"
            );
            assert_eq!(git(&["remote", "get-url", "origin"]).trim(), url);
        }
    }
    assert!(env.accounts().is_empty());
}

#[test]
fn scrub_does_not_take_out_what_only_an_account_has_that_is_not_allowed() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    let repository = env.home().join("site");
    let path = repository.to_str().unwrap();
    env.git_succeeds(&["init", "-q", path]);
    let url = format!("https://x-bitbucket-api-token-auth:{API_TOKEN}@bitbucket.org/acme/site.git");
    env.git_succeeds(&["-C", path, "remote", "add", "origin", &url]);
    change(&env, "[policy]\nstores = [\"vault\"]\n");
    let outcome = env.program(&["scrub", path], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    // Why is said once: the store has not failed.
    assert!(!outcome.stderr.contains("cannot tell what"), "{outcome:?}");
    let kept = env.git_succeeds(&["-C", path, "remote", "get-url", "origin"]);
    assert_eq!(kept.stdout.trim(), url);
    change(&env, "[policy]\nstores = [\"file\"]\n");
    assert_eq!(env.program(&["scrub", path], "").status, 0);
    let kept = env.git_succeeds(&["-C", path, "remote", "get-url", "origin"]);
    assert!(!kept.stdout.contains("canary"), "{kept:?}");
}

#[test]
fn import_takes_over_and_removes_nothing_that_it_cannot_keep() {
    let Some(env) = machine("[policy]\nkinds = [\"api-token\"]\nstores = [\"file\"]\n") else {
        return;
    };
    let path = env.home().join(".git-credentials");
    let lines = format!(
        "https://ada:{APP_PASSWORD}@bitbucket.org\nhttps://x-bitbucket-api-token-auth:{API_TOKEN}@bitbucket.org\n"
    );
    write_private(&path, &lines);
    let why =
        "cannot store 'ada': the policy of this machine does not allow the kind 'app-password'\n";
    let outcome = env.program(&["import", "--dry-run"], "");
    assert!(
        outcome.status == 1 && outcome.stderr.contains(why),
        "{outcome:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), lines);
    let outcome = env.program(&["import", "--remove"], "");
    assert!(
        outcome.status == 1 && outcome.stderr.contains(why),
        "{outcome:?}"
    );
    let left = fs::read_to_string(&path).unwrap();
    assert_eq!(left, format!("https://ada:{APP_PASSWORD}@bitbucket.org\n"));
    assert_eq!(env.accounts().len(), 1);
}
