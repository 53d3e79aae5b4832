//! Tokens where none belong: in the place of a user name, in a path, in a key of git's configuration.

use std::fs;

use super::leak::{assert_nothing_leaked_into_files, assert_silent};
use crate::support::canary::leaks;
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, write_private};

#[test]
fn a_token_in_the_place_of_a_user_name_is_kept_as_a_token_or_not_at_all() {
    for (username, password) in [
        (ACCESS_TOKEN, "x-oauth-basic"),
        (API_TOKEN, "x-token-auth"),
        (API_TOKEN, "hunter2-hunter2"),
        (APP_PASSWORD, "x-oauth-basic"),
        (ACCESS_TOKEN, API_TOKEN),
    ] {
        let mut env = TestEnv::new();
        let trace = env.home().join("trace.log");
        env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
        fs::create_dir_all(env.data()).unwrap();
        fs::write(
            env.data().join("config.toml"),
            "[store]\ndefault = 'file'\n",
        )
        .unwrap();
        let wanted = "protocol=https\nhost=bitbucket.org\npath=acme/app.git\n";
        let given = format!("{wanted}username={username}\npassword={password}\n");
        assert_silent(&env.program(&["store"], &given));
        let reply = env.program(&["get"], wanted).stdout;
        assert!(!reply.contains(&format!("username={username}")), "{reply}");
        let is_kept = password.starts_with("x-") && username != APP_PASSWORD;
        assert_eq!(reply.contains(&format!("password={username}\n")), is_kept);
        assert_eq!(env.accounts().len(), usize::from(is_kept));
        assert_silent(&env.program(&["status"], ""));
        assert_silent(&env.program(&["status", "--json"], ""));
        assert_silent(&env.program(&["doctor"], ""));
        assert_nothing_leaked_into_files(&env);
        env.program(&["erase"], &given);
        let state = env
            .accounts()
            .first()
            .map(|account| account["state"].clone());
        assert_eq!(state, is_kept.then(|| "rejected".into()));
        assert_nothing_leaked_into_files(&env);
    }
}

#[test]
fn a_token_where_none_belongs_is_masked_in_all_that_is_shown() {
    let mut env = TestEnv::new();
    let trace = env.home().join("trace.log");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
    env.login(API_TOKEN, &["one"]);
    // As an older version or somebody's editor wrote it; the file itself is the user's to mend.
    let accounts = env.data().join("accounts.toml");
    let row = format!(
        "\n[[account]]\nname = \"{ACCESS_TOKEN}\"\nhost = \"bitbucket.org\"\nusername = \"{ACCESS_TOKEN}\"\nstore = \
         \"file\"\nentry = \"{ACCESS_TOKEN}@bitbucket.org#1\"\norigin = \"git\"\npath = \"acme/{ACCESS_TOKEN}\"\n"
    );
    let before = fs::read_to_string(&accounts).unwrap();
    write_private(&accounts, &(before.clone() + &row));
    let encoded = API_TOKEN
        .replacen('A', "%41", 1)
        .replace('=', "%3D")
        .replace('-', "%2d");
    let request = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/{API_TOKEN}\nusername={ACCESS_TOKEN}\n"
    );
    let key = format!("credential.https://ada:{APP_PASSWORD}@bitbucket.org.helper");
    env.git_succeeds(&["config", "--global", &key, "store"]);
    for password in ["can:canary/x", "canary x"] {
        let key = format!("credential.https://ada:{password}@bitbucket.org.helper");
        env.git_succeeds(&["config", "--global", &key, "cache"]);
    }
    env.git_succeeds(&["init", "--quiet", "app"]);
    let key = format!("remote.{API_TOKEN}.url");
    let url = format!("https://ada:{API_TOKEN}@bitbucket.org/acme/{ACCESS_TOKEN}.git");
    env.git_succeeds(&["-C", "app", "config", &key, &url]);
    for (arguments, input) in [
        (&["get"][..], request.as_str()),
        (
            &["get"],
            "protocol=https\nhost=bitbucket.org\npath=acme/app\n",
        ),
        (&["store"], request.as_str()),
        (&["erase"], request.as_str()),
        (&["status"], ""),
        (&["status", "--json"], ""),
        (&["doctor"], ""),
        (&["doctor", "--json"], ""),
        (
            &["doctor", &format!("https://bitbucket.org/acme/{encoded}")],
            "",
        ),
        (
            &[
                "doctor",
                "--json",
                &format!("https://{encoded}@bitbucket.org/acme/app"),
            ],
            "",
        ),
        (
            &["token", &format!("https://bitbucket.org/acme/{encoded}")],
            "",
        ),
        (&["setup"], ""),
        (&["setup", "--force"], ""),
        (&["scrub", "app", "--dry-run"], ""),
        (&["scrub", "app", "--json"], ""),
    ] {
        let outcome = env.program(arguments, input);
        let is_answer = matches!(arguments, ["get" | "token", ..]);
        assert!(
            is_answer || !leaks(outcome.stdout.as_bytes()),
            "{outcome:?}"
        );
        assert!(!leaks(outcome.stderr.as_bytes()), "{outcome:?}");
    }
    let trace = fs::read_to_string(&trace).unwrap();
    assert!(trace.contains("path acme/***"), "{trace}");
    assert!(!leaks(trace.as_bytes()), "{trace}");
}

#[test]
fn a_token_for_a_name_in_a_file_is_imported_as_a_token() {
    let netrc = format!("machine bitbucket.org login {ACCESS_TOKEN} password x-oauth-basic\n");
    let both = format!("machine bitbucket.org login {API_TOKEN} password {ACCESS_TOKEN}\n");
    let url = format!("https://{ACCESS_TOKEN}:x-oauth-basic@bitbucket.org\n");
    for (file, text) in [
        (".netrc", &netrc),
        (".netrc", &both),
        (".git-credentials", &url),
    ] {
        let env = TestEnv::new();
        fs::create_dir_all(env.data()).unwrap();
        fs::write(
            env.data().join("config.toml"),
            "[store]\ndefault = 'file'\n",
        )
        .unwrap();
        write_private(&env.home().join(file), text);
        assert_silent(&env.program(&["import", "--dry-run"], ""));
        assert_silent(&env.program(&["import", "--remove"], ""));
        assert_silent(&env.program(&["status", "--json"], ""));
        assert_nothing_leaked_into_files(&env);
        let reply = env.get_cloud("");
        assert!(
            reply.contains(&format!("password={ACCESS_TOKEN}\n")),
            "{file}: {reply}"
        );
        assert!(reply.contains("username=x-token-auth\n"), "{file}: {reply}");
    }
}
