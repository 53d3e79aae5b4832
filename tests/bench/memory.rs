//! The most memory a process ever had, as GNU time tells it: std cannot tell that of a child.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

pub(crate) struct Memory {
    file: PathBuf,
}

impl Memory {
    /// Nothing where there is no `time`, or another one.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let memory = Self {
            file: folder.join("memory"),
        };
        let mut command = memory.command(Path::new("true"));
        let status = command.stderr(Stdio::null()).status().ok()?;
        (status.success() && memory.read().is_ok()).then_some(memory)
    }

    /// Starts a program in between; its arguments are still to come.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("time");
        command.args(["-f", "%M", "-o"]).arg(&self.file);
        command.arg(program);
        command
    }

    /// In KiB, of the program that ended last.
    pub(crate) fn read(&self) -> Result<u64> {
        let text = fs::read_to_string(&self.file)?;
        text.trim().parse().context("'time' wrote no number")
    }
}
