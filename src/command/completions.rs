//! `completions`: the shell's own file that completes commands and options.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::Shell;

/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(shell: Shell, mut command: clap::Command) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, super::PROGRAM, &mut text);
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
