//! `logout`: removes an account and its secret.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::account::Account;
use crate::answer::renewal;
use crate::bitbucket::Kind;
use crate::bitbucket::oauth::Flow;
use crate::cli::{output, setup};
use crate::settings::Session;
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

/// If the store does not answer, the account stays: its secret may still be there.
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
    } else if arguments.all {
        let accounts = output::plural(
            leaving.len(),
            "account and its secret",
            "accounts and their secrets",
        );
        output::confirm(
            &format!("Remove {accounts}?"),
            "name the one to remove: 'git credential-bitbucket logout NAME'",
        )?;
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
        if let Some(what_is_left) = until_revoked(account, "the token") {
            message::tell(&what_is_left);
        }
    }
    setup::refresh(&session, "the account is removed")?;
    Ok(ExitCode::SUCCESS)
}

/// That the account's secret, called `token`, goes on working, and where that ends.
pub(super) fn until_revoked(account: &Account, token: &str) -> Option<String> {
    let name = &account.name;
    let kind = account.kind().filter(|kind| *kind != Kind::AppPassword)?;
    let page = kind.page(&account.host, account.base_path(), &account.reach);
    Some(match account.grant().map(|grant| grant.flow) {
        None => format!("Bitbucket accepts {token} of '{name}' until it is revoked: {page}"),
        Some(Flow::AuthorizationCode) => {
            format!("Bitbucket goes on granting '{name}' access until it is revoked: {page}")
        }
        // Nobody granted anything: only the client itself can be taken away.
        Some(Flow::ClientCredentials) => format!(
            "Bitbucket goes on knowing the OAuth client of '{name}' until it is deleted: {}",
            account.oauth_site().clients_page(&account.reach)
        ),
    })
}
