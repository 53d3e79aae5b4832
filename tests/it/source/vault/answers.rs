//! A server that is not what it should be: another one, a hostile one, one that is ill.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use base64ct::{Base64, Encoding as _};

use super::reach::head;
use super::{configure, error, get};
use crate::support::harness::{Outcome, TestEnv};

/// Something that answers every request in the same way, and what it was sent.
struct Impostor {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Impostor {
    fn new(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let head = head(&mut client);
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                });
                let mut body = vec![0; length.unwrap_or(0)];
                let _ = client.read_exact(&mut body);
                let answer = answer(&format!("{head}{}", String::from_utf8_lossy(&body)));
                seen.lock().unwrap().push(head);
                let _ = client.write_all(&answer);
            }
        });
        Self { address, heads }
    }

    fn saying(status: &str, body: &str) -> Self {
        let answer = response(status, "", body);
        Self::new(move |_| answer.clone())
    }
}

fn response(status: &str, header: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn asking(impostor: &Impostor, lines: &[&str]) -> TestEnv {
    let mut env = TestEnv::new();
    env.set("VAULT_TOKEN", "canary-token");
    env.set("VAULT_ROLE_ID", "role");
    env.set("VAULT_SECRET_ID", "canary-secret-id");
    let address = format!("address = \"{}\"", impostor.address);
    configure(&env, &[&[address.as_str()], lines].concat());
    env
}

fn assert_silent(outcome: &Outcome) {
    assert!(
        !outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"),
        "{outcome:?}"
    );
}

#[test]
fn a_server_that_sends_us_elsewhere_is_not_followed() {
    let target = Impostor::saying("200 OK", "{}");
    let there = target.address.clone();
    let impostor = Impostor::new(move |_| {
        let header = format!("Location: {there}/v1/secret/data/bitbucket/acme/app\r\n");
        response("307 Temporary Redirect", &header, "")
    });
    let env = asking(&impostor, &[]);
    assert_eq!(
        error(&env),
        format!("Vault at '{}' redirects (status 307)", impostor.address)
    );
    assert!(
        target.heads.lock().unwrap().is_empty(),
        "no token goes there"
    );
}

#[test]
fn what_is_no_answer_of_vaults_is_told_and_not_shown() {
    let huge = format!(
        "{{\"data\":{{\"data\":{{\"password\":\"{}\"}}}}}}",
        "canary".repeat(20_000)
    );
    let deep = "[".repeat(50_000);
    let cases = [
        (
            "200 OK",
            "<html>canary</html>",
            "gives an answer that is unknown here",
        ),
        ("200 OK", "", "gives an answer that is unknown here"),
        ("200 OK", "[]", "gives an answer that is unknown here"),
        ("200 OK", r#"{"data":{"data":"canary"}}"#, ""),
        (
            "200 OK",
            r#"{"data":"canary"}"#,
            "gives an answer that is unknown here",
        ),
        ("200 OK", &huge, "gives an answer that is unknown here"),
        ("200 OK", &deep, "gives an answer that is unknown here"),
        (
            "404 Not Found",
            "<html>canary</html>",
            "has nothing of that kind (404)",
        ),
        ("401 Unauthorized", "canary", "fails (status 401)"),
        (
            "500 Oh",
            r#"{"errors":["it is ill"]}"#,
            "fails (status 500): it is ill",
        ),
        (
            "502 Bad Gateway",
            "<html>canary</html>",
            "fails (status 502)",
        ),
        (
            "503 Service Unavailable",
            r#"{"errors":["\u001b[2Jtoken canary-token\n is bad"]}"#,
            "is sealed or under maintenance (503): \\u{1b}[2Jtoken … is bad",
        ),
        ("204 No Content", "", "fails (status 204)"),
    ];
    for (status, body, what) in cases {
        let impostor = Impostor::saying(status, body);
        let env = asking(&impostor, &["version = 2"]);
        let outcome = get(&env);
        assert_silent(&outcome);
        if what.is_empty() {
            outcome.assert_says_at_most_why();
            continue;
        }
        let expected = format!(
            "git-credential-bitbucket: error: cannot ask the store 'vault': Vault at '{}' {what}",
            impostor.address
        );
        assert_eq!(outcome.error_and_hint().0, expected, "{status} {body:.60}");
    }
}

#[test]
fn a_server_that_says_a_secret_back_in_a_refusal_is_not_quoted() {
    let impostor = Impostor::new(|request| {
        let body = request.rsplit("\r\n").next().unwrap().replace('"', " ");
        response(
            "400 Bad Request",
            "",
            &format!("{{\"errors\":[\"bad: {body}\"]}}"),
        )
    });
    let env = asking(&impostor, &["auth = \"approle\""]);
    let outcome = get(&env);
    assert_silent(&outcome);
    assert!(
        outcome
            .stderr
            .contains("(status 400): bad: { role_id : role , secret_id : …"),
        "{outcome:?}"
    );
}

#[test]
fn a_server_that_says_a_secret_back_in_another_encoding_is_not_quoted() {
    let token = "canary-token";
    let each = |start: &str| {
        let bytes = token.bytes();
        let encoded: Vec<String> = bytes.map(|byte| format!("{start}{byte:02x}")).collect();
        encoded.concat()
    };
    let base64 = |text: &str| Base64::encode_string(text.as_bytes());
    for said in [
        each("%"),
        "canary%2Dtoken".to_owned(),
        "canary%252Dtoken".to_owned(),
        each(""),
        each("").to_uppercase(),
        each(":"),
        each(r"\\x"),
        each(r"\\u00"),
        r"canary\\u002dtoken".to_owned(),
        r"canary\\-token".to_owned(),
        base64(token),
        base64(&format!("a:{token}")),
        base64(&format!("ab:{token}")),
        base64(&format!("abc:{token}~~?")).replace('/', "_"),
        // Of a part of it.
        each("")[..16].to_owned(),
        base64(&token[..9]),
        base64(&token[3..]),
    ] {
        let body = format!("{{\"errors\":[\"bad: '{said}' for you\"]}}");
        let impostor = Impostor::saying("400 Bad Request", &body);
        let env = asking(&impostor, &["version = 2"]);
        let shown = error(&env);
        assert!(
            shown.ends_with("(status 400): bad: … for you"),
            "{said}: {shown}"
        );
    }
}

#[test]
fn who_was_refused_is_shown() {
    for said in [
        "source address '10.20.30.40' is unauthorized",
        "dial tcp 192.168.100.100:8200: connect: connection refused",
    ] {
        let body = format!("{{\"errors\":[\"{said}\"]}}");
        let impostor = Impostor::saying("400 Bad Request", &body);
        let shown = error(&asking(&impostor, &["version = 2"]));
        assert!(shown.ends_with(&format!("(status 400): {said}")), "{shown}");
    }
}

#[test]
fn a_login_that_brings_no_token_is_a_refusal_and_nothing_is_kept() {
    for auth in [
        "null",
        "{}",
        r#"{"client_token":""}"#,
        r#"{"client_token":7,"lease_duration":60}"#,
        r#"{"client_token":"canary\r\nX-Evil: 1","lease_duration":60}"#,
        r#"{"client_token":"canary two","lease_duration":60}"#,
    ] {
        let impostor = Impostor::saying("200 OK", &format!("{{\"auth\":{auth}}}"));
        let env = asking(&impostor, &["auth = \"approle\""]);
        assert_eq!(
            error(&env),
            format!(
                "Vault at '{}' refuses the login with approle at 'auth/approle' (status 200)",
                impostor.address
            )
        );
        let mut names = std::fs::read_dir(env.data()).unwrap();
        assert!(names.all(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            !name.starts_with("vault-login-") || name.contains('.')
        }));
    }
}

#[test]
fn a_lease_of_any_length_does_no_harm() {
    for lease in ["18446744073709551615", "-1", "0", "1", "1e300", "\"60\""] {
        let body = format!(
            "{{\"auth\":{{\"client_token\":\"canary-t\",\"lease_duration\":{lease}}},\"data\":{{\"data\":{{\"password\":\"ATATTx\"}}}}}}"
        );
        let impostor = Impostor::saying("200 OK", &body);
        let env = asking(&impostor, &["auth = \"approle\"", "version = 2"]);
        for _ in 0..2 {
            let outcome = get(&env);
            assert!(
                outcome.stdout.contains("password=ATATTx"),
                "{lease}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_token_goes_over_http_to_this_machine_alone() {
    let mut env = TestEnv::new();
    env.set("VAULT_TOKEN", "canary-token");
    for (address, what) in [
        (
            "http://vault.corp.example:8200",
            "Vault at 'http://vault.corp.example:8200' has no https: secrets would go in clear text",
        ),
        (
            "unix:///run/agent.sock",
            "the address of Vault cannot be understood",
        ),
        (
            "https://vault.corp.example/?x",
            "the address of Vault cannot be understood",
        ),
        (
            "https://ada:canary@vault.corp.example",
            "the address of Vault holds a user name or a password",
        ),
    ] {
        configure(&env, &[&format!("address = \"{address}\"")]);
        assert_eq!(error(&env), what);
    }
    configure(&env, &[]);
    assert_eq!(error(&env), "no address of Vault is named");
}
