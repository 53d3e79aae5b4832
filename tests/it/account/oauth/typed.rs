//! Signing in at a terminal.

use crate::support::harness::has;
use std::net::TcpListener;

use super::{CLIENT_SECRET, allow, browser, free_port, works, world};
use crate::support::terminal::Terminal;

#[test]
fn at_a_terminal_a_busy_port_leads_to_pasting() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, _consumer) = world();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    terminal.types_anew(&format!(
        "git credential-bitbucket login --client-id KEY --port {port} --store file"
    ));
    let asked = terminal.expect("Secret of the OAuth client (Enter if it has none):");
    assert!(
        asked.contains(&format!("Callback URL: http://127.0.0.1:{port}/callback")),
        "{asked}"
    );
    terminal.types(CLIENT_SECRET);
    let asked = terminal.expect("Paste the address:");
    assert!(
        asked.contains(&format!("cannot listen on port {port}")),
        "{asked}"
    );
    assert!(!asked.contains("canary"), "{asked}");
    let url = asked
        .lines()
        .find(|line| line.starts_with("https://bitbucket.org/site/"));
    terminal.types(&allow(&env, url.expect("an address")));
    terminal.expect("knows it as");
    assert!(works(&env));
}

#[test]
fn who_has_no_consumer_yet_is_told_what_to_register_and_asked_for_both() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    browser(&mut env, "");
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let port = free_port();
    terminal.types_anew(&format!(
        "git credential-bitbucket login --kind oauth --for acme --port {port} --store file"
    ));
    let asked = terminal.expect("Client ID (older: key) of the OAuth client:");
    for line in [
        "https://bitbucket.org/acme/workspace/settings/oauth-clients",
        &format!("Callback URL: http://127.0.0.1:{port}/callback"),
        "Account: Read, and Repositories: Write",
    ] {
        assert!(asked.contains(line), "{line}: {asked}");
    }
    terminal.types("KEY");
    terminal.expect("Secret of the OAuth client (Enter if it has none):");
    terminal.types(CLIENT_SECRET);
    let done = terminal.expect("knows it as");
    assert_eq!(done.matches("Callback URL").count(), 1, "{done}");
    assert!(!done.contains(CLIENT_SECRET), "{done}");
    assert!(works(&env));
}

#[test]
fn the_secret_comes_from_a_pipe_and_the_address_from_the_terminal() {
    if !has(&["curl"]) {
        return;
    }
    let (env, _stand_in, _consumer) = world();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types_anew(&format!(
        "echo {CLIENT_SECRET} | git credential-bitbucket login --client-id KEY --no-browser --with-token --store file"
    ));
    let asked = terminal.expect("Paste the address:");
    let url = asked
        .lines()
        .find(|line| line.starts_with("https://bitbucket.org/site/"));
    terminal.types(&allow(&env, url.expect("an address")));
    terminal.expect("knows it as");
    assert!(works(&env));
}

#[test]
fn a_line_says_that_the_browser_is_waited_for() {
    if !has(&["curl"]) {
        return;
    }
    let (mut env, _stand_in, _consumer) = world();
    browser(&mut env, "sleep 4");
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let port = free_port();
    terminal.types_anew(&format!(
        "git credential-bitbucket login --client-id KEY --port {port} --store file"
    ));
    terminal.expect("Secret of the OAuth client (Enter if it has none):");
    terminal.types(CLIENT_SECRET);
    terminal.expect("\nwaiting for the browser (5 minutes, Ctrl-C stops)");
    let done = terminal.expect("knows it as");
    assert!(!done.contains("waiting for"), "{done}");
}
