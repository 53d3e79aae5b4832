//! How waits end. A test of what comes after one need not sit through all of it.

use std::thread;
use std::time::{Duration, Instant};

use crate::sys::variables;

/// The time that a wait may take. A debug build, and no other, divides it by a number in the environment.
pub(crate) fn limit(promised: Duration) -> Duration {
    if !cfg!(debug_assertions) {
        return promised;
    }
    let divisor = variables::text("GIT_CREDENTIAL_BITBUCKET_HURRY");
    let divisor = divisor.and_then(|text| text.parse().ok()).unwrap_or(1);
    promised.checked_div(divisor).unwrap_or(promised)
}

/// Tries again until there is a value. None when there is none by the deadline.
pub(crate) fn until<T, E>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    const LONGEST: Duration = Duration::from_millis(5);
    let mut pause = Duration::from_millis(1);
    loop {
        let value = attempt()?;
        if value.is_some() || Instant::now() >= deadline {
            return Ok(value);
        }
        thread::sleep(pause);
        pause = LONGEST.min(2 * pause);
    }
}
