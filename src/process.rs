//! What the process itself gives away.

#[cfg(unix)]
pub(crate) use unix::keep_to_itself;
#[cfg(windows)]
pub(crate) use windows::keep_to_itself;

#[cfg(unix)]
mod unix {
    use rustix::process::{Resource, Rlimit, setrlimit};

    /// Forbids core files, which would hold secrets.
    pub(crate) fn keep_to_itself() {
        // A system that does not let us is no reason not to serve.
        let _ = setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum: Some(0),
            },
        );
    }
}

#[cfg(windows)]
mod windows {
    /// Windows writes no core files unless an administrator says so.
    pub(crate) fn keep_to_itself() {}
}
