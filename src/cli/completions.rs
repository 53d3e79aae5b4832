//! `completions`: the shell's own file that completes commands and options.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap_complete::Shell;

use crate::cli::output;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Whose completions to print
    #[arg(value_parser = PossibleValuesParser::new(["bash", "zsh", "fish", "powershell"]).map(shell))]
    shell: Shell,
}

#[expect(clippy::needless_pass_by_value, reason = "clap hands the value over")]
fn shell(name: String) -> Shell {
    match name.as_str() {
        "bash" => Shell::Bash,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        _ => Shell::Zsh,
    }
}

/// git's own completion for bash calls a function of this name for `git credential-bitbucket`; it hands the words on
/// as if the program had been typed by its own name.
const THROUGH_GIT: &str = r#"
_git_credential_bitbucket() {
    local words=("${COMP_WORDS[@]}") last=$COMP_CWORD position=0
    while [[ ${words[position]} != credential-bitbucket && $position -lt $last ]]; do
        position=$((position + 1))
    done
    local COMP_WORDS=(git-credential-bitbucket "${words[@]:position+1}") COMP_CWORD=$((last - position))
    _git__credential__bitbucket git-credential-bitbucket "${words[last]}" "${words[last-1]}"
}
"#;

pub(crate) fn run(arguments: &Completions, mut command: clap::Command) -> Result<ExitCode> {
    let shell = arguments.shell;
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, crate::sys::message::PROGRAM, &mut text);
    if shell == Shell::Bash {
        // clap_complete 4.6 takes a hyphen in the program's name for the end of a command, and then completes no option.
        let script = String::from_utf8(text)?.replace(
            "git__subcmd__credential__subcmd__bitbucket",
            "git__credential__bitbucket",
        );
        text = (script + THROUGH_GIT).into_bytes();
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
