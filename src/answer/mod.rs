//! Who answers, with what, and why not the others.

mod decide;
pub(crate) mod matching;
pub(crate) mod renewal;
pub(crate) mod shortlist;
pub(crate) mod source;

use anyhow::Result;

use crate::account::file::Accounts;
use crate::account::{Account, Kept};
use crate::answer::matching::Wanted;
use crate::answer::source::environment;
use crate::git::context::Host;
use crate::settings::session::Session;

/// An account that answers, and what its store had for it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) kept: Kept,
}

/// What a lookup brought to light.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) found: Option<Found>,
    /// What a person would want to know, a line each.
    pub(crate) notices: Vec<String>,
}

impl Session {
    /// Of the accounts at least those that may answer.
    ///
    /// # Errors
    /// As [`shortlist::read`].
    pub(crate) fn accounts_for(&self, wanted: &Wanted<'_>) -> Result<Accounts> {
        match self.locations() {
            Ok(locations) => shortlist::read(&locations.accounts(), wanted),
            Err(_) => self.accounts(),
        }
    }

    /// The environment's account, unless the policy does not allow it.
    ///
    /// # Errors
    /// As [`environment::account`] and [`Session::policy`].
    pub(crate) fn environment_account(&self, host: &Host) -> Result<Option<(Account, Kept)>> {
        Ok(match environment::account(host)? {
            Some((account, kept)) if self.objection(&account)?.is_none() => Some((account, kept)),
            _ => None,
        })
    }
}
