//! The accounts, and the stores that hold their secrets.

use anyhow::Result;
use jiff::Timestamp;

use super::finding::{Check, CheckOutcome};
use super::surroundings::Surroundings;
use crate::account::{Account, Kept, State};
use crate::answer::renewal;
use crate::bitbucket::Reach;
use crate::git::Identity;
use crate::settings::{Locations, Session};
use crate::store::Name;
use crate::sys::Secret;

pub(super) fn checks(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let session = surroundings.session;
    let asked = surroundings.accounts.iter();
    let asked: Vec<Asked<'_>> = asked.map(|it| (it, session.secret_of(it))).collect();
    if asked.is_empty() {
        let locations = session.locations();
        let none = locations.map_or_else(|_| "no account".to_owned(), Locations::no_account_yet);
        return vec![Check::skip("accounts", format!("there is {none}"))];
    }
    let mut checks = Vec::new();
    for store in Name::keeping() {
        checks.extend(of_store(session, store, &asked));
    }
    checks.extend(asked.iter().map(|(account, kept)| {
        let not_checked = |why: String| {
            let message = format!("'{}' was not checked: see {why}", account.name);
            Check::skip(&id(account), message)
        };
        match (session.objection(account), kept) {
            (Err(_), _) => not_checked("policy".to_owned()),
            (_, Ok(kept)) => of_account(account, kept.as_ref()),
            (Ok(objection), Err(error))
                if objection.is_some() || answers(account.store, &asked) =>
            {
                Check::failed(&id(account), error)
            }
            (_, Err(_)) => not_checked(format!("store.{}", account.store)),
        }
    }));
    checks
}

/// An account, and what its store has for it; the store of one that the policy forbids is not asked.
type Asked<'a> = (&'a Account, Result<Option<Kept>>);

fn of_store(session: &Session, store: Name, asked: &[Asked<'_>]) -> Option<Check> {
    let id = format!("store.{store}");
    if answers(store, asked) {
        return Some(Check::pass(&id, format!("the store '{store}' answers")));
    }
    let is_asked = |account: &Account| account.store == store && !session.forbids(account);
    let mut own = asked.iter().filter(|(account, _)| is_asked(account));
    let error = own.find_map(|(_, outcome)| outcome.as_ref().err())?;
    Some(Check::failed(&id, error))
}

fn answers(store: Name, asked: &[Asked<'_>]) -> bool {
    asked
        .iter()
        .any(|(account, outcome)| account.store == store && outcome.is_ok())
}

pub(super) fn id(account: &Account) -> String {
    format!("account.{}", account.name)
}

fn of_account(account: &Account, kept: Option<&Kept>) -> Check {
    let Account { name, host, .. } = account;
    let id = id(account);
    if let Some(kind) = account.kind().filter(|kind| !kind.exists_on(host)) {
        let message = format!(
            "'{name}' can never answer: {} does not exist on {host}",
            kind.noun()
        );
        let hint = format!(
            "'git credential-bitbucket logout {}', then sign in with another '--kind' or '--host'",
            account.argument()
        );
        return Check::fail(&id, message, hint);
    }
    if account.kind().is_some()
        && let Err(missing) = Identity::for_git(account, Secret::default())
    {
        let message = format!("'{name}' can never answer: it lacks {missing}");
        return Check::fail(&id, message, missing.fix(account));
    }
    let state = match kept {
        Some(_) => State::of(account, Timestamp::now()),
        None => State::Missing,
    };
    let outcome = if state.needs_attention() {
        CheckOutcome::Fail
    } else {
        CheckOutcome::Warn
    };
    let mut check = match state.complaint(account) {
        None => Check::pass(&id, described(account)),
        Some(complaint) => Check::of(&id, outcome, complaint),
    };
    let can_be_asked =
        !account.is_retired() && account.kind().is_some() && !renewal::is_due(account);
    let kept = kept.filter(|_| can_be_asked);
    check.asks = kept.map(|kept| Box::new((account.clone(), kept.secret.clone())));
    check
}

fn described(account: &Account) -> String {
    let kind = account.kind().map_or("what git gave", |kind| kind.noun());
    let (name, host) = (&account.name, &account.host);
    match listed(&account.reach).as_str() {
        "" => format!("'{name}' is {kind} for {host}"),
        reach => format!("'{name}' is {kind} for {reach} on {host}"),
    }
}

/// The part of its host that an account is for; none if that is all of it.
pub(super) fn part(account: &Account) -> Option<String> {
    let (host, places) = (&account.host, listed(&account.reach));
    match (places.as_str(), account.base_path()) {
        ("", "") => None,
        ("", base) => Some(format!("is for what lies below {host}{base}")),
        (places, "") => Some(format!("is for {places} only")),
        (places, base) => Some(format!("is for {places} below {host}{base} only")),
    }
}

fn listed(reach: &[Reach]) -> String {
    let reach: Vec<String> = reach.iter().map(ToString::to_string).collect();
    reach.join(", ")
}
