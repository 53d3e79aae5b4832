//! The decision for a URL in words: which account answers, and why the others do not.

use jiff::Timestamp;

use super::accounts;
use super::finding::{Check, CheckOutcome};
use crate::account::probe::Access;
use crate::account::{Account, Origin, Scheme, Standing, State};
use crate::answer::choice::{Basis, Candidate, Chosen};
use crate::answer::decide::Decision;
use crate::answer::matching::Misfit;
use crate::answer::ruling::{Rank, Ruling};
use crate::answer::{Wanted, source};
use crate::bitbucket::{API_HOST, Kind};
use crate::git::{Identity, Url};
use crate::settings::Session;
use crate::sys::{Bytes, Secret, shell_quoted};

const ID: &str = "answer";

/// The first line: which account answers, or why none does.
pub(super) fn of(session: &Session, wanted: &Wanted<'_>, decision: &Decision) -> Check {
    if let Some(it) = decision.answering() {
        return of_answer(wanted, &it.account, decision.chosen.as_ref());
    }
    if let Some(failure) = &decision.failure {
        return Check::failed(ID, failure);
    }
    let candidates = decision.candidates.iter();
    let candidates = candidates.filter(|it| !is_forbidden_variable(it));
    // The last one that is chosen is meant, as none before it answers; others only fit.
    let is_chosen = |it: &&Candidate| match it.ruling {
        Ruling::NoSecret | Ruling::Out(Standing::RefusedThere) => true,
        _ => it.account.lies_elsewhere(),
    };
    let chosen = candidates.clone().rev().filter(is_chosen);
    match chosen.chain(candidates).find_map(Candidate::complaint) {
        Some(complaint) => Check::of(ID, CheckOutcome::Fail, complaint),
        None => nobody(session, wanted, decision.only_lacks_a_path()),
    }
}

/// The line of a candidate that does not answer; `is_said` if the first line had the fix.
pub(super) fn of_other(candidate: &Candidate, is_said: bool) -> Option<Check> {
    let account = &candidate.account;
    let id = match (account.origin, &candidate.ruling) {
        (Origin::Source(store), _) => format!("store.{store}"),
        (_, Ruling::NotNamed) | (Origin::Git | Origin::Login, _) => accounts::id(account),
        (Origin::Variable(_), _) => "environment".to_owned(),
    };
    if let Some(complaint) = candidate.complaint() {
        return Some(if is_forbidden_variable(candidate) {
            Check::of(&id, CheckOutcome::Warn, complaint)
        } else {
            let fix = Some(complaint.hint).filter(|_| !is_said);
            Check::skip(&id, complaint.message).with(fix)
        });
    }
    let predicate = match &candidate.ruling {
        Ruling::NotNamed => {
            let name = &account.name;
            let message = format!("'{name}' may not answer, as '--account' names another");
            return Some(Check::skip(&id, message));
        }
        Ruling::Fails => "would fit, but its secret cannot be read".to_owned(),
        Ruling::Misfit(misfit) => misfitting(account, *misfit),
        Ruling::Outranked(rank) => outranked(*rank),
        _ => return None,
    };
    Some(Check::skip(&id, format!("{} {predicate}", account.shown())))
}

/// Whoever comes after it answers in its place.
fn is_forbidden_variable(candidate: &Candidate) -> bool {
    candidate.is_forbidden() && candidate.account.is_of_the_environment()
}

/// The account that answers, its user name, and why it answers.
fn of_answer(wanted: &Wanted<'_>, account: &Account, chosen: Option<&Chosen>) -> Check {
    let shown = account.shown();
    let (start, is) = match account.origin {
        Origin::Variable(_) => (format!("{shown} is set in the environment and"), ""),
        Origin::Source(store) => (format!("{shown} of the store '{store}'"), "is "),
        Origin::Git | Origin::Login => (shown, "is "),
    };
    let present = if wanted.host.as_str() == API_HOST {
        Identity::for_rest
    } else {
        Identity::for_git
    };
    // How it is presented does not depend on the secret.
    let identity = account.kind().map(|_| present(account, Secret::default()));
    let presented = match identity.transpose() {
        Ok(Some(Identity::Basic { username, .. })) => {
            format!("with the user name '{}'", Bytes::from(username))
        }
        Ok(Some(Identity::Header { .. })) => "as Bearer".to_owned(),
        Ok(None) => "as git gave it".to_owned(),
        Err(missing) => {
            let message = format!("{start} {is}chosen, but lacks {missing}");
            return Check::fail(ID, message, missing.fix(account));
        }
    };
    let mut message = match account.origin {
        Origin::Variable(_) => format!("{start} answers"),
        Origin::Source(_) => format!("{start} answers {presented}"),
        Origin::Git | Origin::Login => {
            format!("{start} answers {presented}: {}", why(wanted, account))
        }
    };
    message.extend(chosen.map(how));
    let state = State::of(account, Timestamp::now());
    // git's success checks an unchecked one.
    let complaint = state
        .complaint(account)
        .filter(|_| state != State::Unchecked);
    match (state, complaint) {
        (_, None) => Check::pass(ID, message),
        (State::Retired, Some(complaint)) => Check::of(ID, CheckOutcome::Fail, complaint),
        (State::Rejected, Some(complaint)) => {
            let message = format!("{message}; it was refused once, and gets one more chance");
            Check::warn(ID, message, complaint.hint)
        }
        (_, Some(complaint)) => {
            let message = format!("{message}; {}", complaint.message);
            Check::warn(ID, message, complaint.hint)
        }
    }
}

/// Why this account of `accounts.toml`: reach, user name, origin.
fn why(wanted: &Wanted<'_>, account: &Account) -> String {
    let reach = wanted.reach.as_ref();
    let reach = reach.and_then(|wanted| account.reach.iter().find(|own| own.contains(wanted)));
    let place = match reach {
        Some(reach) => format!("it is for {reach}"),
        None if account.reach.is_empty() => format!("it is for all of {}", account.host),
        None => "it is the only account of its host".to_owned(),
    };
    let is_called = |username| account.is_called(username);
    let name = if wanted.username.is_some_and(is_called) {
        ", the user name matches"
    } else {
        ""
    };
    let origin = if account.origin == Origin::Git {
        "git gave it"
    } else {
        "it comes from login"
    };
    format!("{place}{name}, {origin}")
}

/// How it was chosen among equals.
fn how(chosen: &Chosen) -> String {
    let what = match chosen.access {
        Some(Access::Push) => "is the first that can push",
        Some(Access::Read) => "is the first that can read",
        Some(Access::Nothing) => "comes first, and none can read this repository",
        None => "comes first",
    };
    let source = match chosen.basis {
        Basis::Asked => "Bitbucket was asked",
        Basis::Remembered => "remembered",
        Basis::Unasked => "without an answer of Bitbucket",
    };
    let number = chosen.number;
    format!("; of {number} that fit equally it {what} ({source})")
}

/// No account answers, so git goes on.
fn nobody(session: &Session, wanted: &Wanted<'_>, lacks_path: bool) -> Check {
    if let Some(store) = source::for_bitbucket_org_alone(session, &wanted.host) {
        let host = &wanted.host;
        return Check::fail(
            ID,
            format!("no account answers, and the store '{store}' is for bitbucket.org"),
            format!(
                "if the store is for {host}, set 'host = \"{host}\"' in [store.{store}] of config.toml"
            ),
        );
    }
    let message = "no account answers: git asks its next helper, or you";
    let hint = if session.only().is_some() {
        "leave '--account' out to see who answers then".to_owned()
    } else if lacks_path && wanted.path.is_none() {
        "'git credential-bitbucket setup' makes git name the repository".to_owned()
    } else {
        format!("'{}' adds an account", wanted.login(None))
    };
    Check::fail(ID, message, hint)
}

fn misfitting(account: &Account, misfit: Misfit) -> String {
    let host = &account.host;
    let part = accounts::part(account);
    match misfit {
        Misfit::OtherHost => format!("is for {host}"),
        Misfit::NoSuchKind => {
            let kind = account.kind().map_or("what git gave", Kind::noun);
            format!("is {kind}, which does not exist on {host}")
        }
        Misfit::OtherReach | Misfit::OtherBasePath => {
            part.unwrap_or_else(|| "is not for this path, which another account has".to_owned())
        }
        Misfit::NoPath => {
            let part = part.unwrap_or_else(|| format!("is one of several for {host}"));
            format!("{part}, and git names no repository")
        }
        Misfit::OtherAttributes => "was stored by git for another path or user name".to_owned(),
    }
}

fn outranked(rank: Rank) -> String {
    let why = match rank {
        Rank::Variable(name) => return format!("does not answer while {name} is set"),
        Rank::Retired => "is an app password, which Bitbucket has removed",
        Rank::LessExact => "another one is more specific",
        Rank::OtherName => "the user name matches another one",
        Rank::GivenByGit => "an account from login wins over one from git",
        Rank::Access(Some(Access::Nothing)) => "cannot read this repository",
        Rank::Access(Some(_)) => "can only read this repository",
        Rank::Access(None) => "Bitbucket did not say what it can do",
        Rank::Older => "git stored another one later",
        Rank::Later => "another one comes first in accounts.toml",
    };
    format!("fits, but {why}")
}

/// libcurl answers a Basic challenge with the URL's user name. An instance that refuses Basic then says 403, and git
/// asks no helper.
pub(super) fn refused_before_asking(url: &Url<'_>, account: &Account) -> Option<Check> {
    if account.scheme() == Scheme::Basic || url.username().is_none() {
        return None;
    }
    let message = format!(
        "'{}' is sent as Bearer; a host that refuses Basic answers 403 to a URL with a user name",
        account.name
    );
    let hint = format!(
        "take the user name out: git remote set-url origin {}",
        shell_quoted(&url.bare())
    );
    Some(Check::warn("url", message, hint))
}
