//! What people paste where a token belongs.

use std::process::Command;

use base64ct::{Base64, Encoding as _};

use crate::support::harness::{ACCESS_TOKEN, API_TOKEN, TestEnv};
use crate::support::terminal::Terminal;

/// Signs in with a text, and gives the token that was kept, and its e-mail.
fn kept(text: &str) -> (String, Option<String>) {
    let env = TestEnv::new();
    env.login(text, &["me"]);
    let email = env.accounts()[0]["email"].as_str().map(str::to_owned);
    (env.program(&["token", "me"], "").stdout, email)
}

#[test]
fn the_token_is_found_in_what_stands_around_it() {
    let ada = || Some("ada@example.com".to_owned());
    for (text, email) in [
        (format!("\u{feff}\"{API_TOKEN}\"\r\n"), None),
        (format!("BITBUCKET_API_TOKEN={API_TOKEN}\n"), None),
        (format!("Authorization: Bearer {API_TOKEN}"), None),
        (
            format!(
                "Authorization: Basic {}",
                Base64::encode_string(format!("ada@example.com:{API_TOKEN}").as_bytes())
            ),
            ada(),
        ),
        (format!("token: \u{200b}{API_TOKEN}\u{200b}"), None),
        (format!("ada@example.com:{API_TOKEN}"), ada()),
        (
            format!("git clone https://ada%40example.com:{API_TOKEN}@bitbucket.org/acme/app.git"),
            ada(),
        ),
        (format!("{API_TOKEN}\nbob@example.com\n"), None),
        (API_TOKEN.replacen("-token", "-\nto\r\nken", 1), None),
    ] {
        assert_eq!(kept(&text), (format!("{API_TOKEN}\n"), email), "{text}");
    }
}

#[test]
fn the_options_say_more_than_what_stands_beside_the_token() {
    let env = TestEnv::new();
    let text = format!("bob@example.com:{API_TOKEN}");
    env.login(&text, &["--email", "ada@example.com"]);
    assert_eq!(env.accounts()[0]["email"], "ada@example.com");
}

#[test]
fn a_token_in_the_url_of_another_host_is_refused() {
    let env = TestEnv::new();
    let login = ["login", "--with-token", "--no-verify"];
    let url = format!("https://x-token-auth:{ACCESS_TOKEN}@git.corp.example/scm/a/b.git");
    let outcome = env.program(&login, url);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains(
            "error: that is a URL of git.corp.example\n\
             git-credential-bitbucket: hint: give a token of bitbucket.org, or sign in to git.corp.example with '--host git.corp.example'"
        ),
        "{outcome:?}"
    );
    assert!(env.accounts().is_empty());
}

#[test]
fn of_a_token_that_is_pasted_over_lines_nothing_shows() {
    let env = TestEnv::new();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    env.configure_plain();
    terminal.types("git credential-bitbucket login --no-verify --store file me");
    terminal.expect("(it will not show):");
    let (first, second) = API_TOKEN.split_at(30);
    let tmux = |arguments: &[&str]| {
        let mut command: Command = terminal.tmux();
        assert!(command.args(arguments).status().unwrap().success());
    };
    tmux(&["set-buffer", &format!("{first}\n{second}\n")]);
    tmux(&["paste-buffer"]);
    terminal.expect("E-mail of your Atlassian account (optional):");
    terminal.types("");
    terminal.expect("Expiry date");
    terminal.types("");
    let screen = terminal.expect("Stored the secret of 'me'");
    for part in [first, second] {
        assert!(!screen.contains(part), "{screen}");
    }
    let token = env.program(&["token", "me"], "").stdout;
    assert_eq!(token, format!("{API_TOKEN}\n"));
}
