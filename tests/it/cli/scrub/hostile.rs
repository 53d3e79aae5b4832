//! Trees that somebody else made: what lies in them costs little time, leads nowhere and becomes no account.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use super::{environment, repository, rows, scrub, set, stored, url};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv, write_program};

/// What each text is repeated to.
const LENGTH: usize = 280_000;

/// How long it takes to look into a repository whose configuration has this text. git itself does not read it.
fn time_to_read(env: &TestEnv, name: &str, text: &str) -> Duration {
    let path = repository(env, name).join(".git/long.inc");
    set(env, name, "includeIf.gitdir:/nowhere/.path", "long.inc");
    fs::write(&path, format!("[x]\n{text}\n")).unwrap();
    let start = Instant::now();
    let outcome = env.program(&["scrub", "--dry-run", name], "");
    super::assert_silent(&outcome);
    start.elapsed()
}

#[test]
fn a_long_text_is_read_in_one_go() {
    let env = environment();
    let many = |text: &str| text.repeat(LENGTH / text.len());
    let header = format!("[http \"https://bitbucket.org/{}\"]\n", many("a"));
    for (name, text) in [
        ("urls", format!("a = {}", many("http://"))),
        (
            "nested",
            format!("a = {}", many("http://u:p@github.com/acme/app")),
        ),
        ("queries", format!("a = {}", many("http://u:p@x?"))),
        ("tokens", format!("a = {}", many("-ATAT"))),
        ("short", format!("a = {}", many("ATATT ATCT.BBDC-"))),
        ("ends", many("a=\\\\\n")),
        ("comments", many("a=#\\\n")),
        ("sections", many("[a \"b\"]")),
        ("keys", format!("{header}{}", many("a\n"))),
        ("headers", format!("{header}{}", many("extraHeader = a\n"))),
    ] {
        let time = time_to_read(&env, name, &text);
        assert!(time < Duration::from_secs(5), "{name}: {time:?}");
    }
}

#[test]
fn a_configuration_longer_than_any_is_named_and_not_read() {
    let env = environment();
    let path = repository(&env, "app").join(".git/config");
    set(&env, "app", "remote.origin.url", &url("app"));
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, before + &"# \n".repeat(2 << 20)).unwrap();
    let outcome = env.program(&["scrub", "app"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("app/.git/config': it is longer than 4194304 bytes"),
        "{outcome:?}"
    );
    assert!(env.accounts().is_empty());
}

#[test]
fn an_include_that_leads_outside_is_named_and_followed_with_global_alone() {
    let env = environment();
    repository(&env, "tree/app");
    let include = format!("[lfs]\n\turl = {}\n", url("app"));
    let outside = env.home().join("shared.inc");
    fs::write(&outside, &include).unwrap();
    set(&env, "tree/app", "include.path", "~/shared.inc");
    let inside = env.home().join("tree/inside.inc");
    fs::write(&inside, &include).unwrap();
    set(&env, "tree/app", "include.path", "../../inside.inc");
    let tracked = env.home().join("tree/app/tracked.inc");
    fs::write(&tracked, &include).unwrap();
    set(&env, "tree/app", "include.path", "../tracked.inc");

    let outcome = env.program(&["scrub", "tree"], "");
    super::assert_silent(&outcome);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("shared.inc' lies outside the folders that are looked into; '--global' looks into it too"),
        "{outcome:?}"
    );
    assert_eq!(fs::read_to_string(&outside).unwrap(), include);
    assert_eq!(fs::read_to_string(&tracked).unwrap(), include);
    assert!(!fs::read_to_string(&inside).unwrap().contains("canary"));

    let outcome = scrub(&env, &["tree", "--global"]);
    assert!(!outcome.stderr.contains("outside"), "{outcome:?}");
    assert!(!fs::read_to_string(&outside).unwrap().contains("canary"));
    assert_eq!(fs::read_to_string(&tracked).unwrap(), include);
}

#[test]
fn a_configuration_that_is_a_link_to_outside_is_named_and_left_alone() {
    let env = environment();
    let app = repository(&env, "tree/app");
    set(&env, "tree/app", "remote.origin.url", &url("app"));
    let real = env.home().join("app.config");
    fs::rename(app.join(".git/config"), &real).unwrap();
    symlink("../../../app.config", app.join(".git/config")).unwrap();
    let logs = env.home().join("logs");
    fs::rename(app.join(".git/logs"), &logs).unwrap();
    fs::write(logs.join("other"), url("log")).unwrap();
    symlink("../../../logs", app.join(".git/logs")).unwrap();
    let outcome = env.program(&["scrub", "tree"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("outside"), "{outcome:?}");
    assert!(fs::read_to_string(&real).unwrap().contains("canary"));
    assert!(
        fs::read_to_string(logs.join("other"))
            .unwrap()
            .contains("canary")
    );
    assert!(env.accounts().is_empty());
}

/// A clone with secrets in what its author wrote.
fn hostile_clone(env: &TestEnv) {
    let path = repository(env, "app");
    let modules = format!("[submodule \"lib\"]\n\tpath = lib\n\turl = {}\n", url("m"));
    fs::write(path.join(".gitmodules"), modules).unwrap();
    fs::write(
        path.join(".lfsconfig"),
        format!("[lfs]\n\turl = {}\n", url("l")),
    )
    .unwrap();
    env.git_succeeds(&["init", "-q", "--bare", "app/vendor/fake.git"]);
    set(
        env,
        "app/vendor/fake.git",
        "remote.origin.url",
        &url("fake"),
    );
    let outside = env.home().join("outside.inc");
    fs::write(&outside, format!("[lfs]\n\turl = {}\n", url("outside"))).unwrap();
    set(env, "app/vendor/fake.git", "include.path", "~/outside.inc");
    set(env, "app/vendor/fake.git", "core.worktree", "../../..");
    fs::write(
        path.join("vendor/fake.git/FETCH_HEAD"),
        format!("1\t\tbranch of {}\n", url("fetch")),
    )
    .unwrap();
}

#[test]
fn what_came_with_the_tree_is_reported_and_becomes_no_account() {
    let env = environment();
    hostile_clone(&env);
    let expected = [
        "app/.gitmodules null 3 https://x-token-auth@bitbucket.org/acme/m.git null reported",
        "app/.lfsconfig null 2 https://x-token-auth@bitbucket.org/acme/l.git null reported",
        "app/vendor/fake.git/FETCH_HEAD null 1 https://x-token-auth@bitbucket.org/acme/fetch.git null reported",
        "app/vendor/fake.git/config null 7 https://x-token-auth@bitbucket.org/acme/fake.git null reported",
    ];
    for commit in [false, true] {
        if commit {
            env.git_succeeds(&["-C", "app", "add", "--all", "--force"]);
            env.git_succeeds(&["-C", "app", "commit", "-qm", "all"]);
        }
        for folder in ["app", "app/vendor"] {
            let mut found = rows(&env, &[folder]);
            found.sort();
            assert_eq!(found, expected, "{folder}");
        }
    }
    let mut found = rows(&env, &["app/vendor/fake.git"]);
    found.retain(|row| row.contains("/fake.git/"));
    found.sort();
    assert_eq!(found, expected[2..]);
    assert!(env.accounts().is_empty());
    let outcome = scrub(&env, &["app"]);
    for line in [
        "4 secrets lie in files of the repository itself, which others may have written: no account is made of that, and nothing is rewritten; so revoke it",
        "Revoke the secrets that were in plain text, and sign in with new ones: ",
        "https://bitbucket.org/acme/fake/admin/access-tokens",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {outcome:?}");
    }
    assert!(!outcome.stderr.contains("outside"), "{outcome:?}");
    assert_eq!(env.git(&["-C", "app", "status", "--short"]).stdout, "");
}

#[test]
fn a_repository_whose_folder_is_named_otherwise_is_still_the_users() {
    let env = environment();
    repository(&env, "app");
    fs::rename(env.home().join("app/.git"), env.home().join("app/.bare")).unwrap();
    fs::write(env.home().join("app/.git"), "gitdir: ./.bare\n").unwrap();
    set(&env, "app", "remote.origin.url", &url("app"));
    for start in ["app/.bare", "app"] {
        let found = rows(&env, &[start, "--dry-run"]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with(" acme-app would-move"), "{found:?}");
    }
    scrub(&env, &["app"]);
    assert_eq!(stored(&env), [ACCESS_TOKEN]);
}

/// git as it was before 2.45: it knows no `GIT_NO_LAZY_FETCH`.
const OLD_GIT: &str = "#!/bin/sh\nunset GIT_NO_LAZY_FETCH\nexec REAL \"$@\"\n";

#[test]
fn the_search_fetches_nothing_and_starts_no_program() {
    let mut env = environment();
    let path = repository(&env, "app");
    fs::write(path.join("token.txt"), format!("{API_TOKEN}\n")).unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "-qm", "second"]);
    env.git_succeeds(&["-C", "app", "config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", path.display());
    let clone = [
        "clone",
        "-q",
        "--bare",
        "--filter=blob:none",
        &from,
        "partial.git",
    ];
    env.git_succeeds(&clone);
    let marker = env.home().join("marker");
    let command = env.home().join("evil");
    write_program(
        &command,
        &format!("#!/bin/sh\necho started >>'{}'\n", marker.display()),
    );
    let command = command.to_str().unwrap().to_owned();
    for key in [
        "remote.origin.uploadpack",
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "diff.external",
        "diff.x.textconv",
    ] {
        for repository in ["partial.git", "app"] {
            set(&env, repository, key, &command);
        }
    }
    set(&env, "partial.git", "protocol.file.allow", "always");
    fs::write(path.join(".gitattributes"), "* diff=x\n").unwrap();
    let paths = std::env::var_os("PATH").unwrap();
    let mut found = std::env::split_paths(&paths).map(|folder| folder.join("git"));
    let real = found.find(|path| path.exists()).unwrap();
    let folder = env.home().join("bin");
    fs::create_dir(&folder).unwrap();
    write_program(
        &folder.join("git"),
        &OLD_GIT.replace("REAL", real.to_str().unwrap()),
    );
    let path = std::env::var("PATH").unwrap();
    env.set("PATH", &format!("{}:{path}", folder.display()));
    let outcome = env.program(&["scrub", "partial.git", "app"], "");
    super::assert_silent(&outcome);
    assert!(!marker.exists(), "{outcome:?}");
    assert!(outcome.stdout.contains("token.txt:1"), "{outcome:?}");
}

#[test]
fn too_deep_a_folder_is_named_and_not_entered() {
    let env = environment();
    let deep = "d/".repeat(140);
    repository(&env, &format!("tree/{deep}app"));
    set(
        &env,
        &format!("tree/{deep}app"),
        "remote.origin.url",
        &url("app"),
    );
    let outcome = env.program(&["scrub", "tree"], "");
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert_eq!(
        outcome.stderr.matches("more than 100 folders deep").count(),
        1,
        "{outcome:?}"
    );
    assert!(env.accounts().is_empty());
}

#[test]
fn a_flood_of_reported_secrets_ends_with_one_line() {
    let env = environment();
    let path = repository(&env, "app");
    fs::write(
        path.join("list.txt"),
        format!("{}\n", url("x")).repeat(3000),
    )
    .unwrap();
    fs::write(
        path.join(".lfsconfig"),
        format!("{}\n", url("x")).repeat(3000),
    )
    .unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    set(&env, "app", "remote.origin.url", &url("app"));
    let outcome = env.program(&["scrub", "app"], "");
    super::assert_silent(&outcome);
    assert_eq!(outcome.status, 1);
    assert_eq!(outcome.stdout.lines().count(), 1001);
    let line =
        "more than 1000 secrets in files of the repositories themselves: the rest is not shown";
    assert_eq!(
        outcome.stderr.matches(line).count(),
        1,
        "{}",
        outcome.stderr
    );
    assert_eq!(stored(&env), [ACCESS_TOKEN]);
}

#[test]
fn a_work_tree_that_looks_like_a_bare_repository_is_still_a_work_tree() {
    let env = environment();
    let path = repository(&env, "tree/app");
    fs::create_dir(path.join("objects")).unwrap();
    fs::create_dir(path.join("refs")).unwrap();
    fs::write(path.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let config = format!("[remote \"origin\"]\n\turl = {}\n", url("fake"));
    fs::write(path.join("config"), &config).unwrap();
    for folder in ["tree", "tree/app", "tree/app/refs"] {
        let found = rows(&env, &[folder]);
        let is_reported = |row: &String| row.ends_with(" null reported");
        assert!(found.iter().all(is_reported), "{folder}: {found:?}");
    }
    assert_eq!(fs::read_to_string(path.join("config")).unwrap(), config);
    assert!(env.accounts().is_empty());
}

#[test]
fn what_a_reflog_quotes_without_a_repository_becomes_no_account() {
    let env = environment();
    let log = repository(&env, "app").join(".git/logs/HEAD");
    let subject = format!("use https://x-token-auth:{ACCESS_TOKEN}@bitbucket.org");
    fs::write(&log, format!("0 1 Eve <e> 1 +0\tcherry-pick: {subject}\n")).unwrap();
    let found = rows(&env, &["app"]);
    assert_eq!(
        found,
        ["app/.git/logs/HEAD null 1 https://x-token-auth@bitbucket.org null reported"]
    );
    assert!(env.accounts().is_empty());
}
