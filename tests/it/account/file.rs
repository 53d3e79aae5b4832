//! The file of accounts: what is taken for it, and what is made of it.

use crate::support::harness::{API_TOKEN, STATIC, TestEnv, reply};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

#[test]
fn a_pipe_or_a_huge_file_in_place_of_ours_is_refused_at_once() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    for name in ["accounts.toml", "secrets", "secrets.key", "config.toml"] {
        let path = env.data().join(name);
        let aside = env.path().join("aside");
        let existed = fs::rename(&path, &aside).is_ok();
        let fifo = std::process::Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(fifo.success());
        let outcome = env.program(&["get"], "protocol=https\nhost=bitbucket.org\n");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""), "{name}");
        assert!(
            outcome.stderr.contains("is not a file"),
            "{}",
            outcome.stderr
        );
        fs::remove_file(&path).unwrap();

        crate::support::harness::write_private(&path, "");
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(3 << 30)
            .unwrap();
        let outcome = env.program(&["get"], "protocol=https\nhost=bitbucket.org\n");
        assert!(
            outcome.stderr.contains("is longer than"),
            "{name}: {}",
            outcome.stderr
        );
        fs::remove_file(&path).unwrap();
        if existed {
            fs::rename(&aside, &path).unwrap();
        }
    }
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
}

#[test]
fn a_socket_or_a_folder_in_place_of_ours_is_no_file() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let socket = |path: &Path| drop(UnixListener::bind(path).unwrap());
    let folder = |path: &Path| fs::create_dir(path).unwrap();
    for name in ["accounts.toml", "secrets", "secrets.key", "config.toml"] {
        for make in [&socket as &dyn Fn(&Path), &folder] {
            let (path, aside) = (env.data().join(name), env.path().join("aside"));
            let existed = fs::rename(&path, &aside).is_ok();
            make(&path);
            let outcome = env.program(&["get"], "protocol=https\nhost=bitbucket.org\n");
            assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""), "{name}");
            let words = format!("{}' is not a file\n", path.display());
            assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir(&path))
                .unwrap();
            if existed {
                fs::rename(&aside, &path).unwrap();
            }
        }
    }
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
}

#[test]
fn an_entry_answers_only_for_the_host_it_was_made_for() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let path = env.data().join("accounts.toml");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("host = \"bitbucket.org\"", "host = \"evil.example\"");
    crate::support::harness::write_private(
        &path,
        &text.replace(
            "kind = \"api-token\"",
            "kind = \"app-password\"\nusername = \"ada\"",
        ),
    );
    let outcome = env.program(&["get"], "protocol=https\nhost=evil.example\n");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, ""),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("was not made for evil.example"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn only_drafts_of_ours_are_swept_up() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let old = |name: &str| {
        let path = env.data().join(name);
        crate::support::harness::write_private(&path, "x");
        let touched = std::process::Command::new("touch")
            .args(["-d", "5 minutes ago"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(touched.success());
        path
    };
    let draft = old("accounts.toml.0a1b2c3d.new");
    let others = ["mine", "0A1B2C3D", "+a1b2c3d"].map(|it| old(&format!("accounts.toml.{it}.new")));
    env.login(API_TOKEN, &["work"]);
    assert!(!draft.exists() && others.iter().all(|path| path.exists()));
}

#[test]
fn a_file_that_others_can_read_is_refused_with_a_hint() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    for (name, mode) in [
        ("accounts.toml", 0o644),
        ("secrets", 0o640),
        ("secrets.key", 0o604),
    ] {
        let path = env.data().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = env.program(&["token"], "");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""), "{name}");
        assert!(
            outcome
                .stderr
                .contains(&format!("can be read by others (mode {mode:04o})")),
            "{}",
            outcome.stderr
        );
        assert!(
            outcome
                .stderr
                .contains(&format!("hint: 'chmod 600 {}'", path.display())),
            "{}",
            outcome.stderr
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(env.data(), fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = env.program(&["token"], "");
    assert!(
        outcome.stderr.contains("others can write to the folder"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn files_are_private_from_their_first_moment_whatever_the_umask() {
    let env = TestEnv::new();
    let mut command = env.command("sh");
    command.args([
        "-c",
        "umask 0; exec git-credential-bitbucket login --no-verify --with-token --store file",
    ]);
    assert_eq!(
        crate::support::harness::run(command, API_TOKEN.as_bytes()).status,
        0
    );
    assert_eq!(
        fs::metadata(env.data()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(env.data()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.path()
        );
    }
}
