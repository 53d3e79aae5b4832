//! `token`: prints the secret of one account, for scripts.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::account::Account;
use crate::account::file::Accounts;
use crate::answer::decide::{Effort, decide, secret_of};
use crate::answer::found::{Findings, Found};
use crate::answer::matching::Wanted;
use crate::bitbucket;
use crate::bitbucket::reach::Reach;
use crate::cli::mistake::needs_a_url;
use crate::cli::output;
use crate::git::context::Host;
use crate::git::url::Url;
use crate::settings::session::Session;
use crate::sys::error::{Hinted, shell_quoted};
use crate::sys::message;
use crate::sys::secret::Secret;

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The account, a URL or workspace/repository; may be left out when there is only one account
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: Option<String>,
}

pub(crate) fn run(arguments: &Token, only: Option<&str>) -> Result<ExitCode> {
    let session = Session::default().with_only(only)?;
    let accounts = session.accounts()?;
    let named = arguments.name.as_deref();
    let place = named
        .filter(|name| only.is_some() || accounts.named(name).is_none())
        .and_then(TokenPlace::of);
    let secret = match place {
        Some(place) => of_place(&session, place)?,
        None if only.is_some() => return Err(needs_a_url()),
        None => of_account(&session, &accounts, named)?,
    };
    output::print(secret.expose())?;
    output::print(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

fn of_account(session: &Session, accounts: &Accounts, name: Option<&str>) -> Result<Secret> {
    let account = output::pick(accounts, name)?;
    // Check the policy first, for its own message.
    if let Some(objection) = session.objection(account)? {
        return Err(objection.to_using(account));
    }
    match secret_of(session, account)? {
        Some((_, kept)) => Ok(kept.secret),
        None => Err(missing(account)),
    }
}

pub(super) fn missing(account: &Account) -> anyhow::Error {
    let Account { name, store, .. } = account;
    let hint = format!(
        "sign in again: 'git credential-bitbucket login {}'",
        account.argument()
    );
    Hinted::new(format!("the {store} has no secret for '{name}'"), hint).into()
}

/// A URL, or `workspace/repository` on bitbucket.org.
struct TokenPlace {
    host: Host,
    path: Option<Vec<u8>>,
    username: Option<Vec<u8>>,
}

impl TokenPlace {
    fn of(text: &str) -> Option<Self> {
        if let Some(url) = Url::parse(text).filter(|url| url.scheme == "https") {
            return Some(Self {
                host: url.host()?,
                path: url.path(),
                username: url.username().map(|name| name.expose().to_vec()),
            });
        }
        let reach = text.parse::<Reach>().ok()?;
        reach.repository.as_ref()?;
        Some(Self {
            host: bitbucket::cloud(),
            path: Some(text.into()),
            username: None,
        })
    }
}

/// The secret that `get` would give for a place.
fn of_place(session: &Session, place: TokenPlace) -> Result<Secret> {
    let TokenPlace {
        host,
        path,
        username,
    } = place;
    let wanted = Wanted::at(host, path.as_deref(), username.as_deref());
    let decision = decide(session, &wanted, Effort::Answer)?;
    let Findings { found, notices } = decision.into_findings(&wanted)?;
    for notice in &notices {
        message::warn(notice);
    }
    let Some(Found { kept, .. }) = found else {
        return Err(Hinted::new(
            format!("no account answers for '{}'", wanted.url()),
            format!(
                "see why: 'git credential-bitbucket doctor {}'",
                shell_quoted(&wanted.url())
            ),
        )
        .into());
    };
    Ok(kept.secret)
}
