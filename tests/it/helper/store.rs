//! `store`: what is kept of what worked, and what is no news.

use crate::support::harness::{
    ACCESS_TOKEN, API_TOKEN, PROGRAM, STATIC, TestEnv, ephemeral, has, reply, run,
};
use std::fs;

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
