//! `logout`: removes an account and its secret.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::account::Account;
use crate::answer::renewal;
use crate::bitbucket::oauth::Flow;
use crate::bitbucket::{self, Kind};
use crate::cli::output;
use crate::cli::setup;
use crate::settings::session::Session;
use crate::sys::message;

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The account; may be left out when there is only one
    #[arg(conflicts_with = "all")]
    pub(crate) name: Option<String>,
    /// Remove all accounts
    #[arg(long)]
    pub(crate) all: bool,
}

/// # Errors
/// When there is no such account, or its store does not answer: then the account stays, as its secret may.
pub(crate) fn run(arguments: &Logout) -> Result<ExitCode> {
    let session = Session::default();
    let accounts = session.accounts()?;
    let leaving: Vec<&Account> = if arguments.all {
        accounts.iter().collect()
    } else {
        vec![output::pick(&accounts, arguments.name.as_deref())?]
    };
    if leaving.is_empty() {
        message::tell("There is no account");
    }
    for account in leaving {
        // First the secret: after a failure half-way the account still says where to look for it.
        renewal::forget(&session, account)
            .with_context(|| format!("cannot remove the secret of '{}'", account.name))?;
        session.update_accounts(|accounts| {
            accounts.remove(|known| known.entry == account.entry && known.name == account.name);
            Ok(())
        })?;
        message::tell(&format!(
            "Removed '{}' and its secret{}",
            account.name,
            output::for_its_host(account)
        ));
        if let Some(kind) = account.kind().filter(|kind| *kind != Kind::AppPassword) {
            let page = kind.page(&account.host, account.base_path(), &account.reach);
            message::tell(&match account.grant().map(|grant| grant.flow) {
                None => format!(
                    "Bitbucket accepts the token of '{}' until it is revoked: {page}",
                    account.name
                ),
                Some(Flow::AuthorizationCode) => format!(
                    "Bitbucket goes on granting '{}' access until it is revoked: {page}",
                    account.name
                ),
                // Nobody granted anything: only the consumer itself can be taken away.
                Some(Flow::ClientCredentials) => format!(
                    "Bitbucket goes on knowing the OAuth consumer of '{}' until it is deleted: {}",
                    account.name,
                    bitbucket::oauth::consumers_page(&account.reach)
                ),
            });
        }
    }
    setup::refresh(&session)
        .context("the account is removed, but git's configuration could not be updated")?;
    Ok(ExitCode::SUCCESS)
}
