//! From a context to an account and its secret: the environment first, then the accounts. Opens the stores.

use std::cell::OnceCell;
use std::env;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;

use crate::account::{Account, Accounts, Bytes, Kept, Origin};
use crate::bitbucket::{self, Kind, Scope};
use crate::config::{Config, Locations, StoreChoice};
use crate::context::{Context, Host};
use crate::error::{Hinted, printable};
use crate::refusal::Refusals;
use crate::secret::Secret;
use crate::store::file::{FileStore, KeyPlace};
#[cfg(feature = "keyring")]
use crate::store::keyring;
use crate::store::{self, Name, Patience, Store};
use crate::terminal;

/// How long a store may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long somebody may take at a keyring's unlock prompt.
const UNLOCK: Duration = Duration::from_secs(60);

/// What a request is about, once it is clear that it is for one of our hosts.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: Host,
    pub(crate) path: Option<&'a [u8]>,
    pub(crate) username: Option<&'a [u8]>,
    /// Workspace and repository, where the path tells them.
    pub(crate) scope: Option<Scope>,
}

impl<'a> Wanted<'a> {
    /// What the context wants, when it wants something of a host over https at all.
    pub(crate) fn of(context: &'a Context) -> Option<Self> {
        let host = context.https_host()?;
        let path = context.path.as_deref().filter(|path| !path.is_empty());
        let scope = path.and_then(|path| Scope::of_path(&host, path));
        Some(Self {
            host,
            path,
            username: context.username.as_deref(),
            scope,
        })
    }

    /// How a message names it.
    fn url(&self) -> String {
        let path = self
            .path
            .map(|path| format!("/{}", String::from_utf8_lossy(path)))
            .unwrap_or_default();
        printable(&format!("https://{}{path}", self.host))
    }

    /// How exactly an account fits, the more the better; nothing when it does not.
    fn fit(&self, account: &Account, is_only: bool) -> Option<u8> {
        let Some(kind) = account.kind else {
            // What git gave us is matched as git's own helpers do: each attribute of the request has to be equal.
            let equal = |wanted: Option<&[u8]>, own: &Option<Bytes>| {
                wanted.is_none_or(|wanted| own.as_ref().is_some_and(|own| own.as_slice() == wanted))
            };
            let fits = account.host == self.host
                && equal(self.username, &account.username)
                && equal(self.path, &account.path);
            return fits.then_some(0);
        };
        if account.host != bitbucket::home_of(&self.host) || !kind.exists_on(&account.host) {
            return None;
        }
        match &self.scope {
            _ if account.scopes.is_empty() => Some(0),
            None => is_only.then_some(0),
            Some(wanted) => {
                let exactness = |scope: &Scope| if scope.repository.is_some() { 2 } else { 1 };
                account
                    .scopes
                    .iter()
                    .filter(|scope| scope.contains(wanted))
                    .map(exactness)
                    .max()
            }
        }
    }
}

/// An account that answers, and what its store had for it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) kept: Kept,
}

/// Everything a lookup looks at.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    locations: OnceCell<Locations>,
}

impl Lookup {
    /// Where our files lie; only asked for when one is needed, so that the environment's account needs no home folder.
    ///
    /// # Errors
    /// When there is no home folder.
    pub(crate) fn locations(&self) -> Result<&Locations> {
        match self.locations.get() {
            Some(locations) => Ok(locations),
            None => Ok(self.locations.get_or_init({
                let locations = Locations::of_environment()?;
                || locations
            })),
        }
    }

    /// The account that answers, with its secret, if there is one.
    ///
    /// # Errors
    /// When two accounts of the user's fit equally, or the store of the one that fits does not answer.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Result<Option<Found>> {
        let now = Timestamp::now();
        if let Some(found) = environment(wanted)? {
            // Best effort: where nothing can be read, nothing is known against it.
            let rejection = self
                .refusals()
                .and_then(|refusals| refusals.of(&found.kept.secret))
                .unwrap_or_default();
            return Ok(
                Some(found).filter(|_| rejection.is_none_or(|rejection| !rejection.holds(now)))
            );
        }
        let accounts = self.accounts()?;
        let in_service = |account: &&Account| {
            account
                .rejected
                .is_none_or(|rejection| !rejection.holds(now))
        };
        let mut fitting = fitting(&accounts, wanted);
        fitting.retain(|(_, account)| in_service(account));
        let Some(account) = choose(&fitting, wanted)? else {
            return Ok(None);
        };
        let kept = self
            .secret_of(account)
            .with_context(|| format!("cannot read the secret of '{}'", account.name))?;
        Ok(kept.map(|kept| Found {
            account: account.clone(),
            kept,
        }))
    }

    /// Whether credentials for this host are ours to keep.
    ///
    /// # Errors
    /// When accounts or configuration cannot be read.
    pub(crate) fn is_ours(&self, host: &Host, accounts: &Accounts) -> Result<bool> {
        let named = || accounts.iter().any(|account| account.host == *host);
        Ok(bitbucket::is_cloud(host) || named() || self.config()?.hosts.contains(host))
    }

    /// # Errors
    /// When the file is damaged or open to others.
    pub(crate) fn accounts(&self) -> Result<Accounts> {
        Accounts::read(&self.locations()?.accounts())
    }

    /// # Errors
    /// When the file does not say what it should.
    pub(crate) fn config(&self) -> Result<Config> {
        Config::read(&self.locations()?.config())
    }

    /// The secrets from the environment that a server refused.
    ///
    /// # Errors
    /// When there is no home folder.
    pub(crate) fn refusals(&self) -> Result<Refusals> {
        Ok(Refusals::at(self.locations()?.refusals()))
    }

    /// What the account's store has for it.
    ///
    /// # Errors
    /// When the store does not answer, or its answer is not what we put there.
    pub(crate) fn secret_of(&self, account: &Account) -> Result<Option<Kept>> {
        let store = self.open(account.store)?;
        let Some(entry) = store.get(&account.entry).map_err(store::Error::with_hint)? else {
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
        let mut put = |name: Name| -> Result<(), store::Error> {
            let store = self.open(name)?;
            store.set(&account.entry, &secret)?;
            if store.get(&account.entry)?.as_ref() != Some(&secret) {
                return Err(
                    anyhow!("the store '{name}' did not give back what it was given").into(),
                );
            }
            account.store = name;
            Ok(())
        };
        let outcome = match choice {
            StoreChoice::File => put(Name::File),
            StoreChoice::Keyring => put(Name::Keyring),
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

    /// Takes the account's secret out of its store; that it was not there is no error.
    ///
    /// # Errors
    /// When the store does not answer: then the secret may still be there.
    pub(crate) fn forget(&self, account: &Account) -> Result<()> {
        self.open(account.store)?
            .delete(&account.entry)
            .map_err(store::Error::with_hint)?;
        Ok(())
    }

    fn open(&self, name: Name) -> Result<Box<dyn Store>> {
        Ok(match name {
            #[cfg(feature = "keyring")]
            Name::Keyring => {
                let unlock = if terminal::somebody_may_be_there() {
                    UNLOCK
                } else {
                    ANSWER
                };
                Box::new(keyring::open(Patience {
                    answer: ANSWER,
                    unlock,
                }))
            }
            #[cfg(not(feature = "keyring"))]
            Name::Keyring => bail!(store::Error::Unreachable(
                "this program was built without it".to_owned()
            )),
            Name::File => {
                let settings = self.config()?.store.file;
                let key = match settings.key.as_deref() {
                    None | Some("file") => KeyPlace::File(self.locations()?.key()),
                    Some("kernel") => KeyPlace::Kernel,
                    Some(path) => KeyPlace::File(path.into()),
                };
                let path = match settings.path {
                    Some(path) => path,
                    None => self.locations()?.secrets(),
                };
                Box::new(FileStore {
                    path,
                    key,
                    patience: ANSWER,
                })
            }
        })
    }
}

/// The accounts that fit, each with how exactly, in the order in which they came.
pub(crate) fn fitting<'a>(accounts: &'a Accounts, wanted: &Wanted<'_>) -> Vec<(u8, &'a Account)> {
    let home = bitbucket::home_of(&wanted.host);
    let is_only = accounts
        .iter()
        .filter(|account| account.host == home)
        .count()
        == 1;
    let fit = |account: &'a Account| {
        wanted
            .fit(account, is_only)
            .map(|exactness| (exactness, account))
    };
    accounts.iter().filter_map(fit).collect()
}

/// The one that answers: the most exact, then the one the user name means, then one from `login`, then the newest.
///
/// # Errors
/// When two from `login` fit equally.
fn choose<'a>(fitting: &[(u8, &'a Account)], wanted: &Wanted<'_>) -> Result<Option<&'a Account>> {
    let most = fitting.iter().map(|(exactness, _)| *exactness).max();
    let mut left: Vec<&Account> = fitting
        .iter()
        .filter(|(exactness, _)| Some(*exactness) == most)
        .map(|(_, account)| *account)
        .collect();
    prefer(&mut left, |account| {
        wanted
            .username
            .is_some_and(|username| account.is_called(username))
    });
    prefer(&mut left, |account| account.origin == Origin::Login);
    match left.as_slice() {
        [first, second, ..] if first.origin == Origin::Login => {
            Err(ambiguous(wanted, first, second))
        }
        accounts => Ok(accounts.last().copied()),
    }
}

/// Keeps only those that `is_better`, unless none is.
fn prefer(accounts: &mut Vec<&Account>, is_better: impl Fn(&Account) -> bool) {
    if accounts.iter().any(|account| is_better(account)) {
        accounts.retain(|account| is_better(account));
    }
}

fn ambiguous(wanted: &Wanted<'_>, first: &Account, second: &Account) -> anyhow::Error {
    let message = format!(
        "two accounts fit '{}': '{}' and '{}'",
        wanted.url(),
        first.name,
        second.name
    );
    let name = |account: &Account| account.username.as_ref().map(ToString::to_string);
    let hint = match (name(first), name(second)) {
        (Some(one), Some(other)) if one != other && wanted.path.is_some() => {
            let url = wanted
                .url()
                .replacen("https://", &format!("https://{one}@"), 1);
            format!("name one in the remote: 'git remote set-url origin {url}'")
        }
        _ => format!(
            "say what one of them is for: 'git credential-bitbucket login {} --for WORKSPACE'",
            first.name
        ),
    };
    Hinted::new(message, hint).into()
}

/// The account of the environment, when its variables are set and the host is Bitbucket Cloud.
///
/// # Errors
/// When a variable is set without the one it needs.
pub(crate) fn environment(wanted: &Wanted<'_>) -> Result<Option<Found>> {
    if !bitbucket::is_cloud(&wanted.host) {
        return Ok(None);
    }
    let kinds = [
        ("BITBUCKET_API_TOKEN", Some(Kind::ApiToken)),
        ("BITBUCKET_ACCESS_TOKEN", Some(Kind::AccessToken)),
        ("BITBUCKET_TOKEN", None),
        ("BITBUCKET_APP_PASSWORD", Some(Kind::AppPassword)),
    ];
    let Some((variable, kind, secret)) = kinds
        .into_iter()
        .find_map(|(variable, kind)| Some((variable, kind, secret_variable(variable)?)))
    else {
        return Ok(None);
    };
    let host = bitbucket::cloud();
    let mut account = Account::new(variable.to_owned(), host, Origin::Login);
    // A token without a prefix is what OAuth gives; git presents it as an access token.
    let kind = kind
        .or_else(|| Kind::of_secret(&secret, &account.host))
        .unwrap_or(Kind::AccessToken);
    account.kind = Some(kind);
    account.username =
        text_variable("BITBUCKET_USERNAME").map(|name| Bytes::from(name.into_bytes()));
    account.email = text_variable("BITBUCKET_EMAIL");
    if kind.needs_username() && account.username.is_none() {
        bail!(Hinted::new(
            format!("{variable} is set, but an app password needs a user name"),
            "set BITBUCKET_USERNAME to the Bitbucket user name",
        ));
    }
    Ok(Some(Found {
        account,
        kept: Kept::only(secret),
    }))
}

fn secret_variable(name: &str) -> Option<Secret> {
    let secret = Secret::new(bytes(env::var_os(name)?)).trimmed();
    Some(secret).filter(|secret| !secret.is_empty())
}

fn text_variable(name: &str) -> Option<String> {
    let text = env::var(name).ok()?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(unix)]
fn bytes(value: std::ffi::OsString) -> Vec<u8> {
    std::os::unix::ffi::OsStringExt::into_vec(value)
}

#[cfg(not(unix))]
fn bytes(value: std::ffi::OsString) -> Vec<u8> {
    value
        .into_string()
        .map(String::into_bytes)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Wanted, choose, fitting};
    use crate::account::{Account, Accounts, Bytes, Origin};
    use crate::bitbucket::{Kind, cloud};
    use crate::context::Context;

    fn account(name: &str, scopes: &[&str]) -> Account {
        let mut account = Account::new(name.to_owned(), cloud(), Origin::Login);
        account.kind = Some(Kind::AccessToken);
        account.scopes = scopes
            .iter()
            .map(|scope| scope.parse().expect("a scope"))
            .collect();
        account
    }

    fn from_git(name: &str) -> Account {
        Account {
            kind: Some(Kind::ApiToken),
            origin: Origin::Git,
            ..account(name, &[])
        }
    }

    fn with_username(name: &str) -> Account {
        Account {
            username: Some(Bytes::from(name.as_bytes().to_vec())),
            ..account(name, &[])
        }
    }

    fn answer(accounts: &[Account], path: &str, username: &str) -> Result<Option<String>, String> {
        let mut all = Accounts::default();
        for account in accounts {
            all.add(account.clone());
        }
        let some = |text: &str| Some(text.as_bytes().to_vec()).filter(|bytes| !bytes.is_empty());
        let context = Context {
            protocol: some("https"),
            host: some("bitbucket.org"),
            path: some(path),
            username: some(username),
        };
        let wanted = Wanted::of(&context).expect("something of ours");
        let chosen = choose(&fitting(&all, &wanted), &wanted);
        chosen
            .map(|account| account.map(|account| account.name.clone()))
            .map_err(|error| error.to_string())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
    fn is(name: &str) -> Result<Option<String>, String> {
        Ok(Some(name.to_owned()))
    }

    #[test]
    fn the_repository_beats_the_workspace_and_that_the_host() {
        let accounts = [
            account("host", &[]),
            account("ws", &["acme"]),
            account("repo", &["acme/app"]),
        ];
        assert_eq!(answer(&accounts, "acme/app.git", ""), is("repo"));
        assert_eq!(answer(&accounts, "acme/site.git", ""), is("ws"));
        assert_eq!(answer(&accounts, "other/app.git", ""), is("host"));
        assert_eq!(answer(&accounts, "acme-old/app.git", ""), is("host"));
        assert_eq!(answer(&accounts, "", ""), is("host"));
    }

    #[test]
    fn without_a_path_an_account_with_a_scope_answers_only_when_it_is_alone() {
        let (one, other) = (account("one", &["acme"]), account("other", &["beta"]));
        assert_eq!(answer(std::slice::from_ref(&one), "", ""), is("one"));
        assert_eq!(answer(std::slice::from_ref(&one), "beta/app", ""), Ok(None));
        assert_eq!(answer(&[one, other], "", ""), Ok(None));
    }

    #[test]
    fn a_user_name_selects_but_does_not_veto() {
        let accounts = [with_username("ada"), account("bob", &[])];
        assert_eq!(answer(&accounts, "acme/app", "ada"), is("ada"));
        assert_eq!(answer(&accounts[..1], "acme/app", "old-name"), is("ada"));
        assert!(answer(&accounts, "acme/app", "old-name").is_err());
    }

    #[test]
    fn a_static_user_name_selects_its_kind() {
        let token = Account {
            kind: Some(Kind::ApiToken),
            ..account("api", &[])
        };
        let accounts = [token, account("access", &[])];
        assert_eq!(answer(&accounts, "", "x-token-auth"), is("access"));
        assert_eq!(
            answer(&accounts, "", "x-bitbucket-api-token-auth"),
            is("api")
        );
    }

    #[test]
    fn two_accounts_that_fit_equally_are_both_named() {
        let error = answer(
            &[account("work", &[]), account("private", &[])],
            "acme/site",
            "",
        )
        .expect_err("two");
        assert_eq!(
            error,
            "two accounts fit 'https://bitbucket.org/acme/site': 'work' and 'private'"
        );
    }

    #[test]
    fn login_comes_before_git_and_of_git_the_newest() {
        assert_eq!(
            answer(
                &[from_git("old"), account("mine", &[]), from_git("new")],
                "",
                ""
            ),
            is("mine")
        );
        assert_eq!(
            answer(&[from_git("old"), from_git("new")], "", ""),
            is("new")
        );
    }

    #[test]
    fn what_git_gave_is_matched_as_git_does_it() {
        let unknown = |name: &str, path: Option<&str>| Account {
            kind: None,
            origin: Origin::Git,
            path: path.map(|path| Bytes::from(path.as_bytes().to_vec())),
            ..with_username(name)
        };
        let accounts = [unknown("ada", None), unknown("bob", Some("acme/app.git"))];
        assert_eq!(answer(&accounts, "", "ada"), is("ada"));
        assert_eq!(answer(&accounts, "", "eve"), Ok(None));
        assert_eq!(answer(&accounts, "acme/app.git", ""), is("bob"));
        assert_eq!(answer(&accounts, "acme/app", ""), Ok(None));
        assert_eq!(answer(&accounts, "acme/app.git", "ada"), Ok(None));
        assert_eq!(answer(&accounts, "", ""), is("bob"));
    }
}
