//! The token of a login, kept for its lease in a private file, so that a push with LFS, which asks three times, logs in
//! once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;

use crate::sys::{Secret, files};

/// How the names of these files, and of their locks, begin.
pub(super) const START: &str = "vault-login-";

pub(super) struct LeasedToken {
    pub(super) token: Secret,
    until: u64,
    /// It may not ask about itself, so nobody can tell whether it has ended or may not read.
    pub(super) is_mute: bool,
}

impl LeasedToken {
    /// A little shorter than it lives: a request takes its time, and clocks differ.
    pub(super) fn new(token: Secret, lease: Duration) -> Self {
        let margin = (lease / 10).clamp(Duration::from_secs(1), Duration::from_secs(30));
        let left = lease.saturating_sub(margin).as_secs();
        Self {
            token,
            until: seconds_since_1970().saturating_add(left),
            is_mute: false,
        }
    }

    /// What is kept in a file, unless its time is over.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let content = files::read_private(path).ok()??;
        let mut words = std::str::from_utf8(&content).ok()?.split_ascii_whitespace();
        let until = words.next()?.parse().ok()?;
        let token = Secret::new(words.next()?.as_bytes().to_vec());
        let is_mute = words.next() == Some(MUTE);
        (until > seconds_since_1970()).then_some(Self {
            token,
            until,
            is_mute,
        })
    }

    /// Fails when the folder is read-only, or open to others: then everybody logs in on his own.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let until = format!("{} ", self.until);
        let mute = if self.is_mute { MUTE } else { "" };
        let parts = [until.as_bytes(), self.token.expose(), b" ", mute.as_bytes()];
        let content = Secret::new(parts.concat());
        files::write_private(path, content.expose())
    }
}

const MUTE: &str = "mute";

/// Removes what is over beside a file: each job of a runner leaves a token, and the lock of its login.
pub(super) fn sweep(path: &Path) {
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(START)) else {
            continue;
        };
        let other = entry.path();
        // A draft has a token in it, and a lock that is taken away while somebody holds it costs one more login.
        let is_over = if rest.contains('.') {
            other.with_extension("") != path && files::is_older(entry.metadata(), files::AT_WORK)
        } else {
            other != path && LeasedToken::read(&other).is_none()
        };
        if is_over {
            // Whoever comes next tries again.
            let _ = fs::remove_file(other);
        }
    }
}

fn seconds_since_1970() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LeasedToken, sweep};
    use crate::sys::Secret;

    #[test]
    fn a_kept_token_is_over_before_its_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vault-login-a");
        let token = Secret::new(b"canary".to_vec());
        let keep = |seconds| {
            let kept = LeasedToken::new(token.clone(), Duration::from_secs(seconds));
            kept.write(&path).expect("kept");
        };
        keep(60);
        let kept = LeasedToken::read(&path).expect("it is there");
        assert!(kept.token == token && !kept.is_mute);
        keep(u64::MAX);
        assert!(LeasedToken::read(&path).is_some());
        keep(1);
        assert!(LeasedToken::read(&path).is_none());
        sweep(&folder.path().join("vault-login-b"));
        assert!(!path.exists(), "what is over is swept away");
    }

    #[test]
    fn that_a_token_is_mute_is_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vault-login-a");
        let mut kept = LeasedToken::new(Secret::new(b"canary".to_vec()), Duration::from_secs(60));
        kept.is_mute = true;
        kept.write(&path).expect("kept");
        assert!(LeasedToken::read(&path).is_some_and(|kept| kept.is_mute));
        sweep(&path);
        assert!(path.exists(), "what is in use stays");
    }
}
