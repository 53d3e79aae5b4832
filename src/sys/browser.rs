//! Opens a page in the user's browser.

use std::time::Duration;

use crate::sys::child::Program;
use crate::sys::variables;

/// How long a browser is watched: one that cannot start fails at once.
const STARTING: Duration = Duration::from_secs(2);

/// Opens a page. True when a browser seems to have started.
///
/// `$BROWSER` is read as xdg-open(1) reads it: commands separated by colons, with `%s` for the address. The first that
/// works is used, even without a display.
pub(crate) fn open(url: &str) -> bool {
    let named = variables::text("BROWSER").unwrap_or_default();
    let named = named.split(':').filter(|it| !it.trim().is_empty());
    let named = named.map(|command| program_of(command, url));
    let mut browsers = named.chain(opener(url));
    browsers.any(|browser| browser.leave_running(STARTING))
}

fn program_of(command: &str, url: &str) -> Program {
    let mut words = command.split_whitespace();
    let browser = Program::new(words.next().unwrap_or_default());
    let browser = browser.args(words.map(|word| word.replace("%s", url)));
    browser.args((!command.contains("%s")).then_some(url))
}

/// The desktop's own, if there is a desktop.
fn opener(url: &str) -> Option<Program> {
    if cfg!(windows) {
        return Some(Program::new("rundll32").args(["url.dll,FileProtocolHandler", url]));
    }
    if cfg!(target_os = "macos") {
        return Some(Program::new("open").args([url]));
    }
    let has = |name| variables::filled(name).is_some();
    // Without a display it would start a browser in our terminal.
    (has("DISPLAY") || has("WAYLAND_DISPLAY")).then(|| Program::new("xdg-open").args([url]))
}
