//! Locks between processes.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::draft::AT_WORK;
use super::platform;
use super::write::{make_private_folder, write};
use crate::sys::error::Hinted;

/// A lock between processes. It ends when it is dropped, or with the process.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock on the file `path`, at most for `patience`.
    pub(crate) fn acquire(path: &Path, patience: Duration) -> Result<Self> {
        make_private_folder(path)?;
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            bail!("'{}' is not a file", path.display());
        }
        let file = platform::private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(path)
            .with_context(|| format!("cannot open '{}'", path.display()))?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(fs::TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock '{}'", path.display()));
                }
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(2));
                }
                Err(fs::TryLockError::WouldBlock) => bail!(Hinted::new(
                    format!("'{}' stays locked by another process", path.display()),
                    "look for a 'git-credential-bitbucket' that hangs, end it, and try again",
                )),
            }
        }
    }

    /// Replaces a private file that is only written under this lock. Under it every leftover draft is stale.
    #[expect(clippy::unused_self, reason = "the lock has to be held")]
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        // The end of a link may also be written under other locks.
        let age = if path.is_symlink() {
            AT_WORK
        } else {
            Duration::ZERO
        };
        write(path, content, age)
    }
}
