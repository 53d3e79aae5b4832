//! Programs with libgit2, which starts no git: cargo by itself, and pygit2 with a callback. libgit2 shows no credential to
//! a proxy's other side, so here they reach a Data Center on this machine directly.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use super::builds::{CRATE, cargo_fetch, write_crate};
use super::installed;
use crate::support::harness::{Outcome, PROGRAM, TestEnv, run};
use crate::support::stand_in::Credential;
use crate::support::stand_in::StandIn;

const TOKEN: &str = "BBDC-canary";

/// A home that is signed in to a Data Center at this address, without a proxy on the way.
fn signed_in() -> (super::Client, String) {
    let (env, stand_in) = TestEnv::with_stand_in();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let data_center = stand_in.data_center(&host, "");
    let mut repository = data_center.repository("prj/app");
    for (name, content) in CRATE {
        repository = repository.with_file(name, content.as_bytes());
    }
    data_center.allow(Credential::http_access_token(TOKEN).user("bob"));
    forward(listener, &stand_in, &host);
    env.login(TOKEN, &["--host", &host, "--username", "bob"]);
    let url = format!("https://{host}/scm/prj/app.git");
    drop(repository);
    (super::Client { env, stand_in }, url)
}

/// Passes each connection on to the stand-in, through the tunnel that it wants.
fn forward(listener: TcpListener, stand_in: &StandIn, host: &str) {
    let proxy = stand_in.proxy().replace("http://", "");
    let host = host.to_owned();
    let serve = move |client: TcpStream| -> io::Result<()> {
        let mut server = TcpStream::connect(&proxy)?;
        write!(server, "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
        let mut answer = BufReader::new(server.try_clone()?);
        let mut line = String::new();
        while answer.read_line(&mut line)? > 2 {
            line.clear();
        }
        let (mut from_client, mut to_client) = (client.try_clone()?, client);
        thread::spawn(move || io::copy(&mut from_client, &mut server));
        io::copy(&mut answer, &mut to_client)?;
        to_client.shutdown(std::net::Shutdown::Both)
    };
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(client));
        }
    });
}

/// Runs a command without a proxy.
fn run_directly(mut command: Command) -> Outcome {
    for variable in ["HTTPS_PROXY", "https_proxy", "http_proxy"] {
        command.env_remove(variable);
    }
    run(command, b"")
}

fn has_fetched(client: &super::Client) -> bool {
    let fetch = |request: &crate::support::stand_in::Request| {
        request.path.ends_with("git-upload-pack") && request.secret() == Some(TOKEN)
    };
    client.stand_in.count(fetch) > 0
}

/// libgit2 looks for the section of a host without its port.
#[test]
fn cargo_fetches_with_its_libgit2() {
    for key in ["credential.helper", "credential.https://localhost.helper"] {
        let (client, url) = signed_in();
        client
            .env
            .git_succeeds(&["config", "--global", key, PROGRAM]);
        write_crate(&client, &url);
        let outcome = run_directly(cargo_fetch(&client));
        assert_eq!(
            outcome.status,
            0,
            "{outcome:?} {:?}",
            client.stand_in.requests()
        );
        assert!(has_fetched(&client));
    }
}

/// The callback of docs/clients.md.
#[test]
fn pygit2_fetches_with_the_callback_of_the_page() {
    let Some(python) = installed("python") else {
        return;
    };
    let page = include_str!("../../../docs/clients.md");
    let (_, example) = page
        .split_once("```python\n")
        .expect("the page has the callback");
    let (callback, _) = example.split_once("```").expect("it ends");
    let (client, url) = signed_in();
    client.env.set_up();
    let clone = "https://bitbucket.org/acme/app.git";
    assert!(callback.contains(clone), "{callback}");
    let script = callback.replace(clone, &url);
    let outcome = run_directly(client.command(python, &["-c", &script]));
    assert_eq!(
        outcome.status,
        0,
        "{outcome:?} {:?}",
        client.stand_in.requests()
    );
    assert!(has_fetched(&client) && client.project().join("app/Cargo.toml").exists());
}
