//! Whether a secret that a server refused is good again: Bitbucket is asked, by one process at a time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result};
use jiff::Timestamp;

use crate::account::file::Accounts;
use crate::account::probe;
use crate::account::rejection::Rejection;
use crate::account::standing::Standing;
use crate::account::{Account, Kept};
use crate::answer::matching::Wanted;
use crate::answer::renewal;
use crate::answer::ruling::{self, Ruling, rule};
use crate::settings::session::Session;
use crate::sys::error::one_line;
use crate::sys::files::Lock;
use crate::sys::secret::Secret;
use crate::sys::trace;

/// What of an answer's time is left for writing down what Bitbucket said of a refused secret.
const NOTE: Duration = Duration::from_millis(500);

/// What became of the account that would win, had no server refused it.
pub(super) enum Comeback {
    /// Bitbucket accepts it again: as it is now.
    Back(Box<Account>, Kept),
    /// Bitbucket knows it, but the repository that is wanted refuses it.
    RefusedThere,
    /// An OAuth grant yields no new token.
    Fails(Error),
}

/// The entry of the rejected account that would win, and what became of it.
pub(super) fn of_account(
    session: &Session,
    accounts: &Accounts,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Option<(String, Comeback)> {
    let is_refused = |standing| matches!(standing, Standing::Resting { .. } | Standing::Refused);
    // As if no server had refused anything.
    let hindrance = |account: &Account| {
        ruling::hindrance(session, account, now)
            .filter(|ruling| !matches!(ruling, Ruling::Out(standing) if is_refused(*standing)))
    };
    let mut rulings = rule(accounts, wanted, hindrance).into_iter();
    let (account, _) = rulings.find(|(_, ruling)| *ruling == Ruling::Answers)?;
    let is_refused = is_refused(account.standing(now));
    let is_candidate = is_refused && account.kind().is_some() && !account.is_retired();
    if !is_candidate || !account.has_ended() && !account.rejected.as_ref()?.may_ask(now) {
        return None;
    }
    let outcome = match account.grant() {
        Some(_) => of_grant(session, account, wanted),
        None => if_known(session, account, wanted, |_| true)?,
    };
    Some((account.entry.clone(), outcome))
}

/// A refused access token is followed by a new one, unless only one repository refuses it.
fn of_grant(session: &Session, account: &Account, wanted: &Wanted<'_>) -> Comeback {
    let now = Timestamp::now();
    let refused_by = |rejection: &Rejection| {
        let repository = rejection.repository_to_ask(wanted.reach.as_ref());
        repository.cloned()
    };
    let refused_by = account.rejected.as_ref().and_then(refused_by);
    let is_one_alone = |rejection: &Rejection| rejection.is_closed(refused_by.as_ref(), now);
    let may_ask = !account.has_ended() && account.is_good_for(0, now) && refused_by.is_some();
    let known = may_ask.then(|| if_known(session, account, wanted, is_one_alone));
    if let Some(comeback) = known.flatten() {
        return comeback;
    }
    match renewal::anew(session, account) {
        Ok((account, kept)) => Comeback::Back(Box::new(account), kept),
        Err(error) => Comeback::Fails(error),
    }
}

/// What became of the account, if Bitbucket's answer `counts`.
fn if_known(
    session: &Session,
    account: &Account,
    wanted: &Wanted<'_>,
    counts: impl Fn(&Rejection) -> bool,
) -> Option<Comeback> {
    let rejection = || {
        let accounts = session.accounts()?;
        let mut accounts = accounts.iter();
        let known = accounts.find(|known| known.entry == account.entry);
        // Somebody may have signed in anew: then there is nothing to bring back.
        Ok(known.context("the account is gone")?.rejected.clone())
    };
    let note = |rejection| {
        if counts(&rejection) {
            session.set_rejected(account, Some(rejection))
        } else {
            Ok(())
        }
    };
    let kept = session.secret_of(account).ok().flatten()?;
    let session = &session.afresh_when_late();
    let rejected = ask(session, account, &kept.secret, wanted, &rejection, &note).ok()?;
    if !rejected.as_ref().is_none_or(&counts) {
        return None;
    }
    let account = Account {
        rejected,
        ..account.clone()
    };
    match account.standing_at(wanted.reach.as_ref(), Timestamp::now()) {
        Standing::RefusedThere => Some(Comeback::RefusedThere),
        standing if standing.may_answer() => Some(Comeback::Back(Box::new(account), kept)),
        _ => None,
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
    let secret = &kept.secret;
    let rejection = || session.refusals()?.of(secret);
    let note = |rejection| session.refusals()?.note(secret, rejection);
    let may_ask = |rejection: &Rejection| rejection.may_ask(now);
    if !account.rejected.as_ref().is_some_and(may_ask) || account.is_retired() {
        return account.standing_at(place, now);
    }
    let mut account = account.clone();
    if let Ok(rejected) = ask(session, &account, secret, wanted, &rejection, &note) {
        account.rejected = rejected;
    }
    account.standing_at(place, now)
}

/// Asks Bitbucket about a secret that a server refused, and notes the answer: what is known against it now. Whoever has
/// waited for another process takes that one's answer.
fn ask(
    session: &Session,
    account: &Account,
    secret: &Secret,
    wanted: &Wanted<'_>,
    rejection: &dyn Fn() -> Result<Option<Rejection>>,
    note: &dyn Fn(Rejection) -> Result<()>,
) -> Result<Option<Rejection>> {
    let ask = || -> Result<Option<Rejection>> {
        let _lock = Lock::acquire(&session.locations()?.probe_lock(), session.patience())?;
        let now = Timestamp::now();
        let rejection = match rejection()? {
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
        let _ = note(rejection.clone());
        Ok(Some(rejection))
    };
    ask().inspect_err(|error| trace::say(|| format!("probe: {}", one_line(error))))
}
