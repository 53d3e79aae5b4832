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
use self::replace::{CHECK, choice};
pub(super) use self::report::{forget_old, tell_where};
use crate::account::file::Damage;
use crate::account::verify::{Meaning, Verdict};
use crate::account::{Account, Accounts, Kept, Known, Origin, today, verify};
use crate::answer::source;
use crate::bitbucket::{self, Kind};
use crate::cli::doctor::chain;
use crate::cli::{post_buffer, setup};
use crate::git::Host;
use crate::settings::Session;
use crate::settings::policy::Objection;
use crate::sys::{Hinted, Secret, message};

pub(crate) fn run(arguments: &Login) -> Result<ExitCode> {
    let arguments = &mut arguments.clone();
    let session = Session::default();
    let accounts = match session.accounts() {
        Err(error) if error.is::<Damage>() => Accounts::default(),
        accounts => accounts?,
    };
    let name = arguments.name.as_deref();
    let named = name.and_then(|name| accounts.named(name));
    let host = host(arguments, named)?;
    let policy = session.policy()?;
    let is_oauth = oauth::is_meant(arguments, named)?
        || named.is_none() && oauth::is_chosen(arguments, &session, &host)?;
    let said = arguments.kind.or(is_oauth.then_some(Kind::Oauth));
    refuse_before_asking(arguments, &session, named, &host, said)?;
    let (mut account, kept) = if is_oauth {
        let mut account = complete(arguments, named, policy, host, Kind::Oauth)?;
        let kept = oauth::sign_in(arguments, &session, named, &mut account)?;
        (account, kept)
    } else {
        let secret = secret::ask(arguments, policy, &host)?;
        let kind = secret::kind(arguments, policy, named, &host, &secret)?;
        refuse(policy.objection_to_kind(Some(kind)))?;
        let account = complete(arguments, named, policy, host, kind)?;
        (account, Kept::only(secret))
    };
    let store = choice(arguments, &session, named)?;
    refuse(session.objection_to_keeping(&account, store)?)?;
    account.unchecked = true;
    let ask = || check(&mut account, &kept.secret);
    let verdict = (!arguments.no_verify).then(ask).transpose()?;

    set_damaged_accounts_aside(&session)?;
    let placed = replace::place(&session, arguments, &mut account, &kept);
    let placed = placed.inspect_err(|_| {
        if !account.entry.is_empty() {
            // Report the first error.
            let _ = session.forget(&account);
        }
    })?;
    let (is_replaced, reason) = (placed.old.is_some(), placed.reason.as_ref());
    tell_where(&session, &account, is_replaced, reason)?;
    if let Some(old) = &placed.old {
        forget_old(&session, &old.account, "the old secret");
    }
    if let Some(verdict) = verdict {
        report::tell_verdict(&account, verdict);
    }
    report::tell_place(arguments, &account, &placed);
    report::tell_scheme(&account);
    report::tell_expiry(arguments, &account);
    // The account is stored: a mistake in a variable is no failure.
    let notice = source::notice_of_variable(&session).ok().flatten();
    if let Some(notice) = notice.filter(|_| bitbucket::is_cloud(&account.host)) {
        message::tell(&notice);
    }
    setup::refresh(&session, "the account is stored")?;
    chain::warn(&session, Some(&account.host));
    post_buffer::offer([&account], arguments.may_ask());
    Ok(ExitCode::SUCCESS)
}

/// Asks Bitbucket about the secret. Fails with what is wrong with one that is not stored.
fn check(account: &mut Account, secret: &Secret) -> Result<Verdict> {
    let deadline = Instant::now() + CHECK;
    let mut verdict = verify::check(account, secret, deadline);
    if matches!(verdict.meaning, Meaning::Good | Meaning::Limited) {
        let misplaced = verify::about(account, secret, deadline).missing_workspace();
        verdict = misplaced.unwrap_or(verdict);
    }
    report::refuse(&verdict)?;
    account.unchecked = verdict.meaning == Meaning::Unchecked;
    Ok(verdict)
}

fn refuse(objection: Option<Objection>) -> Result<()> {
    objection.map_or(Ok(()), |objection| Err(objection.to_keeping()))
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
    let is_usual = |kind: &Kind| kind.exists_on(host) && *kind != Kind::Oauth;
    let usual = || Kind::ALL.into_iter().filter(is_usual);
    // One allowed kind is enough.
    let allowed = usual().find(|kind| policy.allows_kind(*kind));
    let kind = said.or(allowed).or(usual().next());
    let known = Known::new(kind.unwrap_or(Kind::ApiToken));
    let mut account = Account::new(String::new(), host.clone(), Origin::Login, known);
    let stays = named
        .and_then(|known| known.expires)
        .filter(|day| *day >= today());
    let is_day_told = arguments.expires.is_some() || arguments.may_ask() || stays.is_some();
    account.expires = is_day_told.then(today);
    refuse(session.objection_to_keeping(&account, choice(arguments, session, named)?)?)
}

/// Renames a damaged file to make room for a new one. Only `login` does this: the user asked for it and reads the
/// warning. A `store` from git would hide all accounts because of a small typing mistake.
fn set_damaged_accounts_aside(session: &Session) -> Result<()> {
    let path = session.locations()?.accounts();
    if let Some((aside, damage)) = Accounts::set_aside_if_damaged(&path, session.patience())? {
        message::warn(format_args!("'{}' is damaged ({damage})", path.display()));
        message::hint(format_args!("fix '{}' and rename it back", aside.display()));
    }
    Ok(())
}

fn host(arguments: &Login, existing: Option<&Account>) -> Result<Host> {
    let named = arguments.host.as_ref().map(|site| &site.host);
    match (named, existing) {
        (Some(host), Some(existing)) if *host != existing.host => bail!(Hinted::new(
            format!(
                "'{}' is an account for {}, not for {host}",
                existing.name, existing.host
            ),
            "choose another name, or log out of that account first",
        )),
        (Some(host), _) => Ok(host.clone()),
        (None, existing) => Ok(existing.map_or_else(bitbucket::cloud, |it| it.host.clone())),
    }
}
