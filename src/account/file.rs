//! `accounts.toml`: all accounts, without their secrets. Only this program writes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

use crate::account::record::{Account, Origin};
use crate::bitbucket::Kind;
use crate::store;
use crate::sys::files::Lock;
use crate::sys::{Hinted, files};

/// What is wrong with a damaged file.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Damage(String);

/// All accounts, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    slots: Vec<Slot>,
    other: Table,
}

/// An account; or one of a newer version, which is kept as it is.
type Slot = Result<Account, Table>;

impl Accounts {
    /// Reads the file. A missing file has no accounts.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let Some(content) = files::read_private(path)? else {
            return Ok(Self::default());
        };
        Self::of_file(path, &content)
    }

    /// Parses what the file of this name contains.
    pub(crate) fn of_file(path: &Path, content: &[u8]) -> Result<Self> {
        let damaged = |what: String| {
            let message = format!("cannot parse '{}'", path.display());
            let hint = "fix it, or sign in again: 'git credential-bitbucket login' renames it and starts a new one";
            anyhow::Error::new(Damage(what)).context(Hinted::new(message, hint))
        };
        Self::parse(content).map_err(damaged)
    }

    /// Parses the file. The error does not show the file's text.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        if content.is_empty() {
            // We never write an empty file: a crash of the file system left it behind.
            return Err("it is empty".to_owned());
        }
        let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut other: Table = toml::from_str(text).map_err(|error| describe(&error, text))?;
        let slots = match other.remove(KEY) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => values.into_iter().map(slot).collect(),
            Some(_) => None,
        };
        let slots = slots.ok_or_else(|| format!("an '{KEY}' is not as we write it"))?;
        Ok(Self { slots, other })
    }

    /// Changes the file under a lock, so that no process undoes what another one wrote. On failure nothing is written.
    pub(crate) fn update<T>(
        path: &Path,
        patience: Duration,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let lock = Lock::acquire(path, patience)?;
        let mut accounts = Self::read(path)?;
        let outcome = change(&mut accounts)?;
        let text = accounts.to_toml()?;
        lock.write(text.as_bytes())?;
        Ok(outcome)
    }

    /// Renames the file if it is damaged. Returns its new name and what is wrong with it.
    pub(crate) fn set_aside_if_damaged(
        path: &Path,
        patience: Duration,
    ) -> Result<Option<(PathBuf, Damage)>> {
        let _lock = Lock::acquire(path, patience)?;
        match Self::read(path).map_err(anyhow::Error::downcast::<Damage>) {
            Ok(_) => Ok(None),
            Err(Ok(damage)) => Ok(Some((files::set_aside(path)?, damage))),
            Err(Err(error)) => Err(error),
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Account> {
        self.slots.iter().flatten()
    }

    /// In the order in which those that fit equally come: what `login` made, then what git gave, the newest first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Account> {
        let of = |origin| self.iter().filter(move |account| account.origin == origin);
        of(Origin::Login).chain(of(Origin::Git).rev())
    }

    pub(crate) fn into_accounts(self) -> impl Iterator<Item = Account> {
        self.slots.into_iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.slots.iter_mut().flatten()
    }

    /// What tells whether an account of `login` came, went, or has a new secret.
    pub(crate) fn entries_of_login(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_login = self
            .iter()
            .filter(|account| account.origin == Origin::Login);
        of_login.map(|account| (&*account.name, &*account.entry))
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Account> {
        self.iter().find(|account| account.name == name)
    }

    /// `wanted`, or `wanted-2`, `wanted-3` … when the name is taken. None reads as an option.
    pub(crate) fn free_name(&self, wanted: &str) -> String {
        let wanted = wanted.trim_start_matches('-');
        let wanted = if wanted.is_empty() { "account" } else { wanted };
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        names
            .find(|name| !self.takes(name))
            .expect("numbers do not end")
    }

    /// Adds an account as the newest.
    pub(crate) fn add(&mut self, mut account: Account) {
        let now = Timestamp::from_second(Timestamp::now().as_second());
        account.added = now.ok();
        self.slots.push(Ok(account));
    }

    /// Replaces the account of this name and returns the old one; or adds it as the newest.
    pub(crate) fn replace(&mut self, account: Account) -> Option<Account> {
        let known = self.iter_mut().find(|known| known.name == account.name);
        if let Some(known) = known {
            return Some(std::mem::replace(known, account));
        }
        self.add(account);
        None
    }

    /// Puts the account of this name first, as one of `login`.
    pub(crate) fn put_first(&mut self, name: &str) {
        for mut account in self.remove(|account| account.name == name) {
            account.origin = Origin::Login;
            self.slots.insert(0, Ok(account));
        }
    }

    /// Removes and returns the accounts that `is_meant` picks.
    pub(crate) fn remove(&mut self, mut is_meant: impl FnMut(&Account) -> bool) -> Vec<Account> {
        let is_meant = |slot: &mut Slot| slot.as_ref().is_ok_and(&mut is_meant);
        self.slots.extract_if(.., is_meant).flatten().collect()
    }

    /// Whether an account has the name, if only one of a newer version.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.slots.iter().any(|slot| match slot {
            Ok(account) => account.name == name,
            Err(table) => table.get("name").and_then(Value::as_str) == Some(name),
        })
    }

    pub(crate) fn to_toml(&self) -> Result<String> {
        let values = self.slots.iter().map(|slot| match slot {
            Ok(account) => Value::try_from(account),
            Err(table) => Ok(Value::Table(table.clone())),
        });
        let mut table = self.other.clone();
        table.insert(
            KEY.to_owned(),
            Value::Array(values.collect::<Result<_, _>>()?),
        );
        Ok(format!("{HEADER}\n{}", toml::to_string(&table)?))
    }
}

const KEY: &str = "account";
const HEADER: &str = "# Written by git-credential-bitbucket; settings of yours belong into config.toml. No secret is in here.\n";

/// Reads an account. A kind, store or origin that we do not know comes from a newer version; any other fault is damage.
fn slot(value: Value) -> Option<Slot> {
    let Value::Table(table) = value else {
        return None;
    };
    if is_newer(&table) {
        return Some(Err(table));
    }
    Some(Ok(table.try_into().ok()?))
}

fn is_newer(table: &Table) -> bool {
    fn is_unknown<T: DeserializeOwned>(table: &Table, key: &str) -> bool {
        let value = table.get(key).cloned();
        value.is_some_and(|value| value.try_into::<T>().is_err())
    }
    is_unknown::<Kind>(table, "kind")
        || is_unknown::<store::Name>(table, "store")
        || is_unknown::<Origin>(table, "origin")
}

/// A TOML error without the text of the file: `Display` would print the line, which may hold a secret.
pub(crate) fn describe(error: &toml::de::Error, text: &str) -> String {
    let what = error.message().lines().next().unwrap_or_default();
    match error.span() {
        Some(span) => format!("line {}: {what}", line_at(text, span.start)),
        None => what.to_owned(),
    }
}

pub(crate) fn line_at(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::Accounts;
    use crate::account::sign_in::{Opaque, SignIn};
    use crate::account::{Account, Origin};
    use crate::bitbucket::cloud;

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("accounts.toml");
        let newer = "future = 1\n\n[[account]]\nname = 'a'\nhost = 'bitbucket.org'\nstore = 'file'\nentry = 'a#1'\n\
                     origin = 'login'\ncolour = 'blue'\n\n[[account]]\nname = 'b'\nhost = 'bitbucket.org'\n\
                     kind = 'quantum-token'\nstore = 'moon'\n";
        crate::sys::files::write_private(&path, newer.as_bytes()).expect("written");
        Accounts::update(&path, Duration::from_secs(5), |accounts| {
            assert_eq!(accounts.iter().count(), 1);
            assert_eq!(accounts.free_name("b"), "b-2");
            accounts.add(Account::new(
                "c".to_owned(),
                cloud(),
                Origin::Git,
                SignIn::Opaque(Opaque::default()),
            ));
            Ok(())
        })
        .expect("updated");
        let text = fs::read_to_string(&path).expect("text");
        for kept in [
            "future = 1",
            "colour = \"blue\"",
            "kind = \"quantum-token\"",
            "store = \"moon\"",
            "name = \"c\"",
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }

    #[test]
    fn a_damaged_file_is_named_and_its_content_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("accounts.toml");
        crate::sys::files::write_private(&path, b"x = 1\nATATTsecret\n").expect("written");
        let error = format!("{:#}", Accounts::read(&path).expect_err("damage"));
        assert!(
            error.contains("accounts.toml") && error.contains("line 2"),
            "{error}"
        );
        assert!(!error.contains("ATATTsecret"), "{error}");
    }
}
