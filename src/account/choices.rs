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
const MOST: usize = 1024;
/// How long an answer is remembered, and how long the one that nobody can read the repository.
const LONG: SignedDuration = SignedDuration::from_hours(30 * 24);
const SHORT: SignedDuration = SignedDuration::from_mins(1);

/// A line of the file, behind one with the key of the fingerprints. Only the line of one repository is parsed.
#[derive(Serialize, Deserialize)]
struct Known {
    repository: String,
    asked: Timestamp,
    accounts: BTreeMap<String, Access>,
}

/// What is remembered of each account in a repository.
pub(crate) fn of(path: &Path, repository: &str, accounts: &[Secret]) -> Vec<Option<Access>> {
    let text = read(path);
    let (key, lines) = text.split_once('\n').unwrap_or_default();
    let repository = fingerprint(key, repository.as_bytes());
    let mut lines = lines.lines().filter(|line| line.contains(&repository));
    let known = lines.find_map(Known::parse);
    let of = |account: &Secret| {
        let mark = fingerprint(key, account.expose());
        known.as_ref()?.accounts.get(&mark).copied()
    };
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
    let text = read(path);
    let (key, lines) = text.split_once('\n').unwrap_or_default();
    let new = Secret::random()?;
    let key = if key.is_empty() {
        str::from_utf8(new.expose())?
    } else {
        key
    };
    let repository = fingerprint(key, repository.as_bytes());
    let others = lines
        .lines()
        .filter(|line| Known::parse(line).is_some_and(|known| known.repository != repository));
    let others: Vec<&str> = others.collect();
    let mut text = format!("{key}\n");
    for other in &others[others.len().saturating_sub(MOST - 1)..] {
        text.extend([other, "\n"]);
    }
    let accounts = accounts.iter();
    let accounts = accounts.map(|(account, access)| (fingerprint(key, account.expose()), *access));
    text += &serde_json::to_string(&Known {
        accounts: accounts.collect(),
        repository,
        asked: Timestamp::now(),
    })?;
    lock.write(path, text.as_bytes())
}

/// A file that cannot be read remembers nothing.
fn read(path: &Path) -> String {
    let content = files::read_private(path).ok().flatten();
    let text = content.and_then(|content| String::from_utf8(content.to_vec()).ok());
    text.unwrap_or_default()
}

fn fingerprint(key: &str, value: &[u8]) -> String {
    let value = Secret::new(value.to_vec());
    Base64UrlUnpadded::encode_string(&value.fingerprint(key.as_bytes())[..16])
}

impl Known {
    /// None for a damaged line, or an old one.
    fn parse(line: &str) -> Option<Self> {
        let known: Self = serde_json::from_str(line).ok()?;
        let is_closed = known.accounts.values().all(|it| *it == Access::Nothing);
        let age = Timestamp::now().duration_since(known.asked);
        let limit = if is_closed { SHORT } else { LONG };
        (!age.is_negative() && age < limit).then_some(known)
    }
}

/// By what an account is known again; `kept` is what it has where that lies in no store of ours. A new secret has a new
/// entry. But each renewal of a grant brings one: a grant goes by its name until somebody signs in anew.
pub(crate) fn mark(account: &Account, kept: Option<&Kept>) -> Secret {
    let own = match kept {
        Some(kept) if account.lies_elsewhere() => kept.secret.expose(),
        _ if account.grant().is_some() => account.name.as_bytes(),
        _ => account.entry.as_bytes(),
    };
    let username = account.git_username().unwrap_or_default();
    Secret::new([username, b"\n", own].concat())
}
