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
use crate::account::{Account, Accounts, Kept, Standing, state};
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
    match anew(session, &account) {
        Err(error) if account.is_good_for(STILL_GOOD, Timestamp::now()) => {
            trace::say(|| format!("oauth: the old token is still good: {}", one_line(&error)));
            Ok((account, kept))
        }
        outcome => outcome,
    }
}

/// Whether its access token is renewed before it is used.
pub(crate) fn is_due(account: &Account) -> bool {
    account.grant().is_some() && !account.is_good_for(GOOD_FOR, Timestamp::now())
}

/// A new access token for an account whose token is due or was refused.
pub(crate) fn anew(session: &Session, account: &Account) -> Result<(Account, Kept)> {
    renew(session, account, false)
}

/// As [`current`], for a person who asks: a grant that has ended or rests is tried once more.
pub(crate) fn again(session: &Session, account: Account, kept: Kept) -> Result<(Account, Kept)> {
    let (grant, now) = (account.grant(), Timestamp::now());
    let rests = grant.is_some_and(|grant| grant.rest(now).is_some());
    if grant.is_some() && (rests || account.standing(now) != Standing::InService) {
        renew(session, &account, true)
    } else {
        current(session, account, kept)
    }
}

/// Removes an account's secrets from its store, with those that a crashed renewal may have left.
pub(crate) fn forget(session: &Session, account: &Account) -> Result<()> {
    session.forget(account)?;
    spare_of(account).map_or(Ok(()), |spare| session.forget(&spare))
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

/// Renews the token of an account; one that a person `asked` about even if it is not due, and its grant has ended or rests.
fn renew(session: &Session, account: &Account, asked: bool) -> Result<(Account, Kept)> {
    let begun = Timestamp::now();
    let _lock = Lock::acquire(&session.locations()?.renewal_lock(account), OTHERS)?;
    let session = &session.afresh();
    // The process that held the lock may have renewed it.
    if let Some(renewed) = renewed(session, account, asked)? {
        trace::say(|| "oauth: another process has renewed it".to_owned());
        return Ok(renewed);
    }
    // A login in the meantime may have brought a token.
    let of_login = || renewed(&session.afresh(), account, asked).ok().flatten();
    ask(session, account, asked, begun).or_else(|error| of_login().ok_or(error))
}

/// The account as it is now, if it has a token that is another one or not due any more.
fn renewed(session: &Session, account: &Account, asked: bool) -> Result<Option<(Account, Kept)>> {
    let known = find(&session.accounts()?, account)?;
    let now = Timestamp::now();
    let is_new = known.entry != account.entry && known.is_good_for(STILL_GOOD, now);
    let is_good = !asked && known.is_good_for(GOOD_FOR, now);
    if !(is_new || is_good) || !known.standing(now).may_answer() {
        return Ok(None);
    }
    let kept = kept(session, &known)?;
    Ok(Some((known, kept)))
}

fn ask(
    session: &Session,
    account: &Account,
    asked: bool,
    begun: Timestamp,
) -> Result<(Account, Kept)> {
    let known = finish(session, find(&session.accounts()?, account)?)?;
    let kept = kept(session, &known)?;
    let before = known.grant().cloned().context("it is no grant any more")?;
    let (name, now) = (&known.name, Timestamp::now());
    let grant = match before.ended {
        Some(_) if asked => before.rested(),
        Some(ended) => return Err(over(&known, ended, before.flow)),
        None => before.clone(),
    };
    if let Some(rest) = grant.rest(now).filter(|_| !asked) {
        return Err(refused_for_now(&known, rest));
    }
    let has_failed = |failed| begun <= failed && failed <= now;
    if before.failed.is_some_and(has_failed) {
        bail!(
            "cannot renew the access token of '{name}': another process has just tried and failed"
        );
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
    let (new, sent) = note_that_it_is_sent(session, &known, grant, now)?;
    trace::say(|| format!("oauth: '{name}' is renewed"));
    let outcome = oauth::tokens(&client, &proof);
    let session = &session.afresh();
    match outcome {
        Ok(tokens) => keep(session, &known, new, kept, tokens, now),
        Err(error) => Err(failed(session, &known, before, sent, &error)),
    }
}

fn kept(session: &Session, account: &Account) -> Result<Kept> {
    let kept = read(session, account)?;
    Ok(kept.ok_or_else(|| state::missing(account))?)
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
    succeed(session, &account, &mut spare)?;
    Ok(spare)
}

/// Puts the account with new tokens, and no notes, in the place of the old one, and removes those from the store.
fn succeed(session: &Session, old: &Account, new: &mut Account) -> Result<()> {
    if let Some(grant) = new.grant_mut() {
        *grant = Grant {
            spare: Some(old.entry.clone()),
            ..grant.rested()
        };
    }
    session.update_accounts(|accounts| {
        find_mut(accounts, old)?.clone_from(new);
        Ok(())
    })?;
    // If that fails, the next renewal removes it.
    let _ = session.forget(old);
    Ok(())
}

/// Notes that the refresh token is being sent, and the entry for the new one. Returns the account with that entry, and the
/// note. Fails if the token was lost before.
fn note_that_it_is_sent(
    session: &Session,
    account: &Account,
    grant: Grant,
    now: Timestamp,
) -> Result<(Account, Grant)> {
    // The sender died or got no answer. Bitbucket accepts the old token for ten minutes more.
    let is_late = |sent: Timestamp| now.duration_since(sent).abs() >= GRACE;
    if grant.rotates && grant.sent.is_some_and(is_late) {
        let lost = over(account, Ended::Lost, grant.flow);
        let ended = Some(Ended::Lost);
        note(session, account, Grant { ended, ..grant })?;
        return Err(lost);
    }
    if let Some(spare) = spare_of(account) {
        session.forget(&spare)?;
    }
    let mut new = account.clone();
    new.renew_entry()?;
    let is_used = grant.flow == Flow::AuthorizationCode;
    let sent = Grant {
        spare: Some(new.entry.clone()),
        sent: grant.sent.or(is_used.then_some(now)),
        ..grant
    };
    note(session, account, sent.clone())?;
    Ok((new, sent))
}

/// Stores the new tokens in their entry, and only then returns them.
fn keep(
    session: &Session,
    account: &Account,
    mut new: Account,
    mut kept: Kept,
    tokens: Tokens,
    asked: Timestamp,
) -> Result<(Account, Kept)> {
    kept.secret = tokens.access;
    if let Some(next) = tokens.refresh {
        let last = kept.oauth_refresh_token.replace(next);
        if let Some(grant) = new.grant_mut() {
            grant.rotates |= kept.oauth_refresh_token != last;
        }
    }
    new.password_expiry_utc = end_of(asked, tokens.lifetime);
    let rejected = new.rejected.take();
    new.rejected = rejected.map(|it| it.after(Probed::Known, None, Timestamp::now()));
    let stored = session
        .keep_in_its_entry(&mut new, &kept, StoreChoice::from(account.store))
        .and_then(|_| succeed(session, account, &mut new))
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
    before: Grant,
    sent: Grant,
    error: &oauth::Error,
) -> anyhow::Error {
    let now = Timestamp::now();
    let mut noted = if error.is_open() { sent } else { before };
    noted.failed = Some(now);
    let may_pass = error.may_pass() && noted.ended.is_none();
    if may_pass {
        noted.refused.get_or_insert(now);
    }
    let failure = match (noted.rest(now).filter(|_| may_pass), error.end()) {
        (Some(rest), _) => refused_for_now(account, rest),
        (None, Some(ended)) => {
            let ended = noted.sent.map_or(ended, |_| Ended::Lost);
            noted.ended = Some(ended);
            over(account, ended, noted.flow)
        }
        (None, None) => {
            let name = &account.name;
            anyhow!("cannot renew the access token of '{name}': {error}")
        }
    };
    // If this cannot be written, the next renewal finds it out again.
    let _ = note(session, account, noted);
    failure
}

/// Says that the grant yields no new token, and what to do. In one line: git's users see no hints.
fn over(account: &Account, ended: Ended, flow: Flow) -> anyhow::Error {
    let client = match ended {
        Ended::Client => " --client-id ID",
        Ended::Grant | Ended::Lost => "",
    };
    anyhow!(
        "'{}': {}: 'git credential-bitbucket login {}{client}' signs in again",
        account.name,
        ended.reason(flow),
        account.argument()
    )
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

fn note(session: &Session, account: &Account, note: Grant) -> Result<()> {
    session.update_accounts(|accounts| {
        if let Some(grant) = find_mut(accounts, account)?.grant_mut() {
            *grant = note;
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
