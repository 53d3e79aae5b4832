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

#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) found: Option<Found>,
    /// What a person would want to know, a line each.
    pub(crate) notices: Vec<String>,
    /// That Bitbucket opens the repository to none of those that fit, and what to do.
    pub(crate) closed: Option<String>,
}
