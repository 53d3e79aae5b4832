//! One run of the program: the settings, policy and accounts it reads, and the time it has.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::account::rejection::Rejection;
use crate::account::{Account, Accounts, refusals};
use crate::settings::config::Config;
use crate::settings::locations::Locations;
use crate::settings::policy::Policy;
use crate::settings::toml_file::{MachineFile, unknown_keys};
use crate::store;
use crate::sys::limit::limit;
use crate::sys::{Hinted, Secret, trace};

/// Time limit of one store, of one lock, and of a whole git operation.
const ANSWER: Duration = Duration::from_secs(5);

/// Reads each settings file at most once, and carries the deadline. Clones share what was read; each has its own deadline.
#[derive(Clone, Default)]
pub(crate) struct Session {
    pub(super) known: Rc<Learned>,
    /// The deadline of a git operation. Commands that a person typed have none, only a limit for each wait.
    end: Option<Instant>,
    /// The only account that may answer.
    only: Option<Rc<str>>,
}

#[derive(Default)]
pub(super) struct Learned {
    locations: OnceCell<Locations>,
    machine: OnceCell<MachineFile>,
    config: OnceCell<Config>,
    policy: OnceCell<Policy>,
    /// The first error of each store that failed. We do not ask it again: waits and dismissed prompts would add up.
    pub(super) silent: RefCell<BTreeMap<store::Name, store::Error>>,
}

impl Session {
    /// For `get`, `store` and `erase`: the whole operation has five seconds.
    pub(crate) fn for_git() -> Self {
        Self {
            end: Some(Instant::now() + limit(ANSWER)),
            ..Self::default()
        }
    }

    /// Lets no other account answer than this one. Fails when there is no such account.
    pub(crate) fn with_only(self, account: Option<&str>) -> Result<Self> {
        let only = account.map(Rc::from);
        match account {
            Some(name) if self.accounts()?.named(name).is_none() => bail!(Hinted::new(
                format!("there is no account '{name}'"),
                "see their names: 'git credential-bitbucket status'",
            )),
            _ => Ok(Self { only, ..self }),
        }
    }

    pub(crate) fn only(&self) -> Option<&str> {
        self.only.as_deref()
    }

    pub(crate) fn lets_answer(&self, account: &Account) -> bool {
        self.only().is_none_or(|name| account.name == name)
    }

    pub(crate) fn patience(&self) -> Duration {
        self.end.map_or_else(
            || limit(ANSWER),
            |end| end.saturating_duration_since(Instant::now()),
        )
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.patience()
    }

    /// Restarts the five seconds, after a wait that had a limit of its own.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            end: self.end.map(|_| Instant::now() + limit(ANSWER)),
            ..self.clone()
        }
    }

    /// Restarts the five seconds if none are left: an unlock prompt, or a silent keyring, may have used them up.
    pub(crate) fn afresh_when_late(&self) -> Self {
        if self.patience().is_zero() {
            self.afresh()
        } else {
            self.clone()
        }
    }

    /// Where our files lie. Read late: a credential in the environment needs no home folder.
    pub(crate) fn locations(&self) -> Result<&Locations> {
        once(&self.known.locations, Locations::of_environment)
    }

    pub(crate) fn accounts(&self) -> Result<Accounts> {
        match self.locations() {
            Ok(locations) => Accounts::read(&locations.accounts()),
            // Without a home folder there are no accounts, but the machine's lookup stores still answer.
            Err(_) if !self.config()?.lookup.is_empty() => Ok(Accounts::default()),
            Err(error) => Err(error),
        }
    }

    /// The settings; without a home folder only the machine's.
    pub(crate) fn config(&self) -> Result<&Config> {
        once(&self.known.config, || {
            let user = self.locations().ok().map(Locations::config);
            Config::read(self.machine()?, user.as_deref())
        })
    }

    /// One message for each key that means nothing, in both files.
    pub(crate) fn unknown_keys(&self) -> Result<Vec<String>> {
        let mut unknown = unknown_keys(&Locations::of_machine().config(), true)?;
        if let Ok(locations) = self.locations() {
            unknown.extend(unknown_keys(&locations.config(), false)?);
        }
        Ok(unknown)
    }

    pub(crate) fn machine(&self) -> Result<&MachineFile> {
        once(&self.known.machine, || {
            MachineFile::read(Locations::of_machine().config())
        })
    }

    /// Fails when the policy cannot be read: then nothing is allowed.
    pub(crate) fn policy(&self) -> Result<&Policy> {
        once(&self.known.policy, || Policy::read(self.machine()?))
    }

    /// Whether a server refused this secret from another store; an unreadable record counts as none.
    pub(crate) fn refusal_of(&self, secret: &Secret) -> Option<Rejection> {
        let path = self.locations().ok()?.refusals();
        refusals::of(&path, secret).ok().flatten()
    }

    /// Changes what is known against a secret that lies in no store of ours. There may be no place to write to.
    pub(crate) fn change_refusal(
        &self,
        secret: &Secret,
        change: impl FnOnce(Option<Rejection>) -> Option<Rejection>,
    ) {
        let path = self.locations().map(Locations::refusals);
        let noted = path.and_then(|it| refusals::change(&it, self.patience(), secret, change));
        trace::say(|| format!("refusals: noted: {}", noted.is_ok()));
    }

    pub(crate) fn update_accounts<T>(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<T>,
    ) -> Result<T> {
        Accounts::update(&self.locations()?.accounts(), self.patience(), change)
    }

    /// Changes what is known against an account's secret, unless a new login has replaced the secret. Nothing is written
    /// where nothing changes.
    pub(crate) fn judge(
        &self,
        account: &Account,
        secret: &Secret,
        change: impl FnOnce(Option<Rejection>) -> Option<Rejection>,
    ) -> Result<()> {
        if account.lies_elsewhere() {
            self.change_refusal(secret, change);
            return Ok(());
        }
        let rejected = change(account.rejected.clone());
        if rejected == account.rejected && !account.unchecked {
            return Ok(());
        }
        self.change(account, |known| {
            known.rejected = rejected;
            known.unchecked = false;
        })
    }

    /// Changes an account, unless a new login has replaced its secret.
    pub(crate) fn change(
        &self,
        account: &Account,
        change: impl FnOnce(&mut Account),
    ) -> Result<()> {
        self.update_accounts(|accounts| {
            let mut accounts = accounts.iter_mut();
            if let Some(known) = accounts.find(|known| known.entry == account.entry) {
                change(known);
            }
            Ok(())
        })
    }
}

/// `OnceCell::get_or_try_init`, which is not stable.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
