//! The account that a secret makes, which somebody typed or git gave.

use anyhow::Result;

use crate::account::verify::Meaning;
use crate::account::{Account, Kept, Known, Origin, Owner, verify};
use crate::answer::Wanted;
use crate::bitbucket::{self, Kind, Reach};
use crate::git::Username;
use crate::settings::Session;
use crate::sys::Secret;

/// The account at the place that is wanted; without a name, and for the whole host.
pub(super) fn account(wanted: &Wanted<'_>, origin: Origin, mut known: Known) -> Account {
    let host = bitbucket::home_of(&wanted.host);
    if !bitbucket::is_cloud(&host) {
        known.base_path = wanted.path.map(bitbucket::context_of).unwrap_or_default();
    }
    Account::new(String::new(), host, origin, known)
}

/// The account of a typed secret, with a user name where its start tells no kind. It is for what is wanted alone.
pub(super) fn typed(wanted: &Wanted<'_>, secret: &Secret, username: Option<Username>) -> Account {
    let host = bitbucket::home_of(&wanted.host);
    let kind = Kind::of_pair(secret, username.as_ref(), &host);
    // Without a known start only an access token can still work there, whatever the name.
    let (kind, username) = if kind.is_retired_on(&host) {
        (Kind::AccessToken, None)
    } else {
        (kind, username)
    };
    let mut account = account(wanted, Origin::Login, Known::new(kind));
    account.owner = Owner::of_kind(kind, username, None);
    account.reach.extend(wanted.reach.clone());
    account
}

/// Keeps the secret as an account of `login`, in the place of the old one.
pub(super) fn keep(
    session: &Session,
    mut account: Account,
    kept: &Kept,
    old: Option<&Account>,
) -> Result<Account> {
    account.reach = match old {
        Some(old) => old.reach.clone(),
        None => reach(session, &account)?,
    };
    let is_api_token = account.kind() == Some(Kind::ApiToken);
    let named = old.filter(|old| is_api_token && old.email().is_some());
    if let Some(old) = named {
        // It tells no owner itself, but Bitbucket refuses it with another e-mail than its owner's.
        let mut as_old = account.clone();
        as_old.owner.clone_from(&old.owner);
        let verdict = verify::check(&mut as_old, &kept.secret, session.deadline());
        if matches!(verdict.meaning, Meaning::Good | Meaning::Limited) {
            account.owner = as_old.owner;
        }
    }
    let session = &session.afresh();
    account.name = account.usual_name();
    session.keep(&mut account, kept, session.config()?.store.default)?;
    let is_old = |known: &&Account| old.is_some_and(|old| old.entry == known.entry);
    let (account, replaced) = session.update(&account, |accounts, account| {
        let name = accounts.iter().find(is_old).map(|known| known.name.clone());
        account.name = name.unwrap_or_else(|| accounts.free_name(&account.name));
        (account.clone(), accounts.replace(account.clone()))
    })?;
    // That the old secret stays behind must not undo this.
    let _ = replaced.map(|replaced| session.forget(&replaced));
    Ok(account)
}

/// The whole host for the first account, else the workspace. An access token is for the repository.
fn reach(session: &Session, account: &Account) -> Result<Vec<Reach>> {
    let is_other = |known: &Account| known.origin == Origin::Login && known.host == account.host;
    Ok(match account.kind() {
        Some(Kind::AccessToken) => account.reach.clone(),
        _ if !session.accounts()?.iter().any(is_other) => Vec::new(),
        _ => account.reach.iter().map(Reach::workspace_alone).collect(),
    })
}
