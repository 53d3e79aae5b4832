//! Running another program, for so long and no longer.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

/// The variables in which a user hands us a secret. No program that we start inherits them.
pub(crate) const SECRET_VARIABLES: [&str; 4] = [
    "BITBUCKET_API_TOKEN",
    "BITBUCKET_ACCESS_TOKEN",
    "BITBUCKET_TOKEN",
    "BITBUCKET_APP_PASSWORD",
];

/// What a program left behind.
pub(crate) struct Output {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) answer: Zeroizing<Vec<u8>>,
    pub(crate) errors: Zeroizing<Vec<u8>>,
}

/// Runs a program to its end; nothing when that does not come within `patience`: then it is killed with all it started.
///
/// # Errors
/// When it cannot be started, or what it says cannot be read.
pub(crate) fn run(
    mut command: Command,
    input: &[u8],
    patience: Duration,
) -> io::Result<Option<Output>> {
    in_a_group_of_its_own(&mut command);
    run_to_its_end(command, input, patience, end_group)
}

/// The same for a program that may ask a person on our terminal: that is for our own group of processes alone, any other
/// would be stopped there. So it alone is killed when time is up, and what it started lives on.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_at_the_terminal(
    command: Command,
    input: &[u8],
    patience: Duration,
) -> io::Result<Option<Output>> {
    run_to_its_end(command, input, patience, end)
}

fn run_to_its_end(
    mut command: Command,
    input: &[u8],
    patience: Duration,
    end: impl Fn(&mut Child),
) -> io::Result<Option<Output>> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let deadline = Instant::now() + patience;
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = Zeroizing::new(input.to_vec());
        // Who does not read it does not want it, and must not keep us waiting.
        thread::spawn(move || stdin.write_all(&input));
    }
    let answer = child.stdout.take().map(in_the_background);
    let errors = child.stderr.take().map(in_the_background);
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
    Ok(Some(Output {
        code: status.code(),
        answer: texts.next().unwrap_or_default(),
        errors: texts.next().unwrap_or_default(),
    }))
}

fn in_the_background(
    stream: impl Read + Send + 'static,
) -> mpsc::Receiver<io::Result<Zeroizing<Vec<u8>>>> {
    let (reporter, report) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more when time was up.
        let _ = reporter.send(read_whole(stream));
    });
    report
}

fn read_whole(mut stream: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    /// What is longer is cut off: no answer that we ask for is. Who goes on writing then is ended by that.
    const LONGEST: usize = 1 << 20;
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 17));
    let mut part = Zeroizing::new([0; 1 << 14]);
    loop {
        let read = stream.read(&mut part[..])?;
        if read == 0 || text.len() + read > LONGEST {
            return Ok(text);
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
