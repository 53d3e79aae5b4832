//! Other users of the machine read the address that the browser is started with, and reach the same port.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::browser::Browser;
use super::{CLIENT_SECRET, allow, asked, free_port, works, world};
use crate::support::harness::{Outcome, PROGRAM, TestEnv, has};

/// A sign-in that waits for its browser.
struct Waiting {
    login: Child,
    port: String,
    /// What the browser was started with.
    address: String,
}

impl Waiting {
    fn start(env: &mut TestEnv) -> Self {
        let file = env.path().join("address");
        let opener = env.path().join("opener");
        let script = format!(
            "#!/bin/sh\nprintf '%s' \"$*\" >'{0}.new' && mv '{0}.new' '{0}'\nenv >'{0}.env'\n",
            file.display()
        );
        crate::support::harness::write_program(&opener, &script);
        env.set("BROWSER", &opener.display().to_string());
        let port = free_port();
        let login = spawn(env, &port);
        let end = Instant::now() + Duration::from_secs(20);
        while !file.exists() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        let address = fs::read_to_string(&file).expect("the browser is started");
        Self {
            login,
            port,
            address,
        }
    }

    fn nonce(&self) -> &str {
        let before = format!("http://127.0.0.1:{}/start/", self.port);
        self.address.strip_prefix(&before).expect("an address")
    }

    /// Asks with these lines in place of the usual ones, and gives the whole answer.
    fn ask(&self, line: &str, host: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn get(&self, target: &str, more: &str) -> String {
        let host = format!("127.0.0.1:{}", self.port);
        self.ask(&format!("GET {target}"), &host, more)
    }

    /// Begins as the browser does: the address of Bitbucket's page, and the cookie.
    fn begin(&self) -> (String, String) {
        let answer = self.get(&format!("/start/{}", self.nonce()), "");
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        let cookie = field(&answer, "Set-Cookie");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        (field(&answer, "Location"), format!("Cookie: {cookie}\r\n"))
    }

    fn end(self) -> Outcome {
        let output = self.login.wait_with_output().unwrap();
        Outcome {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took_all: true,
        }
    }
}

fn spawn(env: &TestEnv, port: &str) -> Child {
    let mut login = env.command(PROGRAM);
    login.args(["login", "mine", "--client-id", "KEY", "--with-token"]);
    login.args(["--store", "file", "--port", port]);
    let mut login = login
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(login.stdin.take().unwrap(), "{CLIENT_SECRET}").unwrap();
    login
}

fn field(answer: &str, name: &str) -> String {
    let mut values = answer
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let value = values.next().unwrap_or_else(|| panic!("{name}: {answer}"));
    assert!(values.next().is_none(), "{answer}");
    value.to_owned()
}

/// The path of the address at which Bitbucket's page ends.
fn back(env: &TestEnv, page: &str) -> String {
    let address = allow(env, page);
    address[address.find("/callback").expect("a callback")..].to_owned()
}

#[test]
fn the_address_of_the_browser_works_once_and_gives_a_cookie() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    let waiting = Waiting::start(&mut env);
    let host = format!("127.0.0.1:{}", waiting.port);
    let target = format!("/start/{}", waiting.nonce());
    assert!(waiting.nonce().len() >= 43, "{target}");
    // None of these uses it up.
    for (line, host) in [
        (format!("POST {target}"), host.as_str()),
        (format!("HEAD {target}"), &host),
        (format!("GET {target}"), "evil.example"),
        (
            format!("GET {target}"),
            &format!("localhost:{}", waiting.port),
        ),
        (
            format!("GET {target}"),
            &format!("{host}\r\nHost: evil.example"),
        ),
        (format!("GET {target}x"), &host),
        (format!("GET {target}?"), &host),
        (format!("GET {}", &target[..target.len() - 1]), &host),
        ("GET /start/".to_owned(), &host),
        ("GET /start".to_owned(), &host),
    ] {
        let answer = waiting.ask(&line, host, "");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{line}: {answer}");
        assert!(!answer.contains("Set-Cookie"), "{line}: {answer}");
        assert!(!answer.contains("state="), "{line}: {answer}");
    }
    let first = waiting.get(&target, "");
    assert!(first.starts_with("HTTP/1.1 303 "), "{first}");
    let page = field(&first, "Location");
    assert!(
        page.starts_with("https://bitbucket.org/site/oauth2/authorize?"),
        "{first}"
    );
    let cookie = field(&first, "Set-Cookie");
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(field(&first, "Cache-Control"), "no-store");
    assert_eq!(field(&first, "Referrer-Policy"), "no-referrer");
    let name = cookie.split(';').next().unwrap();
    // Not even with the cookie.
    for more in ["", &format!("Cookie: {name}\r\n")] {
        let second = waiting.get(&target, more);
        assert!(second.starts_with("HTTP/1.1 410 "), "{second}");
        assert!(second.contains("sign in again"), "{second}");
        assert!(
            !second.contains("Set-Cookie") && !second.contains("state="),
            "{second}"
        );
    }
    let shown = waiting.get(&back(&env, &page), &format!("Cookie: {name}\r\n"));
    assert!(shown.contains("You are signed in"), "{shown}");
    let outcome = waiting.end();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(works(&env));
}

#[test]
fn who_did_not_begin_the_sign_in_can_neither_complete_nor_end_it() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    let waiting = Waiting::start(&mut env);
    let (page, cookie) = waiting.begin();
    let name = cookie.split('=').next().unwrap();
    let value = cookie.trim_end().split_once('=').unwrap().1;
    let good = back(&env, &page);
    let state = good.split("state=").nth(1).unwrap();
    let state = state.split('&').next().unwrap();
    // Another user who somehow knows the state, with a code of their own, with a no, and with cookies near to ours.
    for target in [
        good.clone(),
        format!("/callback?code=evil&state={state}"),
        format!("/callback?error=access_denied&state={state}"),
    ] {
        for more in [
            String::new(),
            format!("{name}=\r\n"),
            format!("{name}={value}x\r\n"),
            format!("{name}={}\r\n", &value[1..]),
            format!("Cookie: other={value}\r\n"),
            format!("Cookie: {value}\r\n"),
        ] {
            let answer = waiting.get(&target, &more);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{more}: {answer}");
            assert!(answer.contains("did not begin"), "{answer}");
            assert!(answer.contains("--no-browser"), "{answer}");
        }
    }
    // The cookie is no state.
    let answer = waiting.get("/callback?code=evil&state=evil", &cookie);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(asked(&stand_in), 0);
    // A page on another port has set cookies as well.
    let crowded = format!("Cookie: a=b; {}={value}x; ", &name["Cookie: ".len()..]);
    let shown = waiting.get(&good, &cookie.replace("Cookie: ", &crowded));
    assert!(shown.contains("You are signed in"), "{shown}");
    assert_eq!(waiting.end().status, 0);
    assert_eq!(asked(&stand_in), 1);
}

#[test]
fn two_browsers_do_not_get_in_each_others_way() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    let first = Waiting::start(&mut env);
    fs::remove_file(env.path().join("address")).unwrap();
    let second = Waiting::start(&mut env);
    let (page, cookie) = first.begin();
    let (other_page, other_cookie) = second.begin();
    let name = |cookie: &str| cookie.split('=').next().unwrap().to_owned();
    assert_ne!(name(&cookie), name(&other_cookie));
    let target = back(&env, &page);
    let answer = first.get(&target, &other_cookie);
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer = second.get(&target, &other_cookie);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let both = format!(
        "{}; {}",
        cookie.trim_end(),
        &other_cookie["Cookie: ".len()..]
    );
    assert!(first.get(&target, &both).contains("You are signed in"));
    assert_eq!(first.end().status, 0);
    let shown = second.get(&back(&env, &other_page), &both);
    assert!(shown.contains("You are signed in"), "{shown}");
    assert_eq!(second.end().status, 0);
}

#[test]
fn nothing_of_a_sign_in_is_in_arguments_messages_or_the_trace() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", "1");
    let waiting = Waiting::start(&mut env);
    let nonce = waiting.nonce().to_owned();
    let (page, cookie) = waiting.begin();
    let target = back(&env, &page);
    let mut secrets = vec![
        cookie.trim_end().split_once('=').unwrap().1.to_owned(),
        CLIENT_SECRET.to_owned(),
    ];
    for key in ["state=", "code_challenge="] {
        let value = page.split(key).nth(1).unwrap().split('&').next().unwrap();
        secrets.push(value.to_owned());
    }
    let told = fs::read_to_string(env.path().join("address.env")).unwrap() + &waiting.address;
    waiting.get(&target, &cookie);
    let outcome = waiting.end();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("trace:"), "{outcome:?}");
    let said = outcome.stdout + &outcome.stderr;
    for secret in &secrets {
        assert!(!told.contains(secret), "{secret}: {told}");
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    assert!(!said.contains(&nonce), "{said}");
}

#[test]
fn where_no_browser_opens_or_comes_its_address_is_shown() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    for browser in ["false", "true"] {
        env.set("BROWSER", browser);
        let port = free_port();
        let mut login = spawn(&env, &port);
        let mut lines = BufReader::new(login.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let address = lines
            .find(|line| line.starts_with(&format!("http://127.0.0.1:{port}/start/")))
            .expect("an address");
        let waiting = Waiting {
            login,
            port,
            address,
        };
        let (page, cookie) = waiting.begin();
        let shown = waiting.get(&back(&env, &page), &cookie);
        assert!(shown.contains("You are signed in"), "{shown}");
        let rest: Vec<String> = lines.collect();
        assert!(rest[0].contains("'--no-browser'"), "{rest:?}");
        assert_eq!(waiting.end().status, 0);
    }
}

#[test]
fn a_real_browser_that_comes_second_is_told_so() {
    if !has(&["curl", "chromium", "chromedriver"]) {
        return;
    }
    let (mut env, stand_in, _consumer) = world();
    let waiting = Waiting::start(&mut env);
    let (page, cookie) = waiting.begin();
    let browser = Browser::start(&stand_in.proxy(), &env.path().join("chromium"));
    browser.open(&waiting.address);
    let text = browser.text_at("/start/");
    assert!(text.contains("was opened before"), "{text}");
    // Bitbucket's page sends it back, but without the cookie.
    browser.open(&page);
    let text = browser.text_at("/callback?");
    assert!(text.contains("did not begin"), "{text}");
    assert_eq!(asked(&stand_in), 0);
    let shown = waiting.get(&back(&env, &page), &cookie);
    assert!(shown.contains("You are signed in"), "{shown}");
    assert_eq!(waiting.end().status, 0);
}

#[test]
fn a_visitor_has_two_seconds_and_nobody_waits_for_them() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    let waiting = Waiting::start(&mut env);
    let at = format!("127.0.0.1:{}", waiting.port);
    // One says nothing, the other a little now and then.
    let visits = [false, true].map(|drips| {
        let mut stream = TcpStream::connect(&at).unwrap();
        let start = Instant::now();
        thread::spawn(move || {
            let slice = Duration::from_millis(100);
            stream.set_read_timeout(Some(slice)).unwrap();
            while start.elapsed() < Duration::from_secs(10) {
                if drips && stream.write_all(b"x").is_err() {
                    break;
                }
                match stream.read(&mut [0; 16]) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    _ => break,
                }
            }
            start.elapsed()
        })
    });
    let start = Instant::now();
    let (page, cookie) = waiting.begin();
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    for visit in visits {
        let took = visit.join().unwrap();
        assert!((1500..4000).contains(&took.as_millis()), "{took:?}");
    }
    waiting.get(&back(&env, &page), &cookie);
    assert_eq!(waiting.end().status, 0);
}
