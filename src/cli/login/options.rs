//! The options of `login`.

use std::io::{self, IsTerminal as _};

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::value_parser;
use jiff::civil::Date;

use crate::bitbucket::site::Site;
use crate::bitbucket::{Kind, Reach};
use crate::settings::StoreChoice;
use crate::sys::terminal;

#[derive(Clone, Debug, Args)]
pub(crate) struct Login {
    /// What to call the account [default: the user name, else the first --for, else the host]
    pub(crate) name: Option<String>,
    /// The kind of credential [default: read from the secret, else asked]
    #[arg(long, value_parser = kinds())]
    pub(crate) kind: Option<Kind>,
    /// The host, with its port and context path [default: bitbucket.org]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<Site>,
    /// The Bitbucket user name; API tokens and access tokens need none
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// The e-mail of the Atlassian account; REST needs it with an API token
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Use the account for this workspace or repository only (repeatable)
    #[arg(long = "for", value_name = "WORKSPACE[/REPOSITORY]")]
    pub(crate) reach: Vec<Reach>,
    /// Where to keep the secret [default: auto, the keyring if it answers, else a file]
    #[arg(long, value_parser = stores())]
    pub(crate) store: Option<StoreChoice>,
    /// The expiry date: the last day on which the secret works, UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) expires: Option<Date>,
    /// Read the secret from the first line of standard input
    #[arg(long)]
    pub(crate) with_token: bool,
    /// Do not ask Bitbucket whether the secret works
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Sign in with the browser
    #[arg(long, conflicts_with = "client_credentials")]
    pub(crate) web: bool,
    /// The ID of your OAuth client (older: key of a consumer); login then asks for its secret
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_id: Option<String>,
    /// Let the OAuth client act for itself, without a browser
    #[arg(long)]
    pub(crate) client_credentials: bool,
    /// The port of the OAuth callback [default: 23418]
    #[arg(long, value_name = "N", conflicts_with = "client_credentials", value_parser = value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Open no browser; paste the address your browser ended up at
    #[arg(long, conflicts_with = "client_credentials")]
    pub(crate) no_browser: bool,
}

impl Login {
    /// Whether the secret comes through standard input.
    pub(super) fn is_piped(&self) -> bool {
        self.with_token && !io::stdin().is_terminal()
    }

    /// Whether what is missing can be asked for.
    pub(super) fn may_ask(&self) -> bool {
        !self.with_token && terminal::can_ask()
    }
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|name| name.parse::<Kind>())
}

pub(crate) fn stores() -> impl TypedValueParser<Value = StoreChoice> {
    PossibleValuesParser::new(StoreChoice::ALL.map(StoreChoice::as_str))
        .try_map(|name| name.parse::<StoreChoice>())
}
