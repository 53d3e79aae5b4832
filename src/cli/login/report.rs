//! The report of `login`: the store, Bitbucket's answer, and the expiry date.

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::account::verify::{Meaning, Verdict};
use crate::account::{Account, Scheme, State};
use crate::answer::renewal;
use crate::cli::login::options::Login;
use crate::cli::login::replace::{Old, Placed};
use crate::cli::logout::until_revoked;
use crate::cli::output::{self, listed};
use crate::settings::Session;
use crate::store;
use crate::sys::error::one_line;
use crate::sys::{Hinted, message};

pub(crate) fn tell_where(
    session: &Session,
    account: &Account,
    is_replaced: bool,
    reason: Option<&store::Error>,
) -> Result<()> {
    let verb = if is_replaced { "Replaced" } else { "Stored" };
    let place = match account.store {
        store::Name::Keyring => "in the OS keyring".to_owned(),
        store::Name::Exec => format!("with '{}'", session.exec_store()?.program),
        // The last three are only read.
        store::Name::File | store::Name::Env | store::Name::Folder | store::Name::Vault => {
            format!("in the file '{}'", session.file_store()?.path.display())
        }
    };
    let why = reason.map(|reason| format!(", as {}", reason.briefly()));
    message::tell(&format!(
        "{verb} the secret of '{}'{} {place}{}",
        account.name,
        output::for_its_host(account),
        why.unwrap_or_default()
    ));
    Ok(())
}

/// Removes a secret whose account has a new one. That it stays must not undo this.
pub(crate) fn forget_old(session: &Session, old: &Account, what: &str) {
    if let Err(error) = renewal::forget(session, old) {
        let (store, error) = (old.store, one_line(&error));
        message::warn(format_args!("{what} stays in the {store}: {error}"));
    }
}

pub(super) fn refuse(verdict: &Verdict) -> Result<()> {
    let hint = verdict.hint.clone().unwrap_or_default();
    let hint = match verdict.meaning {
        Meaning::Refused | Meaning::Mistaken => hint,
        Meaning::Misplaced => format!("{hint}; '--no-verify' stores it"),
        Meaning::Good | Meaning::Limited | Meaning::Unchecked => return Ok(()),
    };
    bail!(Hinted::new(&verdict.message, hint))
}

pub(super) fn tell_verdict(account: &Account, mut verdict: Verdict) {
    let mut line = verdict.message.clone();
    if verdict.meaning == Meaning::Unchecked {
        line = format!("the secret is stored unchecked: {line}");
        let how_to_check = || State::Unchecked.fix(account);
        verdict.hint.get_or_insert_with(how_to_check);
    }
    output::tell_verdict(account, &verdict, &line);
}

/// libcurl answers a challenge with the URL's user name, and a host that refuses Basic says 403 before git asks us.
pub(super) fn tell_scheme(account: &Account) {
    if account.scheme() != Scheme::Basic && account.username().is_some() {
        let Account { host, .. } = account;
        message::tell(&format!(
            "{host} refuses a user name with the token: remote URLs must have none, as in 'https://{host}{}/scm/…'",
            account.base_path()
        ));
    }
}

/// Says what became of the accounts beside it.
pub(super) fn tell_place(arguments: &Login, account: &Account, placed: &Placed) {
    let name = &account.name;
    match &placed.old {
        Some(Old { is_same: true, .. }) if arguments.name.as_ref() != Some(name) => {
            message::tell(&format!(
                "'{name}' had this secret already, and stays one account"
            ));
        }
        Some(old) if old.works == Some(true) => {
            if let Some(page) = until_revoked(&old.account, "the old token") {
                message::tell(&page);
            }
        }
        Some(_) => {}
        None if arguments.name.is_some() || placed.beside.is_empty() => {}
        None => message::tell(&format!(
            "'{name}' is a new account, after {}: 'git credential-bitbucket switch {}' puts it first",
            listed(&placed.beside),
            account.argument()
        )),
    }
}

/// Mentions a date that stays from the old secret, and warns of a secret that is of no use.
pub(super) fn tell_expiry(arguments: &Login, account: &Account) {
    if let (None, Some(day), true) = (arguments.expires, account.expires, arguments.with_token) {
        message::tell(&format!(
            "Its expiry date stays {day}: 'git credential-bitbucket edit {} --expires YYYY-MM-DD' changes it",
            account.argument()
        ));
    }
    let state = State::of(account, Timestamp::now());
    let is_useless = matches!(state, State::Retired | State::Expired);
    if let Some(complaint) = state.complaint(account).filter(|_| is_useless) {
        message::warn(&complaint);
        message::hint(&complaint.hint);
    }
}
