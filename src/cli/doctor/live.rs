//! What Bitbucket itself says: about each account, and about a repository.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::finding::{Check, CheckOutcome};
use crate::account::verify::{Meaning, Verdict};
use crate::account::{Account, State, state, verify};
use crate::answer::renewal;
use crate::bitbucket::{Reach, Service};
use crate::sys::Secret;
use crate::sys::parallel::in_parallel;

/// The time limit for all questions together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks Bitbucket about each check that has a secret, and adds the answer to the check.
pub(super) fn ask(checks: &mut [Check]) {
    let asked = checks.iter().filter_map(|check| check.asks.as_deref());
    let deadline = Instant::now() + PATIENCE;
    let verdicts = in_parallel(&asked.collect::<Vec<_>>(), |(account, secret)| {
        let mut account = account.clone();
        let verdict = verify::check(&mut account, secret, deadline);
        (account, verdict)
    });
    let asking = checks.iter_mut().filter(|check| check.asks.is_some());
    for (check, (account, verdict)) in asking.zip(verdicts) {
        add(check, &account, verdict);
    }
}

fn add(check: &mut Check, account: &Account, verdict: Verdict) {
    let name = &account.name;
    let id = check.id.clone();
    let is_unchecked = State::of(account, Timestamp::now()) == State::Unchecked;
    let line = verdict.about(name);
    let Verdict { message, hint, .. } = verdict;
    let fix = || {
        hint.clone()
            .unwrap_or_else(|| State::Unchecked.fix(account))
    };
    *check = match (verdict.meaning, check.outcome) {
        (Meaning::Good, _) if is_unchecked => {
            Check::pass(&id, format!("'{name}' works; {message}"))
        }
        (Meaning::Good, _) => {
            let _ = write!(check.message, "; {message}");
            return;
        }
        (Meaning::Unchecked, CheckOutcome::Warn) if is_unchecked => Check::warn(&id, line, fix()),
        // What is known here weighs more.
        (_, CheckOutcome::Fail) | (Meaning::Unchecked, CheckOutcome::Warn) => return,
        (Meaning::Limited | Meaning::Misplaced, _) => Check::warn(&id, line, fix()),
        (Meaning::Refused | Meaning::Mistaken, _) => Check::fail(&id, line, fix()),
        (Meaning::Unchecked, _) => Check::skip(&id, line).with(hint),
    };
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
    if renewal::is_due(account) {
        let message =
            format!("the access token of '{name}' has ended: git's next question renews it");
        return vec![Check::skip(&Service::Fetch.to_string(), message)];
    }
    let deadline = Instant::now() + PATIENCE;
    let inquiry = verify::about(account, secret, deadline);
    let Some(fetch) = inquiry.access(place, Service::Fetch) else {
        return Vec::new();
    };
    // Who cannot fetch cannot push.
    let may_push = fetch.is_good();
    let push = may_push.then(|| inquiry.access(place, Service::Push));
    let push = match push.flatten() {
        Some(push) => of_service(account, place, Service::Push, push),
        None => Check::skip(&Service::Push.to_string(), "see fetch"),
    };
    let fetch = match fetch.meaning {
        Meaning::Refused => refusal(account, secret, fetch, deadline),
        Meaning::Misplaced => match way_in() {
            Some((why, edit)) => Verdict {
                message: format!("{}; {why}", fetch.message),
                hint: Some(edit),
                ..fetch
            },
            None => fetch,
        },
        _ => fetch,
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
    let known = verify::check(&mut anywhere, secret, deadline);
    match known.meaning {
        Meaning::Unchecked => refused,
        Meaning::Refused | Meaning::Mistaken => known,
        Meaning::Good | Meaning::Limited | Meaning::Misplaced => Verdict {
            meaning: Meaning::Limited,
            message: format!("{host} knows '{name}', but refuses it for this repository"),
            hint: Some(state::refused_there(account).hint),
        },
    }
}

fn of_service(account: &Account, place: &Reach, service: Service, verdict: Verdict) -> Check {
    let name = &account.name;
    let id = service.to_string();
    let Verdict { message, hint, .. } = verdict;
    match verdict.meaning {
        Meaning::Good => Check::pass(&id, format!("'{name}' can {service} {place}")).with(hint),
        Meaning::Unchecked => {
            let message = format!("cannot tell whether '{name}' can {service} {place}: {message}");
            Check::skip(&id, message).with(hint)
        }
        _ => {
            let message = format!("'{name}' cannot {service} {place}: {message}");
            Check::fail(&id, message, hint.unwrap_or_default())
        }
    }
}
