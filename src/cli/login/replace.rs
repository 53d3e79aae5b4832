//! Where a new secret goes: into the place of an account, or into an account of its own.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::account::verify::Meaning;
use crate::account::{Account, Accounts, Kept, Origin, today, verify};
use crate::answer::renewal;
use crate::cli::login::options::Login;
use crate::cli::output;
use crate::settings::{Session, StoreChoice};
use crate::store;
use crate::sys::parallel::in_parallel;
use crate::sys::{Secret, shell_quoted};

/// The time limit for all questions to Bitbucket about the new secret, and about the old ones.
pub(super) const CHECK: Duration = Duration::from_secs(20);

/// What became of the accounts.
pub(super) struct Placed {
    pub(super) old: Option<Old>,
    /// The accounts that come before a new one at the same place.
    pub(super) beside: Vec<String>,
    /// Why `auto` did not take the keyring.
    pub(super) reason: Option<store::Error>,
}

/// The account whose place the new secret takes.
pub(super) struct Old {
    pub(super) account: Account,
    /// It has the new secret already.
    pub(super) is_same: bool,
    /// It has a secret, or its store does not say.
    has_secret: bool,
    /// Whether Bitbucket knows its secret, as far as Bitbucket says.
    pub(super) works: Option<bool>,
}

/// Stores the secret, and records its account. Another login may come in between: then it begins anew. When it fails, an
/// entry in the account says that the secret is stored.
pub(super) fn place(
    session: &Session,
    arguments: &Login,
    account: &mut Account,
    kept: &Kept,
) -> Result<Placed> {
    let mut reason = None;
    let mut agreed = None;
    loop {
        let accounts = session.accounts()?;
        let old = find(arguments, session, &accounts, account, &kept.secret);
        let mut new = account.clone();
        match &old {
            Some(old) => inherit(arguments, &mut new, old),
            None if arguments.name.is_none() => new.name = default_name(&new, &accounts),
            None => {}
        }
        let entry = old.as_ref().map(|old| old.account.entry.clone());
        if agreed != entry {
            ask_before_replacing(&accounts, &new, old.as_ref())?;
            agreed = entry;
        }
        if account.entry.is_empty() {
            let choice = choice(arguments, session, old.as_ref().map(|old| &old.account))?;
            reason = session.keep(&mut new, kept, choice)?;
            (account.store, account.entry) = (new.store, new.entry.clone());
        }
        let recorded = session.update(&new, |now, new| {
            let is_as_seen = now.entries_of_login().eq(accounts.entries_of_login());
            is_as_seen.then(|| {
                let free = now.free_name(&new.name);
                match now.iter_mut().find(|known| known.name == new.name) {
                    _ if old.is_some() => {}
                    // We chose the name of an account from git.
                    Some(given) if given.origin == Origin::Git => given.name = free,
                    _ => new.name = free,
                }
                now.replace(new.clone());
                new.clone()
            })
        })?;
        let Some(recorded) = recorded else {
            continue;
        };
        let is_alike = |known: &Account| known.name == new.name || known.is_for_the_place_of(&new);
        let is_beside = |known: &&Account| known.origin == Origin::Login && is_alike(known);
        let beside = accounts.in_order().filter(is_beside);
        let beside = beside.map(|known| format!("'{}'", known.name)).collect();
        *account = recorded;
        return Ok(Placed {
            old,
            beside,
            reason,
        });
    }
}

/// The usual name; `@HOST` follows if an account of another host has it.
fn default_name(account: &Account, accounts: &Accounts) -> String {
    let name = account.usual_name();
    match accounts.named(&name) {
        Some(known) if known.host != account.host => format!("{name}@{}", account.host),
        _ => name,
    }
}

/// The store: from `--store`, else the old account's if the policy allows it.
pub(super) fn choice(
    arguments: &Login,
    session: &Session,
    existing: Option<&Account>,
) -> Result<StoreChoice> {
    if let Some(choice) = arguments.store {
        return Ok(choice);
    }
    let policy = session.policy()?;
    match existing.filter(|existing| policy.allows_store(existing.store)) {
        Some(existing) => Ok(existing.store.into()),
        None => Ok(session.config()?.store.default),
    }
}

/// The account that has this secret; else the one of NAME; else, for the same place, one of the same kind and owner, or one
/// whose secret Bitbucket refuses.
fn find(
    arguments: &Login,
    session: &Session,
    accounts: &Accounts,
    new: &Account,
    secret: &Secret,
) -> Option<Old> {
    let has_it = |known: &&Account| {
        let kept = || session.secret_of(known).ok().flatten();
        known.host == new.host
            && known.base_path() == new.base_path()
            && kept().is_some_and(|kept| kept.secret == *secret)
    };
    if let Some(same) = accounts.in_order().find(has_it) {
        return Some(Old {
            account: same.clone(),
            is_same: true,
            has_secret: true,
            works: None,
        });
    }
    let is_meant = |known: &&Account| match &arguments.name {
        Some(name) => known.name == *name,
        None => known.origin == Origin::Login && known.is_for_the_place_of(new),
    };
    let meant: Vec<&Account> = accounts.in_order().filter(is_meant).collect();
    let mut asked = ask_bitbucket(session, &meant, arguments.no_verify);
    let is_alike = |Old { account, .. }: &Old| {
        arguments.name.is_some() || account.kind() == new.kind() && account.has_the_owner_of(new)
    };
    let is_refused = |old: &Old| old.works == Some(false);
    let position = asked.iter().position(is_alike);
    let position = position.or_else(|| asked.iter().position(is_refused));
    position.map(|position| asked.swap_remove(position))
}

/// Asks whether the secrets of these accounts still work, and whose they are.
fn ask_bitbucket(session: &Session, accounts: &[&Account], asks_nobody: bool) -> Vec<Old> {
    let deadline = Instant::now() + CHECK;
    let secrets = accounts
        .iter()
        .map(|account| renewal::secret_of(session, account));
    let asked: Vec<_> = accounts.iter().copied().zip(secrets).collect();
    in_parallel(&asked, |(account, found)| {
        let (mut account, secret) = match found {
            Ok(Some((account, kept))) => (account.clone(), Some(&kept.secret)),
            _ => ((*account).clone(), None),
        };
        let has_secret = !matches!(found, Ok(None));
        let is_over = account.is_retired() || !has_secret;
        let works = match secret.filter(|_| !asks_nobody && !is_over) {
            Some(secret) => works(&mut account, secret, deadline),
            None => is_over.then_some(false),
        };
        Old {
            account,
            is_same: false,
            has_secret,
            works,
        }
    })
}

fn works(account: &mut Account, secret: &Secret, deadline: Instant) -> Option<bool> {
    let mut ask = || verify::check(account, secret, deadline).meaning;
    let meaning = match ask() {
        // One stray refusal must not cost a token that is still of use.
        Meaning::Refused => ask(),
        meaning => meaning,
    };
    match meaning {
        Meaning::Mistaken | Meaning::Unchecked => None,
        meaning => Some(meaning != Meaning::Refused),
    }
}

/// Gives the new account what stays of the old one.
fn inherit(arguments: &Login, new: &mut Account, old: &Old) {
    let Old {
        account, is_same, ..
    } = old;
    new.name.clone_from(&account.name);
    new.added = account.added;
    new.other.clone_from(&account.other);
    if arguments.expires.is_none() && (*is_same || !arguments.may_ask()) {
        new.expires = account.expires.filter(|day| *is_same || *day >= today());
    }
    if !is_same || arguments.name.as_ref() == Some(&account.name) {
        return;
    }
    new.owner.email = new.owner.email.take().or(account.owner.email.clone());
    // It goes on answering where it did.
    if account.is_for_its_host() {
        new.reach.clear();
    } else if !new.reach.is_empty() {
        for place in std::mem::replace(&mut new.reach, account.reach.clone()) {
            new.add_reach(place);
        }
    }
}

/// At a terminal, asks before a secret is lost that may be another person's and still work.
fn ask_before_replacing(accounts: &Accounts, new: &Account, old: Option<&Old>) -> Result<()> {
    let lost = old.filter(|old| !old.is_same && old.has_secret);
    let lost = lost.map(|old| &old.account);
    // Bitbucket takes no app password any more, whosever it is.
    let lost = lost.filter(|lost| !lost.has_the_owner_of(new) && !lost.is_retired());
    let Some(lost) = lost else {
        return Ok(());
    };
    let owner = |account: &Account| {
        let confirmed = account.owner.confirmed.as_deref();
        confirmed.map_or("owner unknown".to_owned(), |it| format!("owner {it}"))
    };
    let (name, owner, new_owner) = (&lost.name, owner(lost), owner(new));
    let free = accounts.free_name(&new.name);
    let login = format!("git credential-bitbucket login {}", shell_quoted(&free));
    output::confirm(
        &format!("Replace the secret of '{name}' ({owner}) by this one ({new_owner})?"),
        format!("sign in under another name: '{login}'"),
    )
}
