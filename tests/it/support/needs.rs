//! What a test needs from the machine, and what is skipped without it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `tests/run.sh --all` sets it: then nothing is skipped.
const REQUIRE_ALL: &str = "REQUIRE_ALL";

/// All that a test may use otherwise: what the table `needs` of `tests/run.sh` installs, and what each Linux has.
pub(crate) const COMMON: &[&str] = &[
    "cc",
    "curl",
    "dbus-daemon",
    "dbus-run-session",
    "gdbus",
    "git",
    "git-lfs",
    "gnome-keyring-daemon",
    "mount",
    "nsenter",
    "secret-tool",
    "setpriv",
    "setsid",
    "timeout",
    "unshare",
];

/// Whether these tools are there, and may be used.
pub(crate) fn has(tools: &[&str]) -> bool {
    let all = std::env::var_os(REQUIRE_ALL).is_some();
    let path = std::env::var("PATH").unwrap_or_default();
    let is_there = |tool: &&str| {
        path.split(':')
            .any(|folder| Path::new(folder).join(tool).exists())
    };
    let may_use = |tool: &&str| all || COMMON.contains(tool);
    let without: Vec<&str> = tools
        .iter()
        .copied()
        .filter(|tool| !may_use(tool) || !is_there(tool))
        .collect();
    without.is_empty() || {
        skip(&without);
        false
    }
}

/// The same for what `tests/run.sh --all` installs below target.
pub(crate) fn has_installed(path: &Path) -> bool {
    path.is_absolute() && has(&[path.to_str().unwrap()])
}

/// Says that the test, or a part of it, is skipped without these; fails it where nothing may be.
pub(crate) fn skip(without: &[&str]) {
    assert!(
        std::env::var_os(REQUIRE_ALL).is_none(),
        "missing: {without:?}"
    );
    note(without);
}

/// A line for `tests/without.rs`, which is the last of the same `cargo test`.
fn note(without: &[&str]) {
    eprintln!("skipped: {without:?}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let names: Vec<_> = without
        .iter()
        .map(|it| it.rsplit('/').next().unwrap())
        .collect();
    let line = format!("{test}\t{}\n", names.join("\t"));
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(notes())
        .unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

fn notes() -> PathBuf {
    let name = format!("skipped-{}", std::os::unix::process::parent_id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// How often to try what may go wrong at any moment: `tests/run.sh --all` all of it, a plain `cargo test` the eighth
/// part.
pub(crate) fn rounds(all: usize) -> usize {
    if std::env::var_os(REQUIRE_ALL).is_some() {
        all
    } else {
        all.div_ceil(8)
    }
}
