//! Which accounts can push to which repositories, and which can read them: a cache of Bitbucket's answers.
//!
//! Repositories and accounts stand there as keyed fingerprints. Who changes an account gives it another fingerprint, so
//! that its old answers are no longer found.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::probe::Access;
use crate::account::record::{Account, Kept};
use crate::sys::files::Lock;
use crate::sys::{Secret, files};

/// How many repositories are remembered.
const MOST: usize = 1024;
/// How long it is remembered that an account can read or push.
const LONG: SignedDuration = SignedDuration::from_hours(30 * 24);
/// That it cannot where another one can, and where none can: somebody may give it access.
const CLOSED: SignedDuration = SignedDuration::from_hours(1);
const SHORT: SignedDuration = SignedDuration::from_mins(1);
/// That there was no answer.
const SILENT: SignedDuration = SignedDuration::from_mins(10);

/// A line of the file, behind one with the key of the fingerprints. Only the line of one repository is parsed.
#[derive(Serialize, Deserialize)]
struct Known {
    repository: String,
    accounts: BTreeMap<String, Answered>,
}

/// What Bitbucket said of an account: None where there was no answer.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) access: Option<Access>,
    asked: Timestamp,
}

/// What is remembered of each account in a repository.
pub(crate) fn of(path: &Path, repository: &Secret, accounts: &[Secret]) -> Vec<Option<Answered>> {
    let text = read(path);
    let (key, lines) = text.split_once('\n').unwrap_or_default();
    let repository = repository.fingerprint(key.as_bytes());
    let mut lines = lines.lines().filter(|line| line.contains(&repository));
    let known = lines.find_map(Known::parse);
    let of = |account: &Secret| {
        let mark = account.fingerprint(key.as_bytes());
        known.as_ref()?.accounts.get(&mark).copied()
    };
    accounts.iter().map(of).collect()
}

/// Remembers what accounts can do in a repository, in place of what was known of it.
/// `patience` is how long another process may hold the file.
pub(crate) fn note(
    path: &Path,
    patience: Duration,
    repository: &Secret,
    accounts: &[(&Secret, Option<Access>)],
) -> Result<()> {
    let lock = Lock::acquire(path, patience)?;
    let text = read(path);
    let (key, lines) = text.split_once('\n').unwrap_or_default();
    let new = Secret::random()?;
    let key = if key.is_empty() {
        str::from_utf8(new.expose())?
    } else {
        key
    };
    let repository = repository.fingerprint(key.as_bytes());
    let known = lines.lines().filter_map(|it| Some((it, Known::parse(it)?)));
    let is_other = |(_, known): &(&str, Known)| known.repository != repository;
    let (others, own): (Vec<_>, Vec<_>) = known.partition(is_other);
    let before: BTreeMap<_, _> = own.into_iter().flat_map(|(_, it)| it.accounts).collect();
    let mut text = format!("{key}\n");
    for (other, _) in &others[others.len().saturating_sub(MOST - 1)..] {
        text.extend([other, "\n"]);
    }
    let accounts = accounts.iter().map(|&(account, access)| {
        let mark = account.fingerprint(key.as_bytes());
        let asked = Timestamp::now();
        // What was not asked anew keeps its time.
        let old = before.get(&mark).filter(|old| old.access == access);
        let answered = old.copied().unwrap_or(Answered { access, asked });
        (mark, answered)
    });
    text += &serde_json::to_string(&Known {
        accounts: accounts.collect(),
        repository,
    })?;
    lock.write(text.as_bytes())
}

/// A file that cannot be read remembers nothing.
fn read(path: &Path) -> String {
    let content = files::read_private(path).ok().flatten();
    let text = content.and_then(|content| String::from_utf8(content.to_vec()).ok());
    text.unwrap_or_default()
}

impl Known {
    /// Without what is too old. None for a damaged line, or where nothing is left.
    fn parse(line: &str) -> Option<Self> {
        let mut known: Self = serde_json::from_str(line).ok()?;
        let opens = |it: &Answered| matches!(it.access, Some(Access::Read | Access::Push));
        let is_open = known.accounts.values().any(opens);
        let now = Timestamp::now();
        known.accounts.retain(|_, it| {
            let age = now.duration_since(it.asked);
            let limit = match it.access {
                None => SILENT,
                Some(Access::Nothing) if is_open => CLOSED,
                Some(Access::Nothing) => SHORT,
                Some(Access::Read | Access::Push) => LONG,
            };
            !age.is_negative() && age < limit
        });
        (!known.accounts.is_empty()).then_some(known)
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
