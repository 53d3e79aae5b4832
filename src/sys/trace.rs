//! The trace of decisions and their times, switched on by `GIT_CREDENTIAL_BITBUCKET_TRACE`. It holds no secret.
//!
//! Its state is of the whole process: the start of the program, and where the trace goes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use crate::sys::error::printable;
use crate::sys::variables;

/// `1` (or `2`, or `true`) traces to stderr, a path to the end of that file, as with git's `GIT_TRACE`.
const VARIABLE: &str = "GIT_CREDENTIAL_BITBUCKET_TRACE";

static TRACE: OnceLock<Option<Trace>> = OnceLock::new();

struct Trace {
    start: Instant,
    sink: Mutex<Box<dyn Write + Send>>,
}

/// Begins the trace, if the variable asks for one.
pub(crate) fn start() {
    TRACE.get_or_init(|| {
        let value = variables::value(VARIABLE)?;
        let sink: Box<dyn Write + Send> = match value.to_str() {
            Some("" | "0" | "false" | "no" | "off") => return None,
            Some("1" | "2" | "true" | "yes" | "on") => Box::new(io::stderr()),
            _ => Box::new(open(Path::new(&value))?),
        };
        Some(Trace {
            start: Instant::now(),
            sink: Mutex::new(sink),
        })
    });
}

/// Writes a line. `what` is only called when there is a trace.
pub(crate) fn say(what: impl FnOnce() -> String) {
    let Some(Some(trace)) = TRACE.get() else {
        return;
    };
    let milliseconds = trace.start.elapsed().as_secs_f64() * 1000.0;
    let line = format!(
        "git-credential-bitbucket: trace: {milliseconds:8.3} ms  {}\n",
        printable(&what())
    );
    if let Ok(mut sink) = trace.sink.lock() {
        // A trace that cannot be written must not stop the work.
        let _ = sink.write_all(line.as_bytes());
    }
}

fn open(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;

        // Somebody else may have put a link there; a named pipe would wait for a reader.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).ok()?;
    is_own(&file).then_some(file)
}

/// Whether it is a regular file, and on Unix the user's: nobody else gets to read the trace.
fn is_own(file: &File) -> bool {
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return false;
        }
    }
    metadata.is_file()
}
