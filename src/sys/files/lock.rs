//! Locks between processes; where the file system has none, such as NFS without its lock daemon, a file that only its
//! holder has made.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::draft::AT_WORK;
use super::platform;
use super::read::{cannot, is_older};
use super::write::{make_private_folder, write};
use crate::sys::error::Hinted;
use crate::sys::limit::until;

/// A lock between processes on a file. It ends when it is dropped, or with the process.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock {
    /// The file that is only written under this lock.
    path: PathBuf,
    _file: File,
    /// Where the file system has no locks.
    _instead: Option<LockFile>,
}

impl Lock {
    /// Waits for the lock on the file `path`, at most for `patience`. What is locked is an empty file beside it, whose name
    /// ends in `.lock`.
    pub(crate) fn acquire(path: &Path, patience: Duration) -> Result<Self> {
        let lock = path.with_extension("lock");
        make_private_folder(&lock)?;
        let shown = lock.display();
        let is_other = fs::metadata(&lock).is_ok_and(|metadata| !metadata.is_file());
        ensure!(!is_other, "'{shown}' is not a file");
        let file = platform::private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(&lock)
            .map_err(cannot("open", &lock))?;
        let instead = lock.with_extension("lock.held");
        let attempt = || match file.try_lock() {
            Ok(()) => Ok(Some(None)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if platform::lacks_locks(&error) => {
                Ok(LockFile::in_place_of_a_lock(&instead)?.map(Some))
            }
            Err(TryLockError::Error(error)) => Err(error),
        };
        let locked = until(Instant::now() + patience, attempt).map_err(cannot("lock", &lock))?;
        let Some(held_instead) = locked else {
            let hint = if instead.exists() {
                let runs = "if no 'git-credential-bitbucket' runs on any machine";
                format!("{runs}, remove '{}'", instead.display())
            } else {
                let hint =
                    "look for a 'git-credential-bitbucket' that hangs, end it, and try again";
                hint.to_owned()
            };
            let held = format!("'{shown}' stays locked by another process");
            bail!(Hinted::new(held, hint));
        };
        Ok(Self {
            path: path.to_owned(),
            _file: file,
            _instead: held_instead,
        })
    }

    /// Replaces the file as a whole. Under its lock every leftover draft is stale.
    pub(crate) fn write(&self, content: &[u8]) -> Result<()> {
        // The end of a link may also be written under other locks.
        let age = if self.path.is_symlink() {
            AT_WORK
        } else {
            Duration::ZERO
        };
        write(&self.path, content, age)
    }
}

/// Nobody holds a lock for longer: the longest wait, for a person with a web page, has five minutes.
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// A file that only one process can make. Dropping it removes it.
#[must_use]
#[derive(Debug)]
pub(crate) struct LockFile(PathBuf);

impl LockFile {
    /// Makes the file, with who holds it as its content. None if there is one.
    pub(crate) fn make(path: &Path, holder: &str) -> io::Result<Option<Self>> {
        match platform::private(OpenOptions::new().write(true).create_new(true)).open(path) {
            Ok(mut file) => {
                let lock = Self(path.to_owned());
                file.write_all(holder.as_bytes())?;
                Ok(Some(lock))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the file for this process, where no file can be locked. None while another process holds it.
    fn in_place_of_a_lock(path: &Path) -> io::Result<Option<Self>> {
        let holder = format!("{} {}", process::id(), here().unwrap_or_default());
        let made = Self::make(path, &holder)?;
        if made.is_none() && is_stale(path) {
            // One process removes it. It looks again, as it may have been replaced meanwhile.
            let mark = path.with_extension("stale");
            let remover = Self::make(&mark, &holder)?;
            let leftover = if remover.is_some() { path } else { &mark };
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
