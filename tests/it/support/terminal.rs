//! A terminal, in tmux.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::{TestEnv, has};

/// A terminal of 80 columns, high enough for all that eight commands at once have to say, with a shell of the test's environment in it.
pub(crate) struct Terminal<'a> {
    pub(crate) env: &'a TestEnv,
    socket: String,
}

impl<'a> Terminal<'a> {
    pub(crate) fn open(env: &'a TestEnv) -> Option<Self> {
        if !has(&["tmux"]) {
            return None;
        }
        let terminal = Self {
            env,
            socket: env.path().join("tmux").display().to_string(),
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
        self.presses(line);
        assert!(
            self.tmux()
                .args(["send-keys", "Enter"])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The same on a clear screen: what was there before must not be taken for what comes.
    pub(crate) fn types_anew(&self, line: &str) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.types(&format!("clear; echo rea''dy-{number}"));
        self.expect(&format!("ready-{number}"));
        self.types(line);
    }

    pub(crate) fn screen(&self) -> String {
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
        // Longer than a loaded machine takes; nobody waits for it who finds the text.
        const PATIENCE: Duration = Duration::from_secs(90);
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if screen.matches(text).count() >= times {
                return screen;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no '{text}' on the screen:\n{screen}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").status();
    }
}
