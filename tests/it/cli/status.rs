//! `status`: the accounts, their state, and what to do.

use crate::support::harness::{API_TOKEN, APP_PASSWORD, TestEnv, another};
use crate::support::terminal::Terminal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn status_shows_a_table_and_says_what_to_do() {
    let env = TestEnv::new();
    env.configure_plain();
    env.login(
        API_TOKEN,
        &[
            "work",
            "--for",
            "Acme",
            "--for",
            "acme/app.git",
            "--expires",
            "2099-01-31",
        ],
    );
    env.login(APP_PASSWORD, &["old", "--username", "ada"]);
    let outcome = env.program(&["status"], "");
    assert_eq!(outcome.status, 1, "an app password needs attention");
    assert_eq!(
        outcome.stdout,
        "NAME  KIND          HOST           FOR            OWNER  DEFAULT  STORE  EXPIRES     STATE\n\
         work  api-token     bitbucket.org  acme,acme/app  -      yes      file   2099-01-31  unchecked\n\
         old   app-password  bitbucket.org  -              -      yes      file   -           retired\n"
    );
    assert_eq!(
        outcome.stderr,
        "'work' is unchecked: bitbucket.org has not seen its secret yet: 'git credential-bitbucket edit work --email ADDRESS' allows the check\n\
         'old' is an app password; Bitbucket removed these on 2026-07-28 (git shows error 410): 'git credential-bitbucket login old' replaces it\n"
    );
    assert_eq!(env.program(&["status", "work"], "").status, 0);
    assert_eq!(env.program(&["status", "nobody"], "").status, 1);
}

#[test]
fn status_as_json_keeps_its_contract() {
    let env = TestEnv::new();
    env.login(
        API_TOKEN,
        &["work", "--email", "ada@example.com", "--for", "acme"],
    );
    let mut accounts = env.accounts();
    let added = accounts[0]["added"].take();
    let added = added.as_str().unwrap();
    assert!(added.len() == 20 && added.ends_with('Z'), "{added}");
    let expected = serde_json::json!([{
        "name": "work", "host": "bitbucket.org", "kind": "api-token", "username": null, "email": "ada@example.com",
        "for": ["acme"], "owner": null, "default": true, "store": "file", "expires": null, "origin": "login", "added": null,
        "state": "unchecked",
    }]);
    assert_eq!(serde_json::Value::Array(accounts), expected);
    assert_eq!(
        TestEnv::new().program(&["status", "--json"], "").stdout,
        "{\n  \"accounts\": []\n}\n"
    );
}

#[test]
fn status_tells_the_states_apart() {
    let env = TestEnv::new();
    let day = |days: i64| {
        let date = std::process::Command::new("date")
            .args(["-u", "-d", &format!("{days} days"), "+%F"])
            .output();
        String::from_utf8(date.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    for (name, days) in [("expired", -1), ("today", 0), ("soon", 13), ("later", 20)] {
        let token = another(API_TOKEN, env.accounts().len());
        env.login(&token, &[name, "--for", name, "--expires", &day(days)]);
    }
    let state = |name: &str| {
        let accounts = env.accounts();
        let account = accounts
            .iter()
            .find(|account| account["name"] == name)
            .expect("the account");
        account["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!(
        ["expired", "today", "soon", "later"].map(state),
        ["expired", "expiring", "expiring", "unchecked"]
    );
    env.has_worked("path=later/x\n");
    assert_eq!(state("later"), "ok");
    assert_eq!(env.program(&["status", "soon"], "").status, 0);
    assert_eq!(env.program(&["status", "expired"], "").status, 1);

    fs::remove_file(env.data().join("secrets")).unwrap();
    assert_eq!(state("later"), "missing");
    fs::write(env.data().join("secrets"), "").unwrap();
    fs::set_permissions(
        env.data().join("secrets"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    assert_eq!(state("later"), "unreachable");
}

#[test]
fn a_signed_in_again_account_loses_the_day_on_which_the_old_secret_expired() {
    let env = TestEnv::new();
    env.login(
        API_TOKEN,
        &[
            "work",
            "--email",
            "ada@example.com",
            "--expires",
            "2026-01-01",
        ],
    );
    env.login(&API_TOKEN.replace("0A1B", "9999"), &["work"]);
    let account = &env.accounts()[0];
    assert_eq!(account["state"], "unchecked");
    assert_eq!(account["expires"], serde_json::Value::Null);
    assert_eq!(
        account["email"], "ada@example.com",
        "what was not named stays"
    );
}

#[test]
fn status_tells_of_a_token_in_the_environment_and_of_its_refusal() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_TOKEN", API_TOKEN);
    let told = |text: &str| {
        let stderr = env.program(&["status"], "").stderr;
        assert!(stderr.contains(text), "{stderr}");
    };
    told("BITBUCKET_TOKEN is set and answers for bitbucket.org ahead of the accounts");
    env.program(
        &["erase"],
        format!("protocol=https\nhost=bitbucket.org\npassword={API_TOKEN}\n"),
    );
    told("BITBUCKET_TOKEN is set, but bitbucket.org refused it");
}

#[test]
fn status_tells_of_an_app_password_in_the_environment() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_USERNAME", "ada");
    env.set("BITBUCKET_APP_PASSWORD", APP_PASSWORD);
    let told = env.program(&["status"], "").stderr;
    assert!(
        told.contains(
            "BITBUCKET_APP_PASSWORD is an app password; Bitbucket removed these on 2026-07-28"
        ),
        "{told}"
    );
    assert!(told.contains("set BITBUCKET_API_TOKEN instead"), "{told}");
}

#[test]
fn the_default_is_who_answers_for_a_place_of_its_own() {
    let env = TestEnv::new();
    let login = |name: &str, places: &[&str]| {
        let options = places.iter().flat_map(|place| ["--for", place]);
        let options: Vec<&str> = [name].into_iter().chain(options).collect();
        env.login(&another(API_TOKEN, env.accounts().len()), &options);
    };
    login("me", &[]);
    login("you", &[]);
    login("acme", &["acme"]);
    login("also", &["acme", "beta"]);
    login("again", &["acme"]);
    login("site", &["acme/site"]);
    env.login(
        "BBDC-1",
        &[
            "dc",
            "--host",
            "git.corp.example/stash",
            "--username",
            "ada",
        ],
    );
    env.login(
        "BBDC-2",
        &["other", "--host", "git.corp.example", "--username", "bob"],
    );
    let defaults = || {
        let accounts = env.accounts();
        let defaults = accounts.iter().filter(|account| account["default"] == true);
        let names = defaults.map(|account| account["name"].as_str().unwrap());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(defaults(), "me acme also site dc other");
    env.program(&["switch", "you"], "");
    env.program(&["switch", "again"], "");
    assert_eq!(defaults(), "again you also site dc other");
}

#[test]
fn no_line_is_wider_than_the_terminal_however_long_the_names() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let (name, place) = ("n".repeat(120), format!("acme/{}", "r".repeat(100)));
    env.login(API_TOKEN, &[&name, "--for", &place, "--for", "acme"]);
    env.login(&another(API_TOKEN, 1), &["short"]);
    terminal.types_anew("git-credential-bitbucket status 2>/dev/null; echo do''ne");
    let screen = terminal.expect("done");
    let widest = screen.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{screen}");
    assert!(
        screen.contains("\n  owner    -\n  default  yes\n"),
        "{screen}"
    );
    assert!(
        screen.contains("\nshort\n  kind     api-token\n"),
        "{screen}"
    );
}
