//! Hostile visitors, servers and networks.

use crate::support::harness::has;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    WANTED, asked, browser, ended, free_port, get, let_it_end, login, now, signed_in, works, world,
};
use crate::support::stand_in::Silence;

/// A proxy on the way that breaks off each connection: at once, or when the tunnel stands.
fn breaking_proxy(opens_tunnel: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut part = [0; 4096];
            let _ = stream.read(&mut part);
            if opens_tunnel {
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                // The client's first words of TLS.
                let _ = stream.read(&mut part);
            }
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    format!("http://{address}")
}

#[test]
fn a_connection_that_breaks_before_anything_was_sent_costs_nothing() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = signed_in();
    consumer.grace(Duration::ZERO);
    let_it_end(&env);
    for opens_tunnel in [false, true] {
        env.set("HTTPS_PROXY", &breaking_proxy(opens_tunnel));
        env.set("https_proxy", &breaking_proxy(opens_tunnel));
        for _ in 0..3 {
            let outcome = get(&env);
            assert_eq!(outcome.status, 1, "{outcome:?}");
            assert!(outcome.stderr.contains("cannot renew"), "{outcome:?}");
        }
    }
    env.set("HTTPS_PROXY", &stand_in.proxy());
    env.set("https_proxy", &stand_in.proxy());
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn a_grant_that_was_revoked_is_told_when_git_is_refused() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    consumer.revoke();
    let answer = get(&env).stdout;
    env.program(&["erase"], format!("{WANTED}{answer}"));
    ended(&env, "invalid_grant");
    ended(&env, "invalid_grant");
    assert_eq!(asked(&stand_in), 1);
}

#[test]
fn what_the_server_says_wrongly_is_not_kept() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, consumer) = signed_in();
    for (field, value) in [
        ("refresh_token", json!("a\nb")),
        ("refresh_token", json!("")),
        ("refresh_token", json!("x".repeat(65_001))),
        ("refresh_token", json!(["x"])),
        ("access_token", json!("a\r\nusername=evil")),
        ("access_token", json!("x".repeat(70_000))),
        ("access_token", json!(null)),
        ("token_type", json!("mac")),
        ("token_type", json!(1)),
    ] {
        let_it_end(&env);
        consumer.says(&[(field, value.clone())]);
        let outcome = get(&env);
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (1, ""),
            "{field} {outcome:?}"
        );
        // Within the time of grace the old one brings another.
        consumer.says(&[]);
        assert!(works(&env), "{field}");
    }
    for (value, lifetime) in [
        (json!(7200.0), 7200),
        (json!("3600"), 3600),
        (json!("3600.5"), 3600),
        (json!(1e300), 31_536_000),
        (json!(-5), 0),
        (json!(null), 7200),
        (json!("soon"), 7200),
        (json!({"x": 1}), 7200),
    ] {
        let_it_end(&env);
        consumer.says(&[("expires_in", value.clone())]);
        let answer = get(&env).stdout;
        let end = answer
            .lines()
            .find_map(|line| line.strip_prefix("password_expiry_utc="));
        let end: u64 = end
            .unwrap_or_else(|| panic!("{value}: {answer}"))
            .parse()
            .unwrap();
        assert!(end.abs_diff(now() + lifetime) < 30, "{value}: {answer}");
    }
    consumer.says(&[]);
    let_it_end(&env);
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn a_crowd_of_idle_visitors_does_not_keep_the_browser_out() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    // The browser waits for the crowd.
    let gathered = env.path().join("gathered").display().to_string();
    let waits = format!("while [ ! -e '{gathered}' ]; do sleep 0.02; done");
    browser(&mut env, &waits);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let crowd = thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(60);
        let mut idle = Vec::new();
        while Instant::now() < end && idle.len() < 60 {
            match TcpStream::connect(&address) {
                Ok(mut stream) => {
                    let _ = stream.write_all(b"GET /callback HTTP/1.1\r\nX");
                    idle.push(stream);
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
        std::fs::write(gathered, "").unwrap();
        (idle, Instant::now())
    });
    let outcome = login(&env, &["--port", &port]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let end = Instant::now();
    // They hold their connections to the end; each may have two seconds.
    let (idle, start) = crowd.join().unwrap();
    assert_eq!(idle.len(), 60);
    let took = end - start;
    assert!(took < Duration::from_secs(2 * 60 / 4), "{took:?}");
}

#[test]
fn a_visit_that_comes_twice_or_too_long_changes_nothing() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, stand_in, consumer) = world();
    // Through another name, too long, in pieces with the right state but no end, and then the real one twice.
    browser(
        &mut env,
        "back=$(curl -s --noproxy 127.0.0.1 --cacert \"$SSL_CERT_FILE\" -o /dev/null -w '%{redirect_url}' \"$page\")\n\
         at=$(echo \"$back\" | sed 's|http://\\([^/]*\\)/.*|\\1|')\n\
         state=$(echo \"$back\" | sed 's/.*state=//')\n\
         cookie=\"git-credential-bitbucket-${at#*:}=$(awk 'END {print $NF}' \"$jar\")\"\n\
         for host in localhost evil.example \"evil.example:${at#*:}\" \"$at, evil\" ''; do\n\
           curl -s --noproxy '*' -H \"Cookie: $cookie\" -H \"Host: $host\" \"http://$at/callback?code=evil&state=$state\" >>\"$HOME/strays\"\ndone\n\
         curl -s --noproxy '*' -H \"Cookie: $cookie\" -H \"X: $(head -c 20000 /dev/zero | tr '\\0' x)\" \"http://$at/callback?code=evil&state=$state\"\n\
         curl -s --noproxy '*' -H \"Cookie: $cookie\" \"http://$at/callback?code=evil&code=evil&state=$state\" >>\"$HOME/strays\"\n\
         curl -s --noproxy '*' -H \"Cookie: $cookie\" \"http://$at//callback?code=evil&state=$state\" >>\"$HOME/strays\"\n\
         (sleep 0.5; curl -s --noproxy '*' -b \"$jar\" \"$back\" -o \"$HOME/second\") &\n",
    );
    let outcome = login(&env, &["--port", &free_port()]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let strays = std::fs::read_to_string(env.home().join("strays")).unwrap();
    assert!(!strays.contains("signed in"), "{strays}");
    assert_eq!(consumer.issued(), 1);
    assert_eq!(asked(&stand_in), 1);
    assert!(works(&env));
}

#[test]
fn of_many_that_wait_in_vain_one_asks() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    consumer.fails(Some(429));
    stand_in.delay_answers(Duration::from_secs(2));
    let all = || {
        thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| get(&env))).collect();
            let mut told = 0;
            for outcome in all.into_iter().map(|one| one.join().unwrap()) {
                assert_eq!(outcome.status, 1, "{outcome:?}");
                // What one of them says, the others need not say.
                if !outcome.stderr.is_empty() {
                    outcome.error_and_hint();
                    told += 1;
                }
            }
            assert_ne!(told, 0);
        });
    };
    all();
    assert_eq!(asked(&stand_in), 1);
    // Nor do the times add up in which nobody can be reached.
    stand_in.fall_silent(Silence::Connection);
    let start = Instant::now();
    all();
    assert!(
        start.elapsed() < Duration::from_secs(12),
        "{:?}",
        start.elapsed()
    );
    stand_in.fall_silent(Silence::Off);
    stand_in.delay_answers(Duration::ZERO);
    consumer.fails(None);
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn a_page_in_between_uses_up_no_refresh_token() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    consumer.grace(Duration::ZERO);
    let_it_end(&env);
    stand_in.show_a_page(true);
    for _ in 0..3 {
        let outcome = get(&env);
        assert!(outcome.stderr.contains("cannot renew"), "{outcome:?}");
    }
    stand_in.show_a_page(false);
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}

#[test]
fn nobody_waits_longer_than_the_answer_may_take() {
    if !has(&["curl"]) {
        return;
    }
    let (env, stand_in, consumer) = signed_in();
    let_it_end(&env);
    stand_in.fall_silent(Silence::Request);
    let start = Instant::now();
    thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| get(&env))).collect();
        for outcome in all.into_iter().map(|one| one.join().unwrap()) {
            assert_eq!(
                (outcome.status, outcome.stdout.as_str()),
                (1, ""),
                "{outcome:?}"
            );
        }
    });
    let took = start.elapsed();
    assert!((29..38).contains(&took.as_secs()), "{took:?}");
    stand_in.fall_silent(Silence::Off);
    assert!(works(&env));
    assert_eq!(consumer.punished(), 0);
}
