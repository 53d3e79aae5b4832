//! Asks Bitbucket which of several accounts can push to a repository, and which can read it.

use std::time::{Duration, Instant};

use crate::account::inquiry::Inquiry;
use crate::account::record::Account;
use crate::bitbucket::{self, Reach, Service};
use crate::sys::Secret;
use crate::sys::http::Answer;
use crate::sys::parallel::in_parallel;
use crate::sys::words::words;

words! {
    /// What an account can do in a repository. Who can push can read.
    pub(crate) enum Access {
        Nothing = "nothing",
        Read = "read",
        Push = "push",
    }
}

/// The time limit for one answer of Bitbucket while git waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks about all of them at a time. None for an account of which no answer says anything.
pub(crate) fn of_each(
    place: &Reach,
    asked: &[(&Account, &Secret)],
    deadline: Instant,
) -> Vec<Option<Access>> {
    in_parallel(asked, |&(account, secret)| {
        let inquiry = Inquiry {
            account,
            secret,
            patience: PATIENCE,
            deadline,
        };
        let may = |service| is_open(account, service, &inquiry.refs(place, service)?.ok()?);
        Some(match may(Service::Push)? {
            true => Access::Push,
            false if may(Service::Fetch)? => Access::Read,
            false => Access::Nothing,
        })
    })
}

/// Whether the repository opens. None where no git server answers, or says nothing of the account.
fn is_open(account: &Account, service: Service, answer: &Answer) -> Option<bool> {
    let kind = answer.header("content-type").unwrap_or_default();
    match answer.status {
        200 if kind.starts_with("application/x-git-") => Some(true),
        // A proxy may say this as well: who cannot push is asked about reading.
        403 | 404 if service == Service::Fetch => {
            bitbucket::is_of_bitbuckets_git(&account.host, answer).then_some(false)
        }
        // For the secret, a scope, the repository, or an app password.
        401 | 403 | 404 | 410 => Some(false),
        _ => None,
    }
}
