//! Renews the access token of an OAuth grant: once for all processes, and without losing the grant.
//!
//! Bitbucket rolls out refresh tokens that work once (CHANGE-3052): each answer brings the next one, and the old one dies
//! ten minutes after its first use. Then the answer is the only copy of what later renewals need. So we note that a token
//! is sent before we send it, and store the new one before we use its access token. Where an answer brings no new one,
//! the old one goes on working.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::account::rejection::Probed;
use crate::account::sign_in::Grant;
use crate::account::{Account, Accounts, Kept, Standing};
use crate::bitbucket::oauth;
use crate::bitbucket::oauth::{Ended, Flow, GRACE, Proof, Tokens};
use crate::bitbucket::site::OauthClient;
use crate::settings::{Session, StoreChoice};
use crate::sys::error::one_line;
use crate::sys::files::Lock;
use crate::sys::trace;

/// How many seconds an access token must still work: a clone may show it late.
const GOOD_FOR: i64 = 60;
/// The same for a token that is used because no new one came.
const STILL_GOOD: i64 = 5;
/// How long another process may hold the lock: it may be waiting for Bitbucket.
const OTHERS: Duration = Duration::from_secs(30);

/// The account with what its store has for it, fit to be used: a grant's token is renewed when it has to be.
pub(crate) fn secret_of(session: &Session, account: &Account) -> Result<Option<(Account, Kept)>> {
    let kept = read(session, account)?;
    kept.map(|kept| current(session, account.clone(), kept))
        .transpose()
}

/// The account with an access token that works. An account without a grant comes back as it was.
pub(crate) fn current(session: &Session, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    if !is_due(&account) {
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

/// Whether its access token is renewed before it is used.
pub(super) fn is_due(account: &Account) -> bool {
    account.grant().is_some() && !account.is_good_for(GOOD_FOR, Timestamp::now())
}

/// A new access token for an account whose token was refused.
pub(crate) fn anew(session: &Session, account: &Account) -> Result<(Account, Kept)> {
    renew(session, account, Reason::Refused)
}

/// As [`current`], for a person who asks: a grant that has ended or rests is tried once more.
pub(crate) fn again(session: &Session, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    let (grant, now) = (account.grant(), Timestamp::now());
    let rests = grant.is_some_and(|grant| grant.rest(now).is_some());
    if grant.is_some() && (rests || account.standing(now) != Standing::InService) {
        renew(session, &account, Reason::Asked)
    } else {
        current(session, account, kept)
    }
}

/// Removes an account's secrets from its store, with those that a crashed renewal may have left.
pub(crate) fn forget(session: &Session, account: &Account) -> Result<()> {
    session.forget(account)?;
    match spare_of(account) {
        Some(spare) => session.forget(&spare),
        None => Ok(()),
    }
}

/// The account for somebody who changes it: no renewal runs while the lock is held, and none has left tokens behind.
pub(crate) fn settled(session: &Session, account: Account) -> Result<(Option<Lock>, Account)> {
    if account.grant().is_none() {
        return Ok((None, account));
    }
    let lock = Lock::acquire(&session.locations()?.renewal_lock(&account), OTHERS)?;
    let known = find(&session.accounts()?, &account)?;
    Ok((Some(lock), finish(session, known)?))
}

fn spare_of(account: &Account) -> Option<Account> {
    let entry = account.grant()?.spare.clone()?;
    Some(Account {
        entry,
        ..account.clone()
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Ended,
    Refused,
    Asked,
}

fn renew(session: &Session, account: &Account, reason: Reason) -> Result<(Account, Kept)> {
    let begun = Timestamp::now();
    let _lock = Lock::acquire(&session.locations()?.renewal_lock(account), OTHERS)?;
    let session = &session.afresh();
    // A login in the meantime may have brought a token.
    ask(session, account, reason, begun)
        .or_else(|error| successor(&session.afresh(), account).ok_or(error))
}

fn ask(
    session: &Session,
    account: &Account,
    reason: Reason,
    begun: Timestamp,
) -> Result<(Account, Kept)> {
    let known = find(&session.accounts()?, account)?;
    // The process that held the lock may have renewed it.
    let now = Timestamp::now();
    let is_done = known.entry != account.entry && known.is_good_for(STILL_GOOD, now);
    let is_good = reason == Reason::Ended && known.is_good_for(GOOD_FOR, now);
    if (is_done || is_good) && known.standing(now).may_answer() {
        trace::say(|| "oauth: another process has renewed it".to_owned());
        let kept = kept(session, &known)?;
        return Ok((known, kept));
    }
    let known = finish(session, known)?;
    let kept = kept(session, &known)?;
    let before = known.grant().cloned().context("it is no grant any more")?;
    if before
        .failed
        .is_some_and(|failed| begun <= failed && failed <= now)
    {
        bail!(
            "cannot renew the access token of '{}': another process has just tried and failed",
            known.name
        );
    }
    let grant = match before.ended {
        Some(_) if reason == Reason::Asked => before.rested(),
        Some(ended) => return Err(over(&known, ended, &before)),
        None => before.clone(),
    };
    if let Some(rest) = grant.rest(now).filter(|_| reason != Reason::Asked) {
        return Err(refused_for_now(&known, rest));
    }
    let client = OauthClient {
        site: known.oauth_site(),
        id: grant.client_id.clone(),
        secret: kept.client_secret.clone(),
    };
    let proof = match (grant.flow, &kept.oauth_refresh_token) {
        (Flow::ClientCredentials, _) => Proof::Nothing,
        (Flow::AuthorizationCode, Some(token)) => Proof::RefreshToken(token),
        (Flow::AuthorizationCode, None) => bail!("the refresh token is missing"),
    };
    let session = &session.afresh_when_late();
    let spare = note_that_it_is_sent(session, &known, &grant, now)?;
    trace::say(|| format!("oauth: '{}' is renewed", known.name));
    let outcome = oauth::tokens(&client, &proof);
    let session = &session.afresh();
    match outcome {
        Ok(tokens) => keep(session, &known, spare, &kept, tokens, now),
        Err(error) => Err(failed(session, &known, &before, &error)),
    }
}

fn kept(session: &Session, account: &Account) -> Result<Kept> {
    let Account { name, store, .. } = account;
    let argument = account.argument();
    read(session, account)?.with_context(|| {
        format!(
            "the {store} has no secret for '{name}': 'git credential-bitbucket login {argument}' replaces it"
        )
    })
}

pub(super) fn read(session: &Session, account: &Account) -> Result<Option<Kept>> {
    let kept = session.secret_of(account);
    kept.with_context(|| format!("cannot read the secret of '{}'", account.name))
}

/// Adopts tokens that a crashed renewal had already stored: their refresh token is the current one.
fn finish(session: &Session, account: Account) -> Result<Account> {
    let is_open = account.grant().is_some_and(|grant| grant.sent.is_some());
    let Some(mut spare) = spare_of(&account).filter(|_| is_open) else {
        return Ok(account);
    };
    // A store that fails now may have them in a moment: to send the old refresh token would end the grant.
    if read(session, &spare)?.is_none() {
        return Ok(account);
    }
    trace::say(|| "oauth: adopts the token that a crashed renewal had stored".to_owned());
    succeed_grant(&mut spare, account.entry.clone());
    succeed(session, &account, &spare)?;
    Ok(spare)
}

/// Clears the grant's notes, and makes the old entry its spare one.
fn succeed_grant(account: &mut Account, old: String) {
    if let Some(grant) = account.grant_mut() {
        *grant = Grant {
            spare: Some(old),
            ..grant.rested()
        };
    }
}

/// Replaces the account, whose entry changes, and removes the old entry from the store.
fn succeed(session: &Session, old: &Account, new: &Account) -> Result<()> {
    session.update_accounts(|accounts| {
        *find_mut(accounts, old)? = new.clone();
        Ok(())
    })?;
    // If that fails, the next renewal removes it.
    let _ = session.forget(old);
    Ok(())
}

/// The account of this name, if a login has given it a token that works.
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

/// Notes that the refresh token is being sent, and the entry for the new one. Fails if the token was lost before.
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
    let mut note = Grant {
        spare: Some(next.entry.clone()),
        ..grant.clone()
    };
    match grant.sent {
        _ if grant.flow == Flow::ClientCredentials => {}
        None => note.sent = Some(now),
        // The sender died or got no answer. Bitbucket accepts the old token for ten minutes more.
        Some(sent) if !grant.rotates || now.duration_since(sent).abs() < GRACE => {}
        Some(_) => {
            note.clone_from(grant);
            note.ended = Some(Ended::Lost);
        }
    }
    let ended = note.ended;
    change(session, account, |known| *known = note)?;
    ended.map_or(Ok(next.entry), |ended| Err(over(account, ended, grant)))
}

/// Stores the new tokens, and only then returns them.
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
        oauth_refresh_token: tokens.refresh.or_else(|| old.oauth_refresh_token.clone()),
        client_secret: old.client_secret.clone(),
    };
    new.password_expiry_utc = end_of(asked, tokens.lifetime);
    if let Some(grant) = new.grant_mut() {
        grant.rotates |= kept.oauth_refresh_token != old.oauth_refresh_token;
    }
    let rejected = account.rejected.clone();
    new.rejected = rejected.map(|it| it.after(Probed::Known, None, Timestamp::now()));
    succeed_grant(&mut new, account.entry.clone());
    let stored = session
        .keep_in_its_entry(&mut new, &kept, StoreChoice::from(account.store))
        .and_then(|_| succeed(session, account, &new))
        .inspect_err(|error| {
            // Nobody needs these tokens any more. On any other error the next renewal finds them.
            if error.is::<Gone>() {
                let _ = session.forget(&new);
            }
        });
    let name = &account.name;
    stored.with_context(|| format!("cannot keep the new token of '{name}' that Bitbucket gave"))?;
    Ok((new, kept))
}

/// When a token ends, in seconds since 1970; `asked` is when it was asked for.
pub(crate) fn end_of(asked: Timestamp, lifetime: Duration) -> Option<u64> {
    let asked = u64::try_from(asked.as_second()).ok()?;
    Some(asked.saturating_add(lifetime.as_secs()))
}

/// Notes a failed renewal: that the grant has ended, or that the token was not used. Returns the error.
fn failed(
    session: &Session,
    account: &Account,
    grant: &Grant,
    error: &oauth::Error,
) -> anyhow::Error {
    let now = Timestamp::now();
    let refused = Grant {
        refused: grant.refused.or(Some(now)),
        failed: Some(now),
        ..grant.clone()
    };
    let rest = refused.rest(now);
    let rest = rest.filter(|_| error.may_pass() && grant.ended.is_none());
    let (noted, failure) = match (rest, error.end()) {
        (Some(rest), _) => (refused, refused_for_now(account, rest)),
        (None, Some(ended)) => {
            let ended = grant.sent.map_or(ended, |_| Ended::Lost);
            let mut noted = grant.clone();
            noted.ended = Some(ended);
            (noted, over(account, ended, grant))
        }
        (None, None) => {
            let mut noted = grant.clone();
            noted.failed = Some(now);
            let name = &account.name;
            let failure = anyhow!("cannot renew the access token of '{name}': {error}");
            (noted, failure)
        }
    };
    // If this cannot be written, the next renewal finds it out again.
    let _ = change(session, account, |known| {
        if error.is_open() {
            known.failed = Some(now);
        } else {
            *known = noted;
        }
    });
    failure
}

/// Says that the grant yields no new token, and what to do. In one line: git's users see no hints.
fn over(account: &Account, ended: Ended, grant: &Grant) -> anyhow::Error {
    let name = account.argument();
    let how = match (ended, grant.flow) {
        (Ended::Client, _) => {
            format!("'git credential-bitbucket login {name} --client-id ID' signs in anew")
        }
        _ => format!("'git credential-bitbucket login {name}' signs in again"),
    };
    anyhow!("'{}': {}: {how}", account.name, ended.reason(grant.flow))
}

/// Says that Bitbucket gave no token, but may give one when it is asked later.
fn refused_for_now(account: &Account, rest: SignedDuration) -> anyhow::Error {
    let (name, minutes) = (&account.name, (rest.as_secs() + 59) / 60);
    anyhow!(
        "cannot renew '{name}' (unauthorized_client), next try in {minutes} min: \
         'git credential-bitbucket status --verify {}' asks now",
        account.argument()
    )
}

fn change(session: &Session, account: &Account, change: impl FnOnce(&mut Grant)) -> Result<()> {
    session.update_accounts(|accounts| {
        if let Some(grant) = find_mut(accounts, account)?.grant_mut() {
            change(grant);
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

/// The account, if it is still the same grant: a login may have replaced it.
fn find_mut<'a>(accounts: &'a mut Accounts, account: &Account) -> Result<&'a mut Account> {
    accounts
        .iter_mut()
        .find(|known| known.entry == account.entry && known.name == account.name)
        .ok_or_else(|| Gone(account.name.clone()).into())
}

/// Somebody has logged out, or signed in again.
#[derive(Debug, Error)]
#[error("the account '{0}' was removed or replaced meanwhile")]
struct Gone(String);

#[cfg(test)]
mod tests {
    use super::{find, find_mut};
    use crate::account::{Account, Accounts, Known, Origin};
    use crate::bitbucket::{Kind, cloud};

    #[test]
    fn a_grant_is_found_again_only_as_what_it_was() {
        let known = Known::new(Kind::Oauth);
        let mut account = Account::new("work".to_owned(), cloud(), Origin::Login, known);
        account.reach.push("acme".parse().expect("a reach"));
        account.entry = "work@bitbucket.org#1".to_owned();
        let mut accounts = Accounts::default();
        accounts.add(account.clone());
        assert!(find(&accounts, &account).is_ok());
        assert!(find_mut(&mut accounts, &account).is_ok());

        let with = |change: fn(&mut Account)| {
            let mut other = account.clone();
            change(&mut other);
            other
        };
        for other in [
            with(|it| it.name = "home".to_owned()),
            with(|it| it.host = "git.corp.example".parse().expect("a host")),
            with(|it| it.reach.clear()),
        ] {
            assert!(find(&accounts, &other).is_err(), "{other:?}");
        }
        for other in [
            with(|it| it.name = "home".to_owned()),
            with(|it| it.entry = "work@bitbucket.org#2".to_owned()),
        ] {
            assert!(find_mut(&mut accounts, &other).is_err(), "{other:?}");
        }
    }
}
