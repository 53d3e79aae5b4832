//! A program with all that belongs to one run of it, and what was measured.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::memory::Memory;

/// What git asks.
pub(crate) const REQUEST: &str = "protocol=https\nhost=bitbucket.org\n\n";

/// The rows of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    OursFile,
    OursEnvironment,
    OursKeyring,
    OursStore,
    /// As install.sh builds it where it can.
    StaticFile,
    StaticEnvironment,
    StaticKeyring,
    GitStore,
    GitCache,
    GitLibsecret,
    Empty,
}

pub(crate) struct Contender {
    pub(crate) row: Row,
    pub(crate) times: Vec<Duration>,
    /// The most it ever had in memory, in KiB.
    pub(crate) memory: Option<u64>,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: String,
    expected: String,
}

impl Contender {
    pub(crate) fn new(
        row: Row,
        program: impl Into<PathBuf>,
        environment: Vec<(OsString, OsString)>,
    ) -> Self {
        Self {
            row,
            times: Vec::new(),
            memory: None,
            program: program.into(),
            arguments: Vec::new(),
            environment,
            input: REQUEST.to_owned(),
            expected: String::new(),
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn input(mut self, input: &str) -> Self {
        input.clone_into(&mut self.input);
        self
    }

    /// The password it has to answer with.
    pub(crate) fn expect(mut self, password: &str) -> Self {
        self.expected = format!("password={password}\n");
        self
    }

    /// Runs it once in preparation; what it answered.
    pub(crate) fn answer(&self) -> Result<String> {
        let output = self.run(Command::new(&self.program).args(&self.arguments))?;
        self.check(&output)?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// From before the start of the process until its answer has been read and it has ended.
    pub(crate) fn run_against_the_clock(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let start = Instant::now();
        let output = self.run(&mut command)?;
        self.times.push(start.elapsed());
        self.check(&output)
    }

    pub(crate) fn measure_memory(&mut self, memory: &Memory) -> Result<()> {
        for _ in 0..5 {
            let mut command = memory.command(&self.program);
            let output = self.run(command.args(&self.arguments))?;
            self.check(&output)?;
            self.memory = self.memory.max(Some(memory.read()?));
        }
        Ok(())
    }

    pub(crate) fn minimum(&self) -> Duration {
        self.times.iter().min().copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    fn run(&self, command: &mut Command) -> Result<Output> {
        let mut child = command
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start '{}'", self.program.display()))?;
        let mut pipe = child.stdin.take().expect("its input is piped");
        match pipe.write_all(self.input.as_bytes()) {
            // The empty program reads nothing.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => drop(pipe),
        }
        Ok(child.wait_with_output()?)
    }

    fn check(&self, output: &Output) -> Result<()> {
        let answer = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && answer.contains(&self.expected),
            "'{}' {:?} did not answer as it should: {}",
            self.program.display(),
            self.arguments,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        Ok(())
    }
}
