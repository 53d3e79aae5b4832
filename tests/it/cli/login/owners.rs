//! Whose the accounts are: `login` never takes away a token that is still of use.

use std::thread;

use serde_json::Value;

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, Outcome, TestEnv, another};
use crate::support::stand_in::{Credential, Handle, StandIn};
use crate::support::terminal::Terminal;

const WITHOUT_USER: [&str; 2] = ["read:repository:bitbucket", "write:repository:bitbucket"];

fn start() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    env.configure_plain();
    stand_in.repository("acme/app");
    (env, stand_in)
}

fn login(env: &TestEnv, secret: &str, arguments: &[&str]) -> Outcome {
    let always = ["login", "--with-token", "--store", "file"];
    let outcome = env.program(&[&always, arguments].concat(), secret);
    assert_eq!(outcome.status, 0, "{arguments:?}: {outcome:?}");
    outcome
}

/// A new token of a person.
fn token_of(stand_in: &StandIn, person: &str, number: usize) -> (String, Handle) {
    let letters = person.bytes().map(usize::from).sum::<usize>();
    let token = another(API_TOKEN, letters * 16 + number);
    let email = format!("{person}@example.com");
    let handle = stand_in.allow(Credential::api_token(&token).user(person).email(&email));
    (token, handle)
}

fn sign_in(env: &TestEnv, person: &str, token: &str, more: &[&str]) -> String {
    let email = format!("{person}@example.com");
    login(env, token, &[&["--email", &email], more].concat()).stderr
}

/// Of each account these values, in the order of `status`.
fn shown(env: &TestEnv, keys: &[&str]) -> Vec<String> {
    let value = |account: &Value, key: &str| match &account[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let all = env.accounts();
    all.iter()
        .map(|account| {
            let values: Vec<String> = keys.iter().map(|key| value(account, key)).collect();
            values.join(" ")
        })
        .collect()
}

fn secret(env: &TestEnv, name: &str) -> String {
    env.program(&["token", name], "").stdout.trim().to_owned()
}

#[test]
fn two_people_have_an_account_each_in_whatever_order_they_sign_in() {
    for people in [["ada", "bob"], ["bob", "ada"]] {
        let (env, stand_in) = start();
        let [one, other] = people;
        let (first, _) = token_of(&stand_in, one, 1);
        let (second, _) = token_of(&stand_in, other, 1);
        assert!(sign_in(&env, one, &first, &[]).contains(&format!("Stored the secret of '{one}'")));
        let said = sign_in(&env, other, &second, &[]);
        let new = format!(
            "'{other}' is a new account, after '{one}': 'git credential-bitbucket switch {other}' puts it first\n"
        );
        assert!(said.contains(&new), "{said}");
        let rows = |default: [bool; 2]| {
            let row = |(person, default): (&str, bool)| format!("{person} {person} {default}");
            people.into_iter().zip(default).map(row).collect::<Vec<_>>()
        };
        let keys = ["name", "owner", "default"];
        assert_eq!(shown(&env, &keys), rows([true, false]));

        // A new token of the same person takes the place of the old one, which is still to be revoked.
        let (third, handle) = token_of(&stand_in, one, 2);
        let said = sign_in(&env, one, &third, &[]);
        assert!(
            said.contains(&format!("Replaced the secret of '{one}'")),
            "{said}"
        );
        let page =
            "until it is revoked: https://id.atlassian.com/manage-profile/security/api-tokens\n";
        let revoke = format!("Bitbucket accepts the old token of '{one}' {page}");
        assert!(said.contains(&revoke), "{said}");
        assert_eq!(
            shown(&env, &keys),
            rows([true, false]),
            "it keeps its place"
        );
        assert_eq!((secret(&env, one), secret(&env, other)), (third, second));
        handle.revoke();
        let (fourth, _) = token_of(&stand_in, one, 3);
        let said = sign_in(&env, one, &fourth, &[]);
        assert!(!said.contains("the old token"), "it works no more: {said}");
        assert_eq!(shown(&env, &keys), rows([true, false]));
    }
}

#[test]
fn the_e_mail_that_bitbucket_accepted_tells_the_owner_where_it_names_no_user() {
    let (env, stand_in) = start();
    let (first, handle) = token_of(&stand_in, "ada", 1);
    handle.set_scopes(WITHOUT_USER);
    sign_in(&env, "ada", &first, &[]);
    let (second, handle) = token_of(&stand_in, "bob", 1);
    handle.set_scopes(WITHOUT_USER);
    sign_in(&env, "bob", &second, &[]);
    let of = |shown: Vec<String>| shown.join(", ");
    assert_eq!(
        of(shown(&env, &["name", "owner"])),
        "bitbucket.org ada@example.com, bitbucket.org-2 bob@example.com"
    );
    let (third, _) = token_of(&stand_in, "bob", 2);
    sign_in(&env, "bob", &third, &[]);
    assert_eq!(
        of(shown(&env, &["name", "owner"])),
        "bitbucket.org ada@example.com, bitbucket.org-2 bob"
    );
    assert_eq!(secret(&env, "bitbucket.org"), first);
}

#[test]
fn where_nobody_says_whose_they_are_both_tokens_stay() {
    let (env, stand_in) = start();
    let handles: Vec<Handle> = (0..2)
        .map(|number| stand_in.allow(Credential::api_token(&another(API_TOKEN, number))))
        .collect();
    for number in 0..2 {
        login(&env, &another(API_TOKEN, number), &["--for", "acme/app"]);
    }
    assert_eq!(
        shown(&env, &["name", "owner"]),
        ["acme-app null", "acme-app-2 null"]
    );
    // A token that Bitbucket refuses is of no use at its place, and its account takes the new one.
    handles[1].revoke();
    let new = another(API_TOKEN, 3);
    stand_in.allow(Credential::api_token(&new));
    let said = login(&env, &new, &["--for", "acme/app"]).stderr;
    assert!(
        said.contains("Replaced the secret of 'acme-app-2'"),
        "{said}"
    );
    assert_eq!(secret(&env, "acme-app-2"), new);
    assert_eq!(secret(&env, "acme-app"), another(API_TOKEN, 0));
    // Elsewhere it is another matter.
    let other = another(API_TOKEN, 4);
    stand_in.allow(Credential::api_token(&other));
    handles[0].revoke();
    login(&env, &other, &["--for", "acme"]);
    assert_eq!(env.accounts().len(), 3);
}

#[test]
fn a_new_token_each_month_is_one_account_and_two_tokens_of_unknown_places_are_two() {
    let (env, stand_in) = start();
    for month in 0..4 {
        let token = another(ACCESS_TOKEN, month);
        stand_in.allow(Credential::access_token(&token).sees("acme"));
        let said = login(&env, &token, &["--for", "acme"]).stderr;
        let page =
            "until it is revoked: https://bitbucket.org/acme/workspace/settings/access-tokens";
        assert_eq!(said.contains(page), month > 0, "{said}");
        assert_eq!(shown(&env, &["name"]), ["acme"]);
        assert_eq!(secret(&env, "acme"), token);
    }
    for number in 4..6 {
        let token = another(ACCESS_TOKEN, number);
        stand_in.allow(Credential::access_token(&token).sees("beta"));
        login(&env, &token, &[]);
    }
    assert_eq!(
        shown(&env, &["name"]),
        ["acme", "bitbucket.org", "bitbucket.org-2"]
    );
}

#[test]
fn one_secret_is_one_account_and_answers_wherever_it_was_to_answer() {
    let (env, stand_in) = start();
    let (token, _) = token_of(&stand_in, "ada", 1);
    sign_in(&env, "ada", &token, &["one", "--for", "acme"]);
    let said = sign_in(&env, "ada", &token, &["two", "--for", "beta"]);
    let told = "'one' had this secret already, and stays one account\n";
    assert!(said.contains(told), "{said}");
    let said = sign_in(&env, "ada", &token, &["--for", "gamma"]);
    assert!(said.contains(told), "{said}");
    assert_eq!(
        shown(&env, &["name", "for"]),
        ["one [\"acme\",\"beta\",\"gamma\"]"]
    );
    assert!(!sign_in(&env, "ada", &token, &["one"]).contains(told));
    // Also where `scrub` or git had it first.
    let (given, _) = token_of(&stand_in, "bob", 1);
    let request = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername=x-bitbucket-api-token-auth\npassword={given}\n"
    );
    env.program(&["logout", "one"], "");
    assert_eq!(env.program(&["store"], request).status, 0);
    sign_in(&env, "bob", &given, &[]);
    assert_eq!(shown(&env, &["origin", "owner"]), ["login bob"]);
}

#[test]
fn logins_at_the_same_time_lose_no_account() {
    let env = TestEnv::new();
    let at_once = |arguments: &'static [&'static str]| {
        thread::scope(|threads| {
            for number in 0..8 {
                let env = &env;
                threads.spawn(move || {
                    env.login_beside_others(&another(API_TOKEN, number), arguments);
                });
            }
        });
    };
    at_once(&[]);
    let mut names = shown(&env, &["name"]);
    names.sort();
    let numbered = (2..9).map(|number| format!("bitbucket.org-{number}"));
    let all: Vec<String> = ["bitbucket.org".to_owned()]
        .into_iter()
        .chain(numbered)
        .collect();
    assert_eq!(names, all);
    let mut secrets: Vec<String> = names.iter().map(|name| secret(&env, name)).collect();
    secrets.sort();
    let tokens: Vec<String> = (0..8).map(|number| another(API_TOKEN, number)).collect();
    assert_eq!(secrets, tokens);
    // The same eight once more are no eight more.
    at_once(&[]);
    assert_eq!(env.accounts().len(), 8);
}

#[test]
fn a_terminal_asks_before_another_s_token_is_replaced_by_name() {
    let (env, stand_in) = start();
    let (hers, handle) = token_of(&stand_in, "ada", 1);
    let (his, _) = token_of(&stand_in, "bob", 1);
    let (also_hers, _) = token_of(&stand_in, "ada", 2);
    sign_in(&env, "ada", &hers, &["work"]);
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let type_in = |token: &str, person: &str| {
        terminal.types_anew(&format!(
            "git-credential-bitbucket login work --store file --email {person}@example.com; echo do''ne"
        ));
        terminal.expect("it will not show");
        terminal.types(token);
        terminal.expect("Expiry date");
        terminal.types("");
    };
    type_in(&his, "bob");
    terminal.expect("Replace the secret of 'work' (owner ada) by this one (owner bob)? [y/N]");
    terminal.types("");
    let screen = terminal.expect("done");
    assert!(screen.contains("error: nothing was changed"), "{screen}");
    assert!(
        screen.contains("git credential-bitbucket login work-2"),
        "{screen}"
    );
    assert_eq!(secret(&env, "work"), hers);
    // The same owner needs no question.
    type_in(&also_hers, "ada");
    let screen = terminal.expect("done");
    assert!(screen.contains("Replaced the secret of 'work'"), "{screen}");
    type_in(&his, "bob");
    terminal.expect("[y/N]");
    terminal.types("y");
    terminal.expect("done");
    assert_eq!(secret(&env, "work"), his);
    // Without a terminal NAME decides.
    handle.restore();
    sign_in(&env, "ada", &hers, &["work"]);
    assert_eq!(shown(&env, &["name", "owner"]), ["work ada"]);
}

#[test]
fn a_stale_e_mail_costs_no_token_that_git_takes() {
    let (env, stand_in) = start();
    let (hers, handle) = token_of(&stand_in, "ada", 1);
    let (his, _) = token_of(&stand_in, "bob", 1);
    let at = ["--for", "acme/app"];
    sign_in(&env, "ada", &hers, &at);
    let path = env.data().join("accounts.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("ada@example", "ada.before@example")).unwrap();
    let told = env.program(&["status", "--verify"], "").stderr;
    let belongs = "Bitbucket knows the token, but it does not belong to 'ada.before@example.com'";
    assert!(told.contains(belongs), "{told}");
    assert_eq!(shown(&env, &["name", "state"]), ["ada ok"]);
    let said = sign_in(&env, "bob", &his, &at);
    assert!(said.contains("Stored the secret of 'bob'"), "{said}");
    assert_eq!((secret(&env, "ada"), secret(&env, "bob")), (hers, his));

    // Where git's address refuses it as well, it is lost.
    handle.revoke();
    env.program(&["status", "--verify"], "");
    assert_eq!(shown(&env, &["name", "state"]), ["ada rejected", "bob ok"]);
    let (third, _) = token_of(&stand_in, "eve", 1);
    let said = sign_in(&env, "eve", &third, &at);
    assert!(said.contains("Replaced the secret of 'ada'"), "{said}");
}

#[test]
fn a_data_center_that_disables_basic_costs_no_password() {
    let (env, stand_in) = start();
    let data_center = stand_in.data_center("git.corp.example", "");
    data_center.allow(Credential::password("hunter2").user("ada"));
    data_center.allow(Credential::http_access_token("BBDC-canary").user("bob"));
    let at = ["--host", "git.corp.example", "--username"];
    let password = [&at[..], &["ada", "--kind", "app-password"]].concat();
    login(&env, "hunter2", &password);
    data_center.disable_basic(true);
    let told = env.program(&["status", "--verify"], "").stderr;
    assert!(told.contains("has disabled Basic authentication"), "{told}");
    assert_eq!(shown(&env, &["name", "state"]), ["ada ok"]);
    login(&env, "BBDC-canary", &[&at[..], &["bob"]].concat());
    assert_eq!(shown(&env, &["name"]), ["ada", "bob"]);
    assert_eq!(secret(&env, "ada"), "hunter2");
}

#[test]
fn who_agreed_to_lose_one_token_is_asked_again_about_another() {
    let (env, stand_in) = start();
    let (hers, _) = token_of(&stand_in, "ada", 1);
    let (his, _) = token_of(&stand_in, "bob", 1);
    let (third, handle) = token_of(&stand_in, "eve", 1);
    sign_in(&env, "ada", &hers, &["work"]);
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types_anew(
        "git-credential-bitbucket login work --store file --email bob@example.com; echo do''ne",
    );
    terminal.expect("it will not show");
    terminal.types(&his);
    terminal.expect("Expiry date");
    terminal.types("");
    terminal.expect("(owner ada) by this one (owner bob)? [y/N]");
    sign_in(&env, "eve", &third, &["work"]);
    let secrets = || std::fs::read(env.data().join("secrets")).unwrap();
    let before = secrets();
    handle.revoke();
    terminal.types("y");
    terminal.expect("(owner eve) by this one (owner bob)? [y/N]");
    assert_ne!(secrets(), before, "it is kept before it is recorded");
    terminal.types("");
    let screen = terminal.expect("done");
    assert!(screen.contains("error: nothing was changed"), "{screen}");
    assert_eq!(secret(&env, "work"), third);
    assert_eq!(secrets().len(), before.len(), "nothing is left of it");
}

#[test]
fn an_account_of_version_0_1_learns_its_owner_when_bitbucket_is_asked() {
    let (env, stand_in) = start();
    let (old, _) = token_of(&stand_in, "ada", 1);
    sign_in(&env, "ada", &old, &[]);
    let path = env.data().join("accounts.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let is_new = |line: &&str| {
        ["owner = ", "added = ", "username = "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines: Vec<&str> = text.lines().filter(|line| !is_new(line)).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    assert_eq!(shown(&env, &["name", "owner", "added"]), ["ada null null"]);
    let (new, _) = token_of(&stand_in, "ada", 2);
    let said = sign_in(&env, "ada", &new, &[]);
    assert!(said.contains("Replaced the secret of 'ada'"), "{said}");
    assert_eq!(shown(&env, &["name", "owner", "added"]), ["ada ada null"]);

    std::fs::write(&path, lines.join("\n").replace("\n[[", "\n\n[[")).unwrap();
    env.login(&another(API_TOKEN, 9), &["other"]);
    env.program(&["status", "--verify"], "");
    assert_eq!(shown(&env, &["name", "owner"])[1], "other null");
}

#[test]
fn what_is_no_host_is_told_with_what_to_say_in_its_place() {
    let env = TestEnv::new();
    for (host, said, hint) in [
        ("bitbucket.org/acme", "takes a host alone", "'--for acme'"),
        (
            "https://bitbucket.org/acme/app.git",
            "takes a host alone",
            "'--for acme/app'",
        ),
        (
            "https://ada:secret@bitbucket.org/acme/app",
            "takes a host alone",
            "'--for acme/app'",
        ),
        (
            "git@bitbucket.org:acme/app.git",
            "takes a host alone",
            "'--for acme/app'",
        ),
        (
            "ssh://git@bitbucket.org/acme/app.git",
            "takes a host alone",
            "'--for acme/app'",
        ),
        (
            "https://bitbucket.org",
            "takes a host alone",
            "leave '--host' out\n",
        ),
        (
            "api.bitbucket.org",
            "for REST alone",
            "leave '--host' out\n",
        ),
        (
            "https://api.bitbucket.org/2.0",
            "for REST alone",
            "leave '--host' out\n",
        ),
        (
            "https://git.corp.example:7990/bitbucket/scm/prj/app.git",
            "and no URL",
            "'--host git.corp.example:7990/bitbucket --for prj/app'",
        ),
        (
            "git.corp.example/scm/prj/app.git",
            "and no URL",
            "'--host git.corp.example --for prj/app'",
        ),
        (
            "https://git.corp.example",
            "and no URL",
            "'--host git.corp.example'",
        ),
        ("git corp", "not a host name", "name the host"),
    ] {
        let outcome = env.program(&["login", "--with-token", "--host", host], "BBDC-x");
        assert_eq!(outcome.status, 2, "{host}: {outcome:?}");
        let is_told = outcome.stderr.contains(said) && outcome.stderr.contains(hint);
        assert!(
            is_told && !outcome.stderr.contains("secret"),
            "{host}: {outcome:?}"
        );
    }
    let context = [
        "--host",
        "git.corp.example/a/bitbucket",
        "--username",
        "ada",
    ];
    env.login("BBDC-x", &context);
    assert_eq!(shown(&env, &["host"]), ["git.corp.example"]);
}

#[test]
fn a_stale_e_mail_costs_no_token_while_git_s_address_says_nothing() {
    let (env, stand_in) = start();
    let (hers, _) = token_of(&stand_in, "ada", 1);
    sign_in(&env, "ada", &hers, &["--for", "acme/app"]);
    let path = env.data().join("accounts.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("ada@example", "ada.before@example")).unwrap();
    stand_in.move_workspace("acme", "https://sign-in.example/");
    let told = env.program(&["status", "--verify"], "").stderr;
    assert!(told.contains("'ada' is unchecked: "), "{told}");
    assert_eq!(shown(&env, &["name", "state"]), ["ada ok"]);
}
