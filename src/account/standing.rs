//! Whether an account may answer, and if not, why.

use jiff::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    InService,
    /// A server refused the secret once, and its rest is over: it answers once more.
    OneMoreChance,
    /// The grant gives no new token. The last one answers until it ends.
    Ended,
    /// Bitbucket has removed its kind: it answers only where nothing else fits.
    Retired,
    // Those below do not answer.
    Resting {
        until: Timestamp,
    },
    /// Refused again, or unknown to Bitbucket: set aside until Bitbucket knows it or somebody signs in again.
    Refused,
    /// The repository that is wanted refuses the secret, although Bitbucket knows it.
    RefusedThere,
    Expired,
    Forbidden,
}

impl Standing {
    pub(crate) fn may_answer(self) -> bool {
        matches!(
            self,
            Self::InService | Self::OneMoreChance | Self::Ended | Self::Retired
        )
    }
}
