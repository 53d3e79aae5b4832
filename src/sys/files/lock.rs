//! Locks between processes.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::draft::AT_WORK;
use super::lock_file::LockFile;
use super::platform;
use super::read::cannot;
use super::write::{make_private_folder, write};
use crate::sys::error::Hinted;

/// A lock between processes. It ends when it is dropped, or with the process.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    /// Where the file system has no locks.
    _instead: Option<LockFile>,
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
            .map_err(cannot("open", path))?;
        let deadline = Instant::now() + patience;
        let mut hint =
            "look for a 'git-credential-bitbucket' that hangs, end it, and try again".to_owned();
        loop {
            let instead = match file.try_lock() {
                Ok(()) => Some(None),
                Err(fs::TryLockError::WouldBlock) => None,
                Err(fs::TryLockError::Error(error)) if platform::lacks_locks(&error) => {
                    let lock_file = LockFile::path(path);
                    hint = format!(
                        "if no 'git-credential-bitbucket' runs on any machine, remove '{}'",
                        lock_file.display()
                    );
                    LockFile::try_make(path)
                        .map_err(cannot("lock", path))?
                        .map(Some)
                }
                Err(fs::TryLockError::Error(error)) => return Err(cannot("lock", path)(error)),
            };
            match instead {
                Some(instead) => {
                    return Ok(Self {
                        _file: file,
                        _instead: instead,
                    });
                }
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                None => bail!(Hinted::new(
                    format!("'{}' stays locked by another process", path.display()),
                    hint,
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
