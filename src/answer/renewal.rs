//! Renewing the access token of an OAuth grant: once, whoever asks at the same time, and without losing the grant.
//!
//! Bitbucket's refresh tokens are used once (CHANGE-3052): each answer brings the next one, and the old one dies ten
//! minutes after its first use. So the answer is the only copy of what all later renewals need. That a token is on its
//! way is written down before it is sent, and the new one is kept before the access token is given to anybody.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;
use thiserror::Error;

use crate::account::file::Accounts;
use crate::account::grant::Grant;
use crate::account::rejection::Asked;
use crate::account::standing::Standing;
use crate::account::{Account, Kept};
use crate::bitbucket::oauth::GRACE;
use crate::bitbucket::oauth::{self, Consumer, Proof, Tokens};
use crate::bitbucket::oauth::{Ended, Flow};
use crate::settings::config::StoreChoice;
use crate::settings::session::Session;
use crate::sys::error::one_line;
use crate::sys::files::Lock;
use crate::sys::trace;

/// How long an access token has to be good for: a clone may take its time until it shows it.
const GOOD_FOR: i64 = 60;
/// What is left of one that is handed out because no other is to be had.
const STILL_GOOD: i64 = 5;
/// How long another process may take for it: it may be waiting for Bitbucket.
const OTHERS: Duration = Duration::from_secs(30);

/// The account with an access token that is good. Of any other kind it is what it was.
///
/// # Errors
/// When the token has ended and no other is to be had.
pub(crate) fn current(session: &Session, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    let now = Timestamp::now();
    if account.grant().is_none() || account.is_good_for(GOOD_FOR, now) {
        return Ok((account, kept));
    }
    match renew(session, &account, Reason::Ended) {
        Err(error) if account.is_good_for(STILL_GOOD, Timestamp::now()) => {
            trace::say(|| format!("oauth: the old token is still good: {}", one_line(&error)));
            Ok((account, kept))
        }
        outcome => outcome,
    }
}

/// A new access token for an account that was refused the one it has.
///
/// # Errors
/// When none is to be had.
pub(crate) fn anew(session: &Session, account: &Account) -> Result<(Account, Kept)> {
    renew(session, account, Reason::Refused)
}

/// The same when somebody wants to know: a grant that has ended is given one more try.
///
/// # Errors
/// When the token has ended and no other is to be had.
pub(crate) fn again(session: &Session, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    if account.grant().is_some() && account.standing(Timestamp::now()) != Standing::InService {
        renew(session, &account, Reason::Asked)
    } else {
        current(session, account, kept)
    }
}

/// Takes out of its store what an account has there, and what a renewal that died may have left.
///
/// # Errors
/// When the store does not answer: then the secrets may still be there.
pub(crate) fn forget(session: &Session, account: &Account) -> Result<()> {
    session.forget(account)?;
    match spare_of(account) {
        Some(spare) => session.forget(&spare),
        None => Ok(()),
    }
}

/// The account as it is with its other entry.
fn spare_of(account: &Account) -> Option<Account> {
    let entry = account.grant()?.spare.clone()?;
    Some(Account {
        entry,
        ..account.clone()
    })
}

/// Why a new access token is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The old one has ended.
    Ended,
    /// The old one was refused.
    Refused,
    /// Somebody wants to know.
    Asked,
}

fn renew(session: &Session, account: &Account, reason: Reason) -> Result<(Account, Kept)> {
    let begun = Timestamp::now();
    let _lock = Lock::acquire(&session.locations()?.renewal_lock(account), OTHERS)?;
    let session = &session.afresh();
    // Whoever has signed in meanwhile has brought a token.
    ask(session, account, reason, begun)
        .or_else(|error| successor(&session.afresh(), account).ok_or(error))
}

/// The same, alone.
fn ask(
    session: &Session,
    account: &Account,
    reason: Reason,
    begun: Timestamp,
) -> Result<(Account, Kept)> {
    let known = find(&session.accounts()?, account)?;
    // Whoever held the lock may have done it all.
    let now = Timestamp::now();
    let is_done = known.entry != account.entry && known.is_good_for(STILL_GOOD, now);
    let is_good = reason == Reason::Ended && known.is_good_for(GOOD_FOR, now);
    if (is_done || is_good) && known.standing(now).may_answer() {
        trace::say(|| "oauth: another process has renewed it".to_owned());
        let kept = secret_of(session, &known)?;
        return Ok((known, kept));
    }
    let known = finish(session, known)?;
    let kept = secret_of(session, &known)?;
    let before = known.grant().cloned().context("it is no grant any more")?;
    if before
        .failed
        .is_some_and(|failed| begun <= failed && failed <= now)
    {
        bail!(
            "cannot renew the access token of '{}': another process has just tried in vain",
            known.name
        );
    }
    let grant = match before.ended {
        Some(_) if reason == Reason::Asked => before.rested(),
        Some(ended) => return Err(over(&known, ended, &before)),
        None => before.clone(),
    };
    let consumer = Consumer {
        id: grant.client_id.clone(),
        secret: kept
            .client_secret
            .clone()
            .context("the secret of the OAuth consumer is missing")?,
    };
    let proof = match (grant.flow, &kept.oauth_refresh_token) {
        (Flow::ClientCredentials, _) => Proof::Nothing,
        (Flow::AuthorizationCode, Some(token)) => Proof::RefreshToken(token),
        (Flow::AuthorizationCode, None) => bail!("the refresh token is missing"),
    };
    let session = &session.afresh_when_late();
    let spare = note_that_it_is_sent(session, &known, &grant, now)?;
    trace::say(|| format!("oauth: '{}' is renewed", known.name));
    let outcome = oauth::tokens(&consumer, &proof);
    let session = &session.afresh();
    match outcome {
        Ok(tokens) => keep(session, &known, spare, &kept, tokens, now),
        Err(error) => Err(failed(session, &known, &before, &error)),
    }
}

fn secret_of(session: &Session, account: &Account) -> Result<Kept> {
    let Account { name, store, .. } = account;
    session
        .secret_of(account)
        .with_context(|| format!("cannot read the secret of '{name}'"))?
        .with_context(|| {
            format!(
                "the {store} has no secret for '{name}': 'git credential-bitbucket login {name}' replaces it"
            )
        })
}

/// The account with what a process kept that died before it could say so: that the refresh token was sent is then no
/// matter any more. When the access token ends nobody knows; the refresh token is what counts.
fn finish(session: &Session, account: Account) -> Result<Account> {
    let is_open = account.grant().is_some_and(|grant| grant.sent.is_some());
    let Some(mut spare) = spare_of(&account).filter(|_| is_open) else {
        return Ok(account);
    };
    if !matches!(session.secret_of(&spare), Ok(Some(_))) {
        return Ok(account);
    }
    trace::say(|| "oauth: a process has died with a new token, which is there".to_owned());
    succeed_grant(&mut spare, account.entry.clone());
    succeed(session, &account, &spare)?;
    Ok(spare)
}

/// The grant as if nothing had been asked with it yet, with the old entry as its spare one.
fn succeed_grant(account: &mut Account, old: String) {
    if let Some(grant) = account.grant_mut() {
        *grant = Grant {
            spare: Some(old),
            ..grant.rested()
        };
    }
}

/// Puts the account that names the new entry in place of the one that names the old, which is then nobody's.
fn succeed(session: &Session, old: &Account, new: &Account) -> Result<()> {
    session.update_accounts(|accounts| {
        *find_mut(accounts, old)? = new.clone();
        Ok(())
    })?;
    // One that stays behind goes with the next renewal.
    let _ = session.forget(old);
    Ok(())
}

/// An account of the same name that has a good token from elsewhere.
fn successor(session: &Session, account: &Account) -> Option<(Account, Kept)> {
    let known = find(&session.accounts().ok()?, account).ok()?;
    let now = Timestamp::now();
    let is_new = known.entry != account.entry && known.standing(now).may_answer();
    if !is_new || !known.is_good_for(STILL_GOOD, now) {
        return None;
    }
    let kept = session.secret_of(&known).ok()??;
    Some((known, kept))
}

/// Writes down that the refresh token is under way, unless it was lost on its way before; and the entry in which the new
/// one is going to lie.
fn note_that_it_is_sent(
    session: &Session,
    account: &Account,
    grant: &Grant,
    now: Timestamp,
) -> Result<String> {
    if let Some(spare) = spare_of(account) {
        session.forget(&spare)?;
    }
    let mut next = account.clone();
    next.renew_entry()?;
    let note = Grant {
        spare: Some(next.entry.clone()),
        ..grant.clone()
    };
    let note = match grant.sent {
        _ if grant.flow == Flow::ClientCredentials => note,
        None => Grant {
            sent: Some(now),
            ..note
        },
        // Whoever sent it is dead, or never got an answer: the old token may be used up, but is still taken for a while.
        // A clock that was set back tells nothing.
        Some(sent) if !grant.sent_again && now.duration_since(sent).abs() < GRACE => Grant {
            sent_again: true,
            ..note
        },
        Some(_) => {
            let ended = Grant {
                ended: Some(Ended::Lost),
                ..grant.clone()
            };
            write(session, account, ended)?;
            return Err(over(account, Ended::Lost, grant));
        }
    };
    write(session, account, note)?;
    Ok(next.entry)
}

/// Keeps what the answer brought, and only then hands it out.
fn keep(
    session: &Session,
    account: &Account,
    entry: String,
    old: &Kept,
    tokens: Tokens,
    asked: Timestamp,
) -> Result<(Account, Kept)> {
    let mut new = Account {
        entry,
        ..account.clone()
    };
    let kept = Kept {
        secret: tokens.access,
        // A server that does not rotate gives none.
        oauth_refresh_token: tokens.refresh.or_else(|| old.oauth_refresh_token.clone()),
        client_secret: old.client_secret.clone(),
    };
    new.password_expiry_utc = end_of(asked, tokens.lifetime);
    new.rejected = account
        .rejected
        .map(|rejection| rejection.after(Asked::Known, Timestamp::now()));
    succeed_grant(&mut new, account.entry.clone());
    let cannot = || {
        format!(
            "Bitbucket gave a new token for '{}', and it could not be kept",
            account.name
        )
    };
    session
        .keep_in_its_entry(&mut new, &kept, StoreChoice::from(account.store))
        .with_context(cannot)?;
    succeed(session, account, &new)
        .inspect_err(|error| {
            // What nobody is signed in with any more; else the next renewal finds it.
            if error.is::<Gone>() {
                let _ = session.forget(&new);
            }
        })
        .with_context(cannot)?;
    Ok((new, kept))
}

/// When a token ends that was asked for at this time, in seconds since 1970.
pub(crate) fn end_of(asked: Timestamp, lifetime: Duration) -> Option<u64> {
    let asked = u64::try_from(asked.as_second()).ok()?;
    Some(asked.saturating_add(lifetime.as_secs()))
}

/// Takes back the note if nothing can have come of it, and notes if it is the end; what to say.
fn failed(
    session: &Session,
    account: &Account,
    grant: &Grant,
    error: &oauth::Error,
) -> anyhow::Error {
    let name = &account.name;
    if let Some(ended) = error.end() {
        let ended = if grant.sent.is_some() {
            Ended::Lost
        } else {
            ended
        };
        let note = Grant {
            ended: Some(ended),
            ..grant.clone()
        };
        // Where nothing can be written it is found out again.
        let _ = write(session, account, note);
        return over(account, ended, grant);
    }
    let _ = session.update_accounts(|accounts| {
        if let Some(known) = find_mut(accounts, account)?.grant_mut() {
            if !error.is_open() {
                *known = grant.clone();
            }
            known.failed = Some(Timestamp::now());
        }
        Ok(())
    });
    anyhow!("cannot renew the access token of '{name}': {error}")
}

/// That no more tokens are to be had, and what to do about it; in one line, as git's users see no hints.
fn over(account: &Account, ended: Ended, grant: &Grant) -> anyhow::Error {
    let name = &account.name;
    let how = match (ended, grant.flow) {
        (Ended::Client, _) => format!(
            "'git credential-bitbucket login {name} --client-id KEY' signs in with the right ones"
        ),
        _ => format!("'git credential-bitbucket login {name}' signs in again"),
    };
    anyhow!("'{name}': {}: {how}", ended.reason(grant.flow))
}

fn write(session: &Session, account: &Account, grant: Grant) -> Result<()> {
    session.update_accounts(|accounts| {
        if let Some(known) = find_mut(accounts, account)?.grant_mut() {
            *known = grant;
        }
        Ok(())
    })
}

fn find(accounts: &Accounts, account: &Account) -> Result<Account> {
    accounts
        .named(&account.name)
        .filter(|known| known.host == account.host && known.reach == account.reach)
        .cloned()
        .ok_or_else(|| Gone(account.name.clone()).into())
}

/// Only as long as it is the same grant: somebody may have signed in anew.
fn find_mut<'a>(accounts: &'a mut Accounts, account: &Account) -> Result<&'a mut Account> {
    accounts
        .iter_mut()
        .find(|known| known.entry == account.entry && known.name == account.name)
        .ok_or_else(|| Gone(account.name.clone()).into())
}

/// Somebody has logged out, or signed in anew.
#[derive(Debug, Error)]
#[error("the account '{0}' has gone or changed meanwhile")]
struct Gone(String);
