//! From what is wanted to an account and its secret. Here: all that is looked at on the way, and how long that may take.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::account::Account;
use crate::account::file::{Accounts, Damage};
use crate::account::refusals::Refusals;
use crate::account::rejection::Rejection;
use crate::settings::config::{Config, MachineFile};
use crate::settings::locations::{Locations, system_config};
use crate::settings::policy::Policy;
use crate::settings::unknown_keys::unknown_keys;
use crate::store;
use crate::sys::secret::Secret;

/// How long a store, or whoever holds a lock, may keep us waiting; and an operation of git's as a whole.
const ANSWER: Duration = Duration::from_secs(5);

/// What the user and the machine have set up, as one run of the program sees it, and how long it may take.
///
/// Clones share what was read and learned; each has a time of its own, which is passed on with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(super) known: Rc<Learned>,
    /// When an operation of git's has to be over. What a person types has no such end: each wait has its own.
    end: Option<Instant>,
}

/// What is read once, and what was learned of the stores.
#[derive(Debug, Default)]
pub(super) struct Learned {
    locations: OnceCell<Locations>,
    machine: OnceCell<MachineFile>,
    config: OnceCell<Config>,
    policy: OnceCell<Policy>,
    /// Why the keyring could not be had. It is not asked a second time: the waits would add up, and so would the
    /// prompts that somebody has just sent away.
    pub(super) is_out_of_reach: OnceCell<store::Error>,
}

impl Session {
    /// For `get`, `store` and `erase`, while git waits: all that they do has to fit into the time of one answer.
    pub(crate) fn for_git() -> Self {
        Self {
            end: Some(Instant::now() + ANSWER),
            ..Self::default()
        }
    }

    /// How long the next wait may be.
    pub(crate) fn patience(&self) -> Duration {
        self.end
            .map_or(ANSWER, |end| end.saturating_duration_since(Instant::now()))
    }

    /// When the next wait has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.patience()
    }

    /// The same with the time of a whole answer, for what follows a wait that had bounds of its own.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            known: Rc::clone(&self.known),
            end: self.end.map(|_| Instant::now() + ANSWER),
        }
    }

    /// The same, afresh only where no time is left: somebody was at the unlock prompt of a store that has answered, or a
    /// keyring was silent about a secret that is not even needed.
    pub(crate) fn afresh_when_late(&self) -> Self {
        if self.patience().is_zero() {
            self.afresh()
        } else {
            self.clone()
        }
    }

    /// Where our files lie; only asked for when one is needed, so that the environment's account needs no home folder.
    pub(crate) fn locations(&self) -> Result<&Locations> {
        once(&self.known.locations, Locations::of_environment)
    }

    pub(crate) fn accounts(&self) -> Result<Accounts> {
        match self.locations() {
            Ok(locations) => Accounts::read(&locations.accounts()),
            // Who has no home has no accounts; what the machine's settings name is still there for him.
            Err(_) if !self.config()?.lookup.is_empty() => Ok(Accounts::default()),
            Err(error) => Err(error),
        }
    }

    /// The settings; without a home folder the machine's alone.
    pub(crate) fn config(&self) -> Result<&Config> {
        once(&self.known.config, || {
            let user = self.locations().ok().map(Locations::config);
            Config::read(self.machine()?, user.as_deref())
        })
    }

    /// What is the matter with the keys in both files, a line each.
    pub(crate) fn unknown_keys(&self) -> Result<Vec<String>> {
        let mut unknown = unknown_keys(&system_config(), true)?;
        if let Ok(locations) = self.locations() {
            unknown.extend(unknown_keys(&locations.config(), false)?);
        }
        Ok(unknown)
    }

    /// The machine's own file.
    pub(crate) fn machine(&self) -> Result<&MachineFile> {
        once(&self.known.machine, || MachineFile::read(system_config()))
    }

    /// What the administrators of the machine allow.
    /// On an error nothing is allowed.
    pub(crate) fn policy(&self) -> Result<&Policy> {
        once(&self.known.policy, || Policy::read(self.machine()?))
    }

    /// The secrets from elsewhere that a server refused.
    pub(crate) fn refusals(&self) -> Result<Refusals> {
        Ok(Refusals::at(self.locations()?.refusals(), self.patience()))
    }

    /// What is known against a secret from elsewhere; where nothing can be read, that is nothing.
    pub(crate) fn refusal_of(&self, secret: &Secret) -> Option<Rejection> {
        let known = self.refusals().and_then(|refusals| refusals.of(secret));
        known.unwrap_or_default()
    }

    /// Changes the accounts.
    pub(crate) fn update_accounts<T>(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<T>,
    ) -> Result<T> {
        Accounts::update(&self.locations()?.accounts(), self.patience(), change)
    }

    /// Notes what is known against an account's secret, unless somebody has signed in anew.
    pub(crate) fn set_rejected(
        &self,
        account: &Account,
        rejected: Option<Rejection>,
    ) -> Result<()> {
        self.update_accounts(|accounts| {
            let mut accounts = accounts.iter_mut();
            if let Some(known) = accounts.find(|known| known.entry == account.entry) {
                known.rejected = rejected;
            }
            Ok(())
        })
    }

    /// Sets accounts aside that cannot be understood; their new name and what is wrong with them.
    pub(crate) fn set_damaged_accounts_aside(&self) -> Result<Option<(PathBuf, Damage)>> {
        Accounts::set_aside_if_damaged(&self.locations()?.accounts(), self.patience())
    }
}

/// What a cell holds, or will.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
