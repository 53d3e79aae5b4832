//! The one way to start a program: with a time limit, without our secrets in its environment, and with an end to what is
//! read of it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

#[cfg(not(unix))]
use crate::sys::secret::Secret;

/// The variables in which a user hands us a secret. No program that we start inherits them.
pub(crate) const SECRET_VARIABLES: [&str; 4] = [
    "BITBUCKET_API_TOKEN",
    "BITBUCKET_ACCESS_TOKEN",
    "BITBUCKET_TOKEN",
    "BITBUCKET_APP_PASSWORD",
];

/// A program to be started.
#[derive(Debug)]
pub(crate) struct Program {
    /// Why it cannot be started is told when it is.
    command: Result<Command, io::ErrorKind>,
    at_the_terminal: bool,
    /// How many bytes of each output stream are read at most.
    cap: usize,
}

/// What a program left behind.
pub(crate) struct Output {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) answer: Zeroizing<Vec<u8>>,
    pub(crate) errors: Zeroizing<Vec<u8>>,
    /// It said more than was read.
    pub(crate) is_cut: bool,
}

/// How much is read of a program that answers with one secret or a few lines.
const CAP: usize = 1 << 20;

impl Program {
    /// A name on PATH, or a path. A relative folder of PATH is passed over: it is another one wherever we run, and may lie in
    /// somebody's repository.
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let path = found(Path::new(name.as_ref()));
        let command = path.map(|path| {
            let mut command = Command::new(path);
            for variable in SECRET_VARIABLES {
                command.env_remove(variable);
            }
            command
        });
        Self {
            command: command.ok_or(io::ErrorKind::NotFound),
            at_the_terminal: false,
            cap: CAP,
        }
    }

    pub(crate) fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        if let Ok(command) = &mut self.command {
            command.args(arguments);
        }
        self
    }

    pub(crate) fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        if let Ok(command) = &mut self.command {
            command.env(variable, value);
        }
        self
    }

    pub(crate) fn without(mut self, variable: &str) -> Self {
        if let Ok(command) = &mut self.command {
            command.env_remove(variable);
        }
        self
    }

    /// It may ask a person on our terminal. That is for our own group of processes alone: a program of another group would
    /// be stopped there. So it alone is killed when its time is up, and what it started lives on.
    pub(crate) fn at_the_terminal(self, may_ask: bool) -> Self {
        Self {
            at_the_terminal: may_ask,
            ..self
        }
    }

    /// Reads at most so many bytes of it.
    pub(crate) fn cap(self, cap: usize) -> Self {
        Self { cap, ..self }
    }

    /// Runs it to its end. None when that does not come within `limit`: then it is killed with all it started.
    ///
    /// # Errors
    /// When it cannot be started, or what it says cannot be read.
    pub(crate) fn run(self, input: &[u8], limit: Duration) -> io::Result<Option<Output>> {
        let mut command = self.command?;
        let end = if self.at_the_terminal {
            end
        } else {
            in_a_group_of_its_own(&mut command);
            end_group
        };
        run_to_its_end(command, input, limit, self.cap, end)
    }

    /// Becomes the program, so that standard streams, signals and exit status are its own. It has no time limit: the user
    /// started it, and waits for it.
    #[cfg(unix)]
    pub(crate) fn become_it(self) -> io::Error {
        match self.command {
            Ok(mut command) => std::os::unix::process::CommandExt::exec(&mut command),
            Err(kind) => kind.into(),
        }
    }

    /// Runs the user's own program with this on its standard input, and without a time limit; its exit status.
    ///
    /// # Errors
    /// When it cannot be started.
    #[cfg(not(unix))]
    pub(crate) fn run_for_the_user(self, input: &Secret) -> io::Result<Option<i32>> {
        let mut child = self.command?.stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ended early says why itself.
            let _ = stdin.write_all(input.expose());
        }
        Ok(child.wait()?.code())
    }

    /// Starts it without our streams and lets it run; whether it is at work after `watch`, or has ended well.
    pub(crate) fn leave_running(self, watch: Duration) -> bool {
        let Ok(mut command) = self.command else {
            return false;
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            return false;
        };
        let status = wait(&mut child, Instant::now() + watch);
        status.is_ok_and(|status| status.is_none_or(|status| status.success()))
    }
}

/// The program that a name means: a path with a separator is itself.
fn found(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name.to_owned());
    }
    on_path(name).next()
}

/// The programs of a name in the absolute folders of PATH, in its order.
pub(crate) fn on_path(name: &Path) -> impl Iterator<Item = PathBuf> {
    let folders: Vec<PathBuf> =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let mut name = name.as_os_str().to_owned();
    if cfg!(windows) && Path::new(&name).extension().is_none() {
        name.push(OsString::from(".exe"));
    }
    let absolute = folders.into_iter().filter(|folder| folder.is_absolute());
    absolute
        .map(move |folder| folder.join(&name))
        .filter(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata()
        .is_ok_and(|known| known.is_file() && known.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

fn run_to_its_end(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    cap: usize,
    end: fn(&mut Child),
) -> io::Result<Option<Output>> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let deadline = Instant::now() + limit;
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = Zeroizing::new(input.to_vec());
        // A child that ignores its input must not block us.
        thread::spawn(move || stdin.write_all(&input));
    }
    let answer = child.stdout.take().map(|it| in_the_background(it, cap));
    let errors = child.stderr.take().map(|it| in_the_background(it, cap));
    let mut texts = Vec::with_capacity(2);
    for reader in [answer, errors].into_iter().flatten() {
        let left = deadline.saturating_duration_since(Instant::now());
        match reader.recv_timeout(left) {
            Ok(Ok(text)) => texts.push(text),
            Ok(Err(error)) => {
                end(&mut child);
                return Err(error);
            }
            Err(_) => {
                end(&mut child);
                return Ok(None);
            }
        }
    }
    let Some(status) = wait(&mut child, deadline)? else {
        end(&mut child);
        return Ok(None);
    };
    let mut texts = texts.into_iter();
    let (answer, is_cut) = texts.next().unwrap_or_default();
    let (errors, _) = texts.next().unwrap_or_default();
    Ok(Some(Output {
        code: status.code(),
        answer,
        errors,
        is_cut,
    }))
}

/// What a stream says, and whether it says more than that.
type Text = (Zeroizing<Vec<u8>>, bool);

fn in_the_background(
    stream: impl Read + Send + 'static,
    cap: usize,
) -> mpsc::Receiver<io::Result<Text>> {
    let (reporter, report) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more when time was up.
        let _ = reporter.send(read_whole(stream, cap));
    });
    report
}

/// A program that goes on writing beyond the cap is ended by the closed stream.
fn read_whole(mut stream: impl Read, cap: usize) -> io::Result<Text> {
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 17));
    let mut part = Zeroizing::new([0; 1 << 14]);
    loop {
        let read = stream.read(&mut part[..])?;
        if read == 0 || text.len() + read > cap {
            return Ok((text, read > 0));
        }
        if text.len() + read > text.capacity() {
            // A buffer that grows by itself leaves copies of a secret behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * text.capacity()));
            larger.extend_from_slice(&text);
            text = larger;
        }
        text.extend_from_slice(&part[..read]);
    }
}

/// Waits for a program that has closed its output: it need not end with that.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    const LONGEST: Duration = Duration::from_millis(20);
    let mut pause = Duration::from_millis(1);
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        thread::sleep(pause);
        pause = LONGEST.min(2 * pause);
    }
}

/// So that what it starts in its turn, through a shell for instance, can be ended with it.
#[cfg(unix)]
fn in_a_group_of_its_own(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn in_a_group_of_its_own(_command: &mut Command) {}

fn end_group(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // What has ended already need not be killed.
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

    use super::{Program, found};

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
    fn what_is_longer_than_the_cap_is_said_to_be_cut() {
        let run = |cap| {
            let program = Program::new("sh").args(["-c", "head -c 100000 /dev/zero"]);
            let output = program.cap(cap).run(b"", Duration::from_secs(10));
            output.expect("it starts").expect("it ends")
        };
        assert!(run(50_000).is_cut && run(50_000).answer.len() <= 50_000);
        assert!(!run(100_000).is_cut);
        assert_eq!(run(100_000).answer.len(), 100_000);
    }
}
