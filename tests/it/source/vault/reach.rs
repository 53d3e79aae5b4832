//! Getting to the server: certificates, proxies, and servers that do not let anybody in.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Listener, ROOT, Server, WANTED, address, answer, configure, error, free_port, get, has_openbao,
    world,
};
use crate::support::harness::{API_TOKEN, Outcome, PROGRAM, TestEnv};
use crate::support::terminal::Terminal;

fn with_tls(name: &str) -> Option<(TestEnv, Server)> {
    if !has_openbao() {
        return None;
    }
    let server = Server::start(Listener::Tls(name));
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    let mut env = TestEnv::new();
    env.set("VAULT_TOKEN", ROOT);
    Some((env, server))
}

fn ca_line(path: &Path) -> String {
    format!("ca = \"{}\"", path.display())
}

#[test]
fn a_certificate_is_believed_when_its_authority_is_named() {
    let Some((mut env, server)) = with_tls("vault.corp.example") else {
        return;
    };
    let untrusted = format!(
        "cannot ask Vault at '{}': the server's certificate is not trusted: ",
        server.address
    );
    configure(&env, &[&address(&server)]);
    let message = error(&env);
    assert!(message.starts_with(&untrusted), "{message}");

    configure(&env, &[&address(&server), &ca_line(&server.ca())]);
    assert_eq!(get(&env).stdout, answer());

    let other = Server::start(Listener::Tls("vault.corp.example"));
    configure(&env, &[&address(&server), &ca_line(&other.ca())]);
    let message = error(&env);
    assert!(
        message.starts_with(&untrusted),
        "another authority: {message}"
    );

    configure(&env, &[&address(&server)]);
    env.set("VAULT_CACERT", server.ca().to_str().unwrap());
    assert_eq!(get(&env).stdout, answer());
    env.set("BAO_CACERT", "/nowhere/ca.pem");
    let message = error(&env);
    let expected = "cannot read the certificates in '/nowhere/ca.pem': ";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn the_systems_authorities_are_believed_and_a_wrong_name_is_not() {
    let Some((mut env, server)) = with_tls("vault.corp.example") else {
        return;
    };
    env.set("SSL_CERT_FILE", server.ca().to_str().unwrap());
    configure(&env, &[&address(&server)]);
    assert_eq!(get(&env).stdout, answer());
    let port = server.address.rsplit_once(':').unwrap().1;
    let other_name = format!("address = \"https://127.0.0.2:{port}\"");
    configure(&env, &[&other_name]);
    let message = error(&env);
    assert!(
        message.contains("certificate is not trusted") || message.contains("cannot connect"),
        "{message}"
    );
}

#[test]
fn without_verification_any_certificate_will_do_when_somebody_says_so() {
    let Some((mut env, server)) = with_tls("vault.corp.example") else {
        return;
    };
    configure(&env, &[&address(&server)]);
    env.set("VAULT_SKIP_VERIFY", "false");
    assert!(error(&env).contains("not trusted"));
    env.set("VAULT_SKIP_VERIFY", "true");
    assert_eq!(get(&env).stdout, answer());
    let doctor = env.program(&["doctor", "--json"], "");
    let said = format!(
        "'{}' lets us in with token; its certificate is not checked, as VAULT_SKIP_VERIFY is set",
        server.address
    );
    assert!(doctor.stdout.contains(&said), "{doctor:?}");
    env.set("BAO_SKIP_VERIFY", "0");
    assert!(
        error(&env).contains("not trusted"),
        "OpenBao's name of it first"
    );
}

#[test]
fn that_a_certificate_is_not_checked_is_said_before_a_login_sends_its_secret() {
    let Some((mut env, server)) = with_tls("vault.corp.example") else {
        return;
    };
    configure(&env, &[&address(&server), "auth = \"approle\""]);
    env.set("VAULT_ROLE_ID", "role");
    env.set("VAULT_SECRET_ID", "canary-secret-id");
    env.set("VAULT_SKIP_VERIFY", "true");
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let asked = WANTED.replace('\n', "\\n");
    terminal.types(&format!("printf '{asked}\\n' | {PROGRAM} get"));
    let screen = terminal.expect("the login with approle");
    let said = format!(
        "the certificate of Vault at '{}' is not checked",
        server.address
    );
    let (warning, error) = (screen.find(&said), screen.find("refuses the login"));
    assert!(warning.is_some() && warning < error, "{screen}");
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_gets_it() {
    if !has_openbao() {
        return;
    }
    let server = Server::start(Listener::Mutual);
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    let mut env = TestEnv::new();
    configure(&env, &[&address(&server), &ca_line(&server.ca())]);
    let file = |name: &str| server.path(name).display().to_string();
    let (certificate, key) = (file("client.pem"), file("client.key"));
    env.set("VAULT_TOKEN", ROOT);
    let start = format!("cannot ask Vault at '{}': ", server.address);
    let message = error(&env);
    assert!(message.starts_with(&start), "{message}");
    env.set("VAULT_CLIENT_CERT", &certificate);
    env.set("VAULT_CLIENT_KEY", &key);
    assert_eq!(get(&env).stdout, answer());
    env.set("VAULT_CLIENT_KEY", "/nowhere/client.key");
    let message = error(&env);
    let expected = "cannot read the certificates in '/nowhere/client.key': ";
    assert!(message.starts_with(expected), "{message}");
}

/// A proxy that gets everybody to one port of the loopback interface; whom they asked for.
fn proxy_to(port: u16) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let head = head(&mut client);
            if sender
                .send(head.lines().next().unwrap().to_owned())
                .is_err()
            {
                return;
            }
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    (address, asked)
}

/// What comes before the body of a request.
pub(super) fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[test]
fn a_server_elsewhere_is_asked_through_the_proxy_and_one_on_this_machine_is_not() {
    let Some((mut env, server)) = with_tls("vault.corp.example") else {
        return;
    };
    let port = server.address.rsplit_once(':').unwrap().1.to_owned();
    let (proxy, asked) = proxy_to(port.parse().unwrap());
    env.set("HTTPS_PROXY", &proxy);
    env.set("http_proxy", &proxy);
    let elsewhere = format!("address = \"https://vault.corp.example:{port}\"");
    configure(&env, &[&elsewhere, &ca_line(&server.ca())]);
    assert_eq!(get(&env).stdout, answer());
    let asked_for = asked.recv().unwrap();
    assert!(
        asked_for.starts_with(&format!("CONNECT vault.corp.example:{port} ")),
        "{asked_for}"
    );
    for name in ["127.0.0.1", "localhost"] {
        let here = format!("address = \"https://{name}:{port}\"");
        configure(&env, &[&here, &ca_line(&server.ca())]);
        assert_eq!(get(&env).stdout, answer());
    }
    assert!(asked.try_recv().is_err(), "the proxy was not asked");
    env.set("HTTPS_PROXY", "http://127.0.0.1:9");
    configure(&env, &[&elsewhere, &ca_line(&server.ca())]);
    let message = error(&env);
    let expected = format!(
        "cannot ask Vault at 'https://vault.corp.example:{port}': cannot get through the proxy: "
    );
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_sealed_server_says_so() {
    let Some((env, server)) = world() else {
        return;
    };
    assert_eq!(server.ask("PUT", "sys/seal", &Value::Null).0, 204);
    let message = error(&env);
    let expected = format!(
        "Vault at '{}' is sealed or under maintenance (503): ",
        server.address
    );
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn too_many_requests_are_told_as_such() {
    let Some((env, server)) = world() else {
        return;
    };
    let quota = json!({ "rate": 1, "interval": "1h", "path": "secret/" });
    server.change("sys/quotas/rate-limit/git", &quota);
    let message = (0..5).map(|_| get(&env)).find(|one| one.status != 0);
    let message = message.expect("a refusal").stderr;
    let expected = format!(
        "Vault at '{}' has had too many requests (429)",
        server.address
    );
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let mut env = TestEnv::new();
    env.set("VAULT_TOKEN", "canary-token");
    let port = free_port();
    configure(&env, &[&format!("address = \"http://127.0.0.1:{port}\"")]);
    assert_eq!(
        error(&env),
        format!(
            "cannot ask Vault at 'http://127.0.0.1:{port}': cannot connect: Connection refused (os error 111)"
        )
    );
}

#[test]
fn a_server_that_never_answers_is_waited_for_five_seconds() {
    let is_waited_for = |begins: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // The backlog takes the first; the second gets the beginning of an answer.
        if begins {
            let listener = listener.try_clone().unwrap();
            thread::spawn(move || {
                for client in listener.incoming() {
                    let mut client = client.unwrap();
                    let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
                    std::mem::forget(client);
                }
            });
        }
        let mut env = TestEnv::new();
        env.set("VAULT_TOKEN", "canary-token");
        configure(&env, &[&format!("address = \"http://127.0.0.1:{port}\"")]);
        let start = Instant::now();
        assert_eq!(
            error(&env),
            format!("cannot ask Vault at 'http://127.0.0.1:{port}': no answer within 5 seconds")
        );
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
    };
    // Side by side, as they only wait.
    thread::scope(|scope| {
        scope.spawn(|| is_waited_for(false));
        scope.spawn(|| is_waited_for(true));
    });
}

#[test]
fn a_login_that_hangs_is_over_in_time_for_all_who_wait_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut env = TestEnv::new();
    env.set("VAULT_ROLE_ID", "role");
    env.set("VAULT_SECRET_ID", "canary-secret-id");
    let here = format!("address = \"http://127.0.0.1:{port}\"");
    configure(&env, &[&here, "auth = \"approle\""]);
    let start = Instant::now();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| get(&env))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(9), "{elapsed:?}");
    let is_over = |outcome: &&Outcome| outcome.status == 1 && outcome.stdout.is_empty();
    assert_eq!(outcomes.iter().filter(is_over).count(), 4, "{outcomes:?}");
    // What one of them says, the others need not say.
    let said: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.stderr.is_empty())
        .map(|outcome| outcome.error_and_hint().0)
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with("no answer within 5 seconds"), "{said:?}");
}
