//! What the process itself gives away, and how it meets an interruption.

#[cfg(unix)]
pub(crate) use unix::{keep_to_itself, with_interrupts_held};
#[cfg(windows)]
pub(crate) use windows::{keep_to_itself, with_interrupts_held};

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use rustix::process::{Resource, Rlimit, setrlimit};
    use signal_hook::consts::SIGINT;
    use signal_hook::flag::register_conditional_default;

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

    /// Runs a prompt which, upon Ctrl-C, has to put the terminal back as it was before the process ends; the prompt
    /// then fails with `Interrupted`.
    pub(crate) fn with_interrupts_held<T>(prompt: impl FnOnce() -> T) -> T {
        static IS_FREE: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let is_free = IS_FREE.get_or_init(|| {
            let is_free = Arc::new(AtomicBool::new(false));
            // Where no handler can be set, Ctrl-C ends the process on the spot, as it always did.
            let _ = register_conditional_default(SIGINT, Arc::clone(&is_free));
            is_free
        });
        is_free.store(false, Ordering::SeqCst);
        let outcome = prompt();
        is_free.store(true, Ordering::SeqCst);
        outcome
    }
}

#[cfg(windows)]
mod windows {
    /// Windows writes no core files unless an administrator says so.
    pub(crate) fn keep_to_itself() {}

    pub(crate) fn with_interrupts_held<T>(prompt: impl FnOnce() -> T) -> T {
        prompt()
    }
}
