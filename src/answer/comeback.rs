//! Whether a secret that a server refused is good again: Bitbucket is asked, by one process at a time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result};
use jiff::Timestamp;

use crate::account::file::Accounts;
use crate::account::probe;
use crate::account::rejection::{Probed, Rejection};
use crate::account::standing::Standing;
use crate::account::{Account, Kept};
use crate::answer::matching::Wanted;
use crate::answer::renewal;
use crate::answer::ruling::{Ruling, rule};
use crate::settings::session::Session;
use crate::sys::error::one_line;
use crate::sys::files::Lock;
use crate::sys::secret::Secret;
use crate::sys::trace;

/// What of an answer's time is left for writing down what Bitbucket said of a refused secret.
const NOTE: Duration = Duration::from_millis(500);

/// The entry of the rejected account that would win, and the account as it is when Bitbucket accepts it again; or why an
/// OAuth grant yields no new token.
pub(super) fn of_account(
    session: &Session,
    accounts: &Accounts,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Option<(String, Result<(Account, Kept)>)> {
    let is_refused = |standing| matches!(standing, Standing::Resting { .. } | Standing::Refused);
    // As if no server had refused anything.
    let hindrance = |account: &Account| match session.objection(account) {
        Ok(Some(objection)) => Some(Ruling::Forbidden(objection)),
        Err(_) => Some(Ruling::Fails),
        Ok(None) => {
            let standing = account.standing(now);
            let is_out = !standing.may_answer() && !is_refused(standing);
            is_out.then_some(Ruling::Out(standing))
        }
    };
    let mut rulings = rule(accounts, wanted, hindrance).into_iter();
    let (account, _) = rulings.find(|(_, ruling)| *ruling == Ruling::Answers)?;
    let is_refused = is_refused(account.standing(now));
    let is_candidate = is_refused && account.kind().is_some() && !account.is_retired();
    if !is_candidate || !account.has_ended() && !account.rejected?.may_ask(now) {
        return None;
    }
    let outcome = match account.grant() {
        Some(_) => renewal::anew(session, account),
        None => Ok(if_known(session, account, wanted)?),
    };
    Some((account.entry.clone(), outcome))
}

fn if_known(session: &Session, account: &Account, wanted: &Wanted<'_>) -> Option<(Account, Kept)> {
    let rejection = || {
        let accounts = session.accounts()?;
        let mut accounts = accounts.iter();
        let known = accounts.find(|known| known.entry == account.entry);
        // Somebody may have signed in anew: then there is nothing to bring back.
        Ok(known.context("the account is gone")?.rejected)
    };
    let note = |rejection| session.set_rejected(account, Some(rejection));
    let kept = session.secret_of(account).ok().flatten()?;
    let session = &session.afresh_when_late();
    is_back(session, account, &kept.secret, wanted, &rejection, &note).then(|| {
        let rejected = account.rejected;
        let rejected = rejected.map(|it| it.after(Probed::Known, Timestamp::now()));
        let account = account.clone();
        (
            Account {
                rejected,
                ..account
            },
            kept,
        )
    })
}

/// The same for a secret that lies in no store of ours.
pub(super) fn of_elsewhere(
    session: &Session,
    account: &Account,
    kept: &Kept,
    wanted: &Wanted<'_>,
) -> bool {
    let secret = &kept.secret;
    let rejection = || session.refusals()?.of(secret);
    let note = |rejection| session.refusals()?.note(secret, rejection);
    let may_ask = |rejection: Rejection| rejection.may_ask(Timestamp::now());
    account.rejected.is_some_and(may_ask)
        && !account.is_retired()
        && is_back(session, account, secret, wanted, &rejection, &note)
}

/// Asks Bitbucket about a secret that a server refused, and notes the answer. Whoever has waited for another process takes
/// that one's answer.
fn is_back(
    session: &Session,
    account: &Account,
    secret: &Secret,
    wanted: &Wanted<'_>,
    rejection: &dyn Fn() -> Result<Option<Rejection>>,
    note: &dyn Fn(Rejection) -> Result<()>,
) -> bool {
    let ask = || -> Result<bool> {
        let _lock = Lock::acquire(&session.locations()?.probe_lock(), session.patience())?;
        let now = Timestamp::now();
        let rejection = match rejection()? {
            Some(rejection) if rejection.may_ask(now) => rejection,
            // Somebody else has asked since, or used its one more chance.
            other => return Ok(other.is_none_or(|it| it.standing(now).may_answer())),
        };
        // Time to write the answer down.
        let deadline = Instant::now() + session.patience().saturating_sub(NOTE);
        let asked = probe::ask(account, secret, wanted.reach.as_ref(), deadline);
        // Where nothing can be written the answer is as good.
        let _ = note(rejection.after(asked, now));
        Ok(asked == Probed::Known)
    };
    ask().unwrap_or_else(|error: Error| {
        trace::say(|| format!("probe: {}", one_line(&error)));
        false
    })
}
