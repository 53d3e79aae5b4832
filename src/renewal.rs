//! Renewing the access token of an OAuth grant: once, whoever asks at the same time, and without losing the grant.
//!
//! Bitbucket's refresh tokens are used once (CHANGE-3052): each answer brings the next one, and the old one dies ten
//! minutes after its first use. So the answer is the only copy of what all later renewals need. That a token is on its
//! way is written down before it is sent, and the new one is kept before the access token is given to anybody.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;

use crate::account::{Account, Asked, Ended, Flow, Grant, Kept};
use crate::accounts::Accounts;
use crate::bitbucket::oauth::GRACE;
use crate::config::StoreChoice;
use crate::error::one_line;
use crate::file::Lock;
use crate::lookup::Lookup;
use crate::oauth::{self, Consumer, Proof, Tokens};
use crate::trace;

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
pub(crate) fn current(lookup: &Lookup, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    let now = Timestamp::now();
    if account.oauth.is_none() || account.is_good_for(GOOD_FOR, now) {
        return Ok((account, kept));
    }
    match renew(lookup, &account, false) {
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
pub(crate) fn anew(lookup: &Lookup, account: &Account) -> Result<(Account, Kept)> {
    renew(lookup, account, true)
}

/// The same when somebody wants to know: a grant that has ended is given one more try.
///
/// # Errors
/// When the token has ended and no other is to be had.
pub(crate) fn again(lookup: &Lookup, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    match &account.oauth {
        Some(grant) if account.is_rejected() => {
            let fresh = Grant {
                sent: None,
                sent_again: false,
                ended: None,
                ..grant.clone()
            };
            write(lookup, &account, fresh)?;
            renew(lookup, &account, true)
        }
        _ => current(lookup, account, kept),
    }
}

fn renew(lookup: &Lookup, account: &Account, is_refused: bool) -> Result<(Account, Kept)> {
    let _lock = Lock::acquire(&lookup.locations()?.renewal_lock(account), OTHERS)?;
    lookup.start_over();
    // Whoever held the lock may have done it all.
    let known = find(&lookup.accounts()?, account)?.clone();
    let kept = lookup
        .secret_of(&known)
        .with_context(|| format!("cannot read the secret of '{}'", account.name))?
        .with_context(|| {
            format!(
                "the {} has no secret for '{}': 'git credential-bitbucket login {}' replaces it",
                known.store, known.name, known.name
            )
        })?;
    let now = Timestamp::now();
    let is_done = known.entry != account.entry && known.is_good_for(STILL_GOOD, now);
    if (is_done || !is_refused && known.is_good_for(GOOD_FOR, now)) && !known.is_set_aside(now) {
        trace::say(|| "oauth: another process has renewed it".to_owned());
        return Ok((known, kept));
    }
    let grant = known.oauth.clone().context("it is no grant any more")?;
    if let Some(ended) = grant.ended {
        return Err(over(&known, ended, &grant));
    }
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
    note_that_it_is_sent(lookup, &known, &grant, now)?;
    trace::say(|| format!("oauth: '{}' is renewed", known.name));
    let outcome = oauth::tokens(&consumer, &proof);
    lookup.start_over();
    match outcome {
        Ok(tokens) => keep(lookup, &known, &kept, tokens, now),
        Err(error) => Err(failed(lookup, &known, &grant, &error)),
    }
}

/// Writes down that the refresh token is under way, unless it was lost on its way before.
fn note_that_it_is_sent(
    lookup: &Lookup,
    account: &Account,
    grant: &Grant,
    now: Timestamp,
) -> Result<()> {
    if grant.flow == Flow::ClientCredentials {
        return Ok(());
    }
    let note = match grant.sent {
        None => Grant {
            sent: Some(now),
            ..grant.clone()
        },
        // Whoever sent it is dead, or never got an answer: the old token may be used up, but is still taken for a while.
        Some(sent) if !grant.sent_again && now.duration_since(sent) < GRACE => Grant {
            sent_again: true,
            ..grant.clone()
        },
        Some(_) => {
            let ended = Grant {
                ended: Some(Ended::Lost),
                ..grant.clone()
            };
            write(lookup, account, ended)?;
            return Err(over(account, Ended::Lost, grant));
        }
    };
    write(lookup, account, note)
}

/// Keeps what the answer brought, and only then hands it out.
fn keep(
    lookup: &Lookup,
    account: &Account,
    old: &Kept,
    tokens: Tokens,
    asked: Timestamp,
) -> Result<(Account, Kept)> {
    let mut new = account.clone();
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
    if let Some(grant) = &mut new.oauth {
        grant.sent = None;
        grant.sent_again = false;
        grant.ended = None;
    }
    let cannot = || {
        format!(
            "Bitbucket gave a new token for '{}', and it could not be kept",
            account.name
        )
    };
    lookup
        .keep(&mut new, &kept, StoreChoice::from(account.store))
        .with_context(cannot)?;
    lookup
        .update(&new, |accounts, new| {
            let known = find_mut(accounts, account)?;
            *known = new.clone();
            Ok(())
        })
        .and_then(|outcome: Result<()>| outcome)
        .inspect_err(|_| {
            // Somebody has logged out meanwhile, or nothing can be written.
            let _ = lookup.forget(&new);
        })
        .with_context(cannot)?;
    // An entry that stays behind is nobody's.
    let _ = lookup.forget(account);
    Ok((new, kept))
}

/// When a token ends that was asked for at this time, in seconds since 1970.
pub(crate) fn end_of(asked: Timestamp, lifetime: Duration) -> Option<u64> {
    let asked = u64::try_from(asked.as_second()).ok()?;
    Some(asked.saturating_add(lifetime.as_secs()))
}

/// Takes back the note if nothing can have come of it, and notes if it is the end; what to say.
fn failed(
    lookup: &Lookup,
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
        let _ = write(lookup, account, note);
        return over(account, ended, grant);
    }
    if !error.is_open() && grant.flow == Flow::AuthorizationCode {
        let _ = write(lookup, account, grant.clone());
    }
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

fn write(lookup: &Lookup, account: &Account, grant: Grant) -> Result<()> {
    lookup.update_accounts(|accounts| {
        find_mut(accounts, account)?.oauth = Some(grant);
        Ok(())
    })
}

fn find<'a>(accounts: &'a Accounts, account: &Account) -> Result<&'a Account> {
    accounts
        .named(&account.name)
        .filter(|known| known.host == account.host && known.oauth.is_some())
        .with_context(|| gone(account))
}

/// Only as long as it is the same grant: somebody may have signed in anew.
fn find_mut<'a>(accounts: &'a mut Accounts, account: &Account) -> Result<&'a mut Account> {
    accounts
        .iter_mut()
        .find(|known| known.entry == account.entry && known.name == account.name)
        .with_context(|| gone(account))
}

fn gone(account: &Account) -> String {
    format!(
        "the account '{}' has gone or changed meanwhile",
        account.name
    )
}
