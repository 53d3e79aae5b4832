//! Hundreds of URLs, made of everything that people put into one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::{environment, repository, rows, set, stored};
use crate::support::harness::{ACCESS_TOKEN, API_TOKEN};

/// A URL, and what is to become of it.
struct Case {
    url: String,
    after: String,
    secret: Option<String>,
}

const HARMLESS: [&str; 7] = [
    "https://ada@bitbucket.org/acme/app.git",
    "https://ada:@bitbucket.org/acme/app.git",
    "https://ada%40example.com@bitbucket.org/acme/app.git",
    "git@bitbucket.org:acme/app.git",
    "ssh://git:canary@bitbucket.org/acme/app.git",
    "https://bitbucket.org/acme/app.git@canary",
    "../app:canary@bitbucket.org",
];

fn cases() -> Vec<Case> {
    let users = [
        "",
        "ada",
        "x-token-auth",
        "x-bitbucket-api-token-auth",
        "ada@example.com",
        "j\u{fc}rgen",
        "a b",
    ];
    let secrets = [
        API_TOKEN,
        ACCESS_TOKEN,
        "hunter2",
        "p@ss:w/rd?#%",
        "x y=z&",
        "\u{e4}\u{f6}\u{fc}",
        "BBDC-abc+def/ghi@jkl_mno-pqr",
    ];
    let hosts = [
        ("bitbucket.org", true),
        ("BitBucket.ORG", true),
        ("bitbucket.org:443", true),
        ("api.bitbucket.org", true),
        ("bitbucket.org:8443", false),
        ("bitbucket.org.evil.example", false),
        ("evilbitbucket.org", false),
        ("github.com", false),
    ];
    let paths = [
        "",
        "/",
        "/acme/app.git",
        "/acme/app/",
        "/acme/app.git/info/lfs",
        "/2.0/repositories/acme/app",
    ];
    let encode = |text: &str, index: usize| {
        if index.is_multiple_of(3)
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
        {
            text.to_owned()
        } else {
            percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string()
        }
    };
    let mut cases = Vec::new();
    let mut number = 0;
    for user in users {
        for secret in secrets {
            for (host, is_ours) in hosts {
                number += 1;
                let path = paths[number % paths.len()];
                let scheme = if number.is_multiple_of(5) {
                    "http"
                } else {
                    "https"
                };
                let (name, password) = (encode(user, number), encode(secret, number + 1));
                let url = format!("{scheme}://{name}:{password}@{host}{path}");
                let kept = if name.is_empty() {
                    String::new()
                } else {
                    format!("{name}@")
                };
                let after = if is_ours {
                    format!("{scheme}://{kept}{host}{path}")
                } else {
                    url.clone()
                };
                cases.push(Case {
                    url,
                    after,
                    secret: is_ours.then(|| secret.to_owned()),
                });
            }
        }
    }
    for token in [API_TOKEN, ACCESS_TOKEN] {
        for filler in ["", ":", ":x-oauth-basic", ":x"] {
            cases.push(Case {
                url: format!("https://{token}{filler}@bitbucket.org/acme/app.git"),
                after: "https://bitbucket.org/acme/app.git".to_owned(),
                secret: Some(token.to_owned()),
            });
        }
    }
    for harmless in HARMLESS {
        cases.push(Case {
            url: harmless.to_owned(),
            after: harmless.to_owned(),
            secret: None,
        });
    }
    cases
}

#[test]
fn each_url_loses_its_secret_and_nothing_else() {
    let env = environment();
    let cases = cases();
    assert!(cases.len() > 400);
    repository(&env, "app");
    // Written by git in one go: one process each would take its time.
    let config = env.home().join("app/.git/config");
    let mut text = std::fs::read_to_string(&config).unwrap();
    for (number, case) in cases.iter().enumerate() {
        let escaped = case.url.replace('\\', "\\\\").replace('"', "\\\"");
        // In quotes, and as it is where that means the same.
        let quote = if number.is_multiple_of(2) || case.url.contains([' ', '#', ';']) {
            "\""
        } else {
            ""
        };
        writeln!(
            text,
            "[remote \"r{number}\"]\n\turl = {quote}{escaped}{quote}"
        )
        .unwrap();
    }
    std::fs::write(&config, text).unwrap();
    let moved = rows(&env, &["app"]);
    let with_secret = cases.iter().filter(|case| case.secret.is_some()).count();
    assert_eq!(
        moved.iter().filter(|row| row.ends_with(" moved")).count(),
        with_secret
    );

    let list = env
        .git_succeeds(&["-C", "app", "config", "--get-regexp", r"^remote\..*\.url$"])
        .stdout;
    let after: Vec<&str> = list
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    let expected: Vec<&str> = cases.iter().map(|case| case.after.as_str()).collect();
    for (after, expected) in after.iter().zip(&expected) {
        assert_eq!(after, expected);
    }
    assert_eq!(after.len(), expected.len());
    let expected: BTreeSet<String> = cases
        .iter()
        .filter_map(|case| case.secret.clone())
        .collect();
    assert_eq!(stored(&env).into_iter().collect::<BTreeSet<_>>(), expected);
    set(&env, "app", "test.still", "writable");
}
