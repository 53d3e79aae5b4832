//! The one place that opens stores: reading a secret, keeping one, forgetting it; and what the policy says to that.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::account::{Account, Accounts, Kept};
use crate::settings::config::StoreChoice;
use crate::settings::policy::Objection;
use crate::settings::session::Session;
use crate::store::exec::ExecStore;
use crate::store::file::{FileStore, KeyPlace};
use crate::store::{self, Name, Store, keyring};
use crate::sys::{Hinted, Waiting, files, terminal, trace};

/// Time limit of a keyring's unlock prompt.
const UNLOCK: Duration = Duration::from_secs(60);

impl Session {
    pub(crate) fn objection(&self, account: &Account) -> Result<Option<Objection>> {
        Ok(self.policy()?.objection(account))
    }

    /// The same with its secret, whose start may tell another kind.
    pub(crate) fn objection_to_kept(
        &self,
        account: &Account,
        kept: &Kept,
    ) -> Result<Option<Objection>> {
        let policy = self.policy()?;
        let of_secret = || policy.objection_to_secret(&kept.secret, &account.host);
        Ok(policy.objection(account).or_else(of_secret))
    }

    /// Whether the policy forbids to use an account. An unreadable policy forbids everything.
    pub(crate) fn forbids(&self, account: &Account) -> bool {
        !matches!(self.objection(account), Ok(None))
    }

    /// Why the policy forbids to store a secret of this account, if it does.
    pub(crate) fn objection_to_keeping(
        &self,
        account: &Account,
        choice: StoreChoice,
    ) -> Result<Option<Objection>> {
        let policy = self.policy()?;
        let Some(store) = self.stores_of(choice)?.first().copied() else {
            return Ok(Some(policy.objection_to_keeping()));
        };
        // `auto` lists allowed stores only, so the first one stands for all.
        let account = account.clone();
        Ok(policy.objection(&Account { store, ..account }))
    }

    /// The stores to try in turn for a new secret.
    pub(crate) fn stores_of(&self, choice: StoreChoice) -> Result<Vec<Name>> {
        let policy = self.policy()?;
        if let Some(name) = choice.store() {
            return Ok(vec![name]);
        }
        let mut stores = vec![Name::Keyring, Name::File];
        stores.retain(|name| policy.allows_store(*name));
        if stores.is_empty() && policy.allows_store(Name::Exec) {
            stores.push(Name::Exec);
        }
        Ok(stores)
    }

    /// The account's secret, if the policy allows its use.
    pub(crate) fn secret_of(&self, account: &Account) -> Result<Option<Kept>> {
        if let Some(objection) = self.objection(account)? {
            bail!(objection.to_using(account));
        }
        let Some(kept) = self.read(account)? else {
            return Ok(None);
        };
        match self.objection_to_kept(account, &kept)? {
            Some(objection) => bail!(objection.to_using(account)),
            None => Ok(Some(kept)),
        }
    }

    /// The account's secret, even if the policy forbids its use: to see whether it is there, or to move it elsewhere.
    pub(crate) fn read(&self, account: &Account) -> Result<Option<Kept>> {
        let Account {
            host, store, entry, ..
        } = account;
        if !account.entry_is_for_its_host() {
            bail!("the entry '{entry}' was not made for {host}");
        }
        trace::say(|| format!("store: {store} is asked for '{entry}'"));
        let entry = self.ask(*store, |store| store.get(entry));
        trace::say(|| match &entry {
            Ok(Some(_)) => "store: has it".to_owned(),
            Ok(None) => "store: has no such entry".to_owned(),
            Err(error) => format!("store: {error}"),
        });
        let Some(entry) = entry.map_err(store::Error::with_hint)? else {
            return Ok(None);
        };
        match Kept::of_entry(account, entry) {
            None => bail!("the entry '{}' is not what we stored", account.entry),
            kept => Ok(kept),
        }
    }

    /// Stores a secret under a new entry of the account. For `auto` it also says why the keyring was not used.
    pub(crate) fn keep(
        &self,
        account: &mut Account,
        kept: &Kept,
        choice: StoreChoice,
    ) -> Result<Option<store::Error>> {
        let policy = self.policy()?;
        let of_secret = || policy.objection_to_secret(&kept.secret, &account.host);
        let objection = self.objection_to_keeping(account, choice)?;
        if let Some(objection) = objection.or_else(of_secret) {
            return Err(objection.to_keeping());
        }
        account.renew_entry()?;
        if account.grant().is_some() {
            // Its answers are remembered by its name, and somebody else may have signed in.
            files::remove(&self.locations()?.choices())?;
        }
        self.keep_in_its_entry(account, kept, choice)
    }

    /// Stores a secret in the account's present entry.
    pub(crate) fn keep_in_its_entry(
        &self,
        account: &mut Account,
        kept: &Kept,
        choice: StoreChoice,
    ) -> Result<Option<store::Error>> {
        let secret = kept
            .to_entry(account)
            .context("the secret is empty, or holds a line break or a NUL byte")?;
        // A store that merely failed to read may still take the new secret.
        (self.known.silent.borrow_mut()).retain(|_, reason| reason.lasting().is_some());
        let mut reason = None;
        for name in self.stores_of(choice)? {
            account.store = name;
            let outcome = self.ask(name, |store| {
                store.set(&account.entry, &secret)?;
                store.get(&account.entry)
            });
            reason = Some(match outcome {
                Ok(Some(kept)) if kept == secret => return Ok(reason),
                Ok(_) => anyhow!("the store '{name}' did not give back what it was given").into(),
                Err(error) => error,
            });
        }
        let error = reason.context("no store is allowed")?.with_hint();
        if self.policy()?.allows_store(Name::File) {
            return Err(error);
        }
        // The store's own hint would name a forbidden store.
        Err(error.context(Hinted::new(
            "cannot keep it where the policy of this machine allows it",
            "fix that store, and try again",
        )))
    }

    /// Records an account whose secret was just stored. If that fails, removes the secret again.
    pub(crate) fn update<T>(
        &self,
        account: &Account,
        change: impl FnOnce(&mut Accounts, &mut Account) -> T,
    ) -> Result<T> {
        let mut account = account.clone();
        // An unlock prompt may have used up the time.
        let session = self.afresh_when_late();
        let outcome = session.update_accounts(|accounts| Ok(change(accounts, &mut account)));
        if outcome.is_err() {
            // Report the first error.
            let _ = self.forget(&account);
        }
        outcome
    }

    /// Removes the account's secret from its store, if it is there.
    pub(crate) fn forget(&self, account: &Account) -> Result<()> {
        let outcome = self.ask(account.store, |store| store.delete(&account.entry));
        outcome.map_err(store::Error::with_hint)
    }

    fn ask<T>(
        &self,
        name: Name,
        question: impl FnOnce(&dyn Store) -> Result<T, store::Error>,
    ) -> Result<T, store::Error> {
        if let Some(reason) = self.known.silent.borrow().get(&name) {
            let again = || anyhow!("it failed before").into();
            return Err(reason.lasting().unwrap_or_else(again));
        }
        // Other stores are files, or programs that may ask on the terminal themselves.
        let line = || "waiting for the OS keyring, which may have to be unlocked…".to_owned();
        let line = (name == Name::Keyring).then(|| Waiting::on(line));
        let outcome = question(&*self.open(name)?);
        drop(line);
        if let Err(error) = &outcome {
            let lasting = error.lasting();
            let reason = lasting.or_else(|| (name == Name::Exec).then(|| anyhow!("").into()));
            let mut silent = self.known.silent.borrow_mut();
            silent.extend(reason.map(|reason| (name, reason)));
        }
        outcome
    }

    fn open(&self, name: Name) -> Result<Box<dyn Store>> {
        Ok(match name {
            Name::Keyring => keyring::open(self.patience(), self.patience_with_a_prompt())?,
            Name::File => Box::new(self.file_store()?),
            Name::Exec => Box::new(self.exec_store()?),
            Name::Env | Name::Folder | Name::Vault => bail!("the store '{name}' is only read"),
        })
    }

    /// Whether a store has failed, so that it is not asked again.
    pub(crate) fn is_silent(&self, name: Name) -> bool {
        self.known.silent.borrow().contains_key(&name)
    }

    fn patience_with_a_prompt(&self) -> Duration {
        if terminal::somebody_may_be_there() {
            UNLOCK
        } else {
            self.patience()
        }
    }

    pub(crate) fn exec_store(&self) -> Result<ExecStore> {
        let program = self.config()?.store.exec.program.clone();
        Ok(ExecStore {
            program: program.ok_or_else(|| {
                Hinted::new(
                    "no program is named for the store 'exec'",
                    "set 'program' of [store.exec] in config.toml, such as \"docker-credential-pass\"",
                )
            })?,
            patience: self.patience_with_a_prompt(),
            since: Instant::now(),
            may_ask: terminal::is_there(),
        })
    }

    pub(crate) fn file_store(&self) -> Result<FileStore> {
        let settings = &self.config()?.store.file;
        let key = match settings.key.as_deref() {
            None | Some("file") => KeyPlace::File(self.locations()?.key()),
            Some("kernel") => KeyPlace::Kernel,
            Some(path) => KeyPlace::File(absolute("key", path.as_ref())?),
        };
        let path = match &settings.path {
            Some(path) => absolute("path", path)?,
            None => self.locations()?.secrets(),
        };
        Ok(FileStore {
            path,
            key,
            patience: self.patience(),
        })
    }
}

/// Refuses a relative path: git runs us in many folders.
fn absolute(setting: &str, path: &Path) -> Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    bail!(Hinted::new(
        format!("'{setting}' of [store.file] in config.toml is not an absolute path"),
        "start it with '/'; 'key' may also be \"file\" or \"kernel\"",
    ))
}
