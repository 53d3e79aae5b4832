//! Every place in which git takes or leaves a URL.

use super::{
    environment, files_with_canaries, repository, rows, scrub, set, stored, token, url, value,
};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, run};
use base64ct::{Base64, Encoding as _};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Puts a secret into every place of a repository, and into the files that its configuration includes.
fn fill_each_place(env: &TestEnv) {
    let path = repository(env, "app");
    let basic = Base64::encode_string(format!("x-token-auth:{ACCESS_TOKEN}").as_bytes());
    let bare = format!("https://{API_TOKEN}@bitbucket.org/acme");
    for (key, value) in [
        ("remote.origin.url", url("app")),
        ("remote.origin.pushurl", format!("{bare}/app.git")),
        (
            "remote.up.url",
            format!("https://{API_TOKEN}:x-oauth-basic@BitBucket.ORG:443/acme/up.git"),
        ),
        ("remote.clear.url", url("clear").replace("https:", "http:")),
        ("remote.lfs.lfsurl", format!("{}/info/lfs", url("app"))),
        (
            &format!("url.https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/.insteadOf"),
            "bb:".to_owned(),
        ),
        (
            &format!("url.https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org/acme/.pushInsteadOf"),
            "push:".to_owned(),
        ),
        ("submodule.lib.url", url("lib")),
        ("branch.main.remote", url("app")),
        (
            "http.https://bitbucket.org/.extraHeader",
            format!("Authorization: Basic {basic}"),
        ),
        (
            "http.extraHeader",
            format!("AUTHORIZATION: bearer {ACCESS_TOKEN}"),
        ),
        (
            "credential.https://bitbucket.org.helper",
            format!("!f() {{ echo username=x-token-auth; echo \"password={ACCESS_TOKEN}\"; }}; f"),
        ),
        (
            "credential.https://bitbucket.org.username",
            API_TOKEN.to_owned(),
        ),
        (
            &format!("credential.https://u:{ACCESS_TOKEN}@bitbucket.org.useHttpPath"),
            "true".to_owned(),
        ),
        ("alias.up", format!("!git push {}", url("app"))),
    ] {
        set(env, "app", key, &value);
    }
    let config = path.join(".git/config");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replacen("[remote", "# was ", 1);
    let text = text.replacen("# was ", &format!("; once: {}\n[remote", url("old")), 1);
    fs::write(&config, text + "# the end\n").unwrap();
    let git = path.join(".git");
    fs::write(
        git.join("FETCH_HEAD"),
        format!("1234\t\tbranch 'main' of {}\n", url("app")),
    )
    .unwrap();
    fs::write(
        git.join("MERGE_MSG"),
        format!("Merge branch 'main' of {}\n", url("app")),
    )
    .unwrap();
    let log = git.join("logs/refs/heads/main");
    let before = fs::read_to_string(&log).unwrap();
    fs::write(
        &log,
        format!("{before}0 1 Ada <a> 1 +0\tclone: from {}\n", url("app")),
    )
    .unwrap();
    fs::write(
        git.join("config.worktree"),
        format!("[remote \"w\"]\n\turl = {}\n", url("w")),
    )
    .unwrap();
    fs::write(
        env.home().join("shared.inc"),
        format!("[lfs]\n\turl = {}\n", url("inc")),
    )
    .unwrap();
    set(env, "app", "include.path", "~/shared.inc");
    set(env, "app", "includeIf.gitdir:/nowhere/.path", "more.inc");
    fs::write(
        git.join("more.inc"),
        format!("[lfs]\n\turl = \"{}\" # here\n", url("more")),
    )
    .unwrap();
}

#[test]
fn each_place_in_a_repository_is_found_and_emptied() {
    let env = environment();
    fill_each_place(&env);
    let path = env.home().join("app");
    let config = path.join(".git/config");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();

    let found = rows(&env, &["app", "--global"]);
    assert!(
        found.iter().all(|row| row.ends_with(" moved")),
        "{found:#?}"
    );
    assert_eq!(found.len(), 22, "{found:#?}");
    assert_eq!(
        files_with_canaries(&env.home()),
        Vec::<std::path::PathBuf>::new()
    );
    assert_eq!(stored(&env), [API_TOKEN, ACCESS_TOKEN]);

    assert_eq!(
        value(&env, "app", "remote.origin.url"),
        "https://x-token-auth@bitbucket.org/acme/app.git"
    );
    assert_eq!(
        value(&env, "app", "remote.origin.pushurl"),
        "https://bitbucket.org/acme/app.git"
    );
    assert_eq!(
        value(&env, "app", "remote.up.url"),
        "https://BitBucket.ORG:443/acme/up.git"
    );
    assert_eq!(
        value(
            &env,
            "app",
            "url.https://x-token-auth@bitbucket.org/.insteadOf"
        ),
        "bb:"
    );
    for gone in [
        "http.extraHeader",
        "http.https://bitbucket.org/.extraHeader",
        "credential.https://bitbucket.org.helper",
    ] {
        assert_eq!(value(&env, "app", gone), "");
    }
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.ends_with("# the end\n[include]\n\tpath = ~/shared.inc\n[includeIf \"gitdir:/nowhere/\"]\n\tpath = more.inc\n"), "{text}");
    assert!(
        text.contains("; once: https://x-token-auth@bitbucket.org/acme/old.git\n[remote"),
        "{text}"
    );
    assert_eq!(
        config.metadata().unwrap().permissions().mode() & 0o777,
        0o640
    );
    let more = fs::read_to_string(path.join(".git/more.inc")).unwrap();
    assert_eq!(
        more,
        "[lfs]\n\turl = \"https://x-token-auth@bitbucket.org/acme/more.git\" # here\n"
    );
    let log = fs::read_to_string(path.join(".git/logs/refs/heads/main")).unwrap();
    let clone = "0 1 Ada <a> 1 +0\tclone: from https://x-token-auth@bitbucket.org/acme/app.git\n";
    assert!(
        log.contains("\tcommit (initial): first\n") && log.ends_with(clone),
        "{log}"
    );
    env.git_succeeds(&["-C", "app", "reflog"]);
}

#[test]
fn what_is_committed_is_reported_and_stays_as_it_is() {
    let env = environment();
    let path = repository(&env, "app");
    let modules = format!(
        "[submodule \"lib\"]\n\tpath = lib\n\turl = {}\n",
        url("lib")
    );
    fs::write(path.join(".gitmodules"), &modules).unwrap();
    fs::write(
        path.join("deploy.sh"),
        format!("set -e\ngit push {}\n", url("app")),
    )
    .unwrap();
    fs::write(path.join("token.txt"), format!("export T={API_TOKEN}\n")).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "-qm", "second"]);
    let outcome = scrub(&env, &["app"]);
    assert!(
        outcome
            .stderr
            .starts_with("3 secrets lie in files of the repository itself, "),
        "{outcome:?}"
    );
    assert_eq!(
        fs::read_to_string(path.join(".gitmodules")).unwrap(),
        modules
    );
    assert!(env.accounts().is_empty());
    let mut left = rows(&env, &["app"]);
    left.sort();
    assert_eq!(
        left,
        [
            "app/.gitmodules null 3 https://x-token-auth@bitbucket.org/acme/lib.git null reported",
            "app/deploy.sh null 2 https://x-token-auth@bitbucket.org/acme/app.git null reported",
            "app/token.txt null 1 null null reported",
        ]
    );
    assert_eq!(env.git(&["-C", "app", "status", "--short"]).stdout, "");
}

#[test]
fn bare_repositories_submodules_and_linked_work_trees_belong_to_the_tree() {
    let env = environment();
    let app = repository(&env, "tree/app");
    repository(&env, "lib");
    env.git_succeeds(&[
        "-C",
        "tree/app",
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        "../../lib",
        "lib",
    ]);
    set(&env, "tree/app/lib", "remote.origin.url", &url("lib"));
    env.git_succeeds(&["-C", "tree/app", "worktree", "add", "-q", "../../linked"]);
    let linked = app.join(".git/worktrees/linked");
    fs::write(
        linked.join("FETCH_HEAD"),
        format!("1\t\tbranch of {}\n", url("fetch")),
    )
    .unwrap();
    fs::write(
        env.home().join("linked/.lfsconfig"),
        format!("[lfs]\n\turl = {}\n", url("lfs")),
    )
    .unwrap();
    env.git_succeeds(&["init", "-q", "--bare", "tree/deep/er/bare.git"]);
    set(
        &env,
        "tree/deep/er/bare.git",
        "remote.origin.url",
        &url("bare"),
    );
    // Whoever starts in the linked work tree or in a folder below means the same repository.
    for start in ["linked", "tree/app/lib"] {
        let found = rows(&env, &[start, "--dry-run"]);
        assert!(!found.is_empty(), "{start}");
    }
    let mut found = rows(&env, &["tree"]);
    found.sort();
    let ends = [
        "bare.git/config",
        "modules/lib/config",
        "linked/FETCH_HEAD",
        "linked/.lfsconfig",
    ];
    assert_eq!(found.len(), ends.len(), "{found:#?}");
    for end in ends {
        assert!(
            found
                .iter()
                .any(|row| row.split(' ').next().unwrap().ends_with(end)),
            "{end}: {found:#?}"
        );
    }
    assert_eq!(
        files_with_canaries(&env.home()),
        [env.home().join("linked/.lfsconfig")]
    );
}

#[test]
fn without_a_path_it_is_the_repository_around_with_its_submodules() {
    let env = environment();
    repository(&env, "app");
    repository(&env, "lib");
    env.git_succeeds(&[
        "-C",
        "app",
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        "../lib",
        "lib",
    ]);
    set(&env, "app/lib", "remote.bb.url", &url("lib"));
    set(&env, "lib", "remote.origin.url", &url("other"));
    fs::create_dir(env.home().join("app/folder")).unwrap();
    let mut command = env.command(crate::support::harness::PROGRAM);
    command
        .arg("scrub")
        .current_dir(env.home().join("app/folder"));
    let outcome = run(command, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(
        value(&env, "app/lib", "remote.bb.url"),
        "https://x-token-auth@bitbucket.org/acme/lib.git"
    );
    assert_eq!(
        value(&env, "lib", "remote.origin.url"),
        url("other"),
        "nobody named that one"
    );
}

#[test]
fn the_global_configuration_is_left_alone_unless_it_is_named() {
    let env = environment();
    repository(&env, "app");
    let key = format!("url.https://u:{APP_PASSWORD}@bitbucket.org/.insteadOf");
    env.git_succeeds(&["config", "--global", &key, "bb:"]);
    scrub(&env, &["app"]);
    assert!(
        fs::read_to_string(env.git_config())
            .unwrap()
            .contains("canary")
    );
    scrub(&env, &["--global"]);
    let text = fs::read_to_string(env.git_config()).unwrap();
    assert!(text.starts_with("[user]\n\tname = Ada\n"), "{text}");
    assert!(
        text.ends_with("[url \"https://u@bitbucket.org/\"]\n\tinsteadOf = bb:\n"),
        "{text}"
    );
    let account = &env.accounts()[0];
    assert_eq!(
        (&account["kind"], &account["username"]),
        (&"app-password".into(), &"u".into())
    );
    assert!(account["for"].as_array().unwrap().is_empty());
}

#[test]
fn a_data_center_that_an_account_names_is_ours_too() {
    let env = environment();
    env.login(
        "BBDC-canary-0000000000000000000000",
        &[
            "--host",
            "git.corp.example:7990",
            "--username",
            "bob",
            "one",
        ],
    );
    repository(&env, "app");
    let url = "https://bob:other%2Bcanary@git.corp.example:7990/bitbucket/scm/prj/app.git";
    set(&env, "app", "remote.origin.url", url);
    set(
        &env,
        "app",
        "remote.other.url",
        "https://bob:canary@git.other.example/scm/prj/app.git",
    );
    scrub(&env, &["app"]);
    assert_eq!(
        value(&env, "app", "remote.origin.url"),
        url.replace(":other%2Bcanary", "")
    );
    assert!(value(&env, "app", "remote.other.url").contains("canary"));
    assert_eq!(token(&env, "bob"), "other+canary");
}
