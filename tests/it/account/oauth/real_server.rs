//! Against a real OAuth server, with its own pages in a real browser.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io::Write as _};

use super::browser::Browser;
use super::{CLIENT_SECRET, free_port, get, password, works};
use crate::support::harness::{Outcome, PROGRAM, TestEnv, has};
use crate::support::needs::has_installed;
use crate::support::stand_in::{DataCenter, StandIn};

/// How long its access tokens live: a second longer than one has to be good for.
const LIFETIME: &str = "61";

/// The running server; gone when dropped. It has more to say than its port, and minds when nobody reads it.
struct OauthServer {
    process: Child,
    _output: BufReader<ChildStdout>,
}

impl OauthServer {
    fn start(data_center: Option<&DataCenter>) -> (Self, u16) {
        let mut child = Command::new("node")
            .arg(program())
            .args([CLIENT_SECRET, LIFETIME])
            .args(data_center.map(DataCenter::url))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server says its port");
        let server = Self {
            process: child,
            _output: output,
        };
        (server, port)
    }
}

impl Drop for OauthServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where `tests/run.sh --all` puts the server with what it needs.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oauth-server")
}

/// The server, beside its packages.
fn program() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth_server/server.js");
    let (program, source) = (folder().join("server.js"), fs::read(source).unwrap());
    if fs::read(&program).ok().as_ref() != Some(&source) {
        let mut new = tempfile::NamedTempFile::new_in(folder()).unwrap();
        new.write_all(&source).unwrap();
        new.persist(&program).unwrap();
    }
    program
}

fn is_there() -> bool {
    has(&["node", "chromium", "chromedriver"])
        && has_installed(&folder().join("node_modules/oidc-provider"))
}

fn world() -> Option<(TestEnv, StandIn, OauthServer)> {
    if !is_there() {
        return None;
    }
    let (env, stand_in, _consumer) = super::world();
    let (server, port) = OauthServer::start(None);
    stand_in.forward_oauth(port);
    Some((env, stand_in, server))
}

/// Signs in with a browser in which somebody acts; what came of it, and the last page.
fn sign_in(
    env: &mut TestEnv,
    browser: &Browser,
    more: &[&str],
    act: impl FnOnce(&Browser),
) -> (Outcome, String) {
    let address = env.path().join("address");
    let script = format!(
        "#!/bin/sh\nprintf %s \"$1\" >'{0}.new' && mv '{0}.new' '{0}'\n",
        address.display()
    );
    let opener = env.path().join("opener");
    fs::write(&opener, script).unwrap();
    let mut executable = env.command("chmod");
    executable.arg("+x").arg(&opener);
    assert!(executable.status().unwrap().success());
    env.set("BROWSER", &opener.display().to_string());

    let mut login = env.command(PROGRAM);
    login.args(["login", "mine", "--web", "--with-token"]);
    login.args(["--store", "file", "--port", &free_port()]);
    login.args(more);
    let mut login = login
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let has_secret = !more.contains(&"OPEN");
    let secret = if has_secret { CLIENT_SECRET } else { "" };
    writeln!(login.stdin.take().unwrap(), "{secret}").unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while !address.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    browser.open(&fs::read_to_string(&address).expect("the browser is opened"));
    fs::remove_file(&address).unwrap();
    act(browser);
    let page = browser.text_at("/callback?");
    let output = login.wait_with_output().unwrap();
    let outcome = Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took_all: true,
    };
    (outcome, page)
}

#[test]
fn somebody_says_no_in_a_real_browser_then_signs_in_and_the_grant_is_renewed() {
    let Some((mut env, stand_in, _server)) = world() else {
        return;
    };
    let browser = Browser::start(&stand_in.proxy(), &env.path().join("chromium"));
    let key = ["--client-id", "KEY"];
    let (outcome, page) = sign_in(&mut env, &browser, &key, |browser| {
        browser.click("a[href$='/abort']");
    });
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("you did not grant access"),
        "{outcome:?}"
    );
    assert!(page.contains("Sign-in failed"), "{page}");
    assert!(env.accounts().is_empty());

    let (outcome, page) = sign_in(&mut env, &browser, &key, allow);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(page.contains("You are signed in"), "{page}");
    renews_three_times(&env);

    // PKCE alone. The server knows ada by now.
    let open = ["--client-id", "OPEN"];
    let (outcome, page) = sign_in(&mut env, &browser, &open, |browser| {
        browser.click("form:not(:has(input[name=password])) button[type=submit]");
    });
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(page.contains("You are signed in"), "{page}");
    drop(browser);
    renews_three_times(&env);
}

/// Somebody gives a name and says yes.
fn allow(browser: &Browser) {
    browser.type_into("input[name=login]", "ada");
    browser.type_into("input[name=password]", "anything");
    browser.click("button[type=submit]");
    // The page for the consent has one button, and no field.
    browser.click("form:not(:has(input[name=password])) button[type=submit]");
}

fn renews_three_times(env: &TestEnv) {
    let mut tokens = Vec::new();
    for number in 0..3 {
        if number > 0 {
            // Now the one before is good for less than a minute.
            thread::sleep(Duration::from_millis(2100));
        }
        let outcome = get(env);
        tokens.push(password(&outcome.stdout).expect("a token").to_owned());
        assert!(works(env));
    }
    tokens.dedup();
    assert_eq!(
        tokens.len(),
        3,
        "each was renewed with the next refresh token"
    );
}

#[test]
fn at_data_center_somebody_signs_in_with_a_real_browser_and_the_grant_is_renewed() {
    if !is_there() {
        return;
    }
    let (mut env, stand_in, data_center, _consumer) = super::data_center();
    let (_server, port) = OauthServer::start(Some(&data_center));
    data_center.forward_oauth(port);
    let browser = Browser::start(&stand_in.proxy(), &env.path().join("chromium"));
    let host = data_center.url();
    let host = ["--host", host.trim_start_matches("https://")];
    let key = [&host[..], &["--client-id", "KEY"]].concat();
    let (outcome, page) = sign_in(&mut env, &browser, &key, allow);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(page.contains("You are signed in"), "{page}");
    renews_three_times(&env);
}

#[test]
fn a_machine_signs_in_at_a_real_server_and_a_wrong_secret_does_not() {
    let Some((env, _stand_in, _server)) = world() else {
        return;
    };
    let mut arguments = vec![
        "login",
        "mine",
        "--client-id",
        "MACHINE",
        "--client-credentials",
    ];
    arguments.extend(["--with-token", "--store", "file"]);
    let refused = env.program(&arguments, "wrong\n");
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("check the client's ID (older: key) and secret"),
        "{refused:?}"
    );
    assert!(env.accounts().is_empty());
    let outcome = env.program(&arguments, format!("{CLIENT_SECRET}\n"));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
    let first = get(&env).stdout;
    thread::sleep(Duration::from_millis(2100));
    let second = get(&env).stdout;
    assert!(password(&second).is_some() && second != first);
    assert!(works(&env));
}
