//! From what is wanted to an account and its secret: the environment first, then the accounts, then the stores that are
//! only looked into. Opens the stores.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;

use crate::account::{Account, Asked, Kept, Rejection, today};
use crate::accounts::{Accounts, Damage};
use crate::bitbucket;
use crate::config::{self, Config, StoreChoice};
use crate::context::Host;
use crate::elsewhere;
use crate::environment;
use crate::error::Hinted;
use crate::file::Lock;
use crate::locations::{Locations, system_config};
use crate::matching::{self, Wanted};
use crate::policy::Policy;
use crate::probe;
use crate::refusal::Refusals;
use crate::renewal;
use crate::secret::Secret;
use crate::state::State;
use crate::store::exec::ExecStore;
use crate::store::file::{FileStore, KeyPlace};
use crate::store::{self, Name, Patience, Store, keyring};
use crate::terminal;
use crate::trace;

/// How long a store, or whoever holds a lock, may keep us waiting; and an operation of git's as a whole.
const ANSWER: Duration = Duration::from_secs(5);
/// What of that is left for writing down what Bitbucket said of a refused secret.
const NOTE: Duration = Duration::from_millis(500);
/// How long somebody may take at a keyring's unlock prompt.
const UNLOCK: Duration = Duration::from_secs(60);

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

/// Everything a lookup looks at.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    locations: OnceCell<Locations>,
    config: OnceCell<Config>,
    policy: OnceCell<Policy>,
    /// When an operation of git's has to be over. What a person types has no such end: each wait has its own.
    end: Cell<Option<Instant>>,
    /// Why the keyring could not be had. It is not asked a second time: the waits would add up, and so would the
    /// prompts that somebody has just sent away.
    is_out_of_reach: OnceCell<store::Error>,
}

impl Lookup {
    /// For `get`, `store` and `erase`, while git waits: all that they do has to fit into the time of one answer.
    pub(crate) fn for_git() -> Self {
        Self {
            end: Cell::new(Some(Instant::now() + ANSWER)),
            ..Self::default()
        }
    }

    /// How long the next wait may be.
    fn patience(&self) -> Duration {
        self.end
            .get()
            .map_or(ANSWER, |end| end.saturating_duration_since(Instant::now()))
    }

    /// When the next wait has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.patience()
    }

    /// Gives what follows the time of an answer again: what has passed was waiting for Bitbucket, which has bounds of its
    /// own.
    pub(crate) fn start_over(&self) {
        if self.end.get().is_some() {
            self.end.set(Some(Instant::now() + ANSWER));
        }
    }

    /// Where our files lie; only asked for when one is needed, so that the environment's account needs no home folder.
    ///
    /// # Errors
    /// When there is no home folder.
    pub(crate) fn locations(&self) -> Result<&Locations> {
        once(&self.locations, Locations::of_environment)
    }

    /// The account that answers, with its secret, if there is one.
    ///
    /// # Errors
    /// When two accounts of the user's fit equally, or the store of the one that fits does not answer.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Result<Findings> {
        let now = Timestamp::now();
        let mut notices = Vec::new();
        if let Some((account, kept)) = environment::account(&wanted.host)? {
            trace::say(|| format!("match: {} of the environment", account.name));
            match self.policy()?.objection(&account) {
                None => return Ok(self.judged(Found { account, kept }, wanted, now)),
                Some(what) => notices.push(forbidden(&account, &what)),
            }
        }
        let mut look = self.look(wanted, now)?;
        if matches!(look, (Some((_, None)), _)) {
            // The secret may have been replaced, and its entry with it, after we had read the account.
            look = self.look(wanted, now)?;
        }
        let (candidate, more) = look;
        notices.extend(more);
        if let Some((account, kept)) = candidate {
            let (account, kept) = match kept {
                Some(kept) => {
                    let (account, kept) = renewal::current(self, account, kept)?;
                    (account, Some(kept))
                }
                None => (account, None),
            };
            let state = if kept.is_some() {
                State::of(&account, today())
            } else {
                State::Missing
            };
            notices.extend(state.notice(&account));
            return Ok(Findings {
                found: kept.map(|kept| Found { account, kept }),
                notices,
            });
        }
        let (found, more) = elsewhere::find(self, wanted)?;
        notices.extend(more);
        let Some(found) = found else {
            return Ok(Findings {
                found: None,
                notices,
            });
        };
        let judged = self.judged(found, wanted, now);
        notices.extend(judged.notices);
        Ok(Findings {
            found: judged.found,
            notices,
        })
    }

    /// A secret that lies in no store of ours, unless a server refused it and Bitbucket does not know it.
    fn judged(&self, found: Found, wanted: &Wanted<'_>, now: Timestamp) -> Findings {
        let Found { account, kept } = &found;
        let refusal = self.refusal_of(&kept.secret).filter(|it| it.holds(now));
        let is_out = refusal.is_some_and(|it| {
            !it.may_ask(now) || !self.is_back_from_elsewhere(account, kept, wanted)
        });
        if is_out {
            return Findings {
                found: None,
                notices: vec![elsewhere::refused_notice(account)],
            };
        }
        let notices = account
            .is_retired()
            .then(|| elsewhere::retired_notice(account));
        Findings {
            found: Some(found),
            notices: notices.into_iter().collect(),
        }
    }

    /// The account that is meant with what its store has for it, and why others do not answer.
    #[expect(clippy::type_complexity, reason = "it is taken apart at its one call")]
    fn look(
        &self,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<(Option<(Account, Option<Kept>)>, Vec<String>)> {
        let accounts = self.accounts()?;
        let policy = self.policy()?;
        let (allowed, others): (Vec<_>, Vec<_>) = matching::fitting(&accounts, wanted)
            .into_iter()
            .partition(|(_, account)| policy.objection(account).is_none());
        let (aside, fitting): (Vec<_>, Vec<_>) = allowed
            .into_iter()
            .partition(|(_, account)| account.is_set_aside(now));
        trace::say(|| {
            let names = |accounts: &[(u8, &Account)]| {
                let named = accounts
                    .iter()
                    .map(|(exactness, account)| format!("'{}' ({exactness})", account.name));
                named.collect::<Vec<_>>().join(", ")
            };
            let total = accounts.iter().count();
            format!(
                "match: {total} accounts; fit: {}; set aside: {}",
                names(&fitting),
                names(&aside)
            )
        });
        if let Some(back) = self.back_in_service(&aside, &fitting, wanted) {
            return Ok((Some(back), Vec::new()));
        }
        if let Some(account) = matching::choose(&fitting, wanted)? {
            let kept = self
                .secret_of(account)
                .with_context(|| format!("cannot read the secret of '{}'", account.name))?;
            return Ok((Some((account.clone(), kept)), Vec::new()));
        }
        let mut notices: Vec<String> = aside
            .iter()
            .filter_map(|(_, account)| State::Rejected.notice(account))
            .collect();
        notices.extend(
            others
                .iter()
                .filter_map(|(_, account)| Some(forbidden(account, &policy.objection(account)?))),
        );
        if notices.is_empty()
            && wanted.path.is_none()
            && matching::only_lacks_a_path(&accounts, wanted)
        {
            notices.push(format!(
                "the accounts for {} are each for a workspace, and git does not say which one it wants: \
                 'git credential-bitbucket setup' makes it say so",
                wanted.host
            ));
        }
        Ok((None, notices))
    }

    /// Of the accounts that are set aside the one that would answer, if Bitbucket says now that it knows its secret.
    fn back_in_service(
        &self,
        aside: &[(u8, &Account)],
        fitting: &[(u8, &Account)],
        wanted: &Wanted<'_>,
    ) -> Option<(Account, Option<Kept>)> {
        if aside.is_empty() {
            return None;
        }
        let all = [aside, fitting].concat();
        let account = matching::choose(&all, wanted).ok().flatten()?;
        let is_aside = aside.iter().any(|(_, other)| other.entry == account.entry);
        if !is_aside || account.kind.is_none() || account.is_retired() {
            return None;
        }
        let rejection = || {
            let accounts = self.accounts()?;
            let mut accounts = accounts.iter();
            let known = accounts.find(|known| known.entry == account.entry);
            // Somebody may have signed in anew: then there is nothing to bring back.
            Ok(known.context("the account is gone")?.rejected)
        };
        let note = |rejection| self.set_rejected(account, Some(rejection));
        if !account.rejected?.may_ask(Timestamp::now()) {
            return None;
        }
        if account.oauth.is_some() {
            return match renewal::anew(self, account) {
                Ok((account, kept)) => Some((account, Some(kept))),
                Err(error) => {
                    trace::say(|| format!("oauth: {}", crate::error::one_line(&error)));
                    None
                }
            };
        }
        let kept = self.secret_of(account).ok().flatten()?;
        let is_back = self.is_back(account, &kept.secret, wanted, &rejection, &note);
        is_back.then(|| {
            (
                Account {
                    rejected: None,
                    ..account.clone()
                },
                Some(kept),
            )
        })
    }

    /// The same for a secret that lies in no store of ours.
    fn is_back_from_elsewhere(&self, account: &Account, kept: &Kept, wanted: &Wanted<'_>) -> bool {
        let rejection = || self.refusals()?.of(&kept.secret);
        let note = |rejection| self.refusals()?.note(&kept.secret, rejection);
        !account.is_retired() && self.is_back(account, &kept.secret, wanted, &rejection, &note)
    }

    /// Asks Bitbucket about a secret that a server refused, and notes the answer; one process at a time, and whoever
    /// has waited for another one takes that one's answer.
    fn is_back(
        &self,
        account: &Account,
        secret: &Secret,
        wanted: &Wanted<'_>,
        rejection: &dyn Fn() -> Result<Option<Rejection>>,
        note: &dyn Fn(Rejection) -> Result<()>,
    ) -> bool {
        let ask = || -> Result<bool> {
            let _lock = Lock::acquire(&self.locations()?.probe_lock(), self.patience())?;
            let now = Timestamp::now();
            let rejection = match rejection()? {
                Some(rejection) if rejection.may_ask(now) => rejection,
                // Somebody else has asked since, or used its one more chance.
                other => return Ok(!other.is_some_and(|it| it.holds(now))),
            };
            // Time to write the answer down.
            let deadline = Instant::now() + self.patience().saturating_sub(NOTE);
            let asked = probe::ask(account, secret, wanted.scope.as_ref(), deadline);
            // Where nothing can be written the answer is as good.
            let _ = note(rejection.after(asked, now));
            Ok(asked == Asked::Known)
        };
        ask().unwrap_or_else(|error| {
            trace::say(|| format!("probe: {}", crate::error::one_line(&error)));
            false
        })
    }

    /// Whether credentials for this host are ours to keep.
    ///
    /// # Errors
    /// When accounts or configuration cannot be read.
    pub(crate) fn is_ours(&self, host: &Host, accounts: &Accounts) -> Result<bool> {
        let named = || accounts.iter().any(|account| account.host == *host);
        let is_known = bitbucket::is_cloud(host) || named() || self.config()?.hosts.contains(host);
        Ok(is_known && self.policy()?.allows_host(host))
    }

    /// # Errors
    /// When the file is damaged or open to others.
    pub(crate) fn accounts(&self) -> Result<Accounts> {
        match self.locations() {
            Ok(locations) => Accounts::read(&locations.accounts()),
            // Who has no home has no accounts; what the machine's settings name is still there for him.
            Err(_) if !self.config()?.lookup.is_empty() => Ok(Accounts::default()),
            Err(error) => Err(error),
        }
    }

    /// The settings; without a home folder the machine's alone.
    ///
    /// # Errors
    /// When a file does not say what it should.
    pub(crate) fn config(&self) -> Result<&Config> {
        once(&self.config, || {
            let user = self.locations().ok().map(Locations::config);
            Config::read(&system_config(), user.as_deref())
        })
    }

    /// The keys in both files that this version does not know.
    ///
    /// # Errors
    /// As [`Lookup::config`].
    pub(crate) fn unknown_keys(&self) -> Result<Vec<String>> {
        let mut unknown = config::unknown_keys(&system_config(), true)?;
        unknown.extend(config::unknown_keys(&self.locations()?.config(), false)?);
        Ok(unknown)
    }

    /// What the administrators of the machine allow.
    ///
    /// # Errors
    /// When that cannot be found out: then nothing is allowed.
    pub(crate) fn policy(&self) -> Result<&Policy> {
        once(&self.policy, || Policy::read(&system_config()))
    }

    /// The secrets from elsewhere that a server refused.
    ///
    /// # Errors
    /// When there is no home folder.
    pub(crate) fn refusals(&self) -> Result<Refusals> {
        Ok(Refusals::at(self.locations()?.refusals(), self.patience()))
    }

    /// Whether a server refused this secret from elsewhere.
    pub(crate) fn is_refused(&self, secret: &Secret, now: Timestamp) -> bool {
        self.refusal_of(secret).is_some_and(|it| it.holds(now))
    }

    /// What is known against a secret from elsewhere; where nothing can be read, that is nothing.
    fn refusal_of(&self, secret: &Secret) -> Option<Rejection> {
        let known = self.refusals().and_then(|refusals| refusals.of(secret));
        known.unwrap_or_default()
    }

    /// What the account's store has for it.
    ///
    /// # Errors
    /// When the store does not answer, or its answer is not what we put there.
    pub(crate) fn secret_of(&self, account: &Account) -> Result<Option<Kept>> {
        if !account.entry_is_for_its_host() {
            bail!(
                "the entry '{}' was not made for {}",
                account.entry,
                account.host
            );
        }
        trace::say(|| format!("store: {} is asked for '{}'", account.store, account.entry));
        let entry = self.ask(account.store, |store| store.get(&account.entry));
        trace::say(|| match &entry {
            Ok(Some(_)) => "store: has it".to_owned(),
            Ok(None) => "store: has no such entry".to_owned(),
            Err(error) => format!("store: {error}"),
        });
        let Some(entry) = entry.map_err(store::Error::with_hint)? else {
            return Ok(None);
        };
        let kept = Kept::of_entry(account, entry);
        kept.map(Some)
            .ok_or_else(|| anyhow!("the entry '{}' is not what we stored", account.entry))
    }

    /// Puts a secret into the store chosen, under a new entry which the account then names; for `auto` also why it is
    /// not the keyring.
    ///
    /// # Errors
    /// When the store does not take it, or does not give it back as it was.
    pub(crate) fn keep(
        &self,
        account: &mut Account,
        kept: &Kept,
        choice: StoreChoice,
    ) -> Result<Option<store::Error>> {
        account.renew_entry()?;
        let secret = kept
            .to_entry(account)
            .context("the secret is empty, or holds a line break or a NUL byte")?;
        let policy = self.policy()?;
        let mut put = |name: Name| -> Result<(), store::Error> {
            account.store = name;
            if let Some(what) = policy.objection(account) {
                return Err(not_allowed(&what).into());
            }
            let kept = self.ask(name, |store| {
                store.set(&account.entry, &secret)?;
                store.get(&account.entry)
            })?;
            if kept.as_ref() != Some(&secret) {
                return Err(
                    anyhow!("the store '{name}' did not give back what it was given").into(),
                );
            }
            Ok(())
        };
        let outcome = match choice {
            StoreChoice::Exec => put(Name::Exec),
            StoreChoice::File => put(Name::File),
            StoreChoice::Keyring => put(Name::Keyring),
            StoreChoice::Auto if !policy.allows_store(Name::Keyring) => put(Name::File),
            StoreChoice::Auto if !policy.allows_store(Name::File) => put(Name::Keyring),
            StoreChoice::Auto => {
                let Err(reason) = put(Name::Keyring) else {
                    return Ok(None);
                };
                put(Name::File).map_err(store::Error::with_hint)?;
                return Ok(Some(reason));
            }
        };
        outcome.map(|()| None).map_err(store::Error::with_hint)
    }

    /// Changes the accounts.
    ///
    /// # Errors
    /// As [`Accounts::update`].
    pub(crate) fn update_accounts<T>(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<T>,
    ) -> Result<T> {
        Accounts::update(&self.locations()?.accounts(), self.patience(), change)
    }

    /// Notes what is known against an account's secret, unless somebody has signed in anew.
    ///
    /// # Errors
    /// As [`Accounts::update`].
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
    ///
    /// # Errors
    /// As [`Accounts::set_aside_if_damaged`].
    pub(crate) fn set_damaged_accounts_aside(&self) -> Result<Option<(PathBuf, Damage)>> {
        Accounts::set_aside_if_damaged(&self.locations()?.accounts(), self.patience())
    }

    /// Changes the accounts on behalf of one whose secret was just kept; when that fails the secret is not left behind.
    ///
    /// # Errors
    /// As [`Accounts::update`].
    pub(crate) fn update<T>(
        &self,
        account: &Account,
        change: impl FnOnce(&mut Accounts, &mut Account) -> T,
    ) -> Result<T> {
        let mut account = account.clone();
        let outcome = self.update_accounts(|accounts| Ok(change(accounts, &mut account)));
        if outcome.is_err() {
            // The first error is the one to tell.
            let _ = self.forget(&account);
        }
        outcome
    }

    /// Takes the account's secret out of its store; that it was not there is no error.
    ///
    /// # Errors
    /// When the store does not answer: then the secret may still be there.
    pub(crate) fn forget(&self, account: &Account) -> Result<()> {
        self.ask(account.store, |store| store.delete(&account.entry))
            .map_err(store::Error::with_hint)?;
        Ok(())
    }

    /// Asks a store, unless it has turned out that it cannot be had.
    fn ask<T>(
        &self,
        name: Name,
        question: impl FnOnce(&dyn Store) -> Result<T, store::Error>,
    ) -> Result<T, store::Error> {
        match name {
            Name::Keyring => {}
            Name::File => return question(&self.file_store()?),
            Name::Exec => return question(&self.exec_store()?),
            Name::Env | Name::Folder | Name::Vault => {
                return Err(anyhow!("'{name}' is only ever looked into").into());
            }
        }
        if let Some(reason) = self.is_out_of_reach.get().and_then(store::Error::lasting) {
            return Err(reason);
        }
        let answer = self.patience();
        let unlock = self.patience_with_a_prompt();
        let start = Instant::now();
        let outcome = question(&keyring::open(Patience { answer, unlock }));
        match &outcome {
            Err(error) => {
                if let Some(reason) = error.lasting() {
                    // Whoever came here found it empty.
                    let _ = self.is_out_of_reach.set(reason);
                }
            }
            // Somebody was at the unlock prompt: that time is not what git waited for us.
            Ok(_) if start.elapsed() > answer && self.end.get().is_some() => {
                self.start_over();
            }
            Ok(_) => {}
        }
        outcome
    }

    /// How long a store may take that may have to ask somebody for a password of its own.
    fn patience_with_a_prompt(&self) -> Duration {
        if terminal::somebody_may_be_there() {
            UNLOCK
        } else {
            self.patience()
        }
    }

    /// The program that the configuration names.
    ///
    /// # Errors
    /// When it names none.
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
            withheld: environment::secret_variables().collect(),
        })
    }

    /// The embedded store, where the configuration puts it.
    ///
    /// # Errors
    /// When the configuration names no usable place.
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

/// What a cell holds, or will.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

/// That an account which fits does not answer.
pub(crate) fn forbidden(account: &Account, what: &str) -> String {
    format!(
        "'{}' is not used: the policy of this machine does not allow {what}",
        account.name
    )
}

/// That a secret is not kept.
pub(crate) fn not_allowed(what: &str) -> anyhow::Error {
    Hinted::new(
        format!("the policy of this machine does not allow {what}"),
        "'git credential-bitbucket doctor' shows what it allows",
    )
    .into()
}

/// A relative path would mean another file in each folder git is run in.
fn absolute(setting: &str, path: &Path) -> Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    bail!(Hinted::new(
        format!("'{setting}' of [store.file] in config.toml is not an absolute path"),
        "start it with '/'; 'key' may also be \"file\" or \"kernel\"",
    ))
}
