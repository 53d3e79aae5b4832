//! `token`: prints the secret of one account, for scripts.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::account::{Accounts, state};
use crate::answer::{Wanted, renewal};
use crate::bitbucket::{self, Reach};
use crate::cli::mistake::needs_a_url;
use crate::cli::output;
use crate::git::{Host, Url};
use crate::settings::Session;
use crate::sys::Secret;

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
    let url = named
        .filter(|name| only.is_some() || accounts.named(name).is_none())
        .and_then(url_of);
    let url = url.as_deref().and_then(Url::parse);
    let secret = match url.and_then(|url| Some((url.host()?, url))) {
        Some((host, url)) => of_url(&session, &url, host)?,
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
        bail!(objection.to_using(account));
    }
    let found = renewal::secret_of(session, account)?;
    let (_, kept) = found.ok_or_else(|| state::missing(account))?;
    Ok(kept.secret)
}

/// The https URL that is named, also as `workspace/repository` on bitbucket.org.
fn url_of(text: &str) -> Option<String> {
    match text.parse::<Reach>() {
        Ok(reach) => reach
            .repository
            .map(|_| format!("https://{}/{text}", bitbucket::cloud())),
        Err(_) => text.starts_with("https://").then(|| text.to_owned()),
    }
}

/// The secret that `get` would give for a URL.
fn of_url(session: &Session, url: &Url<'_>, host: Host) -> Result<Secret> {
    let (path, username) = (url.path(), url.username());
    let username = username.as_ref().map(Secret::expose);
    let wanted = Wanted::at(host, path.as_deref(), username);
    Ok(output::answering(session, &wanted)?.kept.secret)
}
