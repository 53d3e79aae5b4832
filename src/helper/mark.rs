//! The mark of a question tells other processes what became of it: of eight parallel fetches one asks, the others wait.
//! And what one of them has just said, the others need not say.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::settings::{Locations, Session};
use crate::sys::files::Lock;
use crate::sys::limit::limit;
use crate::sys::{Secret, files, message, terminal};

/// How long somebody looks at a screen on which nothing happens.
const SHORT: Duration = Duration::from_secs(2);
/// How long git may take to report whether a token worked.
const TRYING: Duration = Duration::from_secs(20);
/// How long a line need not be said again.
const SAID: Duration = Duration::from_secs(10);

/// Somebody typed a token that could not be checked, and git tries it.
const ASKED: &[u8] = b"asked\n";
/// Somebody wants nothing more to be asked, or the token did not work.
pub(super) const REFUSED: &[u8] = b"refused\n";

/// The mark that another process left since then.
pub(super) fn since(mark: &Path, start: SystemTime) -> Option<Vec<u8>> {
    let written = fs::metadata(mark).ok()?.modified().ok()?;
    // One from the future comes from a clock that was set back: it tells nothing.
    let is_meant = written >= start && written <= SystemTime::now();
    fs::read(mark).ok().filter(|_| is_meant)
}

/// Notes what git has reported of the token: whoever waits only waits a little longer when this fails.
pub(super) fn settle(session: &Session, has_worked: bool) {
    let Ok(mark) = session.locations().map(Locations::first_contact) else {
        return;
    };
    let _ = match (mark.exists(), has_worked) {
        (false, _) => Ok(()),
        (true, true) => files::remove(&mark),
        (true, false) => files::write_private(&mark, REFUSED),
    };
}

/// Leaves a mark with which the secret that was typed is known again; it shows nothing else of it.
pub(super) fn leave_asked(mark: &Path, secret: &Secret) -> Result<()> {
    files::write_private(mark, &asked(Secret::random()?.expose(), secret))
}

fn asked(key: &[u8], secret: &Secret) -> Vec<u8> {
    [ASKED, key, b"\n", secret.fingerprint(key).as_bytes()].concat()
}

/// Whether this is the secret that somebody has just typed at our question, and that could not be checked.
pub(super) fn asked_for(session: &Session, secret: &Secret) -> bool {
    let read = || {
        let text = fs::read(session.locations().ok()?.first_contact()).ok()?;
        let key = text.split(|&byte| byte == b'\n').nth(1)?;
        Some(asked(key, secret) == text)
    };
    read().unwrap_or(false)
}

/// One process asks at a time; whoever waits for a while sees why.
pub(super) fn wait_for_the_others(mark: &Path, limit: Duration) -> Result<Lock> {
    let began = SystemTime::now();
    let lock = Lock::acquire(mark, SHORT).or_else(|_| {
        terminal::show("Another command is asking for the token of Bitbucket: waiting for it");
        Lock::acquire(mark, limit)
    })?;
    // git tries what somebody has typed meanwhile, or just before: it has to tell us before we ask again.
    let is_trying = || {
        let recent = SystemTime::now().checked_sub(SHORT).unwrap_or(began);
        since(mark, recent.min(began)).is_some_and(|text| text.starts_with(ASKED))
    };
    let start = Instant::now();
    while start.elapsed() < TRYING && is_trying() {
        thread::sleep(Duration::from_millis(20));
    }
    Ok(lock)
}

/// Warns, unless this has just been said.
pub(super) fn warn(line: &str) {
    if is_news(line).unwrap_or(true) {
        message::warn(line);
    }
}

/// Warns a person at a terminal, if there is one.
pub(super) fn notice(lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() && terminal::is_watched() {
        lines.for_each(message::warn);
    }
}

/// Whether no process has said this of late. Fails where that cannot be noted: it is better said twice.
pub(super) fn is_news(line: &str) -> Result<bool> {
    let path = Locations::of_environment()?.said();
    let lock = Lock::acquire(&path, SHORT)?;
    let now = Timestamp::now();
    let recent = now - limit(SAID)..=now;
    let is_recent = |entry: &&str| {
        let time = entry.split(' ').next().and_then(|time| time.parse().ok());
        time.is_some_and(|time| recent.contains(&time))
    };
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut said: Vec<&str> = text.lines().filter(is_recent).collect();
    let digest = Base64::encode_string(&Sha256::digest(line));
    if said.iter().any(|entry| entry.ends_with(&digest)) {
        return Ok(false);
    }
    let entry = format!("{now} {digest}\n");
    said.push(&entry);
    lock.write(said.join("\n").as_bytes())?;
    Ok(true)
}
