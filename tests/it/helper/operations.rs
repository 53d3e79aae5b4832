//! git's operations through the real binary: what is answered, and what is not.

use std::fs;

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, APP_PASSWORD, PROGRAM, TestEnv, ephemeral, has, reply, run,
};

const STATIC: &str = "x-bitbucket-api-token-auth";

#[test]
fn capability_names_the_protocol_version_and_authtype() {
    let outcome = TestEnv::new().program(&["capability"], "");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (0, "version 0\ncapability authtype\n")
    );
}

#[test]
fn an_unknown_operation_is_ignored_in_silence() {
    let outcome = TestEnv::new().program(
        &["frobnicate"],
        "protocol=https\nhost=bitbucket.org\n".repeat(10_000),
    );
    assert_eq!(
        (
            outcome.status,
            outcome.stdout.as_str(),
            outcome.stderr.as_str()
        ),
        (0, "", "")
    );
}

#[test]
fn each_kind_is_answered_with_its_own_user_name() {
    let rows: [(&str, &[&str], &str); 3] = [
        (API_TOKEN, &["--username", "ada"], STATIC),
        (ACCESS_TOKEN, &[], "x-token-auth"),
        (APP_PASSWORD, &["--username", "ada"], "ada"),
    ];
    for (secret, arguments, username) in rows {
        let env = TestEnv::new();
        env.login(secret, arguments);
        assert_eq!(env.get_cloud(""), reply(username, secret));
        assert_eq!(
            env.get_cloud("capability[]=authtype\ncapability[]=state\n"),
            ephemeral(&reply(username, secret))
        );
    }
}

#[test]
fn a_data_center_token_goes_with_its_user_name_and_only_to_its_host() {
    let env = TestEnv::new();
    env.login(
        "BBDC-canary",
        &["--host", "Git.Corp.Example:7990", "--username", "ada"],
    );
    let at = |host: &str| {
        env.get(&format!(
            "protocol=https\nhost={host}\npath=scm/prj/app.git\n"
        ))
    };
    assert_eq!(at("git.corp.example:7990"), reply("ada", "BBDC-canary"));
    for host in ["git.corp.example", "git.corp.example:7991", "bitbucket.org"] {
        assert_eq!(at(host), "", "{host}");
    }
}

#[test]
fn nothing_but_https_to_the_very_host_is_answered_or_kept() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let contexts = [
        "protocol=http\nhost=bitbucket.org\n",
        "protocol=HTTPS\nhost=bitbucket.org\n",
        "host=bitbucket.org\n",
        "protocol=https\n",
        "protocol=https\nhost=\n",
        "protocol=https\nhost=bitbucket.org.evil.example\n",
        "protocol=https\nhost=evilbitbucket.org\n",
        "protocol=https\nhost=bitbucket.org.\n",
        "protocol=https\nhost=bitbucket.org \n",
        "protocol=https\nhost= bitbucket.org\n",
        "protocol=https\nhost=bitbucket%2eorg\n",
        "protocol=https\nhost=bitbucket.org%00\n",
        "protocol=https\nhost=www.bitbucket.org\n",
        "protocol=https\nhost=bytebucket.org\n",
        "protocol=https\nhost=b\u{456}tbucket.org\n",
        "protocol=https\nhost=bitbucket.org:8443\n",
        "protocol=https\nhost=bitbucket.org/.evil.example\n",
        "protocol=https\nhost=bitbucket.org#.evil.example\n",
        "protocol=https\nhost=user@bitbucket.org\n",
        "protocol=https\nhost=evil.example\nusername=bitbucket.org\n",
        "protocol=cert\nhost=bitbucket.org\n",
    ];
    let before = fs::read(env.data().join("accounts.toml")).unwrap();
    for context in contexts {
        assert_eq!(env.get(context), "", "{context}");
        let outcome = env.program(
            &["store"],
            format!("{context}username=eve\npassword=foreign\n"),
        );
        assert_eq!(
            (outcome.status, outcome.stderr.as_str()),
            (0, ""),
            "{context}"
        );
        assert_eq!(env.program(&["erase"], context).status, 0, "{context}");
    }
    assert_eq!(fs::read(env.data().join("accounts.toml")).unwrap(), before);
    for same in ["BitBucket.ORG", "bitbucket.org:443"] {
        assert_eq!(
            env.get(&format!("protocol=https\nhost={same}\n")),
            reply(STATIC, API_TOKEN),
            "{same}"
        );
    }
}

#[test]
fn a_request_that_git_would_not_write_changes_nothing_and_is_answered_with_nothing() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let rest = format!("username={STATIC}\npassword={API_TOKEN}\n");
    let long = "x".repeat(65_536);
    let requests = [
        format!("protocol=https\r\nhost=bitbucket.org\r\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\npath=a\rb\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\npath=a\0b\n{rest}"),
        format!("protocol=https\nhost=evil.example\nhost=bitbucket.org\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\nhost=bitbucket.org\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\nrubbish\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\nwwwauth[]={long}\n{rest}"),
        "x=y\n".repeat(1_000_000) + "protocol=https\nhost=bitbucket.org\n",
    ];
    for request in requests {
        for operation in ["get", "store", "erase"] {
            let outcome = env.program(&[operation], &request);
            let start = &request[..request.len().min(60)];
            assert_eq!(
                (
                    outcome.status,
                    outcome.stdout.as_str(),
                    outcome.stderr.as_str()
                ),
                (0, "", ""),
                "{start}"
            );
        }
    }
    assert_eq!(
        env.get_cloud(""),
        reply(STATIC, API_TOKEN),
        "the erases have done nothing"
    );
}

#[test]
fn a_request_ends_at_its_blank_line_or_with_the_stream_and_lines_may_be_long() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let long = "x".repeat(65_535 - "wwwauth[]=".len());
    for end in [
        "",
        "\n",
        "\n\n",
        "\n\nhost=evil.example\n",
        &format!("\nwwwauth[]={long}\n"),
    ] {
        assert_eq!(
            env.get(&format!("protocol=https\nhost=bitbucket.org{end}")),
            reply(STATIC, API_TOKEN)
        );
    }
}

#[test]
fn what_is_not_utf_8_comes_back_as_it_came() {
    let env = TestEnv::new();
    let context = b"protocol=https\nhost=bitbucket.org\nusername=j\xfcrgen\n";
    let outcome = env.program(
        &["store"],
        [&context[..], b"password=p\xe4ss=w \n"].concat(),
    );
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let mut command = env.command(PROGRAM);
    command
        .arg("get")
        .stdin(fs::File::open(write(&env, context)).unwrap());
    assert_eq!(
        command.output().unwrap().stdout,
        b"username=j\xfcrgen\npassword=p\xe4ss=w \n"
    );
}

fn write(env: &TestEnv, bytes: &[u8]) -> std::path::PathBuf {
    let path = env.path().join("request");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_token_that_was_typed_once_serves_every_repository() {
    let env = TestEnv::new();
    let given = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername=ada\npassword={API_TOKEN}\n"
    );
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(
        env.get_cloud("path=acme/site.git\n"),
        reply(STATIC, API_TOKEN)
    );
    assert_eq!(
        env.get_cloud("username=someone\n"),
        reply(STATIC, API_TOKEN)
    );
    let accounts = env.accounts();
    assert_eq!(
        (accounts[0]["kind"].as_str(), accounts[0]["origin"].as_str()),
        (Some("api-token"), Some("git"))
    );
    assert_eq!(accounts[0]["username"].as_str(), Some("ada"));

    let env = TestEnv::new();
    let given = format!(
        "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername=x-token-auth\npassword={ACCESS_TOKEN}\n"
    );
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(
        env.get_cloud("path=acme/app.git/info/lfs\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(
        env.get_cloud("path=acme/site.git\n"),
        "",
        "its scope is the repository it was typed for"
    );
}

#[test]
fn our_own_reply_is_not_kept_a_second_time() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let before = fs::read(env.data().join("accounts.toml")).unwrap();
    for username in [STATIC, "ada", "old-name"] {
        let ours = format!(
            "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername={username}\npassword={API_TOKEN}\n"
        );
        assert_eq!(env.program(&["store"], ours).status, 0);
    }
    assert_eq!(fs::read(env.data().join("accounts.toml")).unwrap(), before);
}

#[test]
fn what_is_ephemeral_or_incomplete_is_not_kept() {
    let env = TestEnv::new();
    for rest in [
        "username=ada\npassword=x\nephemeral=1\n",
        "username=ada\npassword=x\nephemeral=true\n",
        "username=ada\n",
        "password=x\n",
        "username=\npassword=\n",
        "username=ada\npassword=\n",
        "credential=x\n",
        "authtype=Bearer\ncredential=\n",
        "",
    ] {
        let outcome = env.program(
            &["store"],
            format!("protocol=https\nhost=bitbucket.org\n{rest}"),
        );
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{rest}");
    }
    assert!(!env.data().exists(), "not even a folder was made");
}

#[test]
fn that_our_own_reply_worked_is_no_news_and_opens_no_file_of_ours() {
    if !has(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let context = "protocol=https\nhost=bitbucket.org\n";
    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    let opened = env.path().join("opened");
    let mut command = env.command("strace");
    command.args(["-f", "-e", "trace=%file", "-o"]).arg(&opened);
    command.args([PROGRAM, "store"]);
    let outcome = run(command, format!("{context}{answer}").as_bytes());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let opened = fs::read_to_string(opened).unwrap();
    let home = env.path().to_str().unwrap();
    assert!(opened.contains("execve"), "{opened}");
    let of_ours = opened
        .lines()
        .filter(|line| line.contains(home) && !line.contains("execve"));
    assert_eq!(of_ours.count(), 0, "{opened}");
}

#[test]
fn that_a_secret_worked_which_was_refused_once_is_news() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    let context = "protocol=https\nhost=bitbucket.org\n";
    let ours = reply(STATIC, API_TOKEN);
    assert_eq!(
        env.program(&["erase"], format!("{context}{ours}")).status,
        0
    );
    let accounts = env.data().join("accounts.toml");
    let text = fs::read_to_string(&accounts).unwrap();
    let at = text.lines().find(|line| line.starts_with("at = ")).unwrap();
    let long_ago = "at = \"2026-01-01T00:00:00Z\"";
    crate::support::harness::write_private(&accounts, &text.replace(at, long_ago));

    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    assert_eq!(answer, ours, "it has its one more chance");
    assert_eq!(
        env.program(&["store"], format!("{context}{answer}")).status,
        0
    );
    assert_eq!(env.accounts()[0]["state"], "ok");
    let answer = env.get(&format!("{context}capability[]=authtype\n"));
    assert_eq!(answer, ephemeral(&ours));
}

#[test]
fn the_header_form_comes_back_only_to_whoever_understands_it() {
    let env = TestEnv::new();
    let given = "protocol=https\nhost=bitbucket.org\nauthtype=Bearer\ncredential=random\n";
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(env.get_cloud(""), "");
    let header = "capability[]=authtype\nauthtype=Bearer\ncredential=random\n";
    assert_eq!(env.get_cloud("capability[]=authtype\n"), header);
}

#[test]
fn a_refused_token_from_login_is_set_aside_and_not_lost() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    let refused =
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    assert_eq!(env.get_cloud(""), "");
    assert_eq!(env.accounts()[0]["state"].as_str(), Some("rejected"));
    assert_eq!(env.program(&["status"], "").status, 1);
    assert_eq!(
        env.program(&["token", "work"], "").stdout,
        format!("{API_TOKEN}\n")
    );

    // That it works after all puts it back; so does signing in again.
    assert_eq!(env.program(&["store"], &refused).status, 0);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    env.login(API_TOKEN, &["work"]);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
}

#[test]
fn an_erase_of_something_else_leaves_the_token_alone() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--email", "ada@example.com"]);
    let erases = [
        // A stale password of another helper's, or one out of a URL.
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword=stale\n"),
        // git died while writing a value with a CR: no secret.
        "protocol=https\nhost=bitbucket.org\n".to_owned(),
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\n"),
        // The e-mail in a URL was refused, not the token.
        format!(
            "protocol=https\nhost=bitbucket.org\nusername=ada@example.com\npassword={API_TOKEN}\n"
        ),
        // A mistyped e-mail at REST.
        format!(
            "protocol=https\nhost=api.bitbucket.org\nusername=ada@example.com\npassword={API_TOKEN}\n"
        ),
    ];
    for erase in erases {
        assert_eq!(env.program(&["erase"], &erase).status, 0);
        assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN), "{erase}");
    }
}

#[test]
fn a_password_that_git_gave_is_removed_when_it_is_refused() {
    let env = TestEnv::new();
    let wrong = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=wrong\n";
    assert_eq!(env.program(&["store"], wrong).status, 0);
    assert_eq!(env.get_cloud(""), reply("ada", "wrong"));
    assert_eq!(env.program(&["erase"], wrong).status, 0);
    assert_eq!(env.get_cloud(""), "");
    assert!(env.accounts().is_empty());
    let secrets = fs::read_to_string(env.data().join("secrets")).unwrap();
    assert_eq!(
        secrets
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        0,
        "the secret is gone as well"
    );
}

#[test]
fn an_erase_without_a_password_removes_nothing_that_git_gave() {
    let env = TestEnv::new();
    let pair = "protocol=https\nhost=bitbucket.org\nusername=ada\npassword=right\n";
    assert_eq!(env.program(&["store"], pair).status, 0);
    // git dies while it writes `u:x%0dy@`, and the erase ends behind the user name.
    for erase in [
        "protocol=https\nhost=bitbucket.org\nusername=ada\n",
        "protocol=https\nhost=bitbucket.org\n",
    ] {
        assert_eq!(env.program(&["erase"], erase).status, 0);
        assert_eq!(env.get_cloud(""), "", "it is set aside");
        assert_eq!(env.accounts()[0]["state"], "rejected");
        assert_eq!(env.accounts().len(), 1);
        // That it works after all puts it back.
        assert_eq!(env.program(&["store"], pair).status, 0);
        assert_eq!(env.get_cloud(""), reply("ada", "right"));
    }
}

#[test]
fn two_accounts_that_fit_equally_are_named_and_none_answers() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["work"]);
    env.login(&API_TOKEN.replace("0A1B", "9999"), &["private"]);
    let outcome = env.program(
        &["get"],
        "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n",
    );
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert_eq!(
        outcome.stderr,
        "git-credential-bitbucket: error: two accounts fit 'https://bitbucket.org/acme/site.git': 'work' and 'private'\n"
    );
}

#[test]
fn a_host_is_ours_when_the_configuration_lists_it() {
    let env = TestEnv::new();
    let given = "protocol=https\nhost=git.corp.example\nusername=ada\npassword=x\n";
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(env.get("protocol=https\nhost=git.corp.example\n"), "");
    fs::create_dir_all(env.data()).unwrap();
    fs::write(
        env.data().join("config.toml"),
        "hosts = ['git.corp.example']\n[store]\ndefault = 'file'\n",
    )
    .unwrap();
    assert_eq!(env.program(&["store"], given).status, 0);
    assert_eq!(
        env.get("protocol=https\nhost=git.corp.example\n"),
        reply("ada", "x")
    );
}

#[test]
fn the_environment_answers_ahead_of_the_accounts_and_needs_no_home() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &[]);
    env.set("BITBUCKET_ACCESS_TOKEN", &format!("  {ACCESS_TOKEN}\n"));
    assert_eq!(
        env.get_cloud("username=ada\n"),
        reply("x-token-auth", ACCESS_TOKEN)
    );
    assert_eq!(env.get("protocol=https\nhost=git.corp.example\n"), "");

    let mut command = env.command(PROGRAM);
    command
        .arg("get")
        .env_remove("HOME")
        .env_remove("GIT_CREDENTIAL_BITBUCKET_HOME");
    let outcome = run(command, b"protocol=https\nhost=bitbucket.org\n");
    assert_eq!(
        (outcome.status, outcome.stdout),
        (0, reply("x-token-auth", ACCESS_TOKEN)),
        "{}",
        outcome.stderr
    );
}

#[test]
fn each_variable_of_the_environment_is_answered_as_its_kind() {
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let rows: [(Variables<'_>, &str, &str); 6] = [
        (&[("BITBUCKET_API_TOKEN", "t")], STATIC, "t"),
        (&[("BITBUCKET_ACCESS_TOKEN", "t")], "x-token-auth", "t"),
        (&[("BITBUCKET_TOKEN", API_TOKEN)], STATIC, API_TOKEN),
        (
            &[("BITBUCKET_TOKEN", ACCESS_TOKEN)],
            "x-token-auth",
            ACCESS_TOKEN,
        ),
        (
            &[("BITBUCKET_TOKEN", "eyJ.oauth")],
            "x-token-auth",
            "eyJ.oauth",
        ),
        (
            &[
                ("BITBUCKET_USERNAME", "ada"),
                ("BITBUCKET_APP_PASSWORD", "p"),
            ],
            "ada",
            "p",
        ),
    ];
    for (variables, username, password) in rows {
        let mut env = TestEnv::new();
        for (name, value) in variables {
            env.set(name, value);
        }
        assert_eq!(
            env.get_cloud(""),
            reply(username, password),
            "{variables:?}"
        );
    }
}

#[test]
fn a_data_centers_token_in_the_environment_is_not_shown_to_bitbucket_org() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_TOKEN", "BBDC-canary-of-a-data-center");
    assert_eq!(env.get_cloud(""), "");
    env.login(API_TOKEN, &[]);
    assert_eq!(env.get_cloud(""), reply(STATIC, API_TOKEN));
}

#[test]
fn a_refused_token_of_the_environment_is_not_answered_again_until_it_changes() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    let refused =
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={API_TOKEN}\n");
    assert_eq!(env.program(&["erase"], &refused).status, 0);
    assert_eq!(env.get_cloud(""), "");
    let kept = fs::read_to_string(env.data().join("refusals.toml")).unwrap();
    assert!(!kept.contains("canary"), "{kept}");
    env.set("BITBUCKET_API_TOKEN", "another");
    assert_eq!(env.get_cloud(""), reply(STATIC, "another"));
}

#[test]
fn what_the_environment_answers_is_not_copied_into_a_store() {
    let mut env = TestEnv::new();
    env.set("BITBUCKET_API_TOKEN", API_TOKEN);
    for password in [API_TOKEN, "something-else"] {
        let given =
            format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={password}\n");
        assert_eq!(env.program(&["store"], given).status, 0);
    }
    assert!(!env.data().exists());
}

#[test]
fn rest_is_answered_with_the_e_mail_and_a_token_that_wants_bearer_with_a_header() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["--email", "ada@example.com"]);
    let rest = "protocol=https\nhost=api.bitbucket.org\n";
    assert_eq!(env.get(rest), reply("ada@example.com", API_TOKEN));

    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &[]);
    let header = ephemeral(&format!("authtype=Bearer\ncredential={ACCESS_TOKEN}\n"));
    assert_eq!(env.get(&format!("{rest}capability[]=authtype\n")), header);
    let outcome = env.program(&["get"], rest);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome.stderr.contains("only as Bearer"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_trace_tells_what_was_decided_and_no_secret() {
    let mut env = TestEnv::new();
    env.login(API_TOKEN, &["work", "--for", "acme"]);
    let file = env.path().join("trace.log");
    for target in ["1", file.to_str().unwrap()] {
        env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", target);
        let mut said = String::new();
        for operation in ["get", "store", "erase"] {
            let request = format!(
                "protocol=https\nhost=bitbucket.org\npath=acme/app.git\nusername={STATIC}\npassword={API_TOKEN}\n"
            );
            said += &env.program(&[operation], request).stderr;
        }
        if target != "1" {
            assert_eq!(said, "");
            said = fs::read_to_string(&file).unwrap();
        }
        for step in [
            "get: protocol https, host bitbucket.org, path acme/app.git; with user name, password",
            "decision: 'work': Answers; 0 do not fit",
            "store: has it",
            "reply: user name 'x-bitbucket-api-token-auth' and password",
            "store: it is what 'work' has already",
            "erase: 0 to remove, 1 to set aside",
            " ms  done",
        ] {
            assert!(said.contains(step), "{step} in {said}");
        }
        assert!(!said.contains("canary"), "{said}");
        env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "0");
        env.login(API_TOKEN, &["work"]);
    }
}

#[test]
fn what_comes_out_of_a_url_displaces_no_account_of_ours() {
    // Of `https://USER:TOKEN@bitbucket.org/evil/public.git` git stores the token although no server ever saw it.
    let planted = API_TOKEN.replace("canary", "planted");
    let typed =
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={API_TOKEN}\n");
    let ways_in: [&dyn Fn(&TestEnv); 2] = [&|env| drop(env.login(API_TOKEN, &["work"])), &|env| {
        assert_eq!(env.program(&["store"], &typed).status, 0);
    }];
    for way_in in ways_in {
        for username in [STATIC, "evil", "ada"] {
            let env = TestEnv::new();
            way_in(&env);
            let store = format!(
                "protocol=https\nhost=bitbucket.org\nusername={username}\npassword={planted}\n"
            );
            assert_eq!(env.program(&["store"], store).status, 0);
            for asked in ["", "username=ada\n", "username=evil\n"] {
                assert_eq!(
                    env.get_cloud(asked),
                    reply(STATIC, API_TOKEN),
                    "{username} {asked}"
                );
            }
        }
    }
}

#[test]
fn a_token_that_git_gave_and_was_refused_is_kept_aside_when_the_next_one_comes() {
    let env = TestEnv::new();
    let credential = |token: &str| {
        format!("protocol=https\nhost=bitbucket.org\nusername={STATIC}\npassword={token}\n")
    };
    let next = API_TOKEN.replace("canary", "next");
    assert_eq!(env.program(&["store"], credential(API_TOKEN)).status, 0);
    assert_eq!(env.program(&["erase"], credential(API_TOKEN)).status, 0);
    assert_eq!(env.program(&["store"], credential(&next)).status, 0);
    assert_eq!(env.get_cloud(""), reply(STATIC, &next));
    let states: Vec<_> = env
        .accounts()
        .iter()
        .map(|account| account["state"].clone())
        .collect();
    assert_eq!(states, ["rejected", "ok"]);
}

#[test]
fn a_path_that_tells_no_repository_is_not_the_same_as_no_path() {
    let env = TestEnv::new();
    env.login(ACCESS_TOKEN, &["--for", "acme"]);
    assert_eq!(env.get_cloud(""), reply("x-token-auth", ACCESS_TOKEN));
    for path in [
        "beta/app.git",
        "beta//app",
        "beta/./app",
        "beta/../acme/app",
        "../beta/app",
        "beta/.git",
        "a\u{1}b/c",
    ] {
        assert_eq!(env.get_cloud(&format!("path={path}\n")), "", "{path}");
    }
}

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
    let (draft, own) = (
        old("accounts.toml.0a1b2c3d.new"),
        old("accounts.toml.mine.new"),
    );
    env.login(API_TOKEN, &["work"]);
    assert!(!draft.exists() && own.exists());
}

#[test]
fn what_git_gave_with_an_end_that_has_passed_is_not_answered_and_hides_nothing() {
    let env = TestEnv::new();
    let place = "protocol=https\nhost=bitbucket.org\npath=acme/site.git\n";
    let old = "username=bob\npassword=old\npassword_expiry_utc=1000000000\n";
    let outcome = env.program(&["store"], format!("{place}{old}"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let alone = env.program(&["get"], place);
    assert_eq!((alone.status, alone.stdout.as_str()), (0, ""));
    let outcome = env.program(
        &["store"],
        format!("{place}username=ada\npassword=good\npassword_expiry_utc=9999999999\n"),
    );
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    // The newest of those that git gave would answer.
    let outcome = env.program(&["store"], format!("{place}{old}"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let answer = env.get(place);
    assert!(answer.contains("username=ada\npassword=good\n"), "{answer}");
}
