//! The command line: definitions only. What a verb does stands in its file below `command/`.

pub(crate) mod completions;
pub(crate) mod curl;
pub(crate) mod doctor;
pub(crate) mod login;
pub(crate) mod logout;
mod output;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod takeover;
pub(crate) mod token;
pub(crate) mod unknown;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Result;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand, value_parser};
use clap_complete::Shell;
use jiff::civil::Date;
use thiserror::Error;

use crate::bitbucket::reach::Reach;
use crate::bitbucket::{self, Kind};
use crate::git::context::{Host, NotAHost};
use crate::settings::config::StoreChoice;
use crate::sys::error::{Hinted, Usage};

/// A git credential helper for Bitbucket: sign in once, git never asks again
#[derive(Debug, Parser)]
#[command(
    name = "git-credential-bitbucket",
    bin_name = "git credential-bitbucket",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "git itself calls 'get', 'store' and 'erase', see gitcredentials(7).\n\
                  'git credential-bitbucket --help' opens the manual page."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer git with a credential; attributes on standard input
    #[command(hide = true)]
    Get,
    /// Keep a credential that git found to work; attributes on standard input
    #[command(hide = true)]
    Store,
    /// Drop a credential that was refused; attributes on standard input
    #[command(hide = true)]
    Erase,
    /// Say which parts of the helper protocol are spoken
    #[command(hide = true)]
    Capability,
    /// Sign in: add an account, or replace the one of that name
    Login(Login),
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
    /// Check what can be wrong, and say how to mend it
    Doctor(Doctor),
    /// Move secrets out of remote URLs and other git configuration into the store
    Scrub(Scrub),
    /// Take over Bitbucket credentials from files and other helpers
    Import(Import),
    /// Print the completions for a shell
    Completions(Completions),
    /// An operation of git's future, or a mistyped command
    #[command(external_subcommand)]
    Unknown(Vec<OsString>),
}

#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct Login {
    /// What to call the account [default: the user name, else the first --for, else the host]
    pub(crate) name: Option<String>,
    /// What kind of credential it is [default: told from the secret, else asked]
    #[arg(long, value_parser = kinds())]
    pub(crate) kind: Option<Kind>,
    /// The host, with port and context path if it has them [default: bitbucket.org]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<Place>,
    /// The Bitbucket user name; API tokens and access tokens need none
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// The e-mail of the Atlassian account, which REST wants with an API token
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Use the account for this workspace or repository only (repeatable)
    #[arg(long = "for", value_name = "WORKSPACE[/REPOSITORY]")]
    pub(crate) reach: Vec<Reach>,
    /// Where to keep the secret [default: auto, the keyring if it answers, else a file]
    #[arg(long, value_parser = stores())]
    pub(crate) store: Option<StoreChoice>,
    /// The last day on which the secret is good, UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) expires: Option<Date>,
    /// Read the secret from the first line of standard input
    #[arg(long)]
    pub(crate) with_token: bool,
    /// Do not ask Bitbucket whether the secret works
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// The key of your OAuth consumer; its secret is what is asked for
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_id: Option<String>,
    /// Let the OAuth consumer act for itself, without anybody's browser
    #[arg(long)]
    pub(crate) client_credentials: bool,
    /// The port of the OAuth callback [default: 23418]
    #[arg(long, value_name = "N", conflicts_with = "client_credentials", value_parser = value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Open no browser; ask for the address with which yours came back
    #[arg(long, conflicts_with = "client_credentials")]
    pub(crate) no_browser: bool,
}

/// Where an instance lies: `git.corp.example:7990/bitbucket`.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) host: Host,
    /// With a slash before it, or empty.
    pub(crate) context: String,
}

impl FromStr for Place {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let (host, context) = text.split_once('/').unwrap_or((text, ""));
        let context = context.trim_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !context.bytes().all(is_plain) {
            return Err(NotAHost);
        }
        let slash = if context.is_empty() { "" } else { "/" };
        Ok(Self {
            host: host.parse()?,
            context: format!("{slash}{context}"),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The account; may be left out when there is only one
    #[arg(conflicts_with = "all")]
    pub(crate) name: Option<String>,
    /// Remove all accounts
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Show this account only
    pub(crate) name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// First ask Bitbucket whether the secret of each account works
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The account, a URL or workspace/repository; may be left out when there is only one account
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Refused, because the secret could go elsewhere or be written down: -K (--config), --connect-to, \
                  --libcurl, --location-trusted, --metalink, -: (--next), --request-target, --resolve, --unix-socket, \
                  --abstract-unix-socket, --variable. Any other option has to be written out in full, and its value, \
                  if it has one, as an argument of its own."
)]
pub(crate) struct Curl {
    /// What curl takes: options, and exactly one https URL of Bitbucket or of a host with an account
    #[arg(
        value_name = "ARG",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct Setup {
    /// Write to the configuration of the whole machine instead of the user's
    #[arg(long)]
    pub(crate) system: bool,
    /// Take back what setup wrote, and nothing else
    #[arg(long)]
    pub(crate) undo: bool,
    /// Take the place of another helper for Bitbucket
    #[arg(long, conflicts_with = "undo")]
    pub(crate) force: bool,
    /// Make git refuse URLs that hold a password
    #[arg(long, conflicts_with = "undo")]
    pub(crate) guard: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Say which account answers for this URL, and why, instead of checking everything
    pub(crate) url: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Scrub {
    /// Folders: every repository in and below them [default: the repository here]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Look into your own git configuration too
    #[arg(long)]
    pub(crate) global: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// git-credentials[:FILE], netrc[:FILE] or helper:NAME [default: the first two, where these files are]
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<Source>,
    /// Say what would be taken over, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take what was taken over out of its source
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) remove: bool,
}

/// Where credentials are taken over from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The file of git-credential-store; none means where git looks for it.
    GitCredentials(Option<PathBuf>),
    Netrc(Option<PathBuf>),
    /// As `credential.helper` names it.
    Helper(String),
}

#[derive(Debug, Error)]
#[error("not one of 'git-credentials', 'netrc' and 'helper:NAME'")]
pub(crate) struct NotASource;

impl FromStr for Source {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let file = Some(rest)
            .filter(|rest| !rest.is_empty())
            .map(PathBuf::from);
        match name {
            "git-credentials" => Ok(Self::GitCredentials(file)),
            "netrc" => Ok(Self::Netrc(file)),
            "helper" if !rest.is_empty() => Ok(Self::Helper(rest.to_owned())),
            _ => Err(NotASource),
        }
    }
}

#[derive(Debug, Args)]
struct Completions {
    /// Whose completions to print
    #[arg(value_parser = PossibleValuesParser::new(["bash", "zsh", "fish", "powershell"]).map(shell))]
    shell: Shell,
}

/// Understands the command line and runs what it names.
///
/// # Errors
/// Whatever the command fails with; [`Usage`] when the command line is not one.
pub(crate) fn run() -> Result<ExitCode> {
    refuse_secrets_in(env::args_os().map(|word| word.to_string_lossy().into_owned()))?;
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error)
            if !error.use_stderr()
                || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            let status = if error.use_stderr() { 2 } else { 0 };
            // That nobody reads the help is no failure.
            let _ = error.print();
            return Ok(status.into());
        }
        Err(error) => return Err(mistake(&error)),
    };
    match cli.command {
        // With one word these never come this far; with more, git did not call.
        Command::Get | Command::Store | Command::Erase | Command::Capability => {
            Err(Usage("the operation takes no arguments".to_owned()).into())
        }
        Command::Login(arguments) => login::run(&arguments),
        Command::Logout(arguments) => logout::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Curl(arguments) => curl::run(&arguments),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Scrub(arguments) => takeover::scrub::run(&arguments),
        Command::Import(arguments) => takeover::import::run(&arguments),
        Command::Completions(arguments) => completions::run(arguments.shell, Cli::command()),
        Command::Unknown(words) => unknown::run(&words),
    }
}

/// A secret that was typed as an argument is in the shell's history and in the list of processes by now; it must not
/// come into messages or account names as well.
fn refuse_secrets_in(mut words: impl Iterator<Item = String>) -> Result<()> {
    let has_one = |word: String| {
        word.split(['=', ':', '/', '@'])
            .any(bitbucket::looks_like_a_secret)
    };
    if words.any(has_one) {
        let message = "a secret is never an argument";
        let hint = "revoke that one, it is in the shell's history; 'git credential-bitbucket login' asks for the new one";
        return Err(
            anyhow::Error::from(Usage(message.to_owned())).context(Hinted::new(message, hint))
        );
    }
    Ok(())
}

/// What is wrong with the command line, without the words that were typed: one of them may be a secret.
fn mistake(error: &clap::Error) -> anyhow::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg).unwrap_or_default();
    // Of `--kind <KIND>` and `--token=SECRET` the option alone.
    let option = option
        .split(['=', ' '])
        .next()
        .unwrap_or_default()
        .trim_matches(['<', '>', '[', ']', '.']);
    let is_given = text(ContextKind::InvalidValue).is_some_and(|value| !value.is_empty());
    let message = match error.kind() {
        ErrorKind::UnknownArgument
            if option.starts_with("--") || option.len() == 2 && option.starts_with('-') =>
        {
            format!("there is no option '{option}'")
        }
        ErrorKind::UnknownArgument => "there is an argument too many".to_owned(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => match text(ContextKind::ValidValue)
        {
            Some(values) if !values.is_empty() => format!("'{option}' has to be one of {values}"),
            _ if !is_given => format!("'{option}' needs a value"),
            _ if option == "--expires" => {
                "the value of '--expires' is not a date such as 2027-01-31".to_owned()
            }
            _ if option == "--port" => {
                "the value of '--port' is not a number from 1 to 65535".to_owned()
            }
            _ => match std::error::Error::source(error) {
                Some(reason) => format!("the value of '{option}' is {reason}"),
                None => format!("the value of '{option}' is not what it has to be"),
            },
        },
        ErrorKind::MissingRequiredArgument => format!("'{option}' is missing"),
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            format!("'{option}' does not go with '{other}'")
        }
        _ => "the command line cannot be understood".to_owned(),
    };
    let hint = match command_typed() {
        Some(command) => format!("'git credential-bitbucket {command} -h' lists what it takes"),
        None => "'git credential-bitbucket -h' lists the commands".to_owned(),
    };
    anyhow::Error::from(Usage(message.clone())).context(Hinted::new(message, hint))
}

/// The command of ours that was typed, if it was one.
fn command_typed() -> Option<String> {
    let typed = env::args_os().nth(1)?.into_string().ok()?;
    let is_known = Cli::command().find_subcommand(&typed).is_some();
    is_known.then_some(typed)
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|name| name.parse::<Kind>())
}

fn stores() -> impl TypedValueParser<Value = StoreChoice> {
    PossibleValuesParser::new(StoreChoice::NAMES.map(|(name, _)| name)).map(|name| {
        let choice = StoreChoice::NAMES
            .into_iter()
            .find(|(known, _)| *known == name);
        choice.expect("one of the possible values").1
    })
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
