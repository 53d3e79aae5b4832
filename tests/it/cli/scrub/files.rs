//! Files that are links, closed, or hold more than a URL.

use super::{environment, repository, rows, scrub, set, url, value};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, run};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

#[test]
fn symbolic_links_are_kept_and_those_out_of_the_tree_are_not_followed() {
    let env = environment();
    let app = repository(&env, "tree/app");
    repository(&env, "outside");
    set(&env, "outside", "remote.origin.url", &url("outside"));
    set(&env, "tree/app", "remote.origin.url", &url("app"));
    symlink("../outside", env.home().join("tree/link")).unwrap();
    symlink(".", env.home().join("tree/loop")).unwrap();
    let real = env.home().join("tree/app.config");
    fs::rename(app.join(".git/config"), &real).unwrap();
    symlink("../../app.config", app.join(".git/config")).unwrap();
    let modules = env.home().join("modules");
    fs::write(
        &modules,
        format!("[submodule \"x\"]\n\turl = {}\n", url("x")),
    )
    .unwrap();
    symlink("../../modules", app.join(".gitmodules")).unwrap();
    scrub(&env, &["tree"]);
    assert!(app.join(".git/config").is_symlink());
    assert!(!fs::read_to_string(real).unwrap().contains("canary"));
    assert!(value(&env, "outside", "remote.origin.url").contains("canary"));
    assert!(
        fs::read_to_string(modules).unwrap().contains("canary"),
        "whoever wrote the link chose its end"
    );
    symlink("tree", env.home().join("named")).unwrap();
    assert!(
        rows(&env, &["named"]).is_empty(),
        "a link that is named is followed"
    );
}

#[test]
fn what_cannot_be_read_or_written_is_named_and_the_rest_is_done() {
    let env = environment();
    for name in ["one", "two", "three", "four"] {
        repository(&env, &format!("tree/{name}"));
        set(
            &env,
            &format!("tree/{name}"),
            "remote.origin.url",
            &url(name),
        );
    }
    let config = |name: &str| env.home().join(format!("tree/{name}/.git/config"));
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&config("one"), 0o444);
    fs::write(
        config("two"),
        format!("[remote \"x\"\n\turl = {}\n", url("two")),
    )
    .unwrap();
    fs::remove_file(config("three")).unwrap();
    fs::create_dir(config("three")).unwrap();
    let outcome = env.program(&["scrub", "tree"], "");
    super::assert_silent(&outcome);
    assert_eq!(outcome.status, 1);
    for line in [
        "tree/one/.git/config' is read-only and holds a secret: 'chmod u+w ",
        "tree/two/.git/config': git cannot read it\n",
        "tree/three/.git/config': it is not a file\n",
        "Moved 1 secret into the store",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
    }
    assert!(
        !fs::read_to_string(config("four"))
            .unwrap()
            .contains("canary")
    );
    assert!(
        fs::read_to_string(config("one"))
            .unwrap()
            .contains("canary")
    );
    mode(&config("one"), 0o644);
}

#[test]
fn a_file_or_folder_that_is_closed_to_us_is_named() {
    let env = environment();
    for name in ["open", "closed", "locked"] {
        repository(&env, &format!("tree/{name}"));
        set(
            &env,
            &format!("tree/{name}"),
            "remote.origin.url",
            &url(name),
        );
    }
    // To root nothing is closed: so somebody else does it.
    let script = "
        chmod 0 tree/closed/.git/config
        chmod 500 tree/locked/.git
        \"$@\"
        code=$?
        chmod 600 tree/closed/.git/config
        chmod 700 tree/locked/.git
        exit $code";
    let (mut command, program) = env.shell_of_a_plain_user();
    command
        .args(["-c", script, "sh"])
        .arg(&program)
        .args(["scrub", "tree"]);
    let outcome = run(command, b"");
    super::assert_silent(&outcome);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("tree/closed/.git/config': cannot be read: "),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("cannot write '"), "{outcome:?}");
    let text = |name: &str| {
        fs::read_to_string(env.home().join(format!("tree/{name}/.git/config"))).unwrap()
    };
    assert!(!text("open").contains("canary"));
    assert!(text("closed").contains("canary") && text("locked").contains("canary"));
}

#[test]
fn a_setting_that_goes_takes_its_line_and_an_empty_section_but_nothing_else() {
    let env = environment();
    let path = repository(&env, "app").join(".git/config");
    let before = format!(
        "\u{feff}[core]\r\n\tbare = false\r\n\
         [http \"https://bitbucket.org/\"] extraHeader = \"Authorization: Bearer {ACCESS_TOKEN}\" # mine\r\n\
         [http \"https://bitbucket.org/acme\"]\n\textraHeader = Authorization: Bearer {ACCESS_TOKEN}\n\n  ; kept\n\
         [credential \"https://bitbucket.org\"]\tusername = {API_TOKEN}\n\tuseHttpPath\n\
         [remote \"x\"] url = https://u:{API_TOKEN}@bitbucket.org/acme/x.git ; trailing\n\
         [remote \"y\"]\n\turl = https://u:{API_TOKEN}@bitbucket.org/acme/y.git"
    );
    fs::write(&path, before).unwrap();
    scrub(&env, &["app"]);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\u{feff}[core]\r\n\tbare = false\r\n\
         [http \"https://bitbucket.org/acme\"]\n\n  ; kept\n\
         [credential \"https://bitbucket.org\"]\t\n\tuseHttpPath\n\
         [remote \"x\"] url = https://u@bitbucket.org/acme/x.git ; trailing\n\
         [remote \"y\"]\n\turl = https://u@bitbucket.org/acme/y.git"
    );
}

#[test]
fn a_repository_without_a_remote_makes_no_account_for_the_whole_host() {
    let env = environment();
    let path = repository(&env, "app").join(".git/config");
    let header = "[http \"https://bitbucket.org/\"]\n\textraHeader = Authorization: Bearer";
    let url = format!("[alias]\n\tx = \"!curl https://u:{API_TOKEN}@bitbucket.org/\"\n");
    let text = format!("[core]\n\tbare = false\n{header} {ACCESS_TOKEN}\n{url}");
    fs::write(&path, &text).unwrap();
    let rows = rows(&env, &["app"]);
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row.ends_with("reported")),
        "{rows:?}"
    );
    assert!(env.accounts().is_empty());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}
