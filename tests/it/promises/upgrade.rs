//! What version 0.1.0 left behind is used as it is. `tests/upgrade/make.sh` says how its files were made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, PROGRAM, TestEnv, another, reply, write_private,
};
#[cfg(target_os = "linux")]
use crate::support::keyring::in_session;
use crate::support::stand_in::StandIn;

const BEFORE: &str = "[user]\n\tname = Ada\n[alias]\n\tst = status\n";

fn made(path: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade/0.1.0");
    folder.join(path)
}

/// The home and the folder of the program, as 0.1.0 left them, in the places of this environment. One account has just
/// been refused.
fn upgraded() -> (TestEnv, StandIn) {
    let (env, stand_in) = TestEnv::with_stand_in();
    let write = |from: PathBuf, to: &Path| {
        let text = fs::read_to_string(from).unwrap();
        let text = text.replace("@HOME@", env.home().to_str().unwrap());
        let text = text.replace("@PROGRAM@", PROGRAM);
        let refused = text.lines().find(|line| line.starts_with("at = "));
        let now = format!("at = \"{}\"", jiff::Timestamp::now());
        write_private(to, &text.replace(refused.unwrap_or("at = "), &now));
    };
    let mut make = Command::new("mkdir");
    assert!(
        make.args(["-m", "700"])
            .arg(env.data())
            .status()
            .unwrap()
            .success()
    );
    write(made("home/.gitconfig"), &env.git_config());
    for name in ["accounts.toml", "secrets", "setup.toml"] {
        write(made("data").join(name), &env.data().join(name));
    }
    let key = env.data().join("secrets.key");
    write_private(&key, "");
    fs::write(&key, fs::read(made("data/secrets.key")).unwrap()).unwrap();
    (env, stand_in)
}

/// What git gets for a repository of bitbucket.org.
fn fill(env: &TestEnv, path: &str) -> String {
    let script = format!("printf 'url=https://bitbucket.org/{path}\\n' | git credential fill");
    env.shell(&script).stdout
}

fn answer(path: &str, username: &str, password: &str) -> String {
    let reply = reply(username, password);
    format!("protocol=https\nhost=bitbucket.org\npath={path}\n{reply}")
}

/// Through git, before and after `setup`.
#[test]
fn git_gets_the_same_answers_as_before() {
    let (env, _stand_in) = upgraded();
    for _ in ["0.1.0 set git up", "this version did"] {
        for (path, username, password) in [
            ("acme/x.git", "x-bitbucket-api-token-auth", API_TOKEN),
            ("beta/app.git", "x-bitbucket-api-token-auth", API_TOKEN),
            ("gamma/site.git", "x-token-auth", ACCESS_TOKEN),
        ] {
            assert_eq!(fill(&env, path), answer(path, username, password));
        }
        assert!(fill(&env, "people/x").contains("password=canary-access\n"));
        for path in ["delta/x.git", "beta/other.git", "gamma/old.git"] {
            let given = answer(path, "eve", APP_PASSWORD);
            assert_eq!(
                fill(&env, path),
                given,
                "what git gave answers for the rest"
            );
        }
        let corp = "protocol=https\nhost=git.corp.example:7990\npath=bitbucket/scm/a/b.git\n";
        let expected = reply("jürgen", "BBDC-canary-http-access-token");
        assert_eq!(env.get(corp), expected);
        assert_eq!(env.program(&["setup"], "").status, 0);
    }
}

#[test]
fn its_accounts_are_listed_as_they_were() {
    let (env, _stand_in) = upgraded();
    let text = |account: &serde_json::Value, key: &str| {
        let value = account[key].as_str();
        value
            .unwrap_or_else(|| panic!("no {key} in {account}"))
            .to_owned()
    };
    let listed: Vec<_> = env
        .accounts()
        .iter()
        .map(|it| ["name", "kind", "store", "state"].map(|key| text(it, key)))
        .collect();
    let expected = [
        ["work", "api-token", "file", "ok"],
        ["site", "access-token", "file", "ok"],
        ["refused", "access-token", "file", "rejected"],
        ["corp", "http-access-token", "file", "ok"],
        ["machine", "oauth", "file", "ok"],
        ["person", "oauth", "file", "ok"],
        ["desktop", "api-token", "keyring", "unreachable"],
        ["eve", "app-password", "file", "retired"],
    ];
    assert_eq!(listed, expected);
    let written = || -> Vec<toml::Value> {
        let text = fs::read_to_string(env.data().join("accounts.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        table["account"].as_array().unwrap().clone()
    };
    let before = written();
    env.has_worked("path=acme/x.git\n");
    let more = env.login(&another(API_TOKEN, 1), &["--for", "more", "more"]);
    assert_eq!(more.status, 0, "{more:?}");
    let after = written();
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after[..before.len()], before, "nothing of 0.1.0 is lost");
}

#[test]
fn an_oauth_grant_of_0_1_0_is_renewed() {
    let (env, stand_in) = upgraded();
    stand_in.repository("machines/app");
    stand_in.consumer("KEY", "canary-client").private();
    let accounts = env.data().join("accounts.toml");
    let text = fs::read_to_string(&accounts).unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("password_expiry_utc", _)) => "password_expiry_utc = 1000000000\n".to_owned(),
        _ => format!("{line}\n"),
    });
    write_private(&accounts, &lines.collect::<String>());
    let url = "https://bitbucket.org/machines/app.git";
    env.git_succeeds(&["clone", "--quiet", url]);
    assert!(
        !env.get_cloud("path=machines/app.git\n")
            .contains("canary-access")
    );
}

#[test]
fn setup_replaces_its_lines_and_undo_leaves_what_stood_before_them() {
    let (env, _stand_in) = upgraded();
    let config = || fs::read_to_string(env.git_config()).unwrap();
    assert!(config().starts_with(BEFORE));
    let outcome = env.program(&["setup"], "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let included = env.data().join("gitconfig");
    let include = format!("[include]\n\tpath = {}\n", included.display());
    assert_eq!(config(), format!("{BEFORE}{include}"));
    let lines = fs::read_to_string(included).unwrap();
    for kept in ["https://git.corp.example:7990\"]", "credentialsInUrl = die"] {
        assert!(lines.contains(kept), "{lines}");
    }
    assert_eq!(env.program(&["setup", "--undo"], "").status, 0);
    assert_eq!(config(), BEFORE);
}

#[test]
fn logout_removes_its_accounts_and_their_secrets() {
    let (env, _stand_in) = upgraded();
    for name in [
        "work", "site", "refused", "corp", "machine", "person", "eve",
    ] {
        let outcome = env.program(&["logout", name], "");
        assert_eq!(outcome.status, 0, "{name}: {outcome:?}");
    }
    assert_eq!(env.accounts().len(), 1, "the one in the keyring");
    let secrets = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert!(
        secrets.lines().all(|line| line.starts_with('#')),
        "{secrets}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_entry_that_it_wrote_to_the_keyring_is_read_and_removed() {
    let (mut env, _stand_in) = upgraded();
    let keyrings = env.home().join(".local/share/keyrings");
    fs::create_dir_all(&keyrings).unwrap();
    let name = "login.keyring";
    fs::copy(
        made("home/.local/share/keyrings").join(name),
        keyrings.join(name),
    )
    .unwrap();
    let script = format!(
        "printf 'protocol=https\\nhost=bitbucket.org\\npath=desktop/x\\n' | timeout 30 '{PROGRAM}' get
        '{PROGRAM}' logout desktop
        secret-tool search --all service git-credential-bitbucket 2>/dev/null | grep -c '^secret'"
    );
    let Some(outcome) = in_session(&mut env, &script) else {
        return;
    };
    let token = "ATATT3xFfGF0canary-in-the-keyring-00000000000=0A1B2C3D";
    let expected = reply("x-bitbucket-api-token-auth", token);
    assert_eq!(outcome.stdout, format!("{expected}0\n"), "{outcome:?}");
}
