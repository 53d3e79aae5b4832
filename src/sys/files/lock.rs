//! Locks between processes; where the file system has none, such as NFS without its lock daemon, a file that only its
//! holder has made.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{process, thread};

use anyhow::{Result, bail};

use super::draft::AT_WORK;
use super::platform;
use super::read::{cannot, is_older};
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
                    let made = LockFile::try_make(path);
                    made.map_err(cannot("lock", path))?.map(Some)
                }
                Err(fs::TryLockError::Error(error)) => return Err(cannot("lock", path)(error)),
            };
            if let Some(instead) = instead {
                return Ok(Self {
                    _file: file,
                    _instead: instead,
                });
            } else if Instant::now() >= deadline {
                let held = format!("'{}' stays locked by another process", path.display());
                bail!(Hinted::new(held, hint));
            }
            thread::sleep(Duration::from_millis(2));
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

/// Nobody holds a lock for longer: the longest wait, for a person with a web page, has five minutes.
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// A file beside the one that cannot be locked. Dropping it removes it.
#[derive(Debug)]
struct LockFile(PathBuf);

impl LockFile {
    /// The lock file of a file that cannot be locked.
    fn path(of: &Path) -> PathBuf {
        of.with_extension("lock.held")
    }

    /// None while another process holds it.
    fn try_make(of: &Path) -> io::Result<Option<Self>> {
        let path = Self::path(of);
        let made = make(&path)?;
        if made.is_none() && is_stale(&path) {
            // One process removes it. It looks again, as it may have been replaced meanwhile.
            let mark = path.with_extension("stale");
            let remover = make(&mark)?;
            let leftover = if remover.is_some() { &path } else { &mark };
            if is_stale(leftover) {
                // The next attempt sees whether it is gone.
                let _ = fs::remove_file(leftover);
            }
        }
        Ok(made)
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // What stays is stale as soon as the process has ended.
        let _ = fs::remove_file(&self.0);
    }
}

/// None if there is one.
fn make(path: &Path) -> io::Result<Option<LockFile>> {
    match platform::private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(mut file) => {
            let lock = LockFile(path.to_owned());
            write!(file, "{} {}", process::id(), here().unwrap_or_default())?;
            Ok(Some(lock))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether its holder has ended, as far as that can be known from here.
fn is_stale(path: &Path) -> bool {
    let has_ended = || {
        let content = fs::read_to_string(path).ok()?;
        let (process, place) = content.split_once(' ')?;
        (place == here()?).then_some(!platform::is_running(process.parse().ok()?))
    };
    is_older(fs::metadata(path), LONGEST_HOLD) || has_ended() == Some(true)
}

/// Where process numbers mean the same: this boot of this machine, and this container of it.
fn here() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let container = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), container.display()))
}
