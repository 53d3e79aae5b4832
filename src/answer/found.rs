//! What a decision is for, and its result.

use crate::account::{Account, Kept};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// To an answer: Bitbucket is asked about a refused secret, a grant is renewed, and what comes after is not looked at.
    Answer,
    /// To a ruling on every candidate. Nothing changes. Bitbucket is asked about equals, unless `is_offline`.
    Explain { is_offline: bool },
}

/// An account that answers, and what its store had for it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) kept: Kept,
}
