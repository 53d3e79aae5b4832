//! Which secrets of the environment and of sources a server refused. Only keyed fingerprints are stored, no secret.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::account::rejection::Rejection;
use crate::sys::files::Lock;
use crate::sys::{Secret, files, trace};

/// How many are remembered. No machine has that many secrets outside of our stores.
const MOST: usize = 64;

#[derive(Default, Serialize, Deserialize)]
struct RefusalsFile {
    /// Of the fingerprints.
    key: String,
    #[serde(default)]
    refused: Vec<Refused>,
    /// What a newer version wrote.
    #[serde(flatten)]
    other: Table,
}

#[derive(Serialize, Deserialize)]
struct Refused {
    fingerprint: String,
    #[serde(flatten)]
    rejection: Rejection,
}

/// The rejection of a secret, if a server refused it.
pub(crate) fn of(path: &Path, secret: &Secret) -> Result<Option<Rejection>> {
    let content = read(path)?;
    // On the way of each `get`: without a refusal nothing is computed.
    if content.refused.is_empty() {
        return Ok(None);
    }
    let fingerprint = secret.fingerprint(content.key.as_bytes());
    let mut refused = content.refused.into_iter();
    let refused = refused.find(|refused| refused.fingerprint == fingerprint);
    Ok(refused.map(|refused| refused.rejection))
}

/// Changes what is known against the secret. Nothing is written where nothing changes.
/// `patience` is how long another process may hold the file.
pub(crate) fn change(
    path: &Path,
    patience: Duration,
    secret: &Secret,
    change: impl FnOnce(Option<Rejection>) -> Option<Rejection>,
) -> Result<()> {
    let before = of(path, secret)?;
    let rejection = change(before.clone());
    if rejection == before {
        return Ok(());
    }
    let lock = Lock::acquire(path, patience)?;
    let mut content = read(path)?;
    if content.key.is_empty() {
        if path.exists() {
            let aside = files::set_aside(path)?;
            trace::say(|| format!("refusals: damaged, now '{}'", aside.display()));
        }
        str::from_utf8(Secret::random()?.expose())?.clone_into(&mut content.key);
    }
    let fingerprint = secret.fingerprint(content.key.as_bytes());
    let is_other = |refused: &Refused| refused.fingerprint != fingerprint;
    content.refused.retain(is_other);
    content.refused.extend(rejection.map(|rejection| Refused {
        fingerprint,
        rejection,
    }));
    let surplus = content.refused.len().saturating_sub(MOST);
    content.refused.drain(..surplus);
    lock.write(toml::to_string(&content)?.as_bytes())
}

/// A damaged file counts as empty, and is renamed at the next refusal.
fn read(path: &Path) -> Result<RefusalsFile> {
    let content = files::read_private(path)?;
    let content = content.and_then(|content| toml::from_slice(&content).ok());
    Ok(content.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::of;
    use crate::account::rejection::Rejection;
    use crate::sys::secret::Secret;

    #[test]
    fn a_refused_secret_is_known_again_and_stands_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("refusals.toml");
        // What another test starts just then has our lock for a moment, until it is another program.
        let change = |secret: &Secret, change: fn(Option<Rejection>) -> Option<Rejection>| {
            super::change(&path, Duration::from_secs(5), secret, change).expect("noted");
        };
        let is_known = |secret: &Secret| of(&path, secret).expect("an answer").is_some();
        let (bad, good) = (
            Secret::new(b"canary-bad".to_vec()),
            Secret::new(b"canary-good".to_vec()),
        );
        change(&bad, |before| {
            Some(Rejection::again(before, None, Timestamp::UNIX_EPOCH))
        });
        assert!(is_known(&bad) && !is_known(&good));
        assert!(
            !std::fs::read_to_string(&path)
                .expect("text")
                .contains("canary")
        );
        change(&bad, |_| None);
        assert!(!is_known(&bad));
    }
}
