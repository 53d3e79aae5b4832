//! Who answers for a URL, as one check: the environment, an account, a store that is looked into, or nobody.

use jiff::Timestamp;

use super::finding::Check;
use super::{Surroundings, accounts};
use crate::account::present::Missing;
use crate::account::sign_in::Scheme;
use crate::account::standing::Standing;
use crate::account::state::{self, State};
use crate::account::{Account, Origin};
use crate::answer::Found;
use crate::answer::matching::{self, Wanted};
use crate::answer::source;
use crate::answer::source::environment;
use crate::bitbucket::authorization::Identity;
use crate::bitbucket::{self, API_HOST};
use crate::sys::bytes::Bytes;
use crate::sys::secret::Secret;

/// What becomes of the environment's account, ahead of all others.
pub(super) fn of_environment(
    surroundings: &Surroundings<'_>,
    wanted: &Wanted<'_>,
    own: &Account,
    secret: &Secret,
) -> Vec<Check> {
    let id = "answer";
    let name = &own.name;
    let now = Timestamp::now();
    let answer = if own.is_retired() {
        let hint = "unset it, or set BITBUCKET_API_TOKEN";
        Check::fail(id, environment::retired_notice(own), hint)
    } else if let Err(missing) = identity(wanted, own) {
        let message =
            format!("{name} is meant, which is set in the environment, but lacks {missing}");
        let hint = "set BITBUCKET_EMAIL to the e-mail of the Atlassian account";
        Check::fail(id, message, hint)
    } else if is_refused(surroundings, own, secret, now) {
        let message =
            format!("{name} is meant, which is set in the environment, but it was refused");
        Check::fail(id, message, "give it another value")
    } else {
        Check::pass(
            id,
            format!("{name} answers, which is set in the environment"),
        )
    };
    let others = surroundings.accounts.iter().map(|account| {
        let message = format!("'{}' does not answer while {name} is set", account.name);
        Check::skip(accounts::id(account), message)
    });
    std::iter::once(answer).chain(others).collect()
}

/// The account that answers, if it has a secret and what else it takes.
pub(super) fn of_account(
    surroundings: &Surroundings<'_>,
    wanted: &Wanted<'_>,
    account: &Account,
) -> Check {
    let id = "answer";
    let identity = account.kind().map(|_| identity(wanted, account));
    let presented = match identity {
        Some(Ok(Identity::Basic { username, .. })) => {
            format!("with the user name '{}'", Bytes::from(username))
        }
        Some(Ok(Identity::Bearer(_))) => "as Bearer".to_owned(),
        Some(Err(missing)) => {
            let message = format!("'{}' is meant, but lacks {missing}", account.name);
            return Check::fail(id, message, accounts::complete(account, missing));
        }
        Some(Ok(Identity::Header { .. })) | None => "as git gave it".to_owned(),
    };
    let state = match surroundings.session.secret_of(account) {
        Ok(Some(_)) => State::of(account, Timestamp::now()),
        Ok(None) => State::Missing,
        Err(error) => {
            let meant = format!("'{}' is meant, but its store does not answer", account.name);
            return Check::failed(id, &error.context(meant));
        }
    };
    match state.complaint(account) {
        Some(complaint) if matches!(state, State::Missing | State::Retired) => {
            let name = format!("'{}' ", account.name);
            let what = complaint.strip_prefix(&name).unwrap_or(&complaint);
            let message = format!("{name}is meant, but it {what}");
            Check::fail(id, message, state::mend(account))
        }
        complaint => {
            let mut message = format!(
                "'{}' answers {presented}: {}",
                account.name,
                why(wanted, account)
            );
            match complaint {
                // Or else it would not answer.
                Some(_) if state == State::Rejected => {
                    message += "; it was refused once, and gets one more chance";
                    Check::warn(id, message, state::mend(account))
                }
                Some(complaint) => {
                    Check::warn(id, format!("{message}; {complaint}"), state::mend(account))
                }
                None => Check::pass(id, message),
            }
        }
    }
}

/// Whether a server refused a secret that lies in none of our stores, so that it does not answer now.
pub(super) fn is_refused(
    surroundings: &Surroundings<'_>,
    account: &Account,
    secret: &Secret,
    now: Timestamp,
) -> bool {
    let rejected = surroundings.session.refusal_of(secret);
    let account = Account {
        rejected,
        ..account.clone()
    };
    !account.standing(now).may_answer()
}

/// As whom an account presents itself there; the secret makes no difference to that.
fn identity(wanted: &Wanted<'_>, account: &Account) -> Result<Identity, Missing> {
    if wanted.host.as_str() == API_HOST {
        Identity::for_rest(account, Secret::default())
    } else {
        Identity::for_git(account, Secret::default())
    }
}

/// Why just this account: reach, user name, origin.
fn why(wanted: &Wanted<'_>, account: &Account) -> String {
    let reach = match &wanted.reach {
        Some(reach) => account.reach.iter().find(|own| own.contains(reach)),
        None => None,
    };
    let mut reasons = vec![match reach {
        Some(reach) => format!("it is for {reach}"),
        None if account.reach.is_empty() => format!("it is for all of {}", account.host),
        None => "it is the only account of its host".to_owned(),
    }];
    if wanted
        .username
        .is_some_and(|username| account.is_called(username))
    {
        reasons.push("the user name means it".to_owned());
    }
    reasons.push(match account.origin {
        Origin::Git => "git gave it".to_owned(),
        Origin::Login => "it comes from login".to_owned(),
        Origin::Variable(name) => format!("it is {name}"),
        Origin::Source(store) => format!("the store '{store}' has it"),
    });
    reasons.join(", ")
}

/// The error that `get` would end with.
pub(super) fn tie(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>) -> Check {
    let mut fitting = matching::fitting(&surroundings.accounts, wanted);
    let (session, now) = (surroundings.session, Timestamp::now());
    fitting.retain(|(_, account)| session.standing(account, now).may_answer());
    match matching::choose(&fitting, wanted) {
        Err(error) => Check::failed("answer", &error),
        Ok(_) => nobody(surroundings, wanted, None),
    }
}

/// Nobody answers, and it is git's turn.
pub(super) fn nobody(
    surroundings: &Surroundings<'_>,
    wanted: &Wanted<'_>,
    lacks_path: Option<&Account>,
) -> Check {
    if let Ok(Some(store)) = source::for_bitbucket_org_alone(surroundings.session, &wanted.host) {
        let host = &wanted.host;
        return Check::fail(
            "answer",
            format!("no account answers, and what the store '{store}' has is for bitbucket.org"),
            format!(
                "if it is for {host}, say so: 'host = \"{host}\"' in [store.{store}] of config.toml"
            ),
        );
    }
    let message = "no account answers: git asks its next helper, or you";
    let home = bitbucket::home_of(&wanted.host);
    let hint = match lacks_path {
        Some(_) if wanted.path.is_none() => {
            "'git credential-bitbucket setup' makes git say which repository it wants".to_owned()
        }
        _ if bitbucket::is_cloud(&home) => {
            "'git credential-bitbucket login' adds an account".to_owned()
        }
        _ => format!("'git credential-bitbucket login --host {home}' adds an account"),
    };
    Check::fail("answer", message, hint)
}

/// What the stores have that are only looked into; nothing when they have nothing.
pub(super) fn of_store(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>) -> Option<Check> {
    let id = "answer";
    let (account, kept) = match source::find(surroundings.session, wanted) {
        Ok((Some(Found { account, kept }), _)) => (account, kept),
        Ok((None, forbidden)) => return Some(Check::failed(id, &forbidden?)),
        Err(error) => return Some(Check::failed(id, &error)),
    };
    let now = Timestamp::now();
    let Account { name, store, .. } = &account;
    let presented = match identity(wanted, &account) {
        Ok(Identity::Basic { username, .. }) => {
            format!("with the user name '{}'", Bytes::from(username))
        }
        Ok(_) => "as Bearer".to_owned(),
        Err(missing) => {
            let message = format!("'{name}' of the store '{store}' is meant, but lacks {missing}");
            return Some(Check::fail(id, message, "put it there beside the password"));
        }
    };
    let is_refused = is_refused(surroundings, &account, &kept.secret, now);
    Some(if account.is_retired() {
        let hint = "put an API token there";
        Check::fail(id, source::retired_notice(&account), hint)
    } else if is_refused {
        let hint = "put another secret there";
        Check::fail(id, source::refused_notice(&account), hint)
    } else {
        let message = format!("'{name}' of the store '{store}' answers {presented}");
        match State::of(&account, now).complaint(&account) {
            Some(complaint) => Check::warn(
                id,
                format!("{message}; {complaint}"),
                "put another secret there",
            ),
            None => Check::pass(id, message),
        }
    })
}

/// The one that would answer was refused, and nothing else fits.
pub(super) fn set_aside(account: &Account) -> Check {
    let Account { name, host, .. } = account;
    let message = match account.standing(Timestamp::now()) {
        Standing::Expired => format!("'{name}' is meant, but it has expired"),
        _ => format!("'{name}' is meant, but {host} refused it and it is set aside"),
    };
    Check::fail("answer", message, state::mend(account))
}

/// libcurl answers a Basic challenge with the URL's user name by itself; an instance that refuses Basic says 403 to
/// that, and git never comes to ask a helper.
pub(super) fn refused_before_asking(wanted: &Wanted<'_>, account: &Account) -> Option<Check> {
    let has_name = wanted.username.is_some_and(|name| !name.is_empty());
    (account.scheme() != Scheme::Basic && has_name).then(|| {
        Check::warn(
            "url",
            format!("'{}' goes as Bearer, and where Basic is refused a user name in the URL is answered 403", account.name),
            format!("take the name out of the remote: 'https://{}/…'", wanted.host),
        )
    })
}
