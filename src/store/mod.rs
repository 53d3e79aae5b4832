//! Where secrets are stored. A store knows entries and secrets, and nothing of git, hosts or terminals.

pub(crate) mod exec;
pub(crate) mod file;
#[cfg_attr(not(feature = "keyring"), path = "no_keyring.rs")]
pub(crate) mod keyring;
#[cfg(any(feature = "keyring", test))]
mod pieces;

use std::time::Duration;

use thiserror::Error;

use crate::sys::words::words;
use crate::sys::{Hinted, Secret};

/// A place for secrets, each under the name of its entry.
pub(crate) trait Store {
    /// The secret of an entry. None when the store has none.
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error>;

    /// Stores a secret. It replaces the old secret of the entry.
    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error>;

    /// Removes an entry, if there is one.
    fn delete(&self, entry: &str) -> Result<(), Error>;
}

words! {
    /// The places a secret can come from; those that can store accounts first, in the order in which they are named.
    #[derive(PartialOrd, Ord)]
    pub(crate) enum Name {
        Keyring = "keyring",
        File = "file",
        /// A program. It stores our accounts, and can be asked for the credentials of others.
        Exec = "exec",
        Env = "env",
        Folder = "folder",
        Vault = "vault",
    }
}

impl Name {
    /// Whether it can store accounts. The others we only read.
    pub(crate) fn keeps(self) -> bool {
        match self {
            Self::Keyring | Self::File | Self::Exec => true,
            Self::Env | Self::Folder | Self::Vault => false,
        }
    }

    /// Whether others can fill it.
    pub(crate) fn is_looked_into(self) -> bool {
        matches!(self, Self::Exec | Self::Folder | Self::Vault)
    }

    pub(crate) fn keeping() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|name| name.keeps())
    }
}

/// Why a store failed. No variant holds a secret.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// It has to be unlocked, and nobody unlocked it.
    #[error("the OS keyring is locked")]
    Locked,
    #[error("the OS keyring did not answer {}", within(*.0))]
    Silent(Duration),
    /// There is none, or it cannot be reached.
    #[error("cannot reach the OS keyring: {0}")]
    Unreachable(String),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// The time limit in words. It may be less than a second: the rest of an operation's time.
fn within(patience: Duration) -> String {
    match patience.as_secs_f64().round() {
        1.0 => "within a second".to_owned(),
        seconds if seconds > 1.0 => format!("within {seconds} seconds"),
        _ => "in time".to_owned(),
    }
}

impl Error {
    /// A copy, if the next call would fail in the same way.
    pub(crate) fn lasting(&self) -> Option<Self> {
        match self {
            Self::Locked => Some(Self::Locked),
            Self::Silent(patience) => Some(Self::Silent(*patience)),
            Self::Unreachable(reason) => Some(Self::Unreachable(reason.clone())),
            Self::Other(_) => None,
        }
    }

    pub(crate) fn briefly(&self) -> &'static str {
        match self {
            Self::Locked => "the OS keyring is locked",
            Self::Silent(_) => "the OS keyring does not answer",
            Self::Unreachable(_) => "there is no OS keyring here",
            Self::Other(_) => "the OS keyring failed",
        }
    }

    pub(crate) fn with_hint(self) -> anyhow::Error {
        let hint = match self {
            Self::Locked => "unlock it, for example by signing in to the desktop, and try again",
            Self::Silent(_) | Self::Unreachable(_) => {
                "where there is no desktop, keep it elsewhere: 'git credential-bitbucket login --store file'"
            }
            Self::Other(error) => return error,
        };
        Hinted::new(self.to_string(), hint).into()
    }
}
