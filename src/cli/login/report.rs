//! The report of `login`: the store, Bitbucket's answer, and the expiry date.

use anyhow::Result;

use crate::account::verify::Verdict;
use crate::account::{Account, state, today};
use crate::bitbucket::{self, Kind};
use crate::cli::login::options::Login;
use crate::cli::output;
use crate::settings::session::Session;
use crate::store;
use crate::sys::message;

pub(crate) fn tell_where(
    session: &Session,
    account: &Account,
    is_replaced: bool,
    reason: Option<&store::Error>,
) -> Result<()> {
    let verb = if is_replaced { "Replaced" } else { "Stored" };
    let what = format!(
        "{verb} the secret of '{}'{}",
        account.name,
        output::for_its_host(account)
    );
    message::tell(&match account.store {
        store::Name::Keyring => format!("{what} in the OS keyring"),
        store::Name::Exec => format!("{what} with '{}'", session.exec_store()?.program),
        store::Name::File => {
            let path = session.file_store()?.path;
            match reason {
                None => format!("{what} in the file '{}'", path.display()),
                Some(reason) => format!(
                    "{what} in the file '{}', as {}",
                    path.display(),
                    reason.briefly()
                ),
            }
        }
        // These stores are read-only.
        store @ (store::Name::Env | store::Name::Folder | store::Name::Vault) => {
            format!("{what} in '{store}'")
        }
    });
    Ok(())
}

pub(super) fn tell_verdict(account: &Account, verdict: Option<Verdict>) {
    match verdict {
        None | Some(Verdict::Refused { .. } | Verdict::Misplaced { .. }) => {}
        Some(Verdict::Good { who: Some(who) }) => {
            message::tell(&format!("{} knows it as '{who}'", account.host));
        }
        Some(Verdict::Good { who: None }) => message::tell(&format!("{} knows it", account.host)),
        Some(Verdict::Limited { message, hint }) => {
            message::warn(message);
            message::hint(hint);
        }
        // Another message says that app passwords are gone.
        Some(Verdict::Unchecked { .. }) if account.is_retired() => {}
        Some(Verdict::Unchecked { reason, hint }) => {
            message::warn(format_args!("the secret is stored unchecked: {reason}"));
            message::hint(hint.unwrap_or_else(|| state::how_to_check(account)));
        }
    }
}

pub(super) fn tell_retired(account: &Account) {
    if account.is_retired() {
        message::warn(bitbucket::removed("app passwords"));
        message::hint(format_args!(
            "make an API token at {}, then replace it: 'git credential-bitbucket login {}'",
            Kind::AppPassword.page(&account.host, "", &[]),
            account.argument()
        ));
    }
}

/// Mentions a date that stays from the old secret, and warns of one that has passed.
pub(super) fn tell_expiry(arguments: &Login, account: &Account) {
    match (arguments.expires, account.expires) {
        (Some(day), _) if day < today() => {
            message::warn(format_args!("{day}, the date of '--expires', has passed"));
        }
        (None, Some(day)) if arguments.with_token => {
            message::tell(&format!(
                "Its expiry date stays {day}: 'git credential-bitbucket edit {} --expires YYYY-MM-DD' changes it",
                account.argument()
            ));
        }
        _ => {}
    }
}
