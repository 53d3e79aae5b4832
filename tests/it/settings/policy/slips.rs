//! What the machine's file says where somebody has slipped, and whose it has to be.

use super::{CLOUD, NOT_KNOWN, REPOSITORY, assert_refused, change, machine};
use crate::support::harness::{API_TOKEN, TestEnv, write_private};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

fn check_of_the_policy(env: &TestEnv) -> String {
    let doctor = env.program(&["doctor", "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    let mut checks = json["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["id"] == "policy").unwrap();
    format!("{}: {}", check["outcome"], check["message"]).replace('"', "")
}

#[test]
fn a_machine_s_file_without_a_policy_is_said() {
    let Some(env) = machine("") else { return };
    let path = "'/etc/git-credential-bitbucket/config.toml'";
    let empty = format!("warn: {path} is there, but says nothing: nothing is forbidden");
    assert_eq!(check_of_the_policy(&env), empty);
    change(&env, "# soon\n");
    assert_eq!(check_of_the_policy(&env), empty);
    change(&env, "hosts = [\"git.corp.example\"]\n");
    assert_eq!(
        check_of_the_policy(&env),
        format!("pass: nothing is forbidden on this machine: {path} has no [policy]")
    );
    fs::remove_file(env.system_config()).unwrap();
    assert_eq!(
        check_of_the_policy(&env),
        "pass: nothing is forbidden on this machine"
    );
}

#[test]
fn the_start_of_a_secret_tells_its_kind_whatever_its_account_says() {
    let text = "lookup = [\"folder\"]\n[store.folder]\npath = \"PATH\"\n";
    let Some(env) = machine("") else { return };
    let folder = env.path().join("secrets");
    let secret = folder.join("acme/site");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("password"), API_TOKEN).unwrap();
    fs::write(secret.join("kind"), "access-token").unwrap();
    let text = text.replace("PATH", folder.to_str().unwrap());
    change(&env, &text);
    assert!(env.program(&["get"], REPOSITORY).stdout.contains(API_TOKEN));
    let kinds = "[policy]\nkinds = [\"access-token\"]\n";
    change(&env, &format!("{text}{kinds}"));
    let what = "does not allow the kind 'api-token'";
    assert_refused(&env.program(&["get"], REPOSITORY), what);

    change(&env, "");
    env.login(API_TOKEN, &["work"]);
    let accounts = env.data().join("accounts.toml");
    let known = fs::read_to_string(&accounts).unwrap();
    write_private(
        &accounts,
        &known.replace("\"api-token\"", "\"access-token\""),
    );
    assert!(env.program(&["get"], CLOUD).stdout.contains(API_TOKEN));
    change(&env, kinds);
    assert_refused(&env.program(&["get"], CLOUD), what);
    assert_refused(&env.program(&["token", "work"], ""), what);
}

#[test]
fn vault_s_certificate_is_looked_at_where_the_policy_says_so() {
    let vault = "lookup = [\"vault\"]\n[store.vault]\naddress = \"https://127.0.0.1:1\"\n";
    let Some(mut env) = machine(vault) else {
        return;
    };
    env.set("VAULT_TOKEN", "canary");
    for name in ["VAULT_SKIP_VERIFY", "BAO_SKIP_VERIFY"] {
        env.set("VAULT_SKIP_VERIFY", "");
        env.set(name, "1");
        for allowed in ["", "[policy]\n", "[policy]\nskip_verify = true\n"] {
            change(&env, &format!("{vault}{allowed}"));
            assert_refused(&env.program(&["get"], REPOSITORY), "cannot ask Vault at");
        }
        change(&env, &format!("{vault}[policy]\nskip_verify = false\n"));
        let why = "the policy of this machine does not allow VAULT_SKIP_VERIFY";
        assert_refused(&env.program(&["get"], REPOSITORY), why);
        let doctor = env.program(&["doctor"], "");
        assert!(doctor.stdout.contains(why), "{doctor:?}");
    }
    env.set("VAULT_SKIP_VERIFY", "0");
    env.set("BAO_SKIP_VERIFY", "0");
    assert_refused(&env.program(&["get"], REPOSITORY), "cannot ask Vault at");
}

#[test]
fn the_machine_s_file_and_every_folder_above_it_are_root_s_alone() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    // Where a link leads counts as well, and further up than the folder in which it lies.
    let managed = env.path().join("managed");
    fs::create_dir_all(managed.join("deep")).unwrap();
    let linked = managed.join("deep/config.toml");
    fs::rename(env.system_config(), &linked).unwrap();
    symlink(&linked, env.system_config()).unwrap();
    for path in [linked, managed, env.system_folder()] {
        let before = fs::metadata(&path).unwrap().permissions();
        chown(&path, Some(12345), None).unwrap();
        let outcome = env.program(&["get"], CLOUD);
        chown(&path, Some(0), None).unwrap();
        assert_refused(&outcome, NOT_KNOWN);
        assert!(
            outcome.stderr.contains("is not safe for root"),
            "{outcome:?}"
        );
        for mode in [0o775, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let outcome = env.program(&["get"], CLOUD);
            fs::set_permissions(&path, before.clone()).unwrap();
            assert_refused(&outcome, NOT_KNOWN);
        }
    }
    env.get_cloud("");
}

#[test]
fn root_keeps_nothing_below_a_folder_that_somebody_else_can_change() {
    let Some(env) = machine("") else { return };
    env.login(API_TOKEN, &["work"]);
    fs::set_permissions(env.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = env.program(&["get"], CLOUD);
    fs::set_permissions(env.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_refused(&outcome, "another user can change");
    chown(env.path(), Some(12345), None).unwrap();
    let outcome = env.program(&["get"], CLOUD);
    let login = env.program(&["login", "other", "--with-token"], API_TOKEN);
    chown(env.path(), Some(0), None).unwrap();
    assert_refused(&outcome, "another user can change");
    assert_refused(&login, "another user can change");
    env.get_cloud("");
}

#[test]
fn root_writes_nothing_below_another_user_s_folder_and_works_in_its_own() {
    let Some(mut env) = machine("") else { return };
    let foreign = env.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    chown(&foreign, Some(12345), None).unwrap();
    let data = foreign.join("data");
    env.set("GIT_CREDENTIAL_BITBUCKET_HOME", data.to_str().unwrap());
    let login = env.program(&["login", "work", "--with-token"], API_TOKEN);
    assert_refused(
        &login,
        "set GIT_CREDENTIAL_BITBUCKET_HOME to a folder of your own",
    );
    assert!(!has_secret(env.path()), "a secret was left behind");
    let own = env.path().join("own");
    env.set("GIT_CREDENTIAL_BITBUCKET_HOME", own.to_str().unwrap());
    let login = env.program(&["login", "work", "--with-token"], API_TOKEN);
    assert_eq!(login.status, 0, "{login:?}");
    assert!(env.program(&["get"], CLOUD).stdout.contains(API_TOKEN));
}

fn has_secret(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.file_name().is_some_and(|name| name == "secrets") || path.is_dir() && has_secret(&path)
    })
}
