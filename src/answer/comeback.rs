//! Whether a secret that a server refused is good again: Bitbucket is asked, by one process at a time.

use std::time::Instant;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::account::rejection::{Probed, Rejection};
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
/// Returns its entry and secret, where these were read. Fails when a grant yields no new token.
pub(super) fn of_account(
    session: &Session,
    accounts: &mut Accounts,
    wanted: &Wanted<'_>,
) -> Result<Option<(String, Kept)>> {
    let now = Timestamp::now();
    let Some(account) = winner(session, accounts, wanted) else {
        return Ok(None);
    };
    let is_over = account.has_ended() && !account.standing(now).may_answer();
    if !is_over && !may_ask(&account, now) {
        return Ok(None);
    }
    // A refused access token is followed by a new one, unless one repository alone refuses it.
    let is_grant = account.grant().is_some();
    let is_of_use = !is_grant || !is_over && account.is_good_for(0, now);
    let mut found = None;
    if is_of_use && let Some(kept) = session.secret_of(&account).ok().flatten() {
        let session = &session.afresh_when_late();
        let account = asked(session, &account, &kept.secret, wanted);
        found = (!is_grant || account.standing(now).may_answer()).then_some((account, kept));
    }
    let found = match found {
        None if is_grant => Some(renewal::anew(session, &account)?),
        found => found,
    };
    Ok(found.map(|(account, kept)| {
        let entry = account.entry.clone();
        accounts.replace(account);
        (entry, kept)
    }))
}

/// The account that would answer if no server had refused anything.
fn winner(session: &Session, accounts: &Accounts, wanted: &Wanted<'_>) -> Option<Account> {
    let is_refused =
        |ruling: &Ruling| matches!(ruling, Ruling::Out(Standing::Resting | Standing::Refused));
    let hindrance = |account: &Account| {
        ruling::hindrance(session, account, wanted).filter(|ruling| !is_refused(ruling))
    };
    let rulings = rule(accounts, wanted, hindrance).into_iter();
    let all = rulings.map(|(account, ruling)| Candidate::new(account.clone(), ruling));
    let mut all: Vec<Candidate> = all.collect();
    let effort = Effort::Explain { is_offline: true };
    choice::among(session, wanted, effort, &mut all);
    let winner = all.into_iter().find(|it| it.ruling == Ruling::Answers);
    winner.map(|it| it.account)
}

fn may_ask(account: &Account, now: Timestamp) -> bool {
    let may_ask = |rejection: &Rejection| rejection.may_ask(now);
    account.kind().is_some()
        && !account.is_retired()
        && account.rejected.as_ref().is_some_and(may_ask)
}

/// The account with what is known against its secret, now that Bitbucket was asked; as it was, where Bitbucket was not.
pub(super) fn asked(
    session: &Session,
    account: &Account,
    secret: &Secret,
    wanted: &Wanted<'_>,
) -> Account {
    let mut account = account.clone();
    if may_ask(&account, Timestamp::now()) {
        match ask(session, &account, secret, wanted) {
            Ok(rejected) => account.rejected = rejected,
            Err(error) => trace::say(|| format!("probe: {}", one_line(&error))),
        }
    }
    account
}

/// Asks Bitbucket and notes its answer. A process that waited for another one takes the answer of that one.
fn ask(
    session: &Session,
    account: &Account,
    secret: &Secret,
    wanted: &Wanted<'_>,
) -> Result<Option<Rejection>> {
    let _lock = Lock::acquire(&session.locations()?.probe_lock(), session.patience())?;
    let now = Timestamp::now();
    let noted = if account.lies_elsewhere() {
        session.refusal_of(secret)
    } else {
        let accounts = session.accounts()?;
        let known = accounts.iter().find(|known| known.entry == account.entry);
        // Somebody may have signed in anew: then there is nothing to bring back.
        known.context("the account is gone")?.rejected.clone()
    };
    let rejection = match noted {
        Some(rejection) if rejection.may_ask(now) => rejection,
        // Somebody else has asked since, or used its one more chance.
        other => return Ok(other),
    };
    // Time to write the answer down.
    let deadline = Instant::now() + session.patience().saturating_sub(NOTE);
    let wanted = wanted.reach.as_ref();
    let refused_by = rejection.repository_to_ask(wanted);
    let is_grant = account.grant().is_some();
    let asked = match refused_by {
        None if is_grant => Probed::Nobody,
        _ => probe::ask(account, secret, refused_by, wanted, deadline),
    };
    if is_grant && asked != Probed::NotThere {
        return Ok(Some(rejection));
    }
    let rejection = Some(rejection.after(asked, wanted, now));
    // Where nothing can be written the answer is as good.
    let _ = session.judge(account, secret, |_| rejection.clone());
    Ok(rejection)
}
