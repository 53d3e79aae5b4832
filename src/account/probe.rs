//! What Bitbucket is asked while git waits: which of several accounts can open a repository, and about a refused secret
//! before it is given up. One stray 401 must not cost a token that cannot be displayed a second time, nor may a repository
//! that is closed to a good token.

use std::time::Instant;

use crate::account::inquiry::Inquiry;
use crate::account::record::Account;
use crate::account::rejection::Probed;
use crate::bitbucket::{self, Kind, Reach, Service};
use crate::sys::http::Answer;
use crate::sys::parallel::in_parallel;
use crate::sys::words::words;
use crate::sys::{Secret, trace};

words! {
    /// What an account can do in a repository. Who can push can read.
    pub(crate) enum Access {
        Nothing = "nothing",
        Read = "read",
        Push = "push",
    }
}

/// What each of them can do there, all asked at a time. None for an account of which no answer says anything.
pub(crate) fn access_of_each(
    place: &Reach,
    asked: &[(&Account, &Secret)],
    deadline: Instant,
) -> Vec<Option<Access>> {
    in_parallel(asked, |&(account, secret)| {
        let inquiry = Inquiry::of_git(account, secret, deadline);
        let may = |service| is_open(account, service, &inquiry.refs(place, service)?.ok()?.1);
        Some(match may(Service::Push)? {
            true => Access::Push,
            false if may(Service::Fetch)? => Access::Read,
            false => Access::Nothing,
        })
    })
}

/// Whether the repository opens. None where no git server answers, or says nothing of the account.
fn is_open(account: &Account, service: Service, answer: &Answer) -> Option<bool> {
    match answer.status {
        200 if bitbucket::is_of_a_git_server(answer) => Some(true),
        // A proxy may say this as well: who cannot push is asked about reading.
        403 | 404 if service == Service::Fetch => {
            bitbucket::is_of_bitbuckets_git(&account.host, answer).then_some(false)
        }
        // For the secret, a scope, the repository, or an app password.
        401 | 403 | 404 | 410 => Some(false),
        _ => None,
    }
}

/// Asks who the user is, the repository that refused the secret, and where both say no the one that is `wanted`.
/// A refusal is asked about twice: the first answer may be as stray as that was.
pub(crate) fn ask(
    account: &Account,
    secret: &Secret,
    refused_by: Option<&Reach>,
    wanted: Option<&Reach>,
    deadline: Instant,
) -> Probed {
    let inquiry = Inquiry::of_git(account, secret, deadline);
    let is_by_email = account.kind().is_some_and(Kind::goes_by_email);
    let mut asked = Probed::Nobody;
    for _ in 0..2 {
        let by_user = whoami(&inquiry);
        let by_repository = refs(&inquiry, refused_by);
        asked = match (by_user, by_repository) {
            (_, Some(true)) | (Some(true), None) => Probed::Known,
            (Some(true), Some(false)) => Probed::NotThere,
            (_, Some(false)) if wanted != refused_by && refs(&inquiry, wanted) == Some(true) => {
                Probed::NotThere
            }
            // Only the e-mail may be out of date.
            (Some(false), None) if is_by_email => Probed::Nobody,
            (Some(false), _) => Probed::Unknown,
            (None, _) => Probed::Nobody,
        };
        trace::say(|| format!("probe: {by_user:?}, {by_repository:?}: {asked:?}"));
        let is_refused = by_user == Some(false) || by_repository == Some(false);
        if asked == Probed::Known || !is_refused {
            break;
        }
    }
    asked
}

/// Whether Bitbucket knows the secret, with the kind's own name. None without an answer that decides it.
fn whoami(inquiry: &Inquiry<'_>) -> Option<bool> {
    let own = inquiry.for_rest();
    // Without the name that the kind needs there, only a yes counts.
    let is_own = own.is_ok();
    let identity = own.unwrap_or_else(|_| inquiry.as_bearer());
    let answer = inquiry.who_is(&identity).ok()?;
    let is_known = if bitbucket::is_cloud(&inquiry.account.host) {
        bitbucket::knows_the_secret(&answer) && (is_own || bitbucket::is_api_token(&answer))
    } else {
        // This address answers strangers as well; the header names only who is signed in.
        answer.status == 200 && !bitbucket::signed_in_users(&answer).is_empty()
    };
    match answer.status {
        _ if is_known => Some(true),
        401 if is_own => Some(false),
        _ => bitbucket::lacks_all_scopes(&answer).then_some(false),
    }
}

/// Whether a repository shows that Bitbucket knows the secret.
fn refs(inquiry: &Inquiry<'_>, repository: Option<&Reach>) -> Option<bool> {
    let (_, answer) = inquiry.refs(repository?, Service::Fetch)?.ok()?;
    let host = &inquiry.account.host;
    match answer.status {
        200 => bitbucket::is_of_a_git_server(&answer).then_some(true),
        401 => Some(false),
        // It lacks a scope, or cannot see the repository: that is said to those alone who are known.
        403 | 404 => bitbucket::is_of_bitbuckets_git(host, &answer).then_some(true),
        _ => None,
    }
}
