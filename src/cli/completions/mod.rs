//! `completions`: prints the completion script for a shell. The script asks `complete` which words may stand at the
//! cursor.

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Args, Command, ValueEnum, ValueHint};

use crate::account::Account;
use crate::cli::output;
use crate::settings::Session;
use crate::sys::printable;

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

/// Stands for the paths of files, which a shell completes itself.
const PATHS: &str = "/\n";

#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// The words up to the cursor; the last has a plus sign before it, as PowerShell drops an empty argument
    #[arg(last = true)]
    words: Vec<String>,
}

/// Prints a line for each word, with its meaning behind a tab. The shell leaves out what does not begin as typed.
pub(crate) fn complete(arguments: &Complete, mut program: Command) -> Result<ExitCode> {
    program.build();
    if let Some((last, before)) = arguments.words.split_last() {
        output::print(candidates(&program, before, last.starts_with("+-")).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn candidates(program: &Command, before: &[String], is_option: bool) -> String {
    let mut command = program;
    let mut waits_for_value = None;
    let mut given = 0;
    for word in before {
        if waits_for_value.take().is_some() {
        } else if word.starts_with('-') {
            let mut options = command.get_opts();
            waits_for_value = options.find(|option| names(option).any(|name| name == *word));
        } else if let Some(inner) = command.find_subcommand(word) {
            command = inner;
        } else {
            given += 1;
        }
    }
    if let Some(option) = waits_for_value {
        return values(option, program);
    }
    if is_option {
        let lines = |option| names(option).map(|name| line(name, Arg::get_help(option)));
        return command.get_arguments().flat_map(lines).collect();
    }
    if command.has_subcommands() && given == 0 {
        return verbs(program);
    }
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    let last = positionals.last();
    let repeated = last.filter(|last| matches!(last.get_action(), ArgAction::Append));
    let next = positionals.get(given).or(repeated);
    next.map(|argument| values(argument, program))
        .unwrap_or_default()
}

fn line(word: impl Display, meaning: Option<impl Display>) -> String {
    let meaning = meaning.map(|meaning| meaning.to_string());
    format!("{word}\t{}\n", meaning.unwrap_or_default())
}

/// How an option is written.
fn names(option: &Arg) -> impl Iterator<Item = String> + use<> {
    let long = option.get_long().map(|name| format!("--{name}"));
    let short = option.get_short().map(|name| format!("-{name}"));
    long.into_iter().chain(short)
}

fn verbs(program: &Command) -> String {
    let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
    let lines = verbs.map(|verb| line(verb.get_name(), verb.get_about()));
    lines.collect()
}

fn values(argument: &Arg, program: &Command) -> String {
    match argument.get_id().as_str() {
        "verb" => verbs(program),
        "account" | "name" => {
            let accounts = Session::default().accounts().unwrap_or_default();
            let line = |it: &Account| line(printable(&it.name), Some(&it.host));
            accounts.iter().map(line).collect()
        }
        _ if argument.get_value_hint() == ValueHint::AnyPath => PATHS.to_owned(),
        _ => {
            let possible = argument.get_possible_values();
            let line = |it: &PossibleValue| line(it.get_name(), it.get_help());
            possible.iter().map(line).collect()
        }
    }
}
