//! The decision for a URL in words: which account answers, and why the others do not.

use jiff::Timestamp;

use super::accounts;
use super::finding::Check;
use super::surroundings::Surroundings;
use crate::account::access::Access;
use crate::account::present::Missing;
use crate::account::{Account, Origin, Scheme, Standing, State, state};
use crate::answer::choice::{Basis, Chosen};
use crate::answer::decide::{Candidate, Decision, Who};
use crate::answer::matching::Misfit;
use crate::answer::ruling::{Rank, Ruling};
use crate::answer::{Wanted, source};
use crate::bitbucket::{self, API_HOST, Identity};
use crate::git::Url;
use crate::store::Name;
use crate::sys::{Bytes, Secret, shell_quoted};

const ID: &str = "answer";

/// The first line: which account answers, or why none does.
pub(super) fn of(
    surroundings: &Surroundings<'_>,
    wanted: &Wanted<'_>,
    decision: &Decision,
) -> Check {
    if let Some(account) = decision.answering() {
        return of_answer(wanted, account, decision.chosen.as_ref());
    }
    if let Some(failure) = &decision.failure {
        return Check::failed(ID, failure);
    }
    // The last one that is chosen is meant: none before it answers.
    let candidates = decision.candidates.iter();
    let chosen = candidates.clone().rev().filter(|it| is_chosen(it));
    match chosen.chain(candidates).find_map(complaint) {
        Some((message, hint)) => Check::fail(ID, message, hint),
        None => nobody(surroundings, wanted, decision.only_lacks_a_path()),
    }
}

/// The line of a candidate that does not answer; `is_said` if the first line had the fix.
pub(super) fn of_other(candidate: &Candidate, is_said: bool) -> Option<Check> {
    let account = match &candidate.who {
        Who::Account(account) => account,
        Who::Source(name) => {
            let message = unasked(*name, &candidate.ruling)?;
            return Some(Check::skip(format!("store.{name}"), message));
        }
    };
    if account.is_of_the_environment() && candidate.ruling != Ruling::NotNamed {
        let Ruling::Forbidden(objection) = &candidate.ruling else {
            let is_news = !is_said && candidate.ruling != Ruling::Answers;
            let message = format!("{} {}", account.name, reason(account, &candidate.ruling));
            return is_news.then(|| Check::skip("environment", message));
        };
        let (message, hint) = (objection.notice(account), objection.fix(account));
        return Some(Check::warn("environment", message, hint));
    }
    let (message, hint) = match &candidate.ruling {
        Ruling::Answers => return None,
        Ruling::Forbidden(objection) => (objection.notice(account), Some(objection.fix(account))),
        ruling => {
            let message = format!("'{}' {}", account.name, reason(account, ruling));
            let is_refused = matches!(ruling, Ruling::Out(_));
            (message, is_refused.then(|| state::fix(account)))
        }
    };
    let check = Check::skip(accounts::id(account), message);
    Some(check.with(hint.filter(|_| !is_said)))
}

/// The account that answers, its user name, and why it answers.
fn of_answer(wanted: &Wanted<'_>, account: &Account, chosen: Option<&Chosen>) -> Check {
    let Account { name, store, .. } = account;
    let is_elsewhere = account.lies_elsewhere();
    let who = if account.is_of_the_environment() {
        format!("{name} is set in the environment and")
    } else if is_elsewhere {
        format!("'{name}' of the store '{store}'")
    } else {
        format!("'{name}'")
    };
    let presented = match account.kind().map(|_| identity(wanted, account)) {
        Some(Ok(Identity::Basic { username, .. })) => {
            format!("with the user name '{}'", Bytes::from(username))
        }
        Some(Ok(Identity::Bearer(_))) => "as Bearer".to_owned(),
        Some(Ok(Identity::Header { .. })) | None => "as git gave it".to_owned(),
        Some(Err(missing)) => return lacking(account, &who, missing),
    };
    if account.is_retired() {
        let (message, hint) = retired(account);
        return Check::fail(ID, message, hint);
    }
    let mut message = if account.is_of_the_environment() {
        format!("{who} answers")
    } else if is_elsewhere {
        format!("{who} answers {presented}")
    } else {
        format!("{who} answers {presented}: {}", why(wanted, account))
    };
    message.extend(chosen.map(how));
    let state = State::of(account, Timestamp::now());
    let Some(complaint) = state.complaint(account) else {
        return Check::pass(ID, message);
    };
    let (complaint, fix) = match (state, is_elsewhere) {
        // git's success checks an unchecked one.
        (State::Unchecked, _) | (State::Rejected, true) => return Check::pass(ID, message),
        (State::Rejected, false) => (
            "it was refused once, and gets one more chance".to_owned(),
            state::fix(account),
        ),
        (_, true) => (complaint, "replace the secret there".to_owned()),
        (_, false) => (complaint, state::fix(account)),
    };
    Check::warn(ID, format!("{message}; {complaint}"), fix)
}

/// The identity that an account presents; it does not depend on the secret.
fn identity(wanted: &Wanted<'_>, account: &Account) -> Result<Identity, Missing> {
    if wanted.host.as_str() == API_HOST {
        Identity::for_rest(account, Secret::default())
    } else {
        Identity::for_git(account, Secret::default())
    }
}

/// The chosen account lacks something that it has to present.
fn lacking(account: &Account, who: &str, missing: Missing) -> Check {
    let (is, hint) = match account.origin {
        Origin::Variable(_) => (
            "chosen",
            "set BITBUCKET_EMAIL to the e-mail of the Atlassian account".to_owned(),
        ),
        Origin::Source(_) => ("is chosen", "add it there beside the password".to_owned()),
        Origin::Git | Origin::Login => ("is chosen", accounts::complete(account, missing)),
    };
    Check::fail(ID, format!("{who} {is}, but lacks {missing}"), hint)
}

/// An app password answers, and Bitbucket refuses it.
fn retired(account: &Account) -> (String, String) {
    let hint = match account.origin {
        Origin::Git | Origin::Login => return is_meant_but(account, State::Retired),
        Origin::Variable(_) => "unset it, or set BITBUCKET_API_TOKEN",
        Origin::Source(_) => "put an API token there",
    };
    (source::retired_notice(account), hint.to_owned())
}

/// `'name' is chosen, but it …`
fn is_meant_but(account: &Account, state: State) -> (String, String) {
    let complaint = state.complaint(account).unwrap_or_default();
    let name = format!("'{}' ", account.name);
    let what = complaint.strip_prefix(&name).unwrap_or(&complaint);
    let message = format!("{name}is chosen, but it {what}");
    (message, state::fix(account))
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

/// Whether a candidate that cannot answer is the one that is meant, and not only one of those that fit.
fn is_chosen(candidate: &Candidate) -> bool {
    let is_chosen = matches!(
        candidate.ruling,
        Ruling::NoSecret | Ruling::Out(Standing::RefusedThere)
    );
    let account = candidate.account();
    is_chosen || account.is_none_or(Account::lies_elsewhere)
}

/// Why a candidate that fits cannot answer, and what to do.
fn complaint(candidate: &Candidate) -> Option<(String, String)> {
    let account = match &candidate.who {
        Who::Account(account) => account,
        Who::Source(name) => {
            let message = unasked(*name, &candidate.ruling)?;
            let hint = format!("take '{name}' out of 'lookup' in config.toml");
            return Some((message, hint));
        }
    };
    let Account { name, host, .. } = &**account;
    Some(match &candidate.ruling {
        Ruling::NoSecret => is_meant_but(account, State::Missing),
        Ruling::Forbidden(_) if account.is_of_the_environment() => return None,
        Ruling::Forbidden(objection) => (objection.notice(account), objection.fix(account)),
        Ruling::Out(Standing::RefusedThere) => (
            format!("'{name}' works, but {host} refuses it for this repository"),
            state::REFUSED_THERE.to_owned(),
        ),
        Ruling::Out(_) if account.is_of_the_environment() => (
            format!("{name} is set in the environment and chosen, but was refused"),
            "set another value".to_owned(),
        ),
        Ruling::Out(_) if account.lies_elsewhere() => (
            source::refused_notice(account),
            "replace the secret there".to_owned(),
        ),
        Ruling::Out(Standing::Expired) => is_meant_but(account, State::Expired),
        Ruling::Out(_) => (
            format!("'{name}' is chosen, but {host} refused it, so it is set aside"),
            state::fix(account),
        ),
        _ => return None,
    })
}

/// No account answers, so git goes on.
fn nobody(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>, lacks_path: bool) -> Check {
    if let Ok(Some(store)) = source::for_bitbucket_org_alone(surroundings.session, &wanted.host) {
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
    let home = bitbucket::home_of(&wanted.host);
    let hint = if surroundings.session.only().is_some() {
        "leave '--account' out to see who answers then".to_owned()
    } else if lacks_path && wanted.path.is_none() {
        "'git credential-bitbucket setup' makes git name the repository".to_owned()
    } else if bitbucket::is_cloud(&home) {
        "'git credential-bitbucket login' adds an account".to_owned()
    } else {
        format!("'git credential-bitbucket login --host {home}' adds an account")
    };
    Check::fail(ID, message, hint)
}

/// The predicate of an account that does not answer.
fn reason(account: &Account, ruling: &Ruling) -> String {
    let Account { host, reach, .. } = account;
    match ruling {
        Ruling::Answers => "answers".to_owned(),
        Ruling::NotNamed => "may not answer, as '--account' names another".to_owned(),
        Ruling::NoSecret => "is chosen, but has no secret".to_owned(),
        Ruling::Fails => "is chosen, but its secret cannot be read".to_owned(),
        Ruling::Forbidden(objection) => objection.notice(account),
        Ruling::Out(Standing::Expired) => "would fit, but has expired".to_owned(),
        Ruling::Out(Standing::RefusedThere) => {
            format!("works, but {host} refuses it for this repository")
        }
        Ruling::Out(_) => format!("would fit, but {host} refused it, so it is set aside"),
        Ruling::Misfit(Misfit::OtherHost) => format!("is for {host}"),
        Ruling::Misfit(Misfit::NoSuchKind) => match account.kind() {
            Some(kind) => format!("is {}, which does not exist on {host}", kind.noun()),
            None => format!("does not exist on {host}"),
        },
        Ruling::Misfit(Misfit::OtherReach) => format!("is for {} only", accounts::listed(reach)),
        Ruling::Misfit(Misfit::OtherBasePath) => match account.base_path() {
            "" => format!("is not for this path, which another account has on {host}"),
            base => format!("is for what lies below {host}{base}"),
        },
        Ruling::Misfit(Misfit::NoPath) if reach.is_empty() => {
            format!("is one of several for {host}, and git names no repository")
        }
        Ruling::Misfit(Misfit::NoPath) => format!(
            "is for {} only, and git names no repository",
            accounts::listed(reach)
        ),
        Ruling::Misfit(Misfit::OtherAttributes) => {
            "was stored by git for another path or user name".to_owned()
        }
        Ruling::Outranked(rank) => match rank {
            Rank::Variable(name) => format!("does not answer while {name} is set"),
            Rank::Retired => {
                "would fit, but is an app password, which Bitbucket has removed".to_owned()
            }
            Rank::LessExact => "fits, but another one is more specific".to_owned(),
            Rank::OtherName => "fits, but the user name matches another one".to_owned(),
            Rank::GivenByGit => "fits, but an account from login wins over one from git".to_owned(),
            Rank::Access(Some(Access::Nothing)) => {
                "fits, but cannot read this repository".to_owned()
            }
            Rank::Access(Some(_)) => "fits, but can only read this repository".to_owned(),
            Rank::Access(None) => "fits, but Bitbucket did not say what it can do".to_owned(),
            Rank::Older => "fits, but git stored another one later".to_owned(),
            Rank::Later => "fits, but another one comes first in accounts.toml".to_owned(),
        },
    }
}

/// Why a store of `lookup` is not asked.
fn unasked(name: Name, ruling: &Ruling) -> Option<String> {
    let Ruling::Forbidden(objection) = ruling else {
        return None;
    };
    Some(format!("the store '{name}' is not asked: {objection}"))
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
