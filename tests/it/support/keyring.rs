//! A desktop session with a keyring of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::harness::{Outcome, TestEnv, has, run};

pub(crate) const TOOLS: [&str; 4] = [
    "dbus-run-session",
    "gnome-keyring-daemon",
    "gdbus",
    "secret-tool",
];

/// Unlocks a new keyring on a new bus, then runs the script.
const SESSION: &str = r#"exec 2>&3
printf 'pw\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 10 org.freedesktop.secrets || exit 99
eval "$1""#;

/// Runs a shell script in a desktop session of its own; nothing when the tools for one are missing.
pub(crate) fn in_session(env: &mut TestEnv, script: &str) -> Option<Outcome> {
    if !has(&TOOLS) {
        return None;
    }
    let runtime = env.path().join("run");
    fs::create_dir_all(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir_all(env.home().join(".local/share")).unwrap();
    env.set("XDG_RUNTIME_DIR", runtime.to_str().unwrap());
    // What the bus itself has to say goes nowhere; the script's words come through a descriptor of their own.
    let mut command = env.command("sh");
    command.args([
        "-c",
        r#"exec 3>&2 2>/dev/null dbus-run-session -- sh -c "$@""#,
        "sh",
        SESSION,
        "sh",
        script,
    ]);
    Some(run(command, b""))
}
