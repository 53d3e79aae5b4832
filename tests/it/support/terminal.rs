//! A terminal, in tmux.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::{TestEnv, has};

/// A terminal of 80 columns, high enough for all that eight commands at once have to say, with a shell of the test's environment in it.
pub(crate) struct Terminal<'a> {
    pub(crate) env: &'a TestEnv,
    socket: String,
    /// All that came out of the shell.
    output: PathBuf,
    seen: Mutex<Seen>,
}

/// The screen as it was last looked at, and how much had come out by then.
#[derive(Default)]
struct Seen {
    screen: String,
    output: u64,
    at: Option<Instant>,
}

impl<'a> Terminal<'a> {
    pub(crate) fn open(env: &'a TestEnv) -> Option<Self> {
        if !has(&["tmux"]) {
            return None;
        }
        let terminal = Self {
            env,
            socket: env.path().join("tmux").display().to_string(),
            output: env.path().join("terminal"),
            seen: Mutex::default(),
        };
        let mut shell = terminal.tmux();
        shell.args([
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "60",
            "env",
            "-u",
            "GIT_TERMINAL_PROMPT",
            "PS1=$ ",
            "sh",
            ";",
            "pipe-pane",
            &format!("exec cat >'{}'", terminal.output.display()),
        ]);
        assert!(shell.status().unwrap().success());
        terminal.expect("$");
        Some(terminal)
    }

    pub(crate) fn tmux(&self) -> Command {
        let mut command = self.env.command("tmux");
        command
            .args(["-S", &self.socket, "-f", "/dev/null"])
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// Types something, without the Enter key.
    pub(crate) fn presses(&self, keys: &str) {
        let status = self.tmux().args(["send-keys", "-l", keys]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn types(&self, line: &str) {
        let mut typist = self.tmux();
        // A semicolon at the end would part it from what tmux does next.
        let line = line
            .strip_suffix(';')
            .map_or_else(|| line.to_owned(), |line| format!("{line}\\;"));
        typist.args(["send-keys", "-l", &line, ";", "send-keys", "Enter"]);
        assert!(typist.status().unwrap().success());
    }

    /// The same on a clear screen: what was there before must not be taken for what comes.
    pub(crate) fn types_anew(&self, line: &str) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.types(&format!("clear; echo rea''dy-{number}"));
        self.expect(&format!("ready-{number}"));
        self.types(line);
    }

    /// tmux is asked only when something came out since, or for half a second nothing did.
    pub(crate) fn screen(&self) -> String {
        const STALE: Duration = Duration::from_millis(500);
        let length = fs::metadata(&self.output).map_or(0, |found| found.len());
        let mut seen = self.seen.lock().unwrap();
        let is_fresh = seen.at.is_some_and(|at| at.elapsed() < STALE);
        if seen.output != length || length == 0 || !is_fresh {
            *seen = Seen {
                screen: self.capture(),
                output: length,
                at: Some(Instant::now()),
            };
        }
        seen.screen.clone()
    }

    fn capture(&self) -> String {
        let output = self
            .tmux()
            .args(["capture-pane", "-p", "-J"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Waits until the screen holds the text, and gives the screen. What is printed after the text may be missing.
    pub(crate) fn expect(&self, text: &str) -> String {
        self.expect_times(text, 1)
    }

    /// The same for a text that comes so often.
    pub(crate) fn expect_times(&self, text: &str, times: usize) -> String {
        let comes = |screen: &str| screen.matches(text).count() >= times;
        self.expect_that(&format!("'{text}'"), comes)
    }

    /// Waits until the shell asks for the next command.
    pub(crate) fn expect_prompt(&self) {
        self.expect_that("prompt", |screen| screen.ends_with('$'));
    }

    fn expect_that(&self, what: &str, comes: impl Fn(&str) -> bool) -> String {
        // Longer than a loaded machine takes; nobody waits for it who finds the text.
        const PATIENCE: Duration = Duration::from_secs(90);
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if comes(&screen) {
                return screen;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no {what} on the screen:\n{screen}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").status();
    }
}
