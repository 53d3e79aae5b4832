//! Running another program, for so long and no longer.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

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
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    in_a_group_of_its_own(&mut command);
    let mut child = command.spawn()?;
    let (reporter, reports) = mpsc::channel();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    if let Some(mut stdin) = stdin {
        // Who does not read it does not want it.
        let _ = stdin.write_all(input);
    }
    for (stream, is_answer) in [
        (
            stdout.map(|stream| Box::new(stream) as Box<dyn Read + Send>),
            true,
        ),
        (
            stderr.map(|stream| Box::new(stream) as Box<dyn Read + Send>),
            false,
        ),
    ] {
        let reporter = reporter.clone();
        thread::spawn(move || {
            let text = stream.map(read_whole).transpose();
            // Nobody listens any more when time was up.
            let _ = reporter.send((is_answer, text));
        });
    }
    let deadline = Instant::now() + patience;
    let (mut answer, mut errors) = (Zeroizing::default(), Zeroizing::default());
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((is_answer, text)) = reports.recv_timeout(left) else {
            end_group(&mut child);
            return Ok(None);
        };
        let text = text?.unwrap_or_default();
        *(if is_answer { &mut answer } else { &mut errors }) = text;
    }
    let status = child.wait()?;
    Ok(Some(Output {
        code: status.code(),
        answer,
        errors,
    }))
}

fn read_whole(mut stream: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    /// What is longer is cut off: no answer that we ask for is.
    const LONGEST: u64 = 64 << 20;
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 17));
    let mut part = Zeroizing::new([0; 1 << 14]);
    loop {
        let read = stream.read(&mut part[..])?;
        if read == 0 {
            return Ok(text);
        }
        if text.len() + read > text.capacity() {
            // A buffer that grows by itself leaves copies of a secret behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * text.capacity()));
            larger.extend_from_slice(&text);
            text = larger;
        }
        if text.len() as u64 + read as u64 <= LONGEST {
            text.extend_from_slice(&part[..read]);
        }
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
    let _ = child.kill();
    let _ = child.wait();
}
