//! Where `login` writes, and what it does not touch.

#[cfg(target_os = "linux")]
use crate::support::harness::reply;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv};
use std::fs;

#[test]
fn no_secret_is_in_the_files_we_keep_beside_the_store() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--email", "ada@example.com"]);
    for entry in fs::read_dir(env.data()).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        let needle = b"canary";
        assert!(
            !content.windows(needle.len()).any(|window| window == needle),
            "{}",
            path.display()
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_key_may_lie_in_the_kernel_or_in_a_file_elsewhere() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    let key = env.path().join("elsewhere/key");
    for setting in ["kernel".to_owned(), key.display().to_string()] {
        let text = format!(
            "[store]\ndefault = 'file'\n[store.file]\nkey = '{setting}'\npath = '{}/vault-{}'\n",
            env.path().display(),
            setting.len()
        );
        fs::write(env.data().join("config.toml"), text).unwrap();
        env.login(API_TOKEN, &["work"]);
        assert_eq!(
            env.get_cloud(""),
            reply("x-bitbucket-api-token-auth", API_TOKEN),
            "{setting}"
        );
        assert!(!env.data().join("secrets.key").exists());
        env.program(&["logout", "--all"], "");
    }
    assert_eq!(fs::read(key).unwrap().len(), 32);
}

#[test]
fn a_folder_of_somebody_else_is_not_written_to() {
    // Only root can give a folder away, and only then this can be tried; root is also who makes this mistake.
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    if std::os::unix::fs::chown(env.data(), Some(65_534), None).is_err() {
        return;
    }
    let outcome = env.program(
        &["login", "--no-verify", "--with-token", "--store", "file"],
        API_TOKEN,
    );
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("belongs to somebody else (user 65534)"),
        "{}",
        outcome.stderr
    );
    assert_eq!(fs::read_dir(env.data()).unwrap().count(), 0);
}

#[test]
fn a_damaged_account_is_told_and_none_vanishes() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work", "--expires", "2099-01-01"]);
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path).unwrap();
    crate::support::harness::write_private(&path, &text.replace("2099-01-01", "2099-13-01"));
    let outcome = env.program(&["status"], "");
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("cannot parse '"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_secret_that_could_not_be_entered_in_the_accounts_does_not_stay_in_the_store() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let count = || {
        fs::read_to_string(env.data().join("secrets"))
            .unwrap()
            .lines()
            .count()
    };
    let before = count();
    fs::remove_file(env.data().join("accounts.lock")).unwrap();
    fs::create_dir(env.data().join("accounts.lock")).unwrap();
    let outcome = env.program(
        &[
            "login",
            "other",
            "--no-verify",
            "--with-token",
            "--store",
            "file",
        ],
        API_TOKEN,
    );
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    assert_eq!(count(), before);
}

#[test]
fn links_to_another_disk_stay_links_and_one_that_leads_nowhere_is_not_followed() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let disk = env.path().join("disk");
    fs::create_dir(&disk).unwrap();
    fs::set_permissions(&disk, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for name in ["accounts.toml", "secrets", "secrets.key"] {
        fs::rename(env.data().join(name), disk.join(name)).unwrap();
        std::os::unix::fs::symlink(disk.join(name), env.data().join(name)).unwrap();
    }
    env.login(ACCESS_TOKEN, &["other"]);
    for name in ["accounts.toml", "secrets", "secrets.key"] {
        assert!(env.data().join(name).is_symlink(), "{name}");
    }
    fs::rename(&disk, env.path().join("unmounted")).unwrap();
    let outcome = env.program(
        &[
            "login",
            "third",
            "--no-verify",
            "--with-token",
            "--store",
            "file",
        ],
        API_TOKEN,
    );
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("leads nowhere"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_file_of_somebody_s_own_is_not_taken_for_the_store() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    let own = env.path().join("diary");
    crate::support::harness::write_private(&own, "# dear diary\n");
    fs::write(
        env.data().join("config.toml"),
        format!("[store.file]\npath = '{}'\n", own.display()),
    )
    .unwrap();
    let outcome = env.program(
        &["login", "--no-verify", "--with-token", "--store", "file"],
        API_TOKEN,
    );
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .contains("is not a file of this program's secrets"),
        "{}",
        outcome.stderr
    );
    assert_eq!(fs::read_to_string(own).unwrap(), "# dear diary\n");
}
