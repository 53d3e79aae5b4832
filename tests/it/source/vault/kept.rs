//! The token of a login, kept for its lease: one login for many questions, and no longer than it is safe.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Server, answer, error, get, text, world_of_app_role};
use crate::support::harness::{PROGRAM, TestEnv, run, write_private};

/// The kept tokens in a folder, without their locks.
fn kept_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("vault-login-") && !name.contains('.')
        })
        .collect()
}

fn kept(env: &TestEnv) -> Vec<PathBuf> {
    kept_in(&env.data())
}

/// The token itself, which stands behind the end of its time.
fn token(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace().nth(1).unwrap().to_owned()
}

fn lookups(server: &Server) -> usize {
    server.count("read", "auth/token/lookup-self")
}

#[test]
fn one_login_serves_many_questions_and_its_token_is_private() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    for _ in 0..5 {
        assert_eq!(get(&env).stdout, answer());
    }
    assert_eq!((server.logins(), lookups(&server)), (1, 0));
    let files = kept(&env);
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = fs::metadata(&files[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let until: u64 = fs::read_to_string(&files[0])
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let now = SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let left = until - now.unwrap().as_secs();
    assert!(
        (3500..=3570).contains(&left),
        "its hour, less a little: {left}"
    );
}

#[test]
fn of_sixteen_at_once_one_logs_in() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    let all = || {
        thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| get(&env))).collect();
            for one in all {
                let outcome = one.join().unwrap();
                assert_eq!(outcome.stdout, answer(), "{outcome:?}");
            }
        });
    };
    all();
    assert_eq!(server.logins(), 1);
    revoke(&server, &env);
    all();
    assert_eq!(server.logins(), 2, "and once more after it was revoked");
}

/// Takes back the token that is kept.
fn revoke(server: &Server, env: &TestEnv) {
    let token = token(&kept(env)[0]);
    server.change("auth/token/revoke", &json!({ "token": token }));
}

#[test]
fn a_token_that_was_revoked_costs_one_more_login() {
    // Also where a role may not ask about itself.
    for role in [json!({}), json!({ "token_no_default_policy": true })] {
        let Some((env, server)) = world_of_app_role(&role) else {
            return;
        };
        assert_eq!(get(&env).stdout, answer());
        revoke(&server, &env);
        for _ in 0..3 {
            assert_eq!(get(&env).stdout, answer());
        }
        assert_eq!(server.logins(), 2, "{role}");
    }
}

#[test]
fn what_the_policy_forbids_is_no_reason_to_log_in_again() {
    // A role whose policies do not even let a token ask about itself cannot tell the two apart.
    for no_default in [false, true] {
        let Some((env, server)) =
            world_of_app_role(&json!({ "token_no_default_policy": no_default }))
        else {
            return;
        };
        server.policy("git", &["secret/data/other/*"]);
        for _ in 0..4 {
            assert!(error(&env).ends_with("(403)"), "{no_default}");
        }
        assert_eq!(server.logins(), 1, "{no_default}");
        assert_eq!(lookups(&server), if no_default { 1 } else { 4 });
        server.policy("git", &["secret/data/bitbucket/*"]);
        assert_eq!(get(&env).stdout, answer(), "a policy counts at once");
        assert_eq!(server.logins(), 1, "{no_default}");
    }
}

#[test]
fn a_token_that_was_revoked_and_may_read_no_more_costs_one_login_as_well() {
    for no_default in [false, true] {
        let Some((env, server)) =
            world_of_app_role(&json!({ "token_no_default_policy": no_default }))
        else {
            return;
        };
        assert_eq!(get(&env).stdout, answer());
        revoke(&server, &env);
        server.policy("git", &["secret/data/other/*"]);
        for _ in 0..3 {
            assert!(error(&env).ends_with("(403)"), "{no_default}");
        }
        assert_eq!(server.logins(), 2, "{no_default}");
    }
}

#[test]
fn a_token_for_a_number_of_uses_or_for_ever_is_not_kept() {
    let Some((env, server)) = world_of_app_role(&json!({ "token_num_uses": 3 })) else {
        return;
    };
    for _ in 0..3 {
        assert_eq!(get(&env).stdout, answer());
    }
    assert_eq!((server.logins(), kept(&env).len()), (3, 0));
}

#[test]
fn a_token_is_not_used_beyond_its_lease() {
    let Some((env, server)) = world_of_app_role(&json!({ "token_ttl": "2s" })) else {
        return;
    };
    assert_eq!(get(&env).stdout, answer());
    thread::sleep(Duration::from_secs(2));
    assert_eq!(get(&env).stdout, answer());
    assert_eq!(
        (server.logins(), lookups(&server)),
        (2, 0),
        "it was not even tried"
    );
}

#[test]
fn a_batch_token_is_kept_as_well() {
    let Some((env, server)) = world_of_app_role(&json!({ "token_type": "batch" })) else {
        return;
    };
    for _ in 0..3 {
        assert_eq!(get(&env).stdout, answer());
    }
    assert_eq!((server.logins(), kept(&env).len()), (1, 1));
}

#[test]
fn another_secret_id_gets_a_login_of_its_own_and_what_is_over_is_swept() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    assert_eq!(get(&env).stdout, answer());
    let first = kept(&env).remove(0);
    let answer_of_new = server.change("auth/approle/role/git/secret-id", &Value::Null);
    let secret_id = text(&answer_of_new, "/data/secret_id");
    fs::write(env.path().join("secret-id"), secret_id).unwrap();
    assert_eq!(get(&env).stdout, answer());
    assert_eq!((server.logins(), kept(&env).len()), (2, 2));

    // The first one's time is over; so is that of a lock which some job left.
    write_private(&first, "1000000000 token");
    let lock = env.data().join("vault-login-of-some-job.lock");
    fs::File::create(&lock)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    for path in kept(&env) {
        write_private(&path, "1000000000 token");
    }
    // And the draft of one that was killed while it wrote down what it had got; another one may be at work.
    let draft = |name: &str, age: u64| {
        let path = env.data().join(name);
        write_private(&path, "9999999999 canary");
        let modified = SystemTime::now() - Duration::from_secs(age);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        path
    };
    let left = draft("vault-login-of-some-job.0a1b2c3d.new", 90);
    let at_work = draft("vault-login-of-another.0a1b2c3d.new", 0);
    assert_eq!(get(&env).stdout, answer());
    assert!(!left.exists() && at_work.exists());
    fs::remove_file(at_work).unwrap();
    assert_eq!(kept(&env).len(), 1);
    assert!(!lock.exists());
}

#[test]
fn a_kept_token_that_others_could_read_or_that_is_damaged_is_not_used() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    assert_eq!(get(&env).stdout, answer());
    let path = kept(&env).remove(0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(get(&env).stdout, answer());
    assert_eq!(server.logins(), 2);
    for damage in [
        "",
        "x",
        "99999999999",
        "99999999999 ",
        "\u{0}\u{1}",
        "9 9 9",
    ] {
        write_private(&path, damage);
        assert_eq!(get(&env).stdout, answer(), "{damage:?}");
    }
    assert_eq!(server.logins(), 8);
}

#[test]
fn it_lies_in_the_folder_of_the_session_where_there_is_one() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    let run_folder = env.path().join("run");
    fs::create_dir(&run_folder).unwrap();
    fs::set_permissions(&run_folder, fs::Permissions::from_mode(0o700)).unwrap();
    let settings = env.home().join(".config/git-credential-bitbucket");
    fs::create_dir_all(&settings).unwrap();
    fs::rename(env.data().join("config.toml"), settings.join("config.toml")).unwrap();
    let ask = |variable: Option<&Path>| {
        let mut command = env.command(PROGRAM);
        command
            .arg("get")
            .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME")
            .envs(variable.map(|path| ("XDG_RUNTIME_DIR", path)));
        let outcome = run(command, super::WANTED.as_bytes());
        assert_eq!(outcome.stdout, answer(), "{outcome:?}");
    };
    ask(Some(&run_folder));
    ask(Some(&run_folder));
    assert_eq!(server.logins(), 1);
    assert_eq!(
        kept_in(&run_folder.join("git-credential-bitbucket")).len(),
        1
    );
    ask(None);
    let data = env.home().join(".local/share/git-credential-bitbucket");
    assert_eq!(kept_in(&data).len(), 1);
}

#[test]
fn where_nothing_can_be_written_everybody_logs_in() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    let (mut shell, program) = env.shell_of_a_plain_user();
    let script = "chmod 500 ../data; \"$1\" get <../wanted; \"$1\" get <../wanted";
    fs::write(env.path().join("wanted"), super::WANTED).unwrap();
    shell.args(["-c", script, "sh"]).arg(program);
    let outcome = run(shell, b"");
    assert_eq!(
        (outcome.stdout, outcome.stderr),
        (answer().repeat(2), String::new())
    );
    assert_eq!((server.logins(), kept(&env).len()), (2, 0));
}
