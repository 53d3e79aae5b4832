//! Signing in, with a browser and without one.

use super::{
    CLIENT_SECRET, allow, asked, browser, free_port, get, let_it_end, login, password, shown,
    start, works, world,
};
use crate::support::harness::{PROGRAM, TestEnv, has};
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn with_a_browser_one_signs_in_and_everything_works() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = world();
    consumer.token_length(5000);
    browser(&mut env, "");
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("/callback"), "{outcome:?}");
    for secret in ["/oauth2/authorize?", "state=", "/start/"] {
        assert!(!outcome.stderr.contains(secret), "{outcome:?}");
    }
    let shown = shown(&env);
    assert!(shown.contains("You are signed in"), "{shown}");

    stand_in.forget_requests();
    let answer = get(&env).stdout;
    assert!(answer.starts_with("username=x-token-auth\n"), "{answer}");
    assert_eq!(password(&answer).map(str::len), Some(5000));
    assert!(answer.contains("\npassword_expiry_utc="), "{answer}");
    assert!(!answer.contains("refresh"), "{answer}");
    assert!(stand_in.requests().is_empty(), "from the store alone");

    env.git_succeeds(&["clone", "--quiet", "https://bitbucket.org/acme/app.git"]);
    fs::write(env.home().join("app/new"), "new").unwrap();
    env.git_succeeds(&["-C", "app", "add", "."]);
    env.git_succeeds(&["-C", "app", "commit", "-qm", "new"]);
    env.git_succeeds(&["-C", "app", "push", "--quiet"]);
    assert_eq!(env.accounts().len(), 1, "git's store adds nothing");
    assert_eq!(env.accounts()[0]["kind"], "oauth");
    assert_eq!(env.accounts()[0]["state"], "ok");

    let token = password(&answer).unwrap();
    assert_eq!(env.program(&["token"], "").stdout, format!("{token}\n"));
    let rest = "capability[]=authtype\nprotocol=https\nhost=api.bitbucket.org\n";
    let rest = env.get(rest);
    assert!(rest.contains("authtype=Bearer\n"), "{rest}");
    let who = env.program(&["curl", "-s", "https://api.bitbucket.org/2.0/user"], "");
    assert!(who.stdout.contains("\"username\":\"ada\""), "{who:?}");
}

#[test]
fn without_a_browser_the_address_is_pasted() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, _consumer) = world();
    let mut command = env.command(PROGRAM);
    command.args([
        "login",
        "mine",
        "--client-id",
        "KEY",
        "--no-browser",
        "--with-token",
    ]);
    command.args(["--store", "file"]);
    let (mut login, mut lines) = start(command);
    let mut input = login.stdin.take().unwrap();
    writeln!(input, "{CLIENT_SECRET}").unwrap();
    let url = lines
        .find(|line| line.starts_with("https://bitbucket.org/site/"))
        .expect("an address");
    let address = allow(&env, &url);
    writeln!(input, "  {address} ").unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(login.wait().unwrap().success(), "{rest:?}");
    assert!(works(&env));
}

#[test]
fn an_address_of_another_sign_in_is_refused() {
    let (env, stand_in, _consumer) = world();
    let input = format!("{CLIENT_SECRET}\nhttp://127.0.0.1:23418/callback?code=code-0&state=x\n");
    let arguments = [
        "login",
        "--client-id",
        "KEY",
        "--no-browser",
        "--with-token",
    ];
    let outcome = env.program(&arguments, input);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("not the address"), "{outcome:?}");
    assert_eq!((asked(&stand_in), env.accounts().len()), (0, 0));
}

#[test]
fn stray_visitors_do_not_end_the_sign_in() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    let port = free_port();
    // A connection that never says anything, other addresses, another state, another method, no HTTP at all.
    let strays = format!(
        "at=127.0.0.1:{port}\n\
         for path in / /favicon.ico '/callback?code=evil&state=evil' '/callback?state='; do\n\
           curl -s --noproxy 127.0.0.1 \"http://$at$path\" >>\"$HOME/strays\"\ndone\n\
         curl -s --noproxy 127.0.0.1 -d code=evil \"http://$at/callback\" >>\"$HOME/strays\"\n\
         echo hello | curl -s --noproxy 127.0.0.1 -m 1 telnet://$at >/dev/null\n"
    );
    browser(&mut env, &strays);
    let silent = port.clone();
    let visitor = thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Ok(stream) = TcpStream::connect(format!("127.0.0.1:{silent}")) {
                return Some(stream);
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    });
    let outcome = login(&env, &["--port", &port]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(visitor.join().unwrap().is_some());
    let strays = fs::read_to_string(env.home().join("strays")).unwrap();
    assert_eq!(
        strays.matches("There is nothing here").count(),
        3,
        "{strays}"
    );
    assert_eq!(strays.matches("not the sign-in").count(), 2, "{strays}");
    assert!(works(&env));
}

#[test]
fn a_busy_port_and_a_no_are_told() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, consumer) = world();
    browser(&mut env, "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let outcome = login(&env, &["--port", &port]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("'--port N'"), "{outcome:?}");

    consumer.denies();
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("you did not grant access"),
        "{outcome:?}"
    );
    let shown = shown(&env);
    assert!(shown.contains("Sign-in failed"), "{shown}");
    assert!(env.accounts().is_empty());
}

#[test]
fn a_machine_signs_in_without_anybody() {
    let (env, stand_in, consumer) = world();
    let refused = login(&env, &["--client-credentials"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("This is a private consumer"),
        "{refused:?}"
    );
    consumer.private();
    assert_eq!(login(&env, &["--client-credentials"]).status, 0);
    assert!(works(&env));
    let_it_end(&env);
    stand_in.forget_requests();
    assert!(works(&env) && works(&env));
    assert_eq!(asked(&stand_in), 1);
    let text = fs::read_to_string(env.data().join("accounts.toml")).unwrap();
    assert!(text.contains("flow = \"client-credentials\""), "{text}");
    let gone = env.program(&["logout"], "");
    assert!(
        gone.stderr.contains("/workspace/settings/oauth-clients"),
        "{gone:?}"
    );
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let env = TestEnv::new();
    for arguments in [
        &["login", "--kind", "api-token", "--client-id", "KEY"][..],
        &["login", "--kind", "oauth", "--client-id", ""],
        &[
            "login",
            "--client-id",
            "KEY",
            "--client-credentials",
            "--no-browser",
        ],
        &["login", "--client-id", "KEY", "--port", "0"],
        &["login", "--web", "--client-credentials"],
        &["login", "--kind", "api-token", "--web"],
    ] {
        let outcome = env.program(arguments, "");
        assert_eq!(outcome.status, 2, "{arguments:?}: {outcome:?}");
    }
    let outcome = env.program(&["login", "--kind", "oauth"], "");
    assert!(outcome.stderr.contains("--client-id ID'"), "{outcome:?}");
}
