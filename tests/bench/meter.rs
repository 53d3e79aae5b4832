//! What is counted rather than timed, each by a program in between: std can tell nothing of it for a child.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// What can be counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// The most a process ever had in memory, in KiB.
    Memory,
    /// In user space, of all its threads.
    Instructions,
    SystemCalls,
}

pub(crate) struct Meter {
    pub(crate) count: Count,
    file: PathBuf,
}

impl Meter {
    /// Those whose program is here; what the others need.
    pub(crate) fn all(folder: &Path) -> (Vec<Self>, Vec<String>) {
        let (mut meters, mut missing) = (Vec::new(), Vec::new());
        for (count, needs) in [
            (Count::Memory, "memory: GNU time, Debian package 'time'"),
            (Count::Instructions, "instructions: valgrind"),
            (Count::SystemCalls, "system calls: strace"),
        ] {
            let meter = Self {
                count,
                file: folder.join("count"),
            };
            if meter.works() {
                meters.push(meter);
            } else {
                missing.push(needs.to_owned());
            }
        }
        (meters, missing)
    }

    fn works(&self) -> bool {
        let mut command = self.command(Path::new("/bin/true"));
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()) && self.read().is_ok()
    }

    /// Starts a program in between; its arguments are still to come.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let file = self.file.display();
        let words = match self.count {
            Count::Memory => vec!["time".to_owned(), "-f%M".to_owned(), format!("-o{file}")],
            Count::Instructions => vec![
                "valgrind".to_owned(),
                "--tool=callgrind".to_owned(),
                "--callgrind-out-file=/dev/null".to_owned(),
                format!("--log-file={file}"),
            ],
            Count::SystemCalls => vec!["strace".to_owned(), "-fc".to_owned(), format!("-o{file}")],
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command
    }

    /// Of the program that ended last.
    pub(crate) fn read(&self) -> Result<u64> {
        let text = fs::read_to_string(&self.file)?;
        let number = match self.count {
            Count::Memory => text.lines().last(),
            // ==1== Collected : 12345
            Count::Instructions => text
                .lines()
                .find_map(|line| Some(line.split_once("Collected :")?.1)),
            // 100.00    0.000123           4        29         1 total
            Count::SystemCalls => text
                .lines()
                .find(|line| line.ends_with(" total"))
                .and_then(|line| line.split_whitespace().nth(3)),
        };
        let number = number.context("it wrote no number")?;
        number.trim().parse().context("it wrote no number")
    }
}
