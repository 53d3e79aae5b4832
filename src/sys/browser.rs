//! Opening a page in the user's browser.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::child::SECRET_VARIABLES;

/// How long a browser's starter is watched: one that fails does so at once.
const STARTING: Duration = Duration::from_secs(2);

/// Opens a page; whether something seems to have taken it.
///
/// `$BROWSER` is read as xdg-open(1) reads it: commands with colons between them, of which the first that works counts,
/// with `%s` where the address belongs. It counts even where there is no display.
pub(crate) fn open(url: &str) -> bool {
    let named = env::var("BROWSER").unwrap_or_default();
    let mut named = named
        .split(':')
        .filter(|command| !command.trim().is_empty());
    if named.any(|command| start(command_of(command, url))) {
        return true;
    }
    opener(url).is_some_and(start)
}

fn command_of(command: &str, url: &str) -> Command {
    let has_place = command.contains("%s");
    let mut words = command.split_whitespace();
    let mut browser = Command::new(words.next().unwrap_or_default());
    browser.args(words.map(|word| word.replace("%s", url)));
    if !has_place {
        browser.arg(url);
    }
    browser
}

#[cfg(all(unix, not(target_os = "macos")))]
fn opener(url: &str) -> Option<Command> {
    let has = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    // Without a display it would start a browser of the terminal's, in the middle of our own words.
    (has("DISPLAY") || has("WAYLAND_DISPLAY")).then(|| {
        let mut browser = Command::new("xdg-open");
        browser.arg(url);
        browser
    })
}

#[cfg(target_os = "macos")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
fn opener(url: &str) -> Option<Command> {
    let mut browser = Command::new("open");
    browser.arg(url);
    Some(browser)
}

#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
fn opener(url: &str) -> Option<Command> {
    let mut browser = Command::new("rundll32");
    browser.args(["url.dll,FileProtocolHandler", url]);
    Some(browser)
}

/// Starts it without our streams: whatever it has to say is nobody's answer.
fn start(mut browser: Command) -> bool {
    for variable in SECRET_VARIABLES {
        browser.env_remove(variable);
    }
    browser
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    browser.spawn().is_ok_and(is_at_work)
}

/// Still running, or ended well.
fn is_at_work(mut browser: Child) -> bool {
    let end = Instant::now() + STARTING;
    loop {
        match browser.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            _ => return true,
        }
    }
}
