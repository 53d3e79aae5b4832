//! A line on the terminal for as long as a wait lasts.
//!
//! git's progress, or another program's prompt, may be on the screen. So the line stands behind the cursor, the cursor
//! stays where it is, and only what is behind it is cleared.

use std::io::{self, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::knows_codes;
use crate::sys::limit::limit;

/// A wait that is shorter shows nothing.
const SHORT: Duration = Duration::from_secs(1);

/// The line on the screen.
static SHOWN: Mutex<Option<String>> = Mutex::new(None);

/// A wait, until it is dropped.
pub(crate) struct Waiting(Option<(Sender<()>, JoinHandle<()>)>);

impl Waiting {
    /// Shows the line, as it is each second, where the wait lasts.
    pub(crate) fn on(line: impl Fn() -> String + Send + 'static) -> Self {
        if !knows_codes(&io::stderr()) {
            return Self(None);
        }
        let (sender, end) = mpsc::channel();
        let thread = thread::spawn(move || {
            while end.recv_timeout(limit(SHORT)) == Err(RecvTimeoutError::Timeout) {
                print(&[], Some(line()));
            }
        });
        Self(Some((sender, thread)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            let _ = thread.join();
            print(&[], None);
        }
    }
}

/// Writes text to standard error in place of the line on the screen, and then the next line.
pub(crate) fn print(text: &[u8], line: Option<String>) {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bytes = Vec::new();
    if *shown != line && shown.take().is_some() {
        bytes.extend(b"\x1b[K");
    }
    bytes.extend(text);
    if let Some(line) = line.filter(|_| shown.is_none()) {
        // Saves the cursor, and cuts a long line off at the edge.
        bytes.extend(format!("\x1b7\x1b[?7l{line}\x1b8\x1b[?7h").bytes());
        *shown = Some(line);
    }
    // A closed stderr must not stop the work.
    let _ = io::stderr().write_all(&bytes);
}
