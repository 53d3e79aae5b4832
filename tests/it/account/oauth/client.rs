//! Where the OAuth client of `login --web` comes from.

use std::fs;

use super::{CLIENT_SECRET, browser, data_center, free_port, works, world};
use crate::support::harness::{Outcome, PROGRAM, TestEnv, has, run};
use crate::support::terminal::Terminal;

const DC_HOST: [&str; 2] = ["--host", "git.corp.example:7990/bitbucket"];

/// Signs in with nothing on standard input.
fn web(env: &TestEnv, more: &[&str]) -> Outcome {
    let port = free_port();
    let all = ["login", "mine", "--web", "--store", "file", "--port", &port];
    env.program(&[&all[..], more].concat(), "")
}

fn configure(env: &TestEnv, text: &str) {
    fs::create_dir_all(env.data()).unwrap();
    fs::write(env.data().join("config.toml"), text).unwrap();
}

fn knows_none(outcome: &Outcome) {
    assert_eq!(outcome.status, 1, "{outcome:?}");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(
        lines.len(),
        5,
        "three lines, the error, its hint: {lines:?}"
    );
    assert!(lines[3].contains("no OAuth client of"), "{lines:?}");
    assert!(lines[4].contains("--web --client-id ID"), "{lines:?}");
}

#[test]
fn who_has_no_client_is_told_in_three_lines_how_to_make_one() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    browser(&mut env, "");
    let outcome = env.program(&["login", "--web", "--for", "acme"], "");
    knows_none(&outcome);
    for words in [
        "'OAuth clients'",
        "'OAuth consumers'",
        "'Create OAuth client'",
        "https://bitbucket.org/acme/workspace/settings/oauth-clients",
        "Callback URL: http://127.0.0.1:23418/callback",
        "'Authorization code'",
        "'Refresh token'",
        "Client ID (older: key)",
        "Secret",
    ] {
        assert!(outcome.stderr.contains(words), "{words}: {outcome:?}");
    }
    let outcome = env.program(&[&["login", "--web"], &DC_HOST[..]].concat(), "");
    knows_none(&outcome);
    for words in ["'Incoming'", "/bitbucket/plugins/servlet/applinks/"] {
        assert!(outcome.stderr.contains(words), "{words}: {outcome:?}");
    }
    assert!(stand_in.requests().is_empty());
}

#[test]
fn config_toml_names_the_client_and_the_store_keeps_its_secret() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    browser(&mut env, "");
    configure(&env, "[oauth.\"bitbucket.org\"]\nclient_id = \"KEY\"\n");
    let asks = web(&env, &[]);
    assert_eq!(asks.status, 1, "{asks:?}");
    assert!(asks.stderr.contains("'--with-token'"), "{asks:?}");
    let port = free_port();
    let arguments = ["login", "mine", "--web", "--store", "file", "--with-token"];
    let outcome = env.program(
        &[&arguments[..], &["--port", &port]].concat(),
        format!("{CLIENT_SECRET}\n"),
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
    // From now on the store has it, for another account too.
    let port = free_port();
    let outcome = env.program(
        &[
            "login", "other", "--web", "--store", "file", "--port", &port,
        ],
        "",
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(env.accounts().len(), 2);
    assert!(!env.program(&["status"], "").stderr.contains("unknown key"));
}

#[test]
fn config_toml_names_a_client_for_each_host() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _data_center, _consumer) = data_center();
    browser(&mut env, "");
    configure(
        &env,
        "[oauth.\"bitbucket.org\"]\nclient_id = \"OTHER\"\n\
         [oauth.\"Git.Corp.example:7990\"]\nclient_id = \"KEY\"\n",
    );
    let port = free_port();
    let arguments = ["login", "mine", "--web", "--store", "file", "--with-token"];
    let more = ["--port", &port];
    let outcome = env.program(
        &[&arguments[..], &more, &DC_HOST].concat(),
        format!("{CLIENT_SECRET}\n"),
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn a_key_beside_the_client_is_reported_and_never_its_value() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, _consumer) = world();
    configure(
        &env,
        "[oauth.\"bitbucket.org\"]\nclient_id = \"KEY\"\nclient_secret = \"canary\"\n",
    );
    let status = env.program(&["status"], "");
    assert!(
        status
            .stderr
            .contains("config.toml:3: 'oauth.bitbucket.org.client_secret'"),
        "{status:?}"
    );
    assert!(!status.stderr.contains("canary"), "{status:?}");
}

#[test]
fn git_s_own_settings_name_it_and_those_of_a_repository_never() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    browser(&mut env, "");
    let id = "credential.https://bitbucket.org.oauthClientId";
    let secret = "credential.https://bitbucket.org.oauthClientSecret";
    // A repository, and a work tree of its own configuration, name the client of somebody else.
    let hostile = env.home().join("hostile");
    env.git_succeeds(&["init", "--quiet", "hostile"]);
    for (key, value) in [
        ("extensions.worktreeConfig", "true"),
        (id, "KEY"),
        (secret, CLIENT_SECRET),
    ] {
        env.git_succeeds(&["-C", "hostile", "config", key, value]);
        env.git_succeeds(&["-C", "hostile", "config", "--worktree", key, value]);
    }
    let mut login = env.command(PROGRAM);
    login.args(["login", "--web"]).current_dir(&hostile);
    knows_none(&run(login, b""));

    // Where the tokens come from is no setting.
    for (key, value) in [
        (id, "KEY"),
        (secret, CLIENT_SECRET),
        (
            "credential.https://bitbucket.org.oauthAuthURL",
            "https://evil.example/authorize",
        ),
        (
            "credential.https://bitbucket.org.oauthTokenURL",
            "https://evil.example/token",
        ),
    ] {
        env.git_succeeds(&["config", "--global", key, value]);
    }
    let port = free_port();
    let mut login = env.command(PROGRAM);
    login.args(["login", "mine", "--web", "--store", "file", "--port", &port]);
    login.current_dir(&hostile);
    let outcome = run(login, b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn the_command_and_the_system_name_it_too() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    browser(&mut env, "");
    let section = "credential.https://bitbucket.org";
    let port = free_port();
    let outcome = env.git(&[
        "-c",
        &format!("{section}.oauthClientId=KEY"),
        "-c",
        &format!("{section}.oauthClientSecret={CLIENT_SECRET}"),
        "credential-bitbucket",
        "login",
        "mine",
        "--web",
        "--store",
        "file",
        "--port",
        &port,
    ]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
    assert_eq!(env.program(&["logout", "--all"], "").status, 0);

    let system = env.path().join("system-gitconfig");
    let text = format!(
        "[credential \"https://bitbucket.org\"]\noauthClientId = KEY\noauthClientSecret = {CLIENT_SECRET}\n"
    );
    fs::write(&system, text).unwrap();
    env.set("GIT_CONFIG_NOSYSTEM", "0");
    env.set("GIT_CONFIG_SYSTEM", &system.display().to_string());
    let outcome = web(&env, &[]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn git_s_settings_name_the_client_of_an_instance_below_its_path() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _data_center, _consumer) = data_center();
    browser(&mut env, "");
    let section = "credential.https://git.corp.example:7990/bitbucket";
    for (key, value) in [
        ("oauthClientId", "KEY"),
        ("oauthClientSecret", CLIENT_SECRET),
    ] {
        env.git_succeeds(&["config", "--global", &format!("{section}.{key}"), value]);
    }
    let outcome = web(&env, &DC_HOST);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn git_credential_manager_s_variables_name_it_and_no_browser_inherits_the_secret() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    let inherited = env.path().join("inherited").display().to_string();
    browser(&mut env, &format!("env >'{inherited}'"));
    env.set("GCM_BITBUCKET_DATACENTER_CLIENTID", "KEY");
    knows_none(&env.program(&["login", "--web"], ""));
    env.set("GCM_BITBUCKET_CLOUD_CLIENTID", "KEY");
    env.set("GCM_BITBUCKET_CLOUD_CLIENTSECRET", CLIENT_SECRET);
    let outcome = web(&env, &[]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
    let inherited = fs::read_to_string(inherited).unwrap();
    assert!(!inherited.contains(CLIENT_SECRET), "{inherited}");

    let (mut env, _stand_in, _data_center, _consumer) = data_center();
    browser(&mut env, "");
    env.set("GCM_BITBUCKET_CLOUD_CLIENTID", "KEY");
    knows_none(&env.program(&[&["login", "--web"], &DC_HOST[..]].concat(), ""));
    env.set("GCM_BITBUCKET_DATACENTER_CLIENTID", "KEY");
    env.set("GCM_BITBUCKET_DATACENTER_CLIENTSECRET", CLIENT_SECRET);
    let outcome = web(&env, &DC_HOST);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

/// `tests/run.sh` builds the program and this test a second time, with the two variables.
#[test]
fn a_client_that_was_built_in_signs_in() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    browser(&mut env, "");
    let built_in = (
        option_env!("GIT_CREDENTIAL_BITBUCKET_CLIENT_ID"),
        option_env!("GIT_CREDENTIAL_BITBUCKET_CLIENT_SECRET"),
    );
    let (Some(id), Some(secret)) = built_in else {
        knows_none(&env.program(&["login", "--web"], ""));
        return;
    };
    stand_in.consumer(id, secret);
    let outcome = web(&env, &[]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn the_option_comes_first_then_config_toml_then_git_then_git_credential_manager() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    for id in ["OF-CONFIG", "OF-GIT", "OF-GCM", "OF-OPTION"] {
        stand_in.consumer(id, "");
    }
    browser(&mut env, "");
    let signed_in_with = |env: &TestEnv, id: &str, more: &[&str]| {
        let port = free_port();
        let all = ["login", "--web", "--store", "file", "--with-token"];
        let outcome = env.program(&[&all[..], &["--port", &port], more].concat(), "\n");
        assert_eq!(outcome.status, 0, "{id}: {outcome:?}");
        let text = fs::read_to_string(env.data().join("accounts.toml")).unwrap();
        assert!(
            text.contains(&format!("client_id = \"{id}\"")),
            "{id}: {text}"
        );
        assert_eq!(env.program(&["logout", "--all"], "").status, 0);
    };
    env.set("GCM_BITBUCKET_CLOUD_CLIENTID", "OF-GCM");
    signed_in_with(&env, "OF-GCM", &[]);
    let key = "credential.https://bitbucket.org.oauthClientId";
    env.git_succeeds(&["config", "--global", key, "OF-GIT"]);
    signed_in_with(&env, "OF-GIT", &[]);
    configure(
        &env,
        "[oauth.\"bitbucket.org\"]\nclient_id = \"OF-CONFIG\"\n",
    );
    signed_in_with(&env, "OF-CONFIG", &[]);
    signed_in_with(&env, "OF-OPTION", &["--client-id", "OF-OPTION"]);
}

#[test]
fn a_client_without_a_secret_signs_in_and_is_renewed_by_pkce_alone() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    browser(&mut env, "");
    stand_in.consumer("OPEN", "");
    let key = "credential.https://bitbucket.org.oauthClientId";
    env.git_succeeds(&["config", "--global", key, "OPEN"]);
    let outcome = web(&env, &[]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    super::let_it_end(&env);
    assert!(works(&env));

    let (mut env, _stand_in, data_center, _consumer) = data_center();
    browser(&mut env, "");
    data_center.consumer("OPEN", "");
    let port = free_port();
    let arguments = [
        "login",
        "mine",
        "--web",
        "--client-id",
        "OPEN",
        "--with-token",
    ];
    let more = ["--store", "file", "--port", &port];
    let outcome = env.program(&[&arguments[..], &more, &DC_HOST].concat(), "\n");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    super::let_it_end(&env);
    assert!(works(&env));
}

#[test]
fn at_a_terminal_login_offers_browser_or_token_where_a_client_is_known() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    stand_in.allow(crate::support::stand_in::Credential::access_token(
        crate::support::harness::ACCESS_TOKEN,
    ));
    browser(&mut env, "");
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    // Nothing is offered where none is known.
    terminal.types_anew("git credential-bitbucket login --store file");
    let asked = terminal.expect("Token for bitbucket.org (it will not show):");
    assert!(!asked.contains("browser"), "{asked}");
    terminal.types(crate::support::harness::ACCESS_TOKEN);
    terminal.expect("bitbucket.org knows it");

    terminal.types_anew(&format!(
        "export GCM_BITBUCKET_CLOUD_CLIENTID=KEY GCM_BITBUCKET_CLOUD_CLIENTSECRET={CLIENT_SECRET}"
    ));
    terminal.types_anew("git credential-bitbucket login again --store file");
    terminal.expect("browser or token");
    terminal.types("perhaps");
    terminal.expect("Please type browser or token");
    terminal.types("token");
    terminal.expect("Token for bitbucket.org (it will not show):");
    terminal.types(crate::support::harness::ACCESS_TOKEN);
    terminal.expect("bitbucket.org knows it");
    terminal.types_anew(&format!(
        "git credential-bitbucket login {} --for acme --store file",
        "third"
    ));
    terminal.expect("browser or token");
    terminal.types("");
    terminal.expect("Grant access in the browser that opens");
}
