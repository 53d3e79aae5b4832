//! Where secrets lie. A store knows entries and secrets, nothing of git, of hosts or of terminals.

pub(crate) mod exec;
pub(crate) mod file;
#[cfg_attr(not(feature = "keyring"), path = "no_keyring.rs")]
pub(crate) mod keyring;
#[cfg(any(feature = "keyring", test))]
mod pieces;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sys::error::Hinted;
use crate::sys::secret::Secret;

/// A place that keeps secrets, each under an entry.
pub(crate) trait Store {
    /// The secret of an entry, or nothing when the store has none.
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error>;

    /// Keeps a secret, in place of the entry's old one if there is one.
    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error>;

    /// Forgets the secret of an entry; whether there was one.
    fn delete(&self, entry: &str) -> Result<bool, Error>;
}

/// The places a secret can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    /// A program; accounts can lie there, and it can be asked for what others have put into it.
    Exec,
    File,
    Keyring,
    // Those below are only ever looked into.
    /// A variable of the environment.
    Env,
    /// A mounted folder.
    Folder,
    Vault,
}

impl Name {
    /// Those in which accounts can lie.
    pub(crate) const KEEPING: [Self; 3] = [Self::Keyring, Self::File, Self::Exec];
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Env => "env",
            Self::Exec => "exec",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Keyring => "keyring",
            Self::Vault => "vault",
        })
    }
}

/// How long a store may take.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "keyring"),
    expect(dead_code, reason = "only a keyring needs it")
)]
pub(crate) struct Patience {
    /// For any answer at all.
    pub(crate) answer: Duration,
    /// For an answer once the store has said that it is there: somebody may be typing at its unlock prompt.
    pub(crate) unlock: Duration,
}

/// Why a store did not do what was asked. No variant carries a secret.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// It is there, but somebody has to unlock it first, and nobody did.
    #[error("the OS keyring is locked")]
    Locked,
    /// It was asked and never answered.
    #[error("the OS keyring did not answer {}", within(*.0))]
    Silent(Duration),
    /// This system has none, or none that can be reached from here.
    #[error("cannot reach the OS keyring: {0}")]
    Unreachable(String),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What was waited for, to the second; the rest of an operation's time may be less than one.
fn within(patience: Duration) -> String {
    match patience.as_secs_f64().round() {
        1.0 => "within a second".to_owned(),
        seconds if seconds > 1.0 => format!("within {seconds} seconds"),
        _ => "in time".to_owned(),
    }
}

impl Error {
    /// The same once more, if asking again would bring the same.
    pub(crate) fn lasting(&self) -> Option<Self> {
        match self {
            Self::Locked => Some(Self::Locked),
            Self::Silent(patience) => Some(Self::Silent(*patience)),
            Self::Unreachable(reason) => Some(Self::Unreachable(reason.clone())),
            Self::Other(_) => None,
        }
    }

    /// The same in half a sentence.
    pub(crate) fn briefly(&self) -> &'static str {
        match self {
            Self::Locked => "the OS keyring is locked",
            Self::Silent(_) => "the OS keyring does not answer",
            Self::Unreachable(_) => "there is no OS keyring here",
            Self::Other(_) => "the OS keyring failed",
        }
    }

    /// The same with the act that mends it.
    pub(crate) fn with_hint(self) -> anyhow::Error {
        let elsewhere = "where there is no desktop, keep it elsewhere: 'git credential-bitbucket login --store file'";
        let hint = match &self {
            Self::Locked => "unlock it, for example by signing in to the desktop, and try again",
            Self::Silent(_) | Self::Unreachable(_) => elsewhere,
            Self::Other(_) => return self.into_anyhow(),
        };
        Hinted::new(self.to_string(), hint).into()
    }

    fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Other(error) => error,
            other => other.into(),
        }
    }
}

/// A store for unit tests.
#[cfg(test)]
pub(crate) mod memory {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::{Error, Store};
    use crate::sys::secret::Secret;

    #[derive(Default)]
    pub(crate) struct Memory(pub(crate) RefCell<BTreeMap<String, Secret>>);

    impl Store for Memory {
        fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
            Ok(self.0.borrow().get(entry).cloned())
        }

        fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
            self.0.borrow_mut().insert(entry.to_owned(), secret.clone());
            Ok(())
        }

        fn delete(&self, entry: &str) -> Result<bool, Error> {
            Ok(self.0.borrow_mut().remove(entry).is_some())
        }
    }
}
