//! Whether a secret that a server refused is good again: Bitbucket is asked, by one process at a time.

use std::time::Instant;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::{Account, Accounts, Kept, Standing, probe};
use crate::answer::choice::{Candidate, NOTE};
use crate::answer::found::Effort;
use crate::answer::matching::Wanted;
use crate::answer::ruling::{Ruling, rule};
use crate::answer::{choice, renewal, ruling};
use crate::settings::Session;
use crate::sys::error::one_line;
use crate::sys::files::Lock;
use crate::sys::{Secret, trace};

/// Asks about the rejected account that would win, and puts it into `accounts` as it is now.
/// Returns its entry and secret if it is good again. Fails when a grant yields no new token.
pub(super) fn of_account(
    session: &Session,
    accounts: &mut Accounts,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<Option<(String, Kept)>> {
    let is_refused = |standing| matches!(standing, Standing::Resting | Standing::Refused);
    // As if no server had refused anything.
    let hindrance = |account: &Account| {
        ruling::hindrance(session, account, wanted)
            .filter(|ruling| !matches!(ruling, Ruling::Out(standing) if is_refused(*standing)))
    };
    let rulings = rule(accounts, wanted, hindrance).into_iter();
    let all = rulings.map(|(account, ruling)| Candidate::new(account.clone(), ruling));
    let mut all: Vec<Candidate> = all.collect();
    choice::among(
        session,
        wanted,
        Effort::Explain { is_offline: true },
        &mut all,
    );
    let winner = all.iter().find(|it| it.ruling == Ruling::Answers);
    let winner = winner.map(|it| &it.account);
    let may_ask = |account: &Account| {
        let may_ask = |rejection: &Rejection| rejection.may_ask(now);
        account.has_ended() || account.rejected.as_ref().is_some_and(may_ask)
    };
    let Some(account) = winner.filter(|account| {
        is_refused(account.standing(now))
            && account.kind().is_some()
            && !account.is_retired()
            && may_ask(account)
    }) else {
        return Ok(None);
    };
    let outcome = match account.grant() {
        Some(_) => Some(of_grant(session, account, wanted)?),
        None => if_known(session, account, wanted, |_| true),
    };
    let Some((account, kept)) = outcome else {
        return Ok(None);
    };
    let entry = account.entry.clone();
    accounts.replace(account);
    Ok(kept.map(|kept| (entry, kept)))
}

/// A refused access token is followed by a new one, unless only one repository refuses it.
fn of_grant(
    session: &Session,
    account: &Account,
    wanted: &Wanted<'_>,
) -> Result<(Account, Option<Kept>)> {
    let now = Timestamp::now();
    let rejection = account.rejected.as_ref();
    let refused_by = rejection.and_then(|it| it.repository_to_ask(wanted.reach.as_ref()));
    let is_one_alone = |rejection: &Rejection| rejection.is_closed(refused_by, now);
    if !account.has_ended()
        && account.is_good_for(0, now)
        && refused_by.is_some()
        && let Some(known) = if_known(session, account, wanted, is_one_alone)
    {
        return Ok(known);
    }
    let (account, kept) = renewal::anew(session, account)?;
    Ok((account, Some(kept)))
}

/// The account, if Bitbucket knows its secret; with the secret, unless the wanted repository refuses it.
fn if_known(
    session: &Session,
    account: &Account,
    wanted: &Wanted<'_>,
    counts: impl Fn(&Rejection) -> bool,
) -> Option<(Account, Option<Kept>)> {
    let kept = session.secret_of(account).ok().flatten()?;
    let session = &session.afresh_when_late();
    let rejected = ask(session, account, &kept.secret, wanted, &counts).ok()?;
    if !rejected.as_ref().is_none_or(&counts) {
        return None;
    }
    let account = Account {
        rejected,
        ..account.clone()
    };
    match account.standing_at(wanted.reach.as_ref(), Timestamp::now()) {
        Standing::RefusedThere => Some((account, None)),
        standing => standing.may_answer().then_some((account, Some(kept))),
    }
}

/// How a secret stands that lies in no store of ours, now that Bitbucket was asked; as it stood, where it was not.
pub(super) fn of_elsewhere(
    session: &Session,
    account: &Account,
    kept: &Kept,
    wanted: &Wanted<'_>,
) -> Standing {
    let now = Timestamp::now();
    let place = wanted.reach.as_ref();
    let may_ask = |rejection: &Rejection| rejection.may_ask(now);
    let mut account = account.clone();
    if account.rejected.as_ref().is_some_and(may_ask)
        && !account.is_retired()
        && let Ok(rejected) = ask(session, &account, &kept.secret, wanted, |_| true)
    {
        account.rejected = rejected;
    }
    account.standing_at(place, now)
}

/// Asks Bitbucket and notes an answer that `counts`. A process that waited for another one takes the answer of that one.
fn ask(
    session: &Session,
    account: &Account,
    secret: &Secret,
    wanted: &Wanted<'_>,
    counts: impl Fn(&Rejection) -> bool,
) -> Result<Option<Rejection>> {
    let ask = || -> Result<Option<Rejection>> {
        let _lock = Lock::acquire(&session.locations()?.probe_lock(), session.patience())?;
        let now = Timestamp::now();
        let rejection = match noted(session, account, secret)? {
            Some(rejection) if rejection.may_ask(now) => rejection,
            // Somebody else has asked since, or used its one more chance.
            other => return Ok(other),
        };
        // Time to write the answer down.
        let deadline = Instant::now() + session.patience().saturating_sub(NOTE);
        let wanted = wanted.reach.as_ref();
        let refused_by = rejection.repository_to_ask(wanted);
        let asked = probe::ask(account, secret, refused_by, wanted, deadline);
        let rejection = rejection.after(asked, wanted, now);
        // Where nothing can be written the answer is as good.
        let noted = Some(rejection.clone());
        let _ = match account.lies_elsewhere() {
            true => session.refusals()?.change(secret, |_| noted),
            false if counts(&rejection) => session.set_rejected(account, noted),
            false => Ok(()),
        };
        Ok(Some(rejection))
    };
    ask().inspect_err(|error| trace::say(|| format!("probe: {}", one_line(error))))
}

/// What is known against a secret by now.
fn noted(session: &Session, account: &Account, secret: &Secret) -> Result<Option<Rejection>> {
    if account.lies_elsewhere() {
        return session.refusals()?.of(secret);
    }
    let accounts = session.accounts()?;
    let known = accounts.iter().find(|known| known.entry == account.entry);
    // Somebody may have signed in anew: then there is nothing to bring back.
    Ok(known.context("the account is gone")?.rejected.clone())
}
