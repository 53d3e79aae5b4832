//! The seam of the waits: a test of what comes after one need not sit through all of it.

use std::time::Duration;

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
