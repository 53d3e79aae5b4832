//! The seam of the waits: a test of what comes after one need not sit through all of it.

use std::time::Duration;

/// The time that a wait may take. A debug build divides it by a number in the environment.
#[cfg(debug_assertions)]
pub(crate) fn limit(promised: Duration) -> Duration {
    let divisor = crate::sys::variables::text("GIT_CREDENTIAL_BITBUCKET_HURRY");
    let divisor = divisor.and_then(|text| text.parse().ok());
    promised
        .checked_div(divisor.unwrap_or(1))
        .unwrap_or(promised)
}

/// The time that a wait may take.
#[cfg(not(debug_assertions))]
pub(crate) fn limit(promised: Duration) -> Duration {
    promised
}
