//! The result of a decision, for its callers.

use crate::account::{Account, Kept};

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
}
