//! What lies in the KV engine, and which of it answers.

use serde_json::{Value, json};

use super::{address, answer, configure, error, get, world};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, TestEnv, reply};

/// What `get` answers for a path of bitbucket.org.
fn of(env: &TestEnv, path: &str) -> String {
    env.get(&format!(
        "protocol=https\nhost=bitbucket.org\npath={path}\n"
    ))
}

#[test]
fn the_kind_is_told_from_the_secret_or_is_said() {
    let Some((env, server)) = world() else {
        return;
    };
    let cases = [
        (
            json!({ "password": API_TOKEN }),
            reply("x-bitbucket-api-token-auth", API_TOKEN),
        ),
        (
            json!({ "password": ACCESS_TOKEN, "username": "x-token-auth" }),
            reply("x-token-auth", ACCESS_TOKEN),
        ),
        (
            json!({ "password": "plain", "kind": "oauth", "username": "" }),
            reply("x-token-auth", "plain"),
        ),
        (
            json!({ "password": APP_PASSWORD, "username": "ada", "kind": null }),
            reply("ada", APP_PASSWORD),
        ),
        (
            // As `bao kv put … password=@FILE` puts it there.
            json!({ "password": format!("{API_TOKEN}\n"), "email": "ada@example.com\r\n" }),
            answer(),
        ),
        (
            json!({ "password": 12_345_678, "kind": "access-token", "more": [1] }),
            reply("x-token-auth", "12345678"),
        ),
    ];
    for (fields, answer) in cases {
        server.put("bitbucket/acme/app", &fields);
        assert_eq!(get(&env).stdout, answer, "{fields}");
    }
}

#[test]
fn an_e_mail_beside_the_token_serves_rest() {
    let Some((env, server)) = world() else {
        return;
    };
    let fields =
        json!({ "password": API_TOKEN, "email": "ada@example.com", "expires": "2099-01-31" });
    server.put("bitbucket/acme/app", &fields);
    let wanted = "protocol=https\nhost=api.bitbucket.org\npath=2.0/repositories/acme/app\n";
    assert_eq!(env.get(wanted), reply("ada@example.com", API_TOKEN));
}

#[test]
fn what_cannot_be_a_credential_is_named_without_its_value() {
    let Some((env, server)) = world() else {
        return;
    };
    let place = "'vault:secret/bitbucket/acme/app'";
    for (fields, what) in [
        (json!({ "username": "canary" }), "has no field 'password'"),
        (json!({}), "has no field 'password'"),
        (
            json!({ "password": "canary\nhost=evil.example" }),
            "has a password with a line break or another control character",
        ),
        (
            json!({ "password": API_TOKEN, "kind": "canary" }),
            "has a kind that does not exist for bitbucket.org",
        ),
        (
            json!({ "password": API_TOKEN, "expires": "canary" }),
            "has an expiry that is not a date such as 2027-01-31",
        ),
        (
            json!({ "password": ["canary"] }),
            "cannot be used: the field 'password' is no text",
        ),
        (
            json!({ "password": API_TOKEN, "username": "canary\r" }),
            "cannot be used: the field 'username' is not a line of text",
        ),
    ] {
        server.put("bitbucket/acme/app", &fields);
        let error = error(&env);
        assert!(!error.contains("canary"), "{error}");
        assert_eq!(error, format!("{place} {what}"));
    }
}

#[test]
fn the_repository_comes_before_the_workspace_and_what_was_deleted_is_passed_over() {
    let Some((env, server)) = world() else {
        return;
    };
    assert_eq!(of(&env, "acme/app.git"), "", "nothing lies there");
    server.put(
        "bitbucket/acme/_default",
        &json!({ "password": "ATCTT3xworkspace" }),
    );
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    let workspace = reply("x-token-auth", "ATCTT3xworkspace");
    assert_eq!(of(&env, "Acme/App.git/info/lfs"), answer());
    assert_eq!(of(&env, "acme/other.git"), workspace);
    assert_eq!(of(&env, "acme-old/app.git"), "");
    assert_eq!(of(&env, "acme/../acme/app"), "");
    assert_eq!(of(&env, "acme/%2e%2e"), "");

    assert_eq!(
        server
            .ask("DELETE", "secret/data/bitbucket/acme/app", &Value::Null)
            .0,
        204
    );
    assert_eq!(of(&env, "acme/app.git"), workspace, "deleted");
    server.change(
        "secret/undelete/bitbucket/acme/app",
        &json!({ "versions": [1] }),
    );
    assert_eq!(of(&env, "acme/app.git"), answer());
    server.change(
        "secret/destroy/bitbucket/acme/app",
        &json!({ "versions": [1] }),
    );
    assert_eq!(of(&env, "acme/app.git"), workspace, "destroyed");
    server.ask("DELETE", "secret/metadata/bitbucket/acme/app", &Value::Null);
    assert_eq!(of(&env, "acme/app.git"), workspace, "gone without a trace");
}

#[test]
fn not_found_leaves_git_to_its_next_helper_without_a_word() {
    let Some((env, _server)) = world() else {
        return;
    };
    env.configure_plain();
    let next = "!f() { test $1 = get && echo username=next && echo password=one; }; f";
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", next]);
    env.git_succeeds(&["config", "--global", "credential.useHttpPath", "true"]);
    let mut fill = env.command("git");
    fill.args(["credential", "fill"]);
    let outcome = crate::support::harness::run(fill, super::WANTED.as_bytes());
    assert!(outcome.stdout.contains("username=next"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn without_a_path_and_for_other_hosts_nobody_is_asked() {
    let Some((env, server)) = world() else {
        return;
    };
    let before = server.count("read", "secret/data/bitbucket/acme/app");
    assert_eq!(env.get_cloud(""), "");
    assert_eq!(
        env.get("protocol=https\nhost=evil.example\npath=acme/app\n"),
        ""
    );
    assert_eq!(
        env.get("protocol=http\nhost=bitbucket.org\npath=acme/app\n"),
        ""
    );
    assert_eq!(
        server.count("read", "secret/data/bitbucket/acme/app"),
        before
    );
}

#[test]
fn templates_say_where_a_secret_lies_and_a_data_center_has_its_own() {
    let Some((env, server)) = world() else {
        return;
    };
    let paths = r#"path = ["git/{host}/{workspace}-{repository}", "git/{host}/all of them"]"#;
    configure(&env, &[&address(&server), paths]);
    server.put(
        "git/bitbucket.org/acme-app",
        &json!({ "password": API_TOKEN }),
    );
    server.put(
        "git/bitbucket.org/all%20of%20them",
        &json!({ "password": ACCESS_TOKEN }),
    );
    assert_eq!(get(&env).stdout, answer());
    assert_eq!(of(&env, "other/app"), reply("x-token-auth", ACCESS_TOKEN));
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));

    let config = env.data().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("hosts = ['git.corp.example:7990']\n{text}"),
    )
    .unwrap();
    let fields = json!({ "password": "plain", "username": "ada", "kind": "http-access-token" });
    server.put("git/git.corp.example:7990/acme-app", &fields);
    assert_eq!(
        env.get("protocol=https\nhost=git.corp.example:7990\npath=scm/ACME/app.git\n"),
        reply("ada", "plain")
    );
}

#[test]
fn what_lies_at_a_path_without_its_host_goes_to_no_other_host() {
    let Some((env, server)) = world() else {
        return;
    };
    let config = env.data().join("config.toml");
    let elsewhere = "protocol=https\nhost=git.corp.example\npath=scm/acme/app.git\n";
    let fields = json!({ "password": "BBDC-canary", "username": "ada" });
    server.put("bitbucket/acme/app", &fields);
    for (host, answers) in [("", false), ("host = 'git.corp.example'", true)] {
        configure(&env, &[&address(&server), host]);
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("hosts = ['git.corp.example']\n{text}")).unwrap();
        let expected = if answers {
            reply("ada", "BBDC-canary")
        } else {
            String::new()
        };
        assert_eq!(env.get(elsewhere), expected, "{host}");
    }
    assert_eq!(get(&env).stdout, "", "nor to bitbucket.org then");
}

#[test]
fn status_says_what_is_looked_into() {
    let Some((env, server)) = world() else {
        return;
    };
    configure(&env, &[&address(&server)]);
    let status = || env.program(&["status"], "").stderr;
    assert!(
        status().starts_with("No account; 'vault' is searched\n"),
        "{}",
        status()
    );
    env.login(API_TOKEN, &["--for", "acme/app"]);
    let expected = "Where no account fits, 'vault' is searched\n";
    assert!(status().starts_with(expected), "{}", status());
}

#[test]
fn version_one_of_the_engine_is_found_out_or_said() {
    let Some((env, server)) = world() else {
        return;
    };
    server.change(
        "sys/mounts/old/er",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    server.change(
        "old/er/bitbucket/acme/app",
        &json!({ "password": API_TOKEN }),
    );
    for version in ["", "version = 1"] {
        configure(&env, &[&address(&server), "mount = \"/old/er/\"", version]);
        assert_eq!(get(&env).stdout, answer(), "{version}");
        assert_eq!(of(&env, "acme/other"), "", "{version}");
    }
    configure(
        &env,
        &[&address(&server), "mount = \"old/er\"", "version = 2"],
    );
    assert_eq!(get(&env).stdout, "");
    configure(&env, &[&address(&server), "version = 3"]);
    assert_eq!(
        error(&env),
        "'version' of [store.vault] in config.toml is neither 1 nor 2"
    );
}

#[test]
fn version_one_is_found_out_where_a_policy_forbids_the_paths_of_version_two() {
    let Some((mut env, server)) = world() else {
        return;
    };
    server.change(
        "sys/mounts/old",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    server.change("old/bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    server.policy("git", &["old/bitbucket/*"]);
    env.set("BAO_TOKEN", &server.token(&["git"]));
    configure(&env, &[&address(&server), "mount = \"old\""]);
    assert_eq!(get(&env).stdout, answer());
}

#[test]
fn a_mount_that_does_not_exist_is_not_taken_for_an_empty_one() {
    let Some((env, server)) = world() else {
        return;
    };
    configure(
        &env,
        &[&address(&server), "mount = \"nowhere\"", "version = 2"],
    );
    let error = error(&env);
    let expected = format!(
        "Vault at '{}' has nothing of that kind (404): ",
        server.address
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_policy_that_lets_read_the_workspace_alone_is_no_error() {
    let Some((mut env, server)) = world() else {
        return;
    };
    server.put("bitbucket/acme/_default", &json!({ "password": API_TOKEN }));
    server.policy("git", &["secret/data/bitbucket/acme/_default"]);
    env.set("BAO_TOKEN", &server.token(&["git"]));
    assert_eq!(get(&env).stdout, answer());
    env.set("BAO_TOKEN", &server.token(&["default"]));
    assert_eq!(
        error(&env),
        format!(
            "Vault at '{}' does not let us read 'secret/data/bitbucket/acme/app' (403)",
            server.address
        )
    );
}

#[test]
fn a_rotated_secret_is_answered_at_the_next_get() {
    let Some((env, server)) = world() else {
        return;
    };
    for number in 0..3 {
        let secret = format!("ATCTT3xrotated-{number}");
        server.put("bitbucket/acme/app", &json!({ "password": secret }));
        assert_eq!(get(&env).stdout, reply("x-token-auth", &secret));
    }
}
