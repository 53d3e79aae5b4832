//! Accounts, stores, and our own files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use super::{assert_starts, doctor, edit_accounts, finding, found, one};
use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, another, write_private,
};

#[test]
fn what_is_the_matter_with_an_account_is_said_with_its_mend() {
    let env = TestEnv::new();
    let login = |arguments: &[&str]| {
        // One token is one account.
        let number = env.accounts().len();
        env.login(&another(ACCESS_TOKEN, number), arguments)
    };
    login(&["soon", "--for", "a", "--expires", &in_days(3)]);
    login(&["late", "--for", "b", "--expires", "2026-01-31"]);
    login(&["fine", "--for", "c", "--expires", &in_days(300)]);
    env.login(APP_PASSWORD, &["old", "--username", "ada", "--for", "d"]);
    login(&["gone", "--for", "e"]);
    login(&["new", "--for", "g"]);
    env.has_worked("path=c/x\n");
    env.has_worked("path=e/x\n");
    login(&["lost", "--for", "f"]);
    let (_, checks) = doctor(&env, &[]);
    assert_starts(&one(&checks, "account.soon"), "warn: 'soon' expires on ");
    assert_eq!(
        one(&checks, "account.late"),
        "fail: 'late' has expired on 2026-01-31; fix: 'git credential-bitbucket login late' replaces it"
    );
    assert_eq!(
        one(&checks, "account.fine"),
        "pass: 'fine' is an access token for c on bitbucket.org"
    );
    assert_starts(
        &one(&checks, "account.old"),
        "fail: 'old' is an app password; Bitbucket removed these",
    );
    assert_starts(&one(&checks, "account.gone"), "pass: ");
    assert_eq!(
        one(&checks, "account.new"),
        "warn: 'new' is unchecked: bitbucket.org has not seen its secret yet; fix: 'git credential-bitbucket status --verify new' checks it"
    );

    // git reports that it was refused; somebody took its secret away; its kind and its host do not go together.
    env.program(
        &["erase"],
        format!(
            "protocol=https\nhost=bitbucket.org\npath=e/x\nusername=x-token-auth\npassword={}\n",
            another(ACCESS_TOKEN, 4)
        ),
    );
    let text = fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    let entry = text.split("lost@bitbucket.org#").nth(1).unwrap();
    let entry = format!("lost@bitbucket.org#{}", &entry[..8]);
    edit_accounts(&env, &entry, "lost@bitbucket.org#00000000");
    edit_accounts(
        &env,
        "name = \"fine\"\nhost = \"bitbucket.org\"\nkind = \"access-token\"",
        "name = \"fine\"\nhost = \"bitbucket.org\"\nkind = \"http-access-token\"",
    );
    edit_accounts(&env, "username = \"ada\"\n", "");
    let (_, checks) = doctor(&env, &[]);
    assert_starts(
        &one(&checks, "account.gone"),
        "fail: 'gone' was refused by bitbucket.org and is set aside",
    );
    assert_starts(
        &one(&checks, "account.lost"),
        "fail: 'lost' has no secret in the file",
    );
    assert_starts(
        &one(&checks, "account.fine"),
        "fail: 'fine' can never answer: an HTTP access token does not exist on bitbucket.org; fix: 'git credential-bitbucket logout fine'",
    );
    assert_starts(
        &one(&checks, "account.old"),
        "fail: 'old' can never answer: it lacks a user name; fix: add it: 'git credential-bitbucket edit old --username NAME'",
    );
    env.follow(&one(&checks, "account.old"), "NAME", "ada");
    let (_, checks) = doctor(&env, &[]);
    assert_starts(
        &one(&checks, "account.old"),
        "fail: 'old' is an app password",
    );
}

fn in_days(days: i64) -> String {
    use jiff::ToSpan as _;
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    today.saturating_add(days.days()).to_string()
}

#[test]
fn a_file_that_others_can_read_is_named_once() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["me"]);
    assert_starts(
        &finding(&env, "files"),
        "pass: nobody else can read or change accounts.toml, ",
    );
    let open = |name: &str, mode: u32| {
        let path = env.data().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open("secrets.key", 0o644);
    let (_, checks) = doctor(&env, &[]);
    assert_starts(&one(&checks, "files.secrets.key"), "fail: '");
    assert_starts(&one(&checks, "store.file"), "fail: ");
    assert_eq!(
        one(&checks, "account.me"),
        "skip: 'me' was not checked: see store.file"
    );
    open("secrets.key", 0o600);

    open("accounts.toml", 0o644);
    let (_, checks) = doctor(&env, &[]);
    let accounts = one(&checks, "accounts");
    assert!(
        accounts.contains("can be read by others (mode 0644); fix: 'chmod 600 /"),
        "{accounts}"
    );
    assert!(
        found(&checks, "files.accounts.toml").is_empty(),
        "{checks:?}"
    );
    open("accounts.toml", 0o600);

    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o777)).unwrap();
    let (_, checks) = doctor(&env, &[]);
    assert!(
        one(&checks, "accounts").contains("others can write to the folder"),
        "{checks:?}"
    );
}

#[test]
fn a_store_that_is_not_there_is_named_and_its_accounts_are_not_judged() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["one"]);
    env.login(ACCESS_TOKEN, &["two", "--for", "acme"]);
    assert_eq!(
        finding(&env, "store.file"),
        "pass: the store 'file' answers"
    );
    edit_accounts(&env, "store = \"file\"", "store = \"keyring\"");
    let (status, checks) = doctor(&env, &[]);
    assert_eq!(status, 1);
    let store = one(&checks, "store.keyring");
    assert_starts(&store, "fail: cannot reach the OS keyring");
    assert!(store.contains("; fix: "), "{store}");
    for account in ["one", "two"] {
        assert_eq!(
            one(&checks, &format!("account.{account}")),
            format!("skip: '{account}' was not checked: see store.keyring")
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_keyring_that_never_answers_is_waited_for_once() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["one"]);
    env.login(ACCESS_TOKEN, &["two", "--for", "acme"]);
    edit_accounts(&env, "store = \"file\"", "store = \"keyring\"");
    let socket = env.path().join("bus");
    let _bus = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    env.set(
        "DBUS_SESSION_BUS_ADDRESS",
        &format!("unix:path={}", socket.display()),
    );
    let start = Instant::now();
    let outcome = env.program(&["doctor"], "");
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    assert!(
        outcome
            .stdout
            .contains("fail  store.keyring  the OS keyring did not answer within 5 seconds"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn what_config_toml_cannot_say_is_told_without_its_value() {
    let env = TestEnv::new();
    let with = |text: &str| {
        fs::create_dir_all(env.data()).unwrap();
        write_private(&env.data().join("config.toml"), text);
        found(&doctor(&env, &[]).1, "config")
    };
    let unknown = with("hosts = []\ntokn = 'canary'\n[store.fil]\nx = 'canary'\n");
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    assert_starts(&unknown[0], "warn: unknown key in ");
    assert!(
        unknown[0].contains("config.toml:2: 'tokn'; fix: "),
        "{unknown:?}"
    );
    let wrong = with("[store]\ndefault = 'canary'\n");
    assert!(wrong[0].contains("line 2: invalid value"), "{wrong:?}");
    let relative = with("[store.file]\npath = 'secrets'\n");
    assert!(
        relative[0].contains("is not an absolute path"),
        "{relative:?}"
    );
    assert_starts(&with("hosts = []\n")[0], "pass: ");
}
