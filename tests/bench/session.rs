//! Where everything runs: a private home and, where the tools are there, a session bus with a keyring of its own.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

const TOOLS: [&str; 3] = ["dbus-run-session", "gnome-keyring-daemon", "gdbus"];

/// Unlocks a new keyring, waits until it is on the bus, and becomes the command behind it.
const WITH_KEYRING: &str = "\
printf 'password\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 10 org.freedesktop.secrets
exec \"$@\"";

pub(crate) struct Session {
    pub(crate) folder: PathBuf,
    bus: Option<OsString>,
}

impl Session {
    pub(crate) fn without_keyring(folder: PathBuf) -> Self {
        Self { folder, bus: None }
    }

    /// The session that [`command`] has made.
    pub(crate) fn with_keyring(folder: PathBuf) -> Result<Self> {
        let bus = env::var_os("DBUS_SESSION_BUS_ADDRESS").context("there is no session bus")?;
        Ok(Self {
            folder,
            bus: Some(bus),
        })
    }

    /// All the environment a contender has: nothing in it leads to the user's own files or keyring.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut environment = environment(&self.folder);
        let bus = self.bus.clone();
        environment.extend(bus.map(|bus| ("DBUS_SESSION_BUS_ADDRESS".into(), bus)));
        environment
    }

    /// One of the programs that lie beside git's own commands.
    pub(crate) fn git_program(&self, name: &str) -> Result<PathBuf> {
        let output = Command::new("git")
            .arg("--exec-path")
            .env_clear()
            .envs(self.environment())
            .output()
            .context("cannot run 'git'")?;
        let folder = String::from_utf8(output.stdout)?;
        let program = Path::new(folder.trim_end()).join(name);
        let program = program.with_extension(env::consts::EXE_EXTENSION);
        ensure!(program.exists(), "this git has none");
        Ok(program)
    }
}

/// Why there can be no rows for the keyring.
pub(crate) fn why_no_keyring() -> Option<String> {
    if cfg!(not(feature = "keyring")) {
        return Some("this build is without the feature 'keyring'".to_owned());
    }
    let missing = TOOLS.into_iter().filter(|tool| find(tool).is_none());
    let missing: Vec<&str> = missing.collect();
    (!missing.is_empty()).then(|| format!("{} missing", missing.join(", ")))
}

/// A command in a new session below the folder; what it runs in there is still to come.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "sh", "-c", WITH_KEYRING, "sh"])
        .env_clear()
        .envs(environment(folder))
        .envs(env::var_os("REQUIRE_ALL").map(|value| ("REQUIRE_ALL", value)));
    command
}

fn environment(folder: &Path) -> Vec<(OsString, OsString)> {
    vec![
        ("PATH".into(), env::var_os("PATH").unwrap_or_default()),
        ("HOME".into(), folder.into()),
        ("XDG_DATA_HOME".into(), folder.join("data").into()),
        // It has to be private, which a temporary folder is.
        ("XDG_RUNTIME_DIR".into(), folder.into()),
        ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
    ]
}

/// Where a program lies on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.exists())
}
