//! Which secrets of the environment and of sources a server refused. Only keyed fingerprints are stored, no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::account::rejection::Rejection;
use crate::sys::files::Lock;
use crate::sys::{Secret, files, trace};

/// The refused secrets that lie in no store of ours.
#[derive(Debug)]
pub(crate) struct Refusals {
    pub(crate) path: PathBuf,
    /// How long another process may hold the file.
    pub(crate) patience: Duration,
}

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

impl Refusals {
    /// The rejection of a secret, if a server refused it.
    pub(crate) fn of(&self, secret: &Secret) -> Result<Option<Rejection>> {
        let Some(content) = read(&self.path)? else {
            return Ok(None);
        };
        let fingerprint = content.fingerprint(secret);
        let mut refused = content.refused.into_iter();
        let refused = refused.find(|refused| refused.fingerprint == fingerprint);
        Ok(refused.map(|refused| refused.rejection))
    }

    /// Changes what is known against the secret. Nothing is written where nothing changes.
    pub(crate) fn change(
        &self,
        secret: &Secret,
        change: impl FnOnce(Option<Rejection>) -> Option<Rejection>,
    ) -> Result<()> {
        let before = self.of(secret)?;
        let rejection = change(before.clone());
        if rejection == before {
            return Ok(());
        }
        let lock = Lock::acquire(&self.path.with_extension("lock"), self.patience)?;
        let known = read(&self.path)?;
        if known.is_none() && self.path.exists() {
            let aside = files::set_aside(&self.path)?;
            trace::say(|| format!("refusals: damaged, now '{}'", aside.display()));
        }
        let mut content = known.map_or_else(RefusalsFile::with_new_key, Ok)?;
        let fingerprint = content.fingerprint(secret);
        let is_other = |refused: &Refused| refused.fingerprint != fingerprint;
        content.refused.retain(is_other);
        content.refused.extend(rejection.map(|rejection| Refused {
            fingerprint,
            rejection,
        }));
        let surplus = content.refused.len().saturating_sub(MOST);
        content.refused.drain(..surplus);
        lock.write(&self.path, toml::to_string(&content)?.as_bytes())
    }
}

impl RefusalsFile {
    fn with_new_key() -> Result<Self> {
        let key = Secret::random()?;
        Ok(Self {
            key: str::from_utf8(key.expose())?.to_owned(),
            ..Self::default()
        })
    }

    fn fingerprint(&self, secret: &Secret) -> String {
        Base64::encode_string(&secret.fingerprint(self.key.as_bytes()))
    }
}

fn read(path: &Path) -> Result<Option<RefusalsFile>> {
    let content = files::read_private(path)?;
    // A damaged file counts as empty, and is renamed at the next refusal.
    Ok(content.and_then(|content| toml::from_slice(&content).ok()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::Refusals;
    use crate::account::rejection::Rejection;
    use crate::sys::secret::Secret;

    #[test]
    fn a_refused_secret_is_known_again_and_stands_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("refusals.toml");
        // What another test starts just then has our lock for a moment, until it is another program.
        let refusals = Refusals {
            path: path.clone(),
            patience: Duration::from_secs(5),
        };
        let (bad, good) = (
            Secret::new(b"canary-bad".to_vec()),
            Secret::new(b"canary-good".to_vec()),
        );
        let refused = |before| Some(Rejection::again(before, None, Timestamp::UNIX_EPOCH));
        refusals.change(&bad, refused).expect("noted");
        assert!(refusals.of(&bad).expect("an answer").is_some());
        assert!(refusals.of(&good).expect("an answer").is_none());
        assert!(
            !std::fs::read_to_string(&path)
                .expect("text")
                .contains("canary")
        );
        refusals.change(&bad, |_| None).expect("noted");
        assert!(refusals.of(&bad).expect("an answer").is_none());
    }
}
