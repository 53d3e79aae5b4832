//! The home of the tour: a private folder, and an environment in which nothing leads out of it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::stand_in::StandIn;

pub(crate) struct Home {
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// What a command did.
pub(crate) struct Outcome {
    /// stdout and stderr, as a terminal would have shown them.
    pub(crate) text: String,
    pub(crate) code: i32,
}

impl Home {
    pub(crate) fn make(folder: PathBuf, program: &Path, bitbucket: &StandIn) -> Result<Self> {
        let folder = make(folder)?;
        let environment = environment(&folder, program, bitbucket)?;
        Ok(Self {
            folder,
            environment,
        })
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write '{}'", path.display()))
    }

    /// Runs a command as a shell in this home would, without a terminal.
    pub(crate) fn run(&self, command: &str) -> Result<Outcome> {
        let (mut reader, writer) = io::pipe()?;
        let mut child = Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()
            .context("cannot run 'sh'")?;
        let mut output = Vec::new();
        reader.read_to_end(&mut output)?;
        let status = child.wait()?;
        Ok(Outcome {
            text: String::from_utf8_lossy(&output).into_owned(),
            code: status.code().context("a signal ended the command")?,
        })
    }
}

impl Outcome {
    /// The text, which has to hold `expected`.
    pub(crate) fn require(self, expected: &str) -> Result<String> {
        ensure!(
            self.text.contains(expected),
            "that should have said '{expected}'"
        );
        Ok(self.text)
    }
}

pub(crate) fn make(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir(&folder).with_context(|| format!("cannot make '{}'", folder.display()))?;
    Ok(folder)
}

/// Nothing is inherited but the search path, so that no variable names the user's own files, keyring or proxy.
fn environment(
    home: &Path,
    program: &Path,
    bitbucket: &StandIn,
) -> Result<Vec<(OsString, OsString)>> {
    let beside_the_program = program.parent().context("a program lies in a folder")?;
    let mut path = vec![beside_the_program.to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut environment: Vec<(OsString, OsString)> = vec![
        ("PATH".into(), env::join_paths(path)?),
        ("HOME".into(), home.into()),
        ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
        ("GIT_TERMINAL_PROMPT".into(), "0".into()),
        ("LC_ALL".into(), "C".into()),
    ];
    if cfg!(windows) {
        // There HOME does not say where a program's files go, and sockets need the system's folder.
        let own = home.join("git-credential-bitbucket");
        environment.push(("GIT_CREDENTIAL_BITBUCKET_HOME".into(), own.into()));
        let system = env::var_os("SystemRoot");
        environment.extend(system.map(|folder| ("SystemRoot".into(), folder)));
    }
    for (name, value) in bitbucket.environment() {
        environment.push((name.into(), value.into()));
    }
    Ok(environment)
}
