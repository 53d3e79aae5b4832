//! A terminal on which what is typed does not show; whatever ends the prompt, or stops it, gives the terminal back as
//! it was.
//!
//! A process that a signal ends runs no destructors. So while somebody types, the signals that people and sessions
//! send (Ctrl-C, Ctrl-Z, Ctrl-\, `kill`, a terminal that is closed) only wake the reader, which puts the terminal right
//! before it lets the signal have its way.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpgrp, getsid, kill_current_process_group};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::{emulate_default_handler, pipe};

/// A terminal from which one character is read at a time, as `rpassword` wants it.
pub(crate) struct Quiet {
    terminal: File,
    before: Termios,
    prompt: String,
    signals: &'static Signals,
}

impl Quiet {
    /// Shows the prompt, and from now on not what is typed.
    ///
    /// # Errors
    /// When it is no terminal, or is gone.
    pub(crate) fn ask(terminal: File, prompt: &str) -> io::Result<Self> {
        let quiet = Self {
            before: tcgetattr(&terminal)?,
            terminal,
            prompt: prompt.to_owned(),
            signals: Signals::hold()?,
        };
        quiet.begin()?;
        Ok(quiet)
    }

    fn begin(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        // termios(3): without ICANON, which would cut off a long line, and without ISIG, so that Ctrl-C is answered
        // by us and does not take git along.
        modes.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&self.terminal, OptionalActions::Now, &modes)?;
        let mut output = &self.terminal;
        output.write_all(self.prompt.as_bytes())?;
        output.flush()
    }

    fn end(&self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }

    /// Lets a signal have its way, on a terminal as it was.
    fn meet(&self, signal: i32) -> io::Result<()> {
        match signal {
            SIGINT => return Err(io::ErrorKind::Interrupted.into()),
            SIGTSTP if !can_be_continued() => return Ok(()),
            _ => {}
        }
        self.end();
        emulate_default_handler(signal)?;
        // Only who was stopped comes here, when somebody continues it.
        self.begin()
    }

    /// Waits for a character or a signal; whether there is a character.
    fn wait(&self) -> io::Result<bool> {
        let mut sources = vec![PollFd::new(&self.terminal, PollFlags::IN)];
        let wakers = self.signals.wakers.iter();
        sources.extend(wakers.map(|(_, waker)| PollFd::new(waker, PollFlags::IN)));
        match poll(&mut sources, None) {
            Err(error) if error != rustix::io::Errno::INTR => return Err(error.into()),
            _ => {}
        }
        let is_ready = !sources[0].revents().is_empty();
        match self.signals.take() {
            Some(signal) => self.meet(signal).map(|()| false),
            None => Ok(is_ready),
        }
    }
}

impl Read for Quiet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let [first, ..] = buffer else {
            return Ok(0);
        };
        loop {
            while !self.wait()? {}
            if self.terminal.read(std::slice::from_mut(first))? == 0 {
                return Ok(0);
            }
            let codes = &self.before.special_codes;
            // As the terminal itself would do: git, which waits for us, is in the same group.
            if *first == codes[SpecialCodeIndex::VSUSP] && *first != DISABLED {
                if can_be_continued() {
                    kill_current_process_group(Signal::TSTP)?;
                }
            } else if *first == codes[SpecialCodeIndex::VQUIT] && *first != DISABLED {
                kill_current_process_group(Signal::QUIT)?;
            } else {
                return Ok(1);
            }
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        self.end();
        self.signals.is_free.store(true, Ordering::SeqCst);
    }
}

/// `_POSIX_VDISABLE`, termios(3): a key that does nothing.
const DISABLED: u8 = 0;

/// Whether a shell with job control is above us. Where the session's first process is in our group (`ssh -t HOST git
/// fetch`), nobody would ever continue a stopped process.
fn can_be_continued() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

/// The signals that wake the reader of a prompt. Nobody takes a handler back: between prompts each does what it always
/// does.
struct Signals {
    is_free: Arc<AtomicBool>,
    wakers: Vec<(i32, UnixStream)>,
}

impl Signals {
    const MET: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];

    /// From now on signals only wake.
    fn hold() -> io::Result<&'static Self> {
        static SIGNALS: OnceLock<Signals> = OnceLock::new();
        let signals = match SIGNALS.get() {
            Some(signals) => signals,
            None => SIGNALS.get_or_init({
                let signals = Self::new()?;
                || signals
            }),
        };
        // What came between two prompts has had its way.
        while signals.take().is_some() {}
        signals.is_free.store(false, Ordering::SeqCst);
        Ok(signals)
    }

    fn new() -> io::Result<Self> {
        let is_free = Arc::new(AtomicBool::new(true));
        let mut wakers = Vec::new();
        for signal in Self::MET {
            register_conditional_default(signal, Arc::clone(&is_free))?;
            let (waker, end) = UnixStream::pair()?;
            waker.set_nonblocking(true)?;
            pipe::register(signal, end)?;
            wakers.push((signal, waker));
        }
        Ok(Self { is_free, wakers })
    }

    /// A signal that has come.
    fn take(&self) -> Option<i32> {
        let has_come = |waker: &UnixStream| matches!({ waker }.read(&mut [0; 64]), Ok(1..));
        let mut wakers = self.wakers.iter();
        wakers
            .find(|(_, waker)| has_come(waker))
            .map(|(signal, _)| *signal)
    }
}
