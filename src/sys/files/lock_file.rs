//! A lock for file systems without locks, such as NFS without its lock daemon: a file that only its holder has made.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use super::platform;

/// Nobody holds a lock for longer: the longest wait, for a person with a web page, has five minutes.
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// A file beside the one that cannot be locked. Dropping it removes it.
#[derive(Debug)]
pub(super) struct LockFile(PathBuf);

impl LockFile {
    /// The lock file of a file that cannot be locked.
    pub(super) fn path(of: &Path) -> PathBuf {
        of.with_extension("lock.held")
    }

    /// None while another process holds it.
    pub(super) fn try_make(of: &Path) -> io::Result<Option<Self>> {
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
    let age = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = age.ok().and_then(|time| time.elapsed().ok());
    let has_ended = || {
        let content = fs::read_to_string(path).ok()?;
        let (process, place) = content.split_once(' ')?;
        (place == here()?).then_some(!platform::is_running(process.parse().ok()?))
    };
    age.is_some_and(|age| age > LONGEST_HOLD) || has_ended() == Some(true)
}

/// Where process numbers mean the same: this boot of this machine, and this container of it.
fn here() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let container = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), container.display()))
}
