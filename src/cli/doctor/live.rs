//! What Bitbucket itself says: about each account, and about a repository.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::finding::{Check, CheckOutcome};
use crate::account::state::State;
use crate::account::verify::Verdict;
use crate::account::{Account, state, verify};
use crate::bitbucket::{Reach, Service};
use crate::sys::Secret;

/// The time limit for all questions together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks Bitbucket about each check that has a secret, and adds the answer to the check.
pub(super) fn ask(checks: &mut [Check]) {
    let mut asking = Vec::new();
    for check in checks {
        let asks = check.asks.take();
        asking.extend(asks.map(|asks| (check, asks)));
    }
    let asked: Vec<(&Account, &Secret)> =
        asking.iter().map(|(_, asks)| (&asks.0, &asks.1)).collect();
    let verdicts = verify::check_all(&asked, Instant::now() + PATIENCE, |_, _| {});
    for ((check, asks), verdict) in asking.into_iter().zip(verdicts) {
        add(check, &asks.0, verdict);
    }
}

fn add(check: &mut Check, account: &Account, verdict: Verdict) {
    let Account { name, host, .. } = account;
    let id = check.id.clone();
    let is_unchecked = State::of(account, Timestamp::now()) == State::Unchecked;
    *check = match (verdict, check.outcome) {
        (Verdict::Good { who }, _) => {
            let who = who.map_or_else(String::new, |who| format!(" as '{who}'"));
            if is_unchecked {
                *check = Check::pass(id, format!("'{name}' works"));
            }
            let _ = write!(check.message, "; {host} knows it{who}");
            return;
        }
        (Verdict::Unchecked { reason, hint }, CheckOutcome::Warn) if is_unchecked => {
            let hint = hint.unwrap_or_else(|| state::how_to_check(account));
            Check::warn(id, format!("'{name}' is unchecked: {reason}"), hint)
        }
        // What is known here weighs more.
        (_, CheckOutcome::Fail) | (Verdict::Unchecked { .. }, CheckOutcome::Warn) => return,
        (Verdict::Limited { message, hint } | Verdict::Misplaced { message, hint }, _) => {
            Check::warn(id, format!("'{name}': {message}"), hint)
        }
        (Verdict::Refused { message, hint }, _) => {
            Check::fail(id, format!("'{name}': {message}"), hint)
        }
        (Verdict::Unchecked { reason, hint }, _) => {
            Check::skip(id, format!("'{name}' is unchecked: {reason}")).with(hint)
        }
    };
}

/// Whether the access token of a grant has ended: it would be refused, and git's next question renews it.
pub(super) fn has_ended(account: &Account) -> bool {
    account.grant().is_some() && !account.is_good_for(0, Timestamp::now())
}

/// Whether an account can fetch from a repository and push to it.
/// `way_in` knows another account that might, and how.
pub(super) fn access(
    account: &Account,
    secret: &Secret,
    place: &Reach,
    way_in: impl FnOnce() -> Option<(String, String)>,
) -> Vec<Check> {
    let name = &account.name;
    if has_ended(account) {
        let message =
            format!("the access token of '{name}' has ended: git's next question renews it");
        return vec![Check::skip(Service::Fetch.to_string(), message)];
    }
    let deadline = Instant::now() + PATIENCE;
    let ask = |service| verify::access(account, secret, place, service, deadline);
    let (fetch, push) = thread::scope(|scope| {
        let push = scope.spawn(|| ask(Service::Push));
        (ask(Service::Fetch), push.join())
    });
    let (Some(fetch), Ok(Some(push))) = (fetch, push) else {
        return Vec::new();
    };
    let is_good = |verdict: &Verdict| matches!(verdict, Verdict::Good { .. });
    let push = if is_good(&fetch) || is_good(&push) {
        of_service(account, place, Service::Push, push)
    } else {
        Check::skip(Service::Push.to_string(), "see fetch")
    };
    let fetch = match fetch {
        Verdict::Refused { .. } => refusal(account, secret, fetch, deadline),
        Verdict::Misplaced { message, hint } => {
            let (why, hint) = way_in().map_or((String::new(), hint), |(why, edit)| {
                (format!("; {why}"), edit)
            });
            let message = message + &why;
            Verdict::Misplaced { message, hint }
        }
        fetch => fetch,
    };
    vec![of_service(account, place, Service::Fetch, fetch), push]
}

/// Why a repository refuses an account: Bitbucket may know its secret all the same.
fn refusal(account: &Account, secret: &Secret, refused: Verdict, deadline: Instant) -> Verdict {
    let mut anywhere = Account {
        reach: Vec::new(),
        ..account.clone()
    };
    let Account { name, host, .. } = account;
    match verify::check(&mut anywhere, secret, deadline) {
        Verdict::Unchecked { .. } => refused,
        refused @ Verdict::Refused { .. } => refused,
        Verdict::Good { .. } | Verdict::Limited { .. } | Verdict::Misplaced { .. } => {
            Verdict::Limited {
                message: format!("{host} knows '{name}', but refuses it for this repository"),
                hint: state::REFUSED_THERE.to_owned(),
            }
        }
    }
}

fn of_service(account: &Account, place: &Reach, service: Service, verdict: Verdict) -> Check {
    let name = &account.name;
    let id = service.to_string();
    match verdict {
        Verdict::Good { .. } => Check::pass(id, format!("'{name}' can {service} {place}")),
        Verdict::Limited { message, hint }
        | Verdict::Misplaced { message, hint }
        | Verdict::Refused { message, hint } => Check::fail(
            id,
            format!("'{name}' cannot {service} {place}: {message}"),
            hint,
        ),
        Verdict::Unchecked { reason, hint } => {
            let message = format!("nobody knows whether '{name}' can {service} {place}: {reason}");
            Check::skip(id, message).with(hint)
        }
    }
}
