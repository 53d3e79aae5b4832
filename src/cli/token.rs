//! `token`: the bare secret of one account on stdout, for scripts.

use crate::cli::output;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::answer::renewal;
use crate::cli::Token;
use crate::settings::session::Session;
use crate::sys::error::Hinted;

/// # Errors
/// When there is no such account, or its store has no secret for it.
pub(crate) fn run(arguments: &Token) -> Result<ExitCode> {
    let session = Session::default();
    let accounts = session.accounts()?;
    let account = output::pick(&accounts, arguments.name.as_deref())?;
    // Asked here as well, so that the message is about nothing else.
    if let Some(objection) = session.objection(account)? {
        return Err(objection.to_using(account));
    }
    let kept = session
        .secret_of(account)
        .with_context(|| format!("cannot read the secret of '{}'", account.name))?;
    let kept = kept.ok_or_else(|| {
        let message = format!("the {} has no secret for '{}'", account.store, account.name);
        Hinted::new(
            message,
            format!(
                "sign in again: 'git credential-bitbucket login {}'",
                account.name
            ),
        )
    })?;
    let (_, kept) = renewal::current(&session, account.clone(), kept)?;
    output::print(kept.secret.expose())?;
    output::print(b"\n")?;
    Ok(ExitCode::SUCCESS)
}
