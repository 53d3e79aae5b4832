//! Which accounts can push to which repositories, and which can read them: a cache of Bitbucket's answers.
//!
//! Repositories and accounts stand there as keyed fingerprints. Who changes an account gives it another fingerprint, so
//! that its old answers are no longer found.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::access::Access;
use crate::account::{Account, Kept};
use crate::sys::files::Lock;
use crate::sys::{Secret, files};

/// How many repositories are remembered.
const MOST: usize = 256;
/// How long an answer is remembered, and how long the one that nobody can read the repository.
const LONG: SignedDuration = SignedDuration::from_hours(30 * 24);
const SHORT: SignedDuration = SignedDuration::from_mins(1);

#[derive(Default, Serialize, Deserialize)]
struct ChoicesFile {
    /// The key of the fingerprints.
    key: String,
    repositories: Vec<Known>,
}

#[derive(Serialize, Deserialize)]
struct Known {
    repository: String,
    asked: Timestamp,
    accounts: BTreeMap<String, Access>,
}

/// What is remembered of each account in a repository.
pub(crate) fn of(path: &Path, repository: &str, accounts: &[Secret]) -> Vec<Option<Access>> {
    let file = ChoicesFile::read(path);
    let repository = file.fingerprint(&Secret::new(repository.into()));
    let mut known = file.repositories.iter();
    let known = known.find(|known| known.repository == repository && known.is_fresh());
    let of = |account| known?.accounts.get(&file.fingerprint(account)).copied();
    accounts.iter().map(of).collect()
}

/// Remembers what accounts can do in a repository, in place of what was known of it.
/// `patience` is how long another process may hold the file.
pub(crate) fn note(
    path: &Path,
    patience: Duration,
    repository: &str,
    accounts: &[(&Secret, Access)],
) -> Result<()> {
    let lock = Lock::acquire(&path.with_extension("lock"), patience)?;
    let mut file = ChoicesFile::read(path);
    if file.key.is_empty() {
        file.key = String::from_utf8(Secret::random()?.expose().to_vec())?;
    }
    let repository = file.fingerprint(&Secret::new(repository.into()));
    let accounts = accounts.iter();
    let accounts = accounts.map(|(account, access)| (file.fingerprint(account), *access));
    let accounts = accounts.collect();
    let known = &mut file.repositories;
    known.retain(|known| known.repository != repository && known.is_fresh());
    known.drain(..known.len().saturating_sub(MOST - 1));
    known.push(Known {
        repository,
        asked: Timestamp::now(),
        accounts,
    });
    lock.write(path, &serde_json::to_vec(&file)?)
}

impl ChoicesFile {
    /// A file that cannot be read remembers nothing.
    fn read(path: &Path) -> Self {
        let content = files::read_private(path).ok().flatten();
        let file = content.and_then(|content| serde_json::from_slice(&content).ok());
        file.unwrap_or_default()
    }

    fn fingerprint(&self, value: &Secret) -> String {
        Base64UrlUnpadded::encode_string(&value.fingerprint(self.key.as_bytes())[..16])
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        let is_closed = self.accounts.values().all(|it| *it == Access::Nothing);
        let age = Timestamp::now().duration_since(self.asked);
        !age.is_negative() && age < if is_closed { SHORT } else { LONG }
    }
}

/// By what an account is known again; `kept` is what it has where that lies in no store of ours. A new secret has a new
/// entry. But each renewal of a grant brings one: a grant goes by its name until somebody signs in anew.
pub(crate) fn mark(account: &Account, kept: Option<&Kept>) -> Secret {
    let own = match (kept, account.grant()) {
        (Some(kept), _) if account.lies_elsewhere() => kept.secret.clone(),
        (_, Some(grant)) => Secret::new(format!("{}\n{}", account.name, grant.client_id).into()),
        (_, None) => Secret::new(account.entry.clone().into()),
    };
    let username = account.git_username().unwrap_or_default();
    Secret::new([username, b"\n", own.expose()].concat())
}
