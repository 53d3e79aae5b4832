//! `edit`: changes what is known of an account, without its token at hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use clap::Args;
use jiff::civil::Date;

use crate::account::{Account, Accounts, Origin, state};
use crate::answer::renewal;
use crate::bitbucket::{Kind, Reach};
use crate::cli::status::verify;
use crate::cli::{login, output};
use crate::git::{self, Setting, Username};
use crate::settings::{Session, StoreChoice};
use crate::sys::{Hinted, Usage, message, shell_quoted};

#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// The account
    pub(crate) name: String,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Debug, Default, PartialEq, Args)]
struct Changes {
    /// Use the account for this workspace or repository only (repeatable)
    #[arg(long = "for", value_name = "WORKSPACE[/REPOSITORY]")]
    reach: Vec<Change<Reach>>,
    /// Use the account for the whole host
    #[arg(long, conflicts_with = "reach")]
    everywhere: bool,
    /// Give the account another name
    #[arg(long, value_name = "NEW")]
    rename: Option<String>,
    /// The expiry date: the last day on which the secret works, UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<Change<Date>>,
    /// The e-mail of the Atlassian account
    #[arg(long, value_name = "ADDRESS")]
    email: Option<Change<String>>,
    /// The Bitbucket user name
    #[arg(long, value_name = "NAME")]
    username: Option<Change<String>>,
    /// Move the secret to this store
    #[arg(long, value_parser = login::stores())]
    store: Option<StoreChoice>,
}

/// The value of an option; an empty one removes what is there.
#[derive(Clone, Debug, PartialEq)]
struct Change<T>(Option<T>);

impl<T: FromStr> FromStr for Change<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let value = (!text.is_empty()).then(|| text.parse()).transpose()?;
        Ok(Self(value))
    }
}

pub(crate) fn run(arguments: &Edit) -> Result<ExitCode> {
    let Edit { name, changes } = arguments;
    if *changes == Changes::default() {
        return Err(Usage::hinted(
            "an option is missing: nothing would change",
            "'git credential-bitbucket edit -h' lists its options",
        ));
    }
    let session = Session::default();
    let old = output::pick(&session.accounts()?, Some(name))?.clone();
    let (_renewals_wait, old) = renewal::settled(&session, old)?;
    let mut new = old.clone();
    changes.apply(&mut new)?;
    let mut reason = None;
    if let Some(choice) = changes.store {
        let kept = session.read(&old)?.ok_or_else(|| state::missing(&old))?;
        let other = format!(
            "git credential-bitbucket edit {} --store file",
            old.argument()
        );
        let explained = |error: Error| match choice.store() {
            Some(store) if session.is_silent(store) => error.context(Hinted::new(
                format!("the secret of '{name}' stays in the {}", old.store),
                format!("name another store: '{other}'"),
            )),
            _ => error,
        };
        reason = session.keep(&mut new, &kept, choice).map_err(explained)?;
    } else if session.objection(&old)?.is_none()
        && let Some(objection) = session.objection(&new)?
    {
        return Err(objection.to_keeping());
    }
    record(&session, changes, &old, &new).inspect_err(|_| {
        if new.entry != old.entry {
            // Report the first error.
            let _ = session.forget(&new);
        }
    })?;
    if changes.store.is_some() {
        login::tell_where(&session, &new, false, reason.as_ref())?;
        login::forget_old(&session, &old, "a copy");
    }
    if new.name != *name {
        message::tell(&format!("Renamed '{name}' to '{}'", new.name));
        tell_what_names(name, &new);
    } else if changes.store.is_none() {
        message::tell(&format!("Changed '{name}'"));
    }
    // A Data Center may take the token in another form now.
    if changes.username.is_some() && new.kind() == Some(Kind::HttpAccessToken) {
        verify::run(&session, Some(&new.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Changes {
    /// Makes all changes but that of the store.
    fn apply(&self, account: &mut Account) -> Result<()> {
        let is_placed = self.everywhere || !self.reach.is_empty();
        let is_named = self.email.is_some() || self.username.is_some();
        if account.kind().is_none() && (is_placed || is_named) {
            let login = format!("'git credential-bitbucket login {}'", account.argument());
            bail!(Hinted::new(
                format!("the kind of '{}' is unknown", account.name),
                format!("sign in with its secret: {login}"),
            ));
        }
        account.origin = Origin::Login;
        if is_placed {
            let reach = self.reach.iter().filter_map(|change| change.0.clone());
            account.reach = reach.collect();
            account.only_username = None;
        }
        if let Some(Change(day)) = self.expires {
            account.expires = day;
        }
        if let Some(name) = &self.rename {
            account.name = login::checked_name(name)?;
        }
        if !is_named {
            return Ok(());
        }
        let before = account.owner.clone();
        if let Some(Change(email)) = &self.email {
            account.owner.email.clone_from(email);
        }
        if let Some(Change(username)) = &self.username {
            account.owner.username = username.clone().and_then(Username::new);
        }
        login::refuse_mixed_up_names(&account.owner, &account.host)?;
        if let Some(kind) = account.kind().filter(|kind| kind.needs_username())
            && before.username.is_some()
            && account.owner.username.is_none()
        {
            return Err(login::lacks_username(kind));
        }
        if account.owner != before {
            // The refusal was of the old names, and nobody has judged the new ones.
            account.unchecked |= account.rejected.take().is_some();
        }
        Ok(())
    }
}

/// Makes the changes in `accounts.toml`, unless the account was replaced meanwhile.
fn record(session: &Session, changes: &Changes, old: &Account, new: &Account) -> Result<()> {
    session.update_accounts(|accounts: &mut Accounts| {
        if new.name != old.name && accounts.takes(&new.name) {
            let free = accounts.free_name(&new.name);
            bail!(Hinted::new(
                format!("the name '{}' is taken", new.name),
                format!("choose another one, such as '{free}'"),
            ));
        }
        let mut all = accounts.iter_mut();
        let known = all
            .find(|known| known.entry == old.entry && known.name == old.name)
            .with_context(|| format!("'{}' was removed or replaced meanwhile", old.name))?;
        changes.apply(known)?;
        known.store = new.store;
        known.entry.clone_from(&new.entry);
        Ok(())
    })
}

/// Names each setting of git's that still holds the account's old name, and the command that changes it.
fn tell_what_names(old: &str, account: &Account) {
    for Setting {
        key, value, origin, ..
    } in settings()
    {
        let Some(new) = renamed(&key, &value, old, account) else {
            continue;
        };
        message::warn(format_args!("'{origin}' still names '{old}': {key}"));
        let words = [&origin, &key, &new, &value];
        let [file, key, new, value] = words.map(|word| shell_quoted(word));
        message::hint(format_args!(
            "'git config --file {file} --replace-all --fixed-value {key} {new} {value}'"
        ));
    }
}

/// The value with the account's new name, if it holds the old one: a user name, or `--account` of our helper.
fn renamed(key: &str, value: &str, old: &str, account: &Account) -> Option<String> {
    let key = key.strip_prefix("credential.")?;
    let (pattern, variable) = key.rsplit_once('.').unwrap_or(("", key));
    let is_for_it = pattern.is_empty() || pattern.contains(account.host.as_str());
    if variable == "username" {
        let is_old = is_for_it && value == old && !account.is_called(old.as_bytes());
        return is_old.then(|| account.name.clone());
    }
    git::named_alone(value)?;
    let (command, named) = value.split_once(" --account ")?;
    let is_old = variable == "helper" && is_for_it && git::words(named)? == [old];
    is_old.then(|| format!("{command} --account {}", account.argument()))
}

/// git's settings here, and those of the files that `includeIf` includes elsewhere.
fn settings() -> Vec<Setting> {
    let settings = git::settings(git::PATIENCE).unwrap_or_default();
    let conditions = settings
        .iter()
        .filter(|it| it.key.starts_with("includeif."));
    let paths = conditions.filter_map(|it| git::included(Path::new(&it.origin), &it.value));
    let is_new = |path: &PathBuf| !settings.iter().any(|it| Path::new(&it.origin) == path);
    let elsewhere = paths
        .filter(is_new)
        .flat_map(|path| git::settings_in(&path));
    let elsewhere: Vec<Setting> = elsewhere.collect();
    settings.into_iter().chain(elsewhere).collect()
}
