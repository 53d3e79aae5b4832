//! A prompt that hides what is typed. However it ends, or is stopped, the terminal is restored.
//!
//! A process that a signal ends runs no destructors. So during the prompt signals (Ctrl-C, Ctrl-Z, Ctrl-\, `kill`, a
//! closed terminal) are only noted. The reader restores the terminal and then lets the signal act.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{Signal, getpgrp, getsid, kill_current_process_group};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::flag::{register_conditional_default, register_usize};
use signal_hook::low_level::emulate_default_handler;

/// A terminal that hides its input. `rpassword` reads it one character at a time, through [`Line`].
pub(crate) struct Quiet {
    terminal: File,
    before: Termios,
    /// Whether input is hidden now.
    is_set: Cell<bool>,
    prompt: String,
    signals: &'static Signals,
}

impl Quiet {
    /// Shows the prompt and hides the input.
    pub(crate) fn ask(terminal: File, prompt: &str) -> io::Result<Self> {
        let quiet = Self {
            before: tcgetattr(&terminal)?,
            is_set: Cell::new(false),
            terminal,
            prompt: prompt.to_owned(),
            signals: Signals::hold()?,
        };
        quiet.begin()?;
        Ok(quiet)
    }

    /// Whether more was pasted behind the end of a line. Nobody types that fast.
    pub(crate) fn goes_on(&self) -> io::Result<bool> {
        thread::sleep(PAUSE / 2);
        Ok(ioctl_fionread(&self.terminal)? > 0)
    }

    fn begin(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        // termios(3): ICANON would cut off a long line. Without ISIG Ctrl-C comes to us and does not end git.
        modes.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        modes.special_codes[SpecialCodeIndex::VTIME] = TENTHS;
        tcsetattr(&self.terminal, OptionalActions::Now, &modes)?;
        self.is_set.set(true);
        let mut output = &self.terminal;
        output.write_all(self.prompt.as_bytes())?;
        output.flush()
    }

    fn end(&self) {
        // Only once: by now a shell may have taken the terminal over.
        if self.is_set.replace(false) {
            // It fails only when the terminal is closed.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }

    /// Restores the terminal and lets a signal act.
    fn meet(&self, signal: i32) -> io::Result<()> {
        match signal {
            SIGINT => return Err(io::ErrorKind::Interrupted.into()),
            SIGTSTP if !can_be_continued() => return Ok(()),
            _ => {}
        }
        self.end();
        emulate_default_handler(signal)?;
        // We come here when we were stopped and are continued.
        self.begin()
    }
}

pub(crate) struct Line(pub(crate) Rc<Quiet>);

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self(quiet) = self;
        let [first, ..] = buffer else {
            return Ok(0);
        };
        loop {
            while let Some(signal) = quiet.signals.take() {
                quiet.meet(signal)?;
            }
            // A signal ends this wait at once, and no read.
            let mut source = [PollFd::new(&quiet.terminal, PollFlags::IN)];
            match poll(&mut source, Some(&WAIT)) {
                Ok(0) | Err(Errno::INTR) => continue,
                is_ready => is_ready?,
            };
            let start = Instant::now();
            match (&quiet.terminal).read(std::slice::from_mut(first)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
                // No input within the pause. A closed terminal returns at once.
                Ok(0) if start.elapsed() > PAUSE / 2 => continue,
                Ok(0) => return Ok(0),
                Ok(_) => {}
            }
            let codes = &quiet.before.special_codes;
            let signal = match *first {
                DISABLED => return Ok(1),
                key if key == codes[SpecialCodeIndex::VQUIT] => Signal::QUIT,
                key if key == codes[SpecialCodeIndex::VSUSP] && can_be_continued() => Signal::TSTP,
                key if key == codes[SpecialCodeIndex::VSUSP] => continue,
                _ => return Ok(1),
            };
            // As the terminal itself does: git waits for us in the same group. The shell waits only for git and takes
            // the terminal over before we run again.
            quiet.end();
            kill_current_process_group(signal)?;
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        self.end();
        self.signals.is_free.store(true, Ordering::SeqCst);
    }
}

/// A signal may come before a wait begins.
const WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// How long a read waits, in the unit of termios(3). It must end: macOS cannot poll a terminal and reports input at
/// once, and another process may take the input.
const TENTHS: u8 = 2;
const PAUSE: Duration = Duration::from_millis(100 * TENTHS as u64);

/// `_POSIX_VDISABLE`, termios(3): a key that does nothing.
const DISABLED: u8 = 0;

/// Whether a shell with job control runs above us. Without one (`ssh -t HOST git fetch`: the session's first process is
/// in our group) nobody would continue a stopped process.
fn can_be_continued() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

/// What a signal does: between prompts it acts as usual, during one it is noted. The handlers stay.
struct Signals {
    is_free: Arc<AtomicBool>,
    /// The last that has arrived, or 0.
    noted: Arc<AtomicUsize>,
}

impl Signals {
    const MET: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];

    /// From now on signals are only noted.
    fn hold() -> io::Result<&'static Self> {
        static SIGNALS: LazyLock<io::Result<Signals>> = LazyLock::new(Signals::new);
        let signals = SIGNALS.as_ref().map_err(io::Error::kind)?;
        // Signals between two prompts have already acted.
        signals.take();
        signals.is_free.store(false, Ordering::SeqCst);
        Ok(signals)
    }

    fn new() -> io::Result<Self> {
        let signals = Self {
            is_free: Arc::new(AtomicBool::new(true)),
            noted: Arc::default(),
        };
        for signal in Self::MET {
            register_conditional_default(signal, Arc::clone(&signals.is_free))?;
            let number = usize::try_from(signal).map_err(io::Error::other)?;
            register_usize(signal, Arc::clone(&signals.noted), number)?;
        }
        Ok(signals)
    }

    /// A signal that has arrived.
    fn take(&self) -> Option<i32> {
        let number = self.noted.swap(0, Ordering::SeqCst);
        i32::try_from(number).ok().filter(|signal| *signal != 0)
    }
}
