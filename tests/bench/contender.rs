//! A program with all that belongs to one run of it, and what was measured.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::meter::{Count, Meter};
use crate::row::Row;

/// What git asks.
pub(crate) const REQUEST: &str = "protocol=https\nhost=bitbucket.org\n\n";

#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) row: Row,
    pub(crate) times: Vec<Duration>,
    counts: Vec<(Count, u64)>,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: String,
    expected: String,
    prepare: Rc<dyn Fn() -> Result<()>>,
    rounds: usize,
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
            counts: Vec::new(),
            program: program.into(),
            arguments: Vec::new(),
            environment,
            input: REQUEST.to_owned(),
            expected: String::new(),
            prepare: Rc::new(|| Ok(())),
            rounds: usize::MAX,
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

    /// What is done before each run, and not measured.
    pub(crate) fn prepare(mut self, prepare: impl Fn() -> Result<()> + 'static) -> Self {
        self.prepare = Rc::new(prepare);
        self
    }

    /// Runs in so many of the rounds only: it takes long.
    pub(crate) fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Runs it once in preparation; what it answered.
    pub(crate) fn answer(&self) -> Result<String> {
        (self.prepare)()?;
        let output = self.run(Command::new(&self.program).args(&self.arguments))?;
        self.check(&output)?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// From before the start of the process until its answer has been read and it has ended.
    pub(crate) fn run_against_the_clock(&mut self) -> Result<()> {
        if self.times.len() == self.rounds {
            return Ok(());
        }
        (self.prepare)()?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let start = Instant::now();
        let output = self.run(&mut command)?;
        self.times.push(start.elapsed());
        self.check(&output)
    }

    /// Of one run, and of memory the most of three: what is counted is nearly the same each time.
    pub(crate) fn count(&mut self, meter: &Meter) -> Result<()> {
        let runs = if meter.count == Count::Memory { 3 } else { 1 };
        let mut most = 0;
        for _ in 0..runs {
            (self.prepare)()?;
            let mut command = meter.command(&self.program);
            let output = self.run(command.args(&self.arguments))?;
            match self.check(&output) {
                // valgrind does not get along with each program of others, such as those in Go.
                Err(_) if !self.row.helper.is_ours() => return Ok(()),
                outcome => outcome?,
            }
            most = most.max(meter.read()?);
        }
        self.counts.push((meter.count, most));
        Ok(())
    }

    pub(crate) fn counted(&self, count: Count) -> Option<u64> {
        let known = self.counts.iter().find(|(known, _)| *known == count);
        known.map(|(_, number)| *number)
    }

    /// Of the program's file, in bytes.
    pub(crate) fn size(&self) -> Option<u64> {
        fs::metadata(&self.program).ok().map(|file| file.len())
    }

    pub(crate) fn minimum(&self) -> Duration {
        self.times.iter().min().copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// The median of what its time was as a part of the other's in the same round: the machine has moods, and those are
    /// the same for both.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        let pairs = self.times.iter().zip(&other.times);
        let mut ratios: Vec<f64> = pairs
            .map(|(own, other)| own.as_secs_f64() / other.as_secs_f64())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
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
