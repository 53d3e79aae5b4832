//! Asks Bitbucket about a refused secret before it is given up: one stray 401 must not cost a token that cannot be
//! displayed a second time.

use std::time::{Duration, Instant};

use crate::account::Account;
use crate::account::rejection::Probed;
use crate::bitbucket;
use crate::bitbucket::authorization::Identity;
use crate::bitbucket::reach::Reach;
use crate::git::route;
use crate::sys::http::{self, Answer, Client};
use crate::sys::secret::Secret;
use crate::sys::trace;

/// The time limit for one answer of Bitbucket while git waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks as git would where the repository is known, else through REST. A refusal is asked about twice: the first answer
/// may be as stray as the refusal was.
pub(crate) fn ask(
    account: &Account,
    secret: &Secret,
    reach: Option<&Reach>,
    deadline: Instant,
) -> Probed {
    let mut asked = Probed::Nobody;
    for _ in 0..2 {
        asked = ask_once(account, secret, reach, deadline).unwrap_or(Probed::Nobody);
        trace::say(|| format!("probe: {asked:?}"));
        if asked != Probed::Unknown {
            break;
        }
    }
    asked
}

fn ask_once(
    account: &Account,
    secret: &Secret,
    reach: Option<&Reach>,
    deadline: Instant,
) -> Result<Probed, http::Error> {
    if let Some(Reach {
        workspace,
        repository: Some(repository),
    }) = reach
        && let Ok(identity) = Identity::for_git(account, secret.clone())
    {
        let client = Client::new(&route::to(&account.host, PATIENCE, deadline))?;
        let url = bitbucket::refs_url(&account.host, account.base_path(), workspace, repository);
        let answer = client.get(&url, Some(&identity.authorization()))?;
        match answer.status {
            200 if is_git(&answer) => return Ok(Probed::Known),
            401 => return Ok(Probed::Unknown),
            // The token lacks a scope, or cannot see the repository: ask REST.
            403 | 404 => {}
            _ => return Ok(Probed::Nobody),
        }
    }
    let Ok(identity) = Identity::for_rest(account, secret.clone()) else {
        return Ok(Probed::Nobody);
    };
    let url = bitbucket::whoami_url(&account.host, account.base_path());
    let host = if bitbucket::is_cloud(&account.host) {
        bitbucket::api_host()
    } else {
        account.host.clone()
    };
    let client = Client::new(&route::to(&host, PATIENCE, deadline))?;
    let answer = client.get(&url, Some(&identity.authorization()))?;
    let is_known = if bitbucket::is_cloud(&account.host) {
        matches!(answer.status, 200 | 403) && bitbucket::is_of_bitbucket(&answer)
    } else {
        // This address answers strangers as well; the header names only who is signed in.
        answer.status == 200 && bitbucket::signed_in_user(&answer).is_some()
    };
    Ok(match answer.status {
        _ if is_known => Probed::Known,
        401 => Probed::Unknown,
        _ => Probed::Nobody,
    })
}

/// Whether a git server answers (gitprotocol-http(5)), and not a proxy with its own page.
fn is_git(answer: &Answer) -> bool {
    answer.header("content-type") == Some("application/x-git-upload-pack-advertisement")
}
