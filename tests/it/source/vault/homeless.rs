//! A user without a home folder, as containers have them: the machine's own settings are all there is.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::{WANTED, answer, app_role_lines, world_of_app_role};
use crate::support::harness::{PROGRAM, run};
use crate::support::needs::skip;

/// The file of the whole machine, which no variable moves, is in a folder of the test's own, mounted over the real one
/// where nobody else sees it.
const SCRIPT: &str = r#"
    set -e
    echo 'passwd: files' >etc/nsswitch.conf
    : >etc/passwd
    mkdir -p etc/git-credential-bitbucket
    cp config.toml etc/git-credential-bitbucket/
    mount --bind etc /etc
    for operation in get get store erase get; do
        env -i "$0" $operation <$operation
    done
"#;

#[test]
fn who_has_no_home_is_served_all_the_same() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    // Whoever is not root is so in a namespace of his own.
    let may = |namespaces: &&str| {
        let status = Command::new("unshare").args([namespaces, "true"]).status();
        status.is_ok_and(|status| status.success())
    };
    let Some(namespaces) = ["-m", "-rm"].into_iter().find(may) else {
        skip(&["mounts"]);
        return;
    };
    let settings = app_role_lines(&env, &server).join("\n");
    let settings = format!("lookup = [\"vault\"]\n[store.vault]\n{settings}\n");
    let given = format!("{WANTED}{}", answer());
    for (name, content) in [
        ("config.toml", settings.as_str()),
        ("get", WANTED),
        ("store", &given),
        ("erase", &given),
    ] {
        fs::write(env.path().join(name), content).unwrap();
    }
    fs::create_dir(env.path().join("etc")).unwrap();
    let mut command = env.command("unshare");
    command
        .args([namespaces, "sh", "-c", SCRIPT, PROGRAM])
        .current_dir(env.path());
    let outcome = run(command, b"");
    // Nothing can be noted, neither the login's token nor the refusal.
    assert_eq!(
        (outcome.status, outcome.stdout, outcome.stderr.as_str()),
        (0, answer().repeat(3), "")
    );
    assert!(server.logins() >= 3);
}
