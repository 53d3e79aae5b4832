//! `login`: adds an account, or replaces the one of that name.

mod account;
mod client;
mod instance;
mod oauth;
mod options;
mod replace;
mod report;
mod secret;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use self::account::complete;
pub(super) use self::account::{checked_name, lacks_username, refuse_mixed_up_names};
pub(crate) use self::options::Login;
pub(super) use self::options::stores;
use self::replace::{CHECK, Old, choice};
pub(super) use self::report::tell_where;
use crate::account::file::Damage;
use crate::account::verify::Meaning;
use crate::account::{Account, Accounts, Kept, today, verify};
use crate::answer::{renewal, source};
use crate::bitbucket::{self, Kind};
use crate::cli::{output, post_buffer, setup};
use crate::git::Host;
use crate::settings::Session;
use crate::sys::{Hinted, error, message};

pub(crate) fn run(arguments: &Login) -> Result<ExitCode> {
    let arguments = &mut arguments.clone();
    let session = Session::default();
    let (accounts, is_damaged) = match session.accounts() {
        Err(error) if error.is::<Damage>() => (Accounts::default(), true),
        accounts => (accounts?, false),
    };
    let named = arguments
        .name
        .as_deref()
        .and_then(|name| accounts.named(name));
    let host = host(arguments, named)?;
    let policy = session.policy()?;
    let is_oauth = oauth::is_meant(arguments, named)?
        || named.is_none() && oauth::is_chosen(arguments, &session, &host)?;
    let said = arguments.kind.or(is_oauth.then_some(Kind::Oauth));
    refuse_before_asking(arguments, &session, named, &host, said)?;
    let (mut account, kept) = if is_oauth {
        let mut account = complete(arguments, &accounts, policy, host, Kind::Oauth)?;
        let kept = oauth::sign_in(arguments, &session, named, &mut account)?;
        (account, kept)
    } else {
        let secret = secret::ask(arguments, policy, &host)?;
        let kind = secret::kind(arguments, policy, named, &host, &secret)?;
        if let Some(objection) = policy.objection_to_kind(Some(kind)) {
            return Err(objection.to_keeping());
        }
        let account = complete(arguments, &accounts, policy, host, kind)?;
        (account, Kept::only(secret))
    };
    let store = choice(arguments, &session, named)?;
    if let Some(objection) = session.objection_to_keeping(&account, store)? {
        return Err(objection.to_keeping());
    }
    let verdict = (!arguments.no_verify).then(|| {
        let deadline = Instant::now() + CHECK;
        let verdict = verify::check(&mut account, &kept.secret, deadline);
        match verdict.meaning {
            Meaning::Good | Meaning::Limited => {
                verify::missing_workspace(&account, &kept.secret, deadline).unwrap_or(verdict)
            }
            _ => verdict,
        }
    });
    if let Some(verdict) = &verdict {
        report::refuse(verdict)?;
    }
    let meaning = verdict.as_ref().map(|verdict| verdict.meaning);
    account.unchecked = matches!(meaning, None | Some(Meaning::Unchecked));

    if is_damaged {
        set_accounts_aside(&session)?;
    }
    let placed = replace::put(&session, arguments, &mut account, &kept)?;
    let is_replaced = placed.old.is_some();
    tell_where(&session, &account, is_replaced, placed.reason.as_ref())?;
    // The login worked; failing to delete the old secret must not undo it.
    if let Some(Old { account: old, .. }) = &placed.old
        && let Err(error) = renewal::forget(&session, old)
    {
        let (store, error) = (old.store, error::one_line(&error));
        message::warn(format_args!("the old secret stays in the {store}: {error}"));
    }
    if let Some(verdict) = verdict {
        report::tell_verdict(&account, verdict);
    }
    report::tell_place(arguments, &account, &placed);
    report::tell_scheme(&account);
    report::tell_expiry(arguments, &account);
    report::tell_retired(&account);
    // The account is stored: a mistake in a variable is no failure.
    let notice = source::notice_of_variable(&session).ok().flatten();
    if let Some(notice) = notice.filter(|_| bitbucket::is_cloud(&account.host)) {
        message::tell(&notice);
    }
    setup::refresh(&session, "the account is stored")?;
    output::warn_of_the_chain(&bitbucket::hosts_asked_for(&account.host));
    post_buffer::offer([&account], arguments.may_ask());
    Ok(ExitCode::SUCCESS)
}

/// Refuses what the policy forbids before the user makes and types a secret; `said` is the kind from `--kind`.
fn refuse_before_asking(
    arguments: &Login,
    session: &Session,
    named: Option<&Account>,
    host: &Host,
    said: Option<Kind>,
) -> Result<()> {
    let policy = session.policy()?;
    let mut kinds = Kind::ALL
        .into_iter()
        .filter(|kind| said.unwrap_or(*kind) == *kind && kind.exists_on(host))
        .map(|kind| policy.objection_to_kind(Some(kind)));
    // One allowed kind is enough.
    let to_kinds = || {
        kinds
            .find(Option::is_none)
            .map_or_else(|| policy.objection_to_kind(said), |_| None)
    };
    let stays = |account: &Account| account.expires.is_some_and(|day| day >= today());
    let is_day_told =
        arguments.expires.is_some() || arguments.may_ask() || named.is_some_and(stays);
    let objection = match policy.objection_to_host(host) {
        Some(objection) => Some(objection),
        None => session.objection_to_choice(choice(arguments, session, named)?)?,
    };
    let objection = objection
        .or_else(to_kinds)
        .or_else(|| policy.objection_to_end(is_day_told, said));
    objection.map_or(Ok(()), |objection| Err(objection.to_keeping()))
}

/// Renames a damaged file to make room for a new one. Only `login` does this: the user asked for it and reads the
/// warning. A `store` from git would hide all accounts because of a small typing mistake.
fn set_accounts_aside(session: &Session) -> Result<()> {
    let path = session.locations()?.accounts();
    if let Some((aside, damage)) = session.set_damaged_accounts_aside()? {
        message::warn(format_args!("'{}' is damaged ({damage})", path.display()));
        message::hint(format_args!("fix '{}' and rename it back", aside.display()));
    }
    Ok(())
}

fn host(arguments: &Login, existing: Option<&Account>) -> Result<Host> {
    let named = arguments
        .host
        .as_ref()
        .map(|instance| bitbucket::home_of(&instance.host));
    match (named, existing) {
        (Some(host), Some(existing)) if host != existing.host => bail!(Hinted::new(
            format!(
                "'{}' is an account for {}, not for {host}",
                existing.name, existing.host
            ),
            "choose another name, or log out of that account first",
        )),
        (Some(host), _) => Ok(host),
        (None, Some(existing)) => Ok(existing.host.clone()),
        (None, None) => Ok(bitbucket::cloud()),
    }
}
