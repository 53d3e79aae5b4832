//! What git may write, and what only looks like it.

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, PROGRAM, STATIC, TestEnv, reply};
use std::fs;

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
        "protocol=https\nhost=www.bitbucket.org.evil.example\n",
        "protocol=https\nhost=ww.bitbucket.org\n",
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
    for same in ["BitBucket.ORG", "bitbucket.org:443", "www.bitbucket.org"] {
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
        format!("protocol=https\nhost=bitbucket.org\npath=a\rhost=evil.example\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\npath=a\0b\n{rest}"),
        "protocol=https\nhost=bitbucket.org\nusername=a\0b\n".to_owned(),
        format!("protocol=https\nhost=evil.example\nhost=bitbucket.org\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\nhost=bitbucket.org\n{rest}"),
        format!("protocol=https\nhost=bitbucket.org\nrubbish\n{rest}"),
        "protocol=https\nhost=bitbucket.org\nno equals sign\n".to_owned(),
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
