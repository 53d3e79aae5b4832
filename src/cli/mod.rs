//! The command line: the verbs, and the file that runs each.

pub(crate) mod completions;
pub(crate) mod curl;
pub(crate) mod doctor;
pub(crate) mod edit;
pub(crate) mod login;
pub(crate) mod logout;
mod mistake;
mod output;
mod post_buffer;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod switch;
pub(crate) mod takeover;
pub(crate) mod token;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use self::completions::{Complete, Completions};
use self::curl::Curl;
use self::doctor::Doctor;
use self::edit::Edit;
use self::login::Login;
use self::logout::Logout;
use self::mistake::{mistake, needs_a_url, refuse_secrets_in};
use self::setup::Setup;
use self::status::Status;
use self::switch::Switch;
use self::takeover::import::Import;
use self::takeover::scrub::Scrub;
use self::token::Token;
use crate::helper::word_of_git;
use crate::sys::Usage;
use crate::sys::message::PROGRAM;

/// A git credential helper for Bitbucket: sign in once, git never asks again
#[derive(Debug, Parser)]
#[command(
    name = "git-credential-bitbucket",
    bin_name = "git credential-bitbucket",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "git itself calls 'get', 'store' and 'erase', see gitcredentials(7).\n\
                  'git credential-bitbucket --help' opens the manual page, if it is installed."
)]
struct Cli {
    /// Let only this account answer: before 'curl', 'token URL', 'doctor URL', and in git's configuration
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer git, see gitcredentials(7); attributes on standard input
    #[command(hide = true, name = "get", aliases = ["store", "erase", "capability"])]
    Operation,
    /// Sign in: add an account, or replace the one of that name
    Login(Login),
    /// Put an account first, or list the order
    Switch(Switch),
    /// Change an account without its token at hand
    Edit(Edit),
    /// Remove an account and its secret
    Logout(Logout),
    /// Show the accounts and what state they are in
    Status(Status),
    /// Print the secret of an account, for scripts
    Token(Token),
    /// Run curl with the REST authorization of the account that fits its URL
    Curl(Curl),
    /// Put the helper into git's configuration
    Setup(Setup),
    /// Check what can be wrong, and say how to fix it
    Doctor(Doctor),
    /// Move secrets out of remote URLs and other git configuration into the store
    Scrub(Scrub),
    /// Import Bitbucket credentials from files and other helpers
    Import(Import),
    /// Print the completions for a shell
    Completions(Completions),
    /// Print the help of the program, or of one of its commands
    Help {
        /// The command whose help to print
        #[arg(value_name = "COMMAND")]
        verb: Option<OsString>,
    },
    /// Print the words that may stand at the cursor
    #[command(hide = true)]
    Complete(Complete),
}

pub(crate) fn run() -> Result<ExitCode> {
    refuse_secrets_in(env::args_os().map(|word| word.to_string_lossy().into_owned()))?;
    dispatch(&env::args_os().collect::<Vec<_>>())
}

fn dispatch(words: &[OsString]) -> Result<ExitCode> {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error)
            if !error.use_stderr()
                || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            let status = if error.use_stderr() { 2 } else { 0 };
            // A closed pipe is no failure.
            let _ = error.print();
            return Ok(status.into());
        }
        // gitcredentials(7): a helper "should silently ignore" an unknown operation.
        Err(error)
            if error.kind() == ErrorKind::InvalidSubcommand
                && word_of_git().is_some()
                && !io::stdin().is_terminal() =>
        {
            // Read the request to its end: the writer must not get a broken pipe.
            io::copy(&mut io::stdin(), &mut io::sink())?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(mistake(&error, &command_typed(words))),
    };
    let only = cli.account.as_deref();
    match cli.command {
        // git's own calls have one word and never get here.
        Command::Operation => Err(Usage("the operation takes no arguments".to_owned()).into()),
        Command::Curl(arguments) => curl::run(&arguments, only),
        Command::Token(arguments) => token::run(&arguments, only),
        Command::Doctor(Doctor { url: None, .. }) if only.is_some() => Err(needs_a_url()),
        Command::Doctor(arguments) => doctor::run(&arguments, only),
        _ if only.is_some() => Err(needs_a_url()),
        Command::Login(arguments) => login::run(&arguments),
        Command::Switch(arguments) => switch::run(&arguments),
        Command::Edit(arguments) => edit::run(&arguments),
        Command::Logout(arguments) => logout::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Scrub(arguments) => takeover::scrub::run(&arguments),
        Command::Import(arguments) => takeover::import::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Help { verb } => {
            let words = [PROGRAM.into()].into_iter().chain(verb);
            dispatch(&words.chain(["--help".into()]).collect::<Vec<_>>())
        }
        Command::Complete(arguments) => completions::complete(&arguments, Cli::command()),
    }
}

/// The command that was typed, else the program.
fn command_typed(words: &[OsString]) -> clap::Command {
    let cli = Cli::command();
    let typed = words.get(1).and_then(|word| cli.find_subcommand(word));
    typed.cloned().unwrap_or(cli)
}
