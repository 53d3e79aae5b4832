//! The one way to start a program: without our secrets in its environment. A program that we wait for has a time limit
//! and an output limit.

use std::env;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{self, Read, Write as _};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use crate::sys::limit::until;
#[cfg(not(unix))]
use crate::sys::secret::Secret;
use crate::sys::secret::SecretBuffer;
use crate::sys::variables;

/// The variables in which a user hands us a secret. No program that we start inherits them.
pub(crate) const SECRET_VARIABLES: [&str; 4] = [
    "BITBUCKET_API_TOKEN",
    "BITBUCKET_ACCESS_TOKEN",
    "BITBUCKET_TOKEN",
    "BITBUCKET_APP_PASSWORD",
];

/// The variables with tokens of other services. A program inherits them only when it may need to sign in there.
const SERVICE_VARIABLES: [&str; 5] = [
    "BITBUCKET_STEP_OIDC_TOKEN",
    "BAO_TOKEN",
    "VAULT_TOKEN",
    // Git Credential Manager's, for the OAuth client of a person who signs in.
    "GCM_BITBUCKET_CLOUD_CLIENTSECRET",
    "GCM_BITBUCKET_DATACENTER_CLIENTSECRET",
];

#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    /// One that is not is told when it is run.
    is_found: bool,
    at_the_terminal: bool,
    cap: usize,
}

/// What a program printed, and its exit status.
pub(crate) struct Output {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) answer: SecretBuffer,
    pub(crate) errors: SecretBuffer,
}

/// Enough for a program that prints one secret or a few lines.
const CAP: usize = 1 << 20;

/// Whether [`Program::run`] failed because the program printed more than its cap.
pub(crate) fn is_too_long(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

impl Program {
    /// A name on PATH, or a path. Relative folders of PATH are skipped: git runs us inside repositories, and a
    /// repository may contain such a folder.
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let path = found(Path::new(name.as_ref()));
        let is_found = path.is_some();
        let mut command = Command::new(path.unwrap_or_default());
        // Its own messages and `ps` show the name, as if the system had looked it up.
        #[cfg(unix)]
        command.arg0(name.as_ref());
        for variable in SECRET_VARIABLES.iter().chain(&SERVICE_VARIABLES) {
            command.env_remove(variable);
        }
        Self {
            command,
            is_found,
            at_the_terminal: false,
            cap: CAP,
        }
    }

    pub(crate) fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// It may fetch its secrets with the tokens of Vault and of a pipeline.
    pub(crate) fn with_service_tokens(self) -> Self {
        let known = |variable| Some((variable, variables::value(variable)?));
        let tokens = SERVICE_VARIABLES.into_iter().filter_map(known);
        tokens.fold(self, |program, (variable, value)| {
            program.env(variable, value)
        })
    }

    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.command.env_remove(variable);
        self
    }

    /// It may ask a person on our terminal, so it stays in our group of processes: the system stops a program of
    /// another group there. When its time is up, it alone is killed; the processes that it started live on.
    pub(crate) fn at_the_terminal(self, may_ask: bool) -> Self {
        Self {
            at_the_terminal: may_ask,
            ..self
        }
    }

    /// More output than this many bytes is an error.
    pub(crate) fn cap(self, cap: usize) -> Self {
        Self { cap, ..self }
    }

    fn command(self) -> io::Result<Command> {
        let missing = || io::ErrorKind::NotFound.into();
        self.is_found.then_some(self.command).ok_or_else(missing)
    }

    /// Runs it to its end. None when it does not end within `limit`: then it is killed with all it started.
    pub(crate) fn run(self, input: &[u8], limit: Duration) -> io::Result<Option<Output>> {
        if limit.is_zero() {
            return Ok(None);
        }
        let (at_the_terminal, cap) = (self.at_the_terminal, self.cap);
        let mut command = self.command()?;
        let end = if at_the_terminal {
            end
        } else {
            // So that it can be ended with the processes that it starts, for instance through a shell.
            #[cfg(unix)]
            command.process_group(0);
            end_group
        };
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let deadline = Instant::now() + limit;
        let mut child = command.spawn()?;
        let output = output_of(&mut child, input, deadline, cap);
        if !matches!(output, Ok(Some(_))) {
            end(&mut child);
        }
        output
    }

    /// Replaces this process by the program, so that standard streams, signals and exit status are the program's. It
    /// has no time limit: the user started it and waits for it.
    #[cfg(unix)]
    pub(crate) fn become_it(self) -> io::Error {
        match self.command() {
            Ok(mut command) => command.exec(),
            Err(error) => error,
        }
    }

    /// Runs the program with this input and returns its exit status. It has no time limit: the user started it and
    /// waits for it.
    #[cfg(not(unix))]
    pub(crate) fn run_for_the_user(self, input: &Secret) -> io::Result<Option<i32>> {
        let mut child = self.command()?.stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ended early says why itself.
            let _ = stdin.write_all(input.expose());
        }
        Ok(child.wait()?.code())
    }

    /// Starts it without our streams and leaves it running. False when it fails within `watch`.
    pub(crate) fn leave_running(self, watch: Duration) -> bool {
        let start = || {
            let mut command = self.command()?;
            command.stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn()?;
            until(Instant::now() + watch, || child.try_wait())
        };
        start().is_ok_and(|status| status.is_none_or(|status| status.success()))
    }
}

/// The file to start for a name; a path stands for itself.
pub(crate) fn found(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name.to_owned());
    }
    on_path(name).next()
}

/// The programs of this name in the absolute folders of PATH, in its order.
pub(crate) fn on_path(name: &Path) -> impl Iterator<Item = PathBuf> {
    let path = variables::value("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    let folders: Vec<PathBuf> = folders.collect();
    let mut name = name.to_owned();
    if cfg!(windows) && name.extension().is_none() {
        name.set_extension("exe");
    }
    let paths = folders.into_iter().map(move |folder| folder.join(&name));
    paths.filter(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    let can_run = |known: &Metadata| known.permissions().mode() & 0o111 != 0;
    #[cfg(not(unix))]
    let can_run = |_: &Metadata| true;
    path.metadata()
        .is_ok_and(|known| known.is_file() && can_run(&known))
}

/// None when it does not end before the deadline.
fn output_of(
    child: &mut Child,
    input: &[u8],
    deadline: Instant,
    cap: usize,
) -> io::Result<Option<Output>> {
    if let Some(mut stdin) = child.stdin.take() {
        let input = Zeroizing::new(input.to_vec());
        // A child that ignores its input must not block us.
        thread::spawn(move || stdin.write_all(&input));
    }
    let answer = in_the_background(child.stdout.take(), cap);
    let errors = in_the_background(child.stderr.take(), cap);
    let text_of = |report: Receiver<io::Result<SecretBuffer>>| {
        let left = deadline.saturating_duration_since(Instant::now());
        report.recv_timeout(left).ok().transpose()
    };
    let (Some(answer), Some(errors)) = (text_of(answer)?, text_of(errors)?) else {
        return Ok(None);
    };
    // A program that has closed its output may still run.
    let status = until(deadline, || child.try_wait())?;
    Ok(status.map(|status| Output {
        code: status.code(),
        answer,
        errors,
    }))
}

fn in_the_background(
    stream: Option<impl Read + Send + 'static>,
    cap: usize,
) -> Receiver<io::Result<SecretBuffer>> {
    let (reporter, report) = mpsc::channel();
    thread::spawn(move || {
        let text = stream.map(|stream| SecretBuffer::read(stream, cap));
        // Once the time is up, nobody receives it.
        let _ = reporter.send(text.unwrap_or_else(|| Ok(SecretBuffer::default())));
    });
    report
}

fn end_group(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails when the group has already ended.
        let _ = kill_process_group(group, Signal::KILL);
    }
    end(child);
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Program, found, is_too_long};

    #[test]
    fn a_program_is_never_taken_from_a_relative_folder() {
        assert!(found(Path::new("no-such-program-anywhere")).is_none());
        assert!(found(Path::new("sh")).is_some_and(|path| path.is_absolute()));
        assert_eq!(
            found(Path::new("/bin/sh")).as_deref(),
            Some(Path::new("/bin/sh"))
        );
    }

    #[test]
    fn output_that_is_longer_than_the_cap_is_an_error() {
        let run = |cap| {
            let program = Program::new("sh").args(["-c", "head -c 100000 /dev/zero"]);
            program.cap(cap).run(b"", Duration::from_secs(10))
        };
        for cap in [0, 50_000, 99_999] {
            let error = run(cap).err().expect("it is too long");
            assert!(is_too_long(&error), "{error}");
        }
        let output = run(100_000).expect("it is short enough").expect("it ends");
        assert_eq!(output.answer.len(), 100_000);
    }

    #[test]
    fn without_time_nothing_is_started() {
        let output = Program::new("sh").run(b"", Duration::ZERO);
        assert!(output.expect("no error").is_none());
    }
}
