//! The first minute, as the README shows it: recorded in a real terminal with a real keyring, and a stand-in for Bitbucket.
//!
//! `RECORD=overwrite cargo test --test it recording` writes `docs/first-minute.svg` anew; look at it then.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::harness::{TestEnv, has};
use crate::support::keyring;
use crate::support::stand_in::Credential;
use crate::support::terminal::Terminal;

const COLUMNS: usize = 80;

#[test]
fn the_recording_in_the_readme_is_what_a_terminal_shows() {
    if !has(&keyring::TOOLS) {
        return;
    }
    let (mut env, bitbucket) = TestEnv::with_stand_in();
    let token = "ATATT3xFfGF0".to_owned() + &"a".repeat(60);
    bitbucket.repository("acme/site");
    bitbucket.allow(Credential::api_token(&token));
    let runtime = env.path().join("run");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    env.set("XDG_RUNTIME_DIR", runtime.to_str().unwrap());
    let Some(terminal) = Terminal::open(&env) else {
        return;
    };
    terminal.types_anew("cd; dbus-run-session -- sh");
    terminal.types("printf 'pw\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; echo unlo''cked");
    terminal.expect("unlocked");
    // As install.sh does.
    terminal.types_anew("git credential-bitbucket setup --no-guard");
    terminal.expect("git now asks this helper");
    terminal.types("clear");
    let is_clear = || {
        thread::sleep(Duration::from_millis(20));
        terminal.screen() == "$"
    };
    assert!((0..4000).any(|_| is_clear()), "{}", terminal.screen());
    terminal.types("git credential-bitbucket login");
    terminal.expect("(it will not show):");
    terminal.types(&token);
    terminal.expect("E-mail of your Atlassian account");
    terminal.types("ada@example.com");
    terminal.expect("Expiry date");
    terminal.types("2099-11-20");
    terminal.expect_times("\n$", 1);
    terminal.types("git clone https://bitbucket.org/acme/site.git");
    terminal.expect_times("\n$", 2);
    terminal.types("git credential-bitbucket status");
    terminal.expect_times("\n$", 3);
    terminal.types("git credential-bitbucket doctor acme/site");
    terminal.expect_times("\n$", 4);
    let screen = terminal.screen();
    let home = env.home().display().to_string();
    let screen = screen
        .trim_end_matches(['$', '\n'])
        .replace(&home, "/home/ada");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-minute.svg");
    let drawn = svg(&screen);
    if std::env::var("RECORD").is_ok_and(|wish| wish == "overwrite") {
        fs::write(&path, &drawn).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap();
    assert_eq!(lasting(&recorded), lasting(&drawn));
}

/// The lines but for git's own, which tell how fast the network was.
fn lasting(drawn: &str) -> Vec<&str> {
    let texts = drawn
        .lines()
        .filter_map(|line| Some(line.split_once('>')?.1));
    let is_of_git = |text: &&str| text.starts_with("remote:") || text.starts_with("Receiving");
    texts.filter(|text| !is_of_git(text)).collect()
}

/// The screen as a picture: each line a text, broken where a terminal breaks it.
fn svg(screen: &str) -> String {
    const LINE: usize = 18;
    let lines: Vec<String> = screen.lines().flat_map(broken).collect();
    let height = (lines.len() + 1) * LINE;
    let mut drawn = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 {height}\" role=\"img\" aria-label=\"A terminal: \
         login, clone, status, doctor\">\n<rect width=\"700\" height=\"{height}\" rx=\"6\" fill=\"#1e2127\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"14\" \
         fill=\"#d7dae0\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = (number + 1) * LINE;
        let is_typed = line.starts_with("$ ");
        let fill = if is_typed { " fill=\"#98c379\"" } else { "" };
        // Viewers make one of several blanks.
        let text = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace(' ', "\u{a0}");
        let width = line.chars().count() * 17 / 2;
        let _ = writeln!(
            drawn,
            "<text x=\"10\" y=\"{y}\" textLength=\"{width}\"{fill}>{text}</text>"
        );
    }
    drawn + "</g>\n</svg>\n"
}

fn broken(line: &str) -> Vec<String> {
    let letters: Vec<char> = line.chars().collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters
        .chunks(COLUMNS)
        .map(|part| part.iter().collect())
        .collect()
}
