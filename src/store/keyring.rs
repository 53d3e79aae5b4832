//! The operating system's keyring: Secret Service, Keychain, Credential Manager, through the crate `keyring`.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::pieces::InPieces;
use super::{Error, Store};
use crate::sys::Secret;

/// The service of all our entries. The desktop's keyring programs show it.
const SERVICE: &str = "git-credential-bitbucket";

/// The longest secret of an entry: `CRED_MAX_CREDENTIAL_BLOB_SIZE` on Windows. Other systems set no limit.
const LONGEST: usize = if cfg!(windows) { 2560 } else { usize::MAX };

/// A store in the keyring. It is not contacted before its first use.
#[expect(clippy::unnecessary_wraps, reason = "a program without it fails here")]
pub(crate) fn open(answer: Duration, unlock: Duration) -> Result<Box<dyn Store>, Error> {
    let store = Keyring { answer, unlock };
    let longest = LONGEST;
    Ok(Box::new(InPieces { store, longest }))
}

struct Keyring {
    /// How long it may take until it responds at all.
    answer: Duration,
    /// And after that: the user may be typing at its unlock prompt.
    unlock: Duration,
}

impl Store for Keyring {
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
        self.ask(entry, |entry| entry.get_secret().map(Secret::new))
    }

    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
        let secret = secret.clone();
        let done = self.ask(entry, move |entry| entry.set_secret(secret.expose()))?;
        let no_place = || anyhow!("the OS keyring says that it has no place for the secret");
        Ok(done.ok_or_else(no_place)?)
    }

    fn delete(&self, entry: &str) -> Result<(), Error> {
        self.ask(entry, keyring::Entry::delete_credential).map(drop)
    }
}

impl Keyring {
    /// Asks in a thread of its own and abandons it when the time is up: neither the bus nor the service has a time
    /// limit, and a stopped service never answers.
    fn ask<T: Send + 'static>(
        &self,
        entry: &str,
        question: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let (reporter, reports) = mpsc::channel();
        let entry = entry.to_owned();
        let thread = thread::Builder::new().spawn(move || {
            let answer = talk(&entry, question, &reporter);
            // Once the time is up, nobody receives it.
            let _ = reporter.send(Some(answer));
        });
        thread.context("cannot start a thread")?;
        let start = Instant::now();
        let mut patience = self.answer;
        loop {
            match reports.recv_timeout(patience.saturating_sub(start.elapsed())) {
                // It has responded.
                Ok(None) => patience = self.unlock,
                Ok(Some(answer)) => return answer,
                Err(_) => return Err(Error::Silent(patience)),
            }
        }
    }
}

fn talk<T>(
    entry: &str,
    question: impl FnOnce(&keyring::Entry) -> keyring::Result<T>,
    reporter: &Sender<Option<Result<Option<T>, Error>>>,
) -> Result<Option<T>, Error> {
    // `Entry::new` would report only `NoDefaultStore`. This call gives the reason.
    if let Err(error) = keyring::Entry::store_status() {
        return Err(Error::Unreachable(describe(error)));
    }
    let entry = keyring::Entry::new(SERVICE, entry).map_err(|error| explain(&error))?;
    let _ = reporter.send(None);
    match question(&entry) {
        Ok(answer) => Ok(Some(answer)),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(explain(&error)),
    }
}

fn explain(error: &keyring::Error) -> Error {
    match error {
        keyring::Error::NoStorageAccess(_) => Error::Locked,
        other => anyhow!("the OS keyring failed: {}", describe(other)).into(),
    }
}

/// The error's text. Two variants must not be shown: they hold the secret.
fn describe(error: &keyring::Error) -> String {
    match error {
        keyring::Error::BadEncoding(_) | keyring::Error::BadDataFormat(..) => {
            "the entry is not what we stored".to_owned()
        }
        keyring::Error::PlatformFailure(cause) | keyring::Error::NoStorageAccess(cause) => cause
            .to_string()
            .trim_start_matches("zbus error: ")
            .to_owned(),
        other => other.to_string(),
    }
}
