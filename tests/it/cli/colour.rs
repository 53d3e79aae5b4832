//! Colour, in tmux: never where it is not wanted, and never alone.

use crate::support::harness::{API_TOKEN, APP_PASSWORD, TestEnv};
use crate::support::terminal::Terminal;

const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";

const STATUS: &str = "git credential-bitbucket status";
const DOCTOR: &str = "git credential-bitbucket doctor --offline --all";
const TOKEN: &str = "git credential-bitbucket token nobody";

/// An account that needs attention, one that does not yet, and one more helper that gets what they have.
fn with_two_accounts() -> TestEnv {
    let env = TestEnv::new();
    env.configure_plain();
    env.login(API_TOKEN, &["unseen"]);
    env.login(
        APP_PASSWORD,
        &["old", "--kind", "app-password", "--username", "ada"],
    );
    env.git_succeeds(&["config", "--global", "--add", "credential.helper", "store"]);
    env
}

/// What is on the screen after a command, with the codes of its colours.
fn screen(terminal: &Terminal<'_>, command: &str) -> String {
    terminal.types_anew(&format!("{command}; echo do''ne"));
    terminal.expect("done");
    let mut capture = terminal.tmux();
    capture.args(["capture-pane", "-p", "-e", "-J"]);
    String::from_utf8(capture.output().unwrap().stdout).unwrap()
}

#[test]
fn on_a_terminal_what_is_wrong_is_red_and_what_may_become_wrong_is_yellow() {
    let env = with_two_accounts();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let status = screen(&terminal, STATUS);
    for part in [
        format!("{RED}retired"),
        format!("{YELLOW}unchecked"),
        format!("{YELLOW}warning:"),
    ] {
        assert!(status.contains(&part), "{part:?} in {status:?}");
    }
    let doctor = screen(&terminal, DOCTOR);
    for part in [
        format!("{RED}fail"),
        format!("{YELLOW}warn"),
        "\npass  ".to_owned(),
    ] {
        assert!(doctor.contains(&part), "{part:?} in {doctor:?}");
    }
    assert!(screen(&terminal, TOKEN).contains(&format!("{RED}error:")));
}

#[test]
fn a_paragraph_of_a_narrow_terminal_has_its_state_in_colour_too() {
    let env = with_two_accounts();
    env.login(
        API_TOKEN,
        &["a name that is so long that no table of accounts has a place for it"],
    );
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    let status = screen(&terminal, STATUS);
    assert!(
        status.contains(&format!("  state    {RED}retired")),
        "{status:?}"
    );
}

#[test]
fn without_colour_every_word_is_the_same() {
    let env = with_two_accounts();
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    for command in [STATUS, DOCTOR, TOKEN] {
        let plain = screen(&terminal, &format!("NO_COLOR=1 {command}"));
        for (told, words) in [(STATUS, "retired"), (DOCTOR, "fail"), (TOKEN, "error:")] {
            assert!(told != command || plain.contains(words), "{plain}");
        }
        for ways in [
            format!("NO_COLOR=1 {command}"),
            format!("TERM=dumb {command}"),
            format!("env -u TERM {command}"),
            format!("{{ {command} 2>&1; }} | cat"),
        ] {
            let shown = screen(&terminal, &ways);
            assert!(!shown.contains("\u{1b}["), "{ways}: {shown:?}");
        }
        let empty = screen(&terminal, &format!("NO_COLOR= {command}"));
        assert!(empty.contains(RED), "{empty:?}");
    }
    for json in [
        format!("{STATUS} --json 2>/dev/null"),
        format!("{DOCTOR} --json"),
    ] {
        let shown = screen(&terminal, &json);
        assert!(!shown.contains("\u{1b}["), "{shown:?}");
    }
}
