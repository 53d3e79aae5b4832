//! `login` refuses what is not allowed, and `doctor` finds it.

use super::{assert_refused, change, exec_store, in_a_year, machine, machine_with_stand_in};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, reply};
use crate::support::stand_in::Credential;
use crate::support::terminal::Terminal;
use std::fs;

#[test]
fn login_refuses_before_it_reads_a_token_what_it_can_tell_by_then() {
    let Some(env) = machine("") else { return };
    for (policy, arguments, why, act) in [
        (
            "stores = [\"keyring\"]",
            &["--store", "file"][..],
            "the store 'file'",
            "choose a store that it allows with '--store': keyring",
        ),
        (
            "stores = [\"vault\"]",
            &[],
            "a secret to be kept",
            "put the secret where the policy allows a lookup: vault",
        ),
        (
            "kinds = [\"api-token\", \"oauth\"]",
            &["--kind", "app-password", "--username", "ada"],
            "the kind 'app-password'",
            "give a secret of a kind that it allows: api-token, oauth",
        ),
        (
            "kinds = [\"http-access-token\"]",
            &[],
            "the kind 'api-token'",
            "give a secret of a kind that it allows: http-access-token",
        ),
        (
            "kinds = [\"api-token\"]",
            &["--client-id", "KEY"],
            "the kind 'oauth'",
            "give a secret of a kind that it allows: api-token",
        ),
        (
            "require_expiry = true",
            &[],
            "a secret without an expiry date",
            "give the expiry date: '--expires YYYY-MM-DD'",
        ),
        (
            "hosts = [\"git.corp.example\"]",
            &[],
            "the host bitbucket.org",
            "sign in to a host that it allows: git.corp.example",
        ),
    ] {
        change(&env, &format!("[policy]\n{policy}\n"));
        let all = [&["login", "work"][..], arguments].concat();
        // Without a terminal it would say so, if it came as far as to ask.
        let asked = env.program(&all, "");
        let told = env.program(&[&all[..], &["--with-token"]].concat(), API_TOKEN);
        for outcome in [asked, told] {
            assert_refused(
                &outcome,
                &format!("error: the policy of this machine does not allow {why}\n"),
            );
            assert!(
                outcome.stderr.ends_with(&format!("hint: {act}\n")),
                "{outcome:?}"
            );
        }
        assert!(env.accounts().is_empty());
    }
}

#[test]
fn login_shows_nobody_a_secret_of_a_kind_that_is_not_allowed() {
    let Some((env, stand_in)) = machine_with_stand_in("[policy]\nkinds = [\"access-token\"]\n")
    else {
        return;
    };
    stand_in.allow(Credential::api_token(API_TOKEN));
    let arguments = [
        "login",
        "work",
        "--with-token",
        "--store",
        "file",
        "--email",
        "a@b.example",
    ];
    let outcome = env.program(&arguments, API_TOKEN);
    assert_refused(&outcome, "does not allow the kind 'api-token'\n");
    assert_eq!(stand_in.count(|_| true), 0);

    change(&env, "");
    env.login(API_TOKEN, &["work", "--email", "a@b.example"]);
    change(&env, "[policy]\nkinds = [\"access-token\"]\n");
    let outcome = env.program(&["status", "--verify"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert_eq!(
        stand_in.count(|_| true),
        0,
        "nor when somebody wants to know"
    );
    env.program(&["curl", "https://api.bitbucket.org/2.0/user"], "");
    assert_eq!(stand_in.count(|_| true), 0);
}

#[test]
fn login_picks_a_store_that_is_allowed_and_moves_an_account_out_of_one_that_is_not() {
    let Some(env) = machine("[policy]\nstores = [\"file\"]\n") else {
        return;
    };
    for store in [&[][..], &["--store", "auto"]] {
        let all = [&["login", "work", "--with-token", "--no-verify"][..], store].concat();
        let outcome = env.program(&all, API_TOKEN);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(
            !outcome.stderr.contains("keyring"),
            "it is not asked: {outcome:?}"
        );
        assert_eq!(env.accounts()[0]["store"], "file");
    }
    // Only a program is left.
    let program = exec_store(&env).unwrap();
    change(
        &env,
        &format!("[store.exec]\nprogram = \"{program}\"\n[policy]\nstores = [\"exec\"]\n"),
    );
    let outcome = env.program(&["login", "work", "--with-token", "--no-verify"], API_TOKEN);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(env.accounts()[0]["store"], "exec");
    assert_eq!(env.accounts().len(), 1);
    let left = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert!(!left.contains("work@"), "the old secret is gone");
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    // No keyring here, and nothing else is allowed: no message sends anybody to the file.
    change(&env, "[policy]\nstores = [\"keyring\"]\n");
    let outcome = env.program(
        &["login", "other", "--with-token", "--no-verify"],
        API_TOKEN,
    );
    assert_refused(
        &outcome,
        "error: cannot keep it where the policy of this machine allows it: ",
    );
    assert!(!outcome.stderr.contains("--store file"), "{outcome:?}");
}

#[test]
fn a_secret_moves_out_of_a_store_that_is_not_allowed_any_more() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["my work"]);
    env.has_worked("");
    let program = exec_store(&env).unwrap();
    let machine = |rules: &str| {
        let text = format!("[store.exec]\nprogram = \"{program}\"\n[policy]\n{rules}\n");
        change(&env, &text);
    };
    machine("stores = [\"exec\"]\nkinds = [\"oauth\"]");
    let outcome = env.program(&["edit", "my work", "--store", "exec"], "");
    assert_refused(&outcome, "does not allow");
    assert_eq!(env.accounts()[0]["store"], "file", "nothing has moved");
    machine("stores = [\"exec\"]\nrequire_expiry = true");
    let outcome = env.program(&["edit", "my work", "--store", "exec"], "");
    assert_refused(&outcome, "does not allow a secret without an expiry date");

    machine("stores = [\"exec\"]");
    let outcome = env.program(&["status"], "");
    assert!(
        outcome.stderr.contains("'my work' is not used"),
        "{outcome:?}"
    );
    env.follow(&outcome.stderr, "", "");
    assert_eq!(env.accounts()[0]["store"], "exec");
    assert_eq!(
        env.get_cloud(""),
        reply("x-bitbucket-api-token-auth", API_TOKEN)
    );
    let left = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert!(!left.contains("work@"), "the old secret is gone");
    // What the policy would then forbid is not changed.
    machine("stores = [\"exec\"]\nrequire_expiry = true");
    env.program(&["edit", "my work", "--expires", &in_a_year()], "");
    let outcome = env.program(&["edit", "my work", "--expires", ""], "");
    assert_refused(&outcome, "does not allow a secret without an expiry date");
    assert_eq!(env.accounts()[0]["expires"], in_a_year());
}

#[test]
fn at_a_terminal_the_day_is_asked_for_until_it_is_said() {
    let Some(env) = machine("[policy]\nrequire_expiry = true\nkinds = [\"access-token\"]\n") else {
        return;
    };
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.configure_plain();
    terminal.types("git credential-bitbucket login ci --no-verify --store file --for acme/site; echo status $?");
    let screen = terminal.expect("Token for bitbucket.org (it will not show):");
    assert!(
        !screen.contains("id.atlassian.com"),
        "no page for what is not allowed: {screen}"
    );
    terminal.types(ACCESS_TOKEN);
    terminal.expect("Expiry date, YYYY-MM-DD:");
    terminal.types("");
    terminal.expect("The policy of this machine requires an expiry date");
    terminal.types(&in_a_year());
    terminal.expect("status 0");
    assert_eq!(env.accounts()[0]["expires"], in_a_year());
}

#[test]
fn doctor_shows_the_policy_in_one_line_and_each_account_in_breach_fails() {
    let Some(env) = machine("") else { return };
    let doctor = |arguments: &[&str]| {
        let outcome = env.program(
            &[&["doctor", "--offline", "--json"][..], arguments].concat(),
            "",
        );
        assert!(!outcome.stdout.contains("canary"), "{outcome:?}");
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        json["checks"].as_array().unwrap().clone()
    };
    let told = |checks: &[serde_json::Value], id: &str| {
        let of = |check: &serde_json::Value| {
            format!(
                "{}: {}; {}",
                check["outcome"], check["message"], check["hint"]
            )
            .replace('"', "")
        };
        let own = checks.iter().filter(|check| check["id"] == id);
        own.map(of).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        told(&doctor(&[]), "policy"),
        "warn: '/etc/git-credential-bitbucket/config.toml' is there, but says nothing: nothing is forbidden; \
         have it looked at by whoever administers this machine"
    );
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    env.login(
        ACCESS_TOKEN,
        &["fine", "--for", "other", "--expires", &in_a_year()],
    );
    env.has_worked("path=other/x\n");
    env.has_worked("path=acme/x\n");
    change(
        &env,
        "[policy]\nstores = [\"file\", \"vault\"]\nkinds = [\"api-token\", \"access-token\"]\nhosts = [\"Bitbucket.org\"]\n\
         require_expiry = true\n",
    );
    let checks = doctor(&[]);
    assert_eq!(
        told(&checks, "policy"),
        "pass: '/etc/git-credential-bitbucket/config.toml' allows only: stores file, vault; kinds api-token, access-token; \
         hosts bitbucket.org; secrets with an expiry date; null"
    );
    assert_eq!(
        told(&checks, "account.work"),
        "fail: 'work' is not used: the policy of this machine does not allow a secret without an expiry date; \
         'git credential-bitbucket edit work --expires YYYY-MM-DD' adds the date"
    );
    assert!(told(&checks, "account.fine").starts_with("pass: "));
    env.program(&["setup"], "");
    let checks = doctor(&["https://bitbucket.org/acme/site"]);
    assert!(
        told(&checks, "answer").starts_with("fail: 'work' is not used: the policy"),
        "{checks:?}"
    );
    env.follow(
        &told(&doctor(&[]), "account.work"),
        "YYYY-MM-DD",
        &in_a_year(),
    );
    assert!(told(&doctor(&[]), "account.work").starts_with("pass: "));
    change(&env, "[policy]\nstores = []\nkinds = []\nhosts = []\n");
    let checks = doctor(&[]);
    assert!(
        told(&checks, "policy").ends_with("allows only: no stores; no kinds; no hosts; null"),
        "{checks:?}"
    );
    assert!(told(&checks, "account.fine").starts_with("fail: "));
}
