//! `completions`: prints the completion script for a shell. The script asks `complete` for each word.

mod words;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

pub(crate) use self::words::{Complete, complete};
use crate::cli::output;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Whose completions to print
    shell: Script,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Script {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
}

pub(crate) fn run(arguments: &Completions) -> Result<ExitCode> {
    output::print(match arguments.shell {
        Script::Bash => include_bytes!("bash"),
        Script::Zsh => include_bytes!("zsh"),
        Script::Fish => include_bytes!("fish"),
        Script::PowerShell => include_bytes!("powershell"),
    })?;
    Ok(ExitCode::SUCCESS)
}
