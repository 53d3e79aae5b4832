//! Keeps secrets out of core files, debuggers and panic messages.

use std::io::{self, Write as _};
use std::panic::{self, Location};

/// Hides our memory from other programs of the same user, core files and panic messages.
pub(crate) fn keep_to_itself() {
    panic::set_hook(Box::new(|panic| {
        // Never the payload: it may quote a secret.
        let _ = io::stderr().write_all(last_words(panic.location()).as_bytes());
    }));
    forbid_looking_in();
}

fn last_words(location: Option<&Location<'_>>) -> String {
    let place = location.map_or_else(
        || "at an unknown place".to_owned(),
        |location| format!("at {}:{}", location.file(), location.line()),
    );
    format!(
        "git-credential-bitbucket: error: internal error {place}\n\
         git-credential-bitbucket: hint: try again; if it fails again, report this line\n"
    )
}

/// Where the system refuses, we answer all the same.
#[cfg(unix)]
fn forbid_looking_in() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    // PR_SET_DUMPABLE(2const): no ptrace(2), and /proc/PID/mem and /proc/PID/environ are for root alone. macOS has
    // `PT_DENY_ATTACH` for it, which cannot be called without `unsafe`; there a signed program is protected as well.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Windows writes no core files unless an administrator says so.
#[cfg(windows)]
fn forbid_looking_in() {}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::last_words;

    #[test]
    fn the_last_words_name_the_place_and_nothing_else() {
        let location = Location::caller();
        let words = last_words(Some(location));
        assert!(words.contains(&format!("at {}:{}\n", location.file(), location.line())));
        assert!(last_words(None).contains("at an unknown place"));
    }
}
