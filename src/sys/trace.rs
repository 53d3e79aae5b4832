//! The trace of decisions and their times, switched on by `GIT_CREDENTIAL_BITBUCKET_TRACE`. It holds no secret.
//!
//! Its state is of the whole process: the start of the program, and where the trace goes.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use crate::sys::error::printable;
use crate::sys::terminal::waiting;
use crate::sys::variables;

/// `1` (or `2`, or `true`) traces to stderr, a path to the end of that file, as with git's `GIT_TRACE`.
const VARIABLES: [&str; 2] = [
    "GIT_CREDENTIAL_BITBUCKET_TRACE",
    "BITBUCKET_CREDENTIAL_TRACE",
];

static TRACE: OnceLock<Option<Trace>> = OnceLock::new();

struct Trace {
    start: Instant,
    /// Standard error without one.
    file: Option<File>,
}

pub(crate) fn start() {
    TRACE.get_or_init(|| {
        let (_, value) = variables::first(VARIABLES)?;
        let file = match value.to_str() {
            Some("0" | "false" | "no" | "off") => return None,
            Some("1" | "2" | "true" | "yes" | "on") => None,
            _ => Some(open(Path::new(&value))?),
        };
        let start = Instant::now();
        Some(Trace { start, file })
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
    match &trace.file {
        // A trace that cannot be written must not stop the work.
        Some(file) => drop({ file }.write_all(line.as_bytes())),
        None => waiting::print(line.as_bytes(), None),
    }
}

fn open(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;

        // Somebody else may have put a link there; a named pipe would wait for a reader.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).ok()?;
    let metadata = file.metadata().ok()?;
    // Nobody else gets to read the trace.
    #[cfg(unix)]
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    #[cfg(not(unix))]
    let is_own = true;
    (is_own && metadata.is_file()).then_some(file)
}
