//! What Windows does in its own way: Credential Manager, paths, line ends. git need not be there.

#![cfg(windows)]
#![expect(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use stand_in::{Credential, StandIn};
use tempfile::TempDir;

#[path = "it/support/stand_in/mod.rs"]
mod stand_in;

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-credential-bitbucket");
/// It looks like Bitbucket's; it is none.
const API_TOKEN: &str = "ATATT3xFfGF0canary-api-token-0000000000000000=0A1B2C3D";
const OTHER_TOKEN: &str = "ATATT3xFfGF0canary-other-token-000000000000000=0A1B2C3D";
const CLOUD: &str = "protocol=https\nhost=bitbucket.org\n";

#[test]
fn credential_manager_keeps_what_login_was_given_until_logout() {
    let place = Place::new();
    place.login(&["work", "--store", "keyring"]);
    let status = place.succeeds(&["status"], "");
    assert!(status.contains("keyring"), "{status}");
    let wanted = format!("username=x-bitbucket-api-token-auth\npassword={API_TOKEN}\n");
    assert_eq!(place.succeeds(&["get"], CLOUD), wanted);
    assert_eq!(place.succeeds(&["token", "work"], "").trim_end(), API_TOKEN);

    place.succeeds(&["logout", "work"], "");
    assert_eq!(place.succeeds(&["get"], CLOUD), "");
}

#[test]
fn login_asks_bitbucket_through_the_proxy_and_over_tls() {
    let place = Place::new();
    let stand_in = StandIn::start(place.folder.path().join("stand-in")).unwrap();
    stand_in.allow(
        Credential::api_token(API_TOKEN)
            .user("ada")
            .email("ada@example.com"),
    );
    for (token, status) in [(API_TOKEN, 0), ("ATATT3xFfGF0another=0A1B2C3D", 1)] {
        let mut command = place.command(&["login", "--with-token"]);
        command.args(["--store", "file", "--email", "ada@example.com"]);
        let output = run(command.envs(stand_in.environment()), token);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
    }
    assert!(stand_in.requests().len() > 1, "nobody was asked");
}

#[test]
fn credential_manager_keeps_what_git_gives_until_git_takes_it_back() {
    let place = Place::new();
    let given = format!("{CLOUD}username=ada\npassword=of-git\n");
    place.succeeds(&["store"], &given);
    assert_eq!(
        place.succeeds(&["get"], CLOUD),
        "username=ada\npassword=of-git\n"
    );
    place.succeeds(&["erase"], &given);
    assert_eq!(place.succeeds(&["get"], CLOUD), "");
}

/// `CRED_MAX_CREDENTIAL_BLOB_SIZE` is 2,560 bytes.
#[test]
fn a_secret_longer_than_a_credential_of_windows_comes_back_whole() {
    let place = Place::new();
    for length in [2560, 2561, 10_000] {
        let given = format!("{CLOUD}username=ada\npassword={}\n", "x".repeat(length));
        place.succeeds(&["store"], &given);
        assert_eq!(
            format!("{CLOUD}{}", place.succeeds(&["get"], CLOUD)),
            given,
            "{length} bytes"
        );
        place.succeeds(&["erase"], &given);
        assert_eq!(place.succeeds(&["get"], CLOUD), "", "{length} bytes");
    }
}

#[test]
fn the_file_store_is_written_and_replaced() {
    let place = Place::new();
    place.login(&["one", "--store", "file", "--for", "acme"]);
    place.login_with(OTHER_TOKEN, &["two", "--store", "file", "--for", "other"]);
    place.login(&["one", "--store", "file"]);
    for (name, token) in [("one", API_TOKEN), ("two", OTHER_TOKEN)] {
        assert_eq!(place.succeeds(&["token", name], "").trim_end(), token);
    }
    let secrets = std::fs::read(place.folder.path().join("secrets")).unwrap();
    let canary = b"canary";
    assert!(
        !secrets.windows(canary.len()).any(|part| part == canary),
        "it lies there in plain text"
    );
}

#[test]
fn edit_renames_and_moves_an_account_and_switch_puts_one_first() {
    let place = Place::new();
    place.login(&["one", "--store", "file"]);
    place.login_with(OTHER_TOKEN, &["two", "--store", "file"]);
    let answers = |token: &str| place.succeeds(&["get"], CLOUD).contains(token);
    assert!(answers(API_TOKEN));
    place.succeeds(&["switch", "two"], "");
    assert!(answers(OTHER_TOKEN));
    place.succeeds(
        &["edit", "two", "--rename", "job", "--store", "keyring"],
        "",
    );
    assert_eq!(
        place.succeeds(&["token", "job"], "").trim_end(),
        OTHER_TOKEN
    );
    assert!(place.succeeds(&["status"], "").contains("keyring"));
    place.succeeds(&["logout", "--all"], "");
}

#[test]
fn a_line_that_ends_as_windows_ends_them_is_a_token_all_the_same() {
    let place = Place::new();
    let arguments = ["login", "--with-token", "--no-verify", "--store", "file"];
    place.succeeds(&arguments, &format!("{API_TOKEN}\r\n"));
    let answer = place.succeeds(&["get"], CLOUD);
    assert!(answer.ends_with(&format!("{API_TOKEN}\n")), "{answer}");
    assert!(!answer.contains('\r'), "git would take it for a part");
}

#[test]
fn doctor_writes_paths_as_people_do_and_does_not_vouch_for_access_lists() {
    let place = Place::new();
    place.login(&["work", "--store", "file"]);
    let output = place.run(&["doctor", "--json"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(r"\\\\?\\"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let files = checks.iter().find(|check| check["id"] == "files").unwrap();
    assert_eq!(files["outcome"], "skip", "{files}");
}

/// A folder of its own for accounts and secrets.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Windows needs much of its environment, so only what would answer in place of the stores is taken out.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .env("GIT_CREDENTIAL_BITBUCKET_HOME", self.folder.path())
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("BITBUCKET_API_TOKEN")
            .env_remove("BITBUCKET_ACCESS_TOKEN")
            .env_remove("BITBUCKET_TOKEN")
            .env_remove("BITBUCKET_APP_PASSWORD")
            .env("HTTPS_PROXY", "http://127.0.0.1:9");
        command
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        run(&mut self.command(arguments), input)
    }

    fn succeeds(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn login(&self, arguments: &[&str]) {
        self.login_with(API_TOKEN, arguments);
    }

    fn login_with(&self, token: &str, arguments: &[&str]) {
        let options = ["login", "--with-token", "--no-verify"];
        self.succeeds(&[&options, arguments].concat(), token);
    }
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who needs no input does not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}
