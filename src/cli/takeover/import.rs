//! `import`: imports Bitbucket credentials from files and other helpers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::cli::output;
use crate::cli::takeover::{
    Credential, Entry, Plan, Planned, git_credentials, netrc, other_helper, without,
};
use crate::git::{self, Host, Username};
use crate::settings::Session;
use crate::sys::{Hinted, error, message};

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// git-credentials[:FILE], netrc[:FILE] or helper:NAME [default: the first two, where these files are]
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<ImportSource>,
    /// Show what would be imported, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove what was imported from its source
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) remove: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum ImportSource {
    /// `None` for where the programs that use it look for it.
    File(Format, Option<PathBuf>),
    /// As `credential.helper` names it.
    Helper(String),
}

/// Of a file with credentials.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// That of git-credential-store.
    GitCredentials,
    Netrc,
}

impl FromStr for ImportSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let file = (!rest.is_empty()).then(|| rest.into());
        match name {
            "git-credentials" => Ok(Self::File(Format::GitCredentials, file)),
            "netrc" => Ok(Self::File(Format::Netrc, file)),
            "helper" if !rest.is_empty() => Ok(Self::Helper(rest.to_owned())),
            _ => Err("not one of 'git-credentials', 'netrc' and 'helper:NAME'"),
        }
    }
}

pub(crate) fn run(arguments: &Import) -> Result<ExitCode> {
    let session = Session::default();
    let accounts = session.accounts()?;
    let hosts = session.known_hosts(&accounts)?;
    let usernames = accounts.iter().filter_map(Account::username);
    let usernames: Vec<&[u8]> = usernames.map(Username::as_slice).collect();
    let mut all_well = true;
    let mut gathered = Vec::new();
    for place in places(&arguments.sources)? {
        match place.entries(&hosts, &usernames) {
            Ok(entries) => {
                all_well &= entries.iter().all(|entry| entry.content.is_ok());
                gathered.push((place, entries));
            }
            Err(error) => {
                message::warn(error::one_line(&error));
                error::hint(&error).into_iter().for_each(message::hint);
                all_well = false;
            }
        }
    }
    // git uses the first entry that fits, but our newest account from git answers. So import the first one last.
    let entries = gathered.iter().flat_map(|(_, entries)| entries);
    let credentials = entries.flat_map(Entry::own).rev();
    let plan = Plan::carry_out(&session, credentials, arguments.dry_run)?;
    for failure in plan.failures() {
        message::warn(failure);
        all_well = false;
    }
    for (place, entries) in &gathered {
        all_well &= place.report(arguments, entries, &plan, &hosts);
    }
    plan.finish(&session, arguments.dry_run)?;
    Ok(ExitCode::from(u8::from(!all_well)))
}

impl Format {
    fn entries(self, text: &[u8], hosts: &[Host]) -> Vec<Entry> {
        match self {
            Self::GitCredentials => git_credentials::entries(text, hosts),
            Self::Netrc => netrc::entries(text, hosts),
        }
    }

    /// Where such files lie, whether they exist or not.
    fn usual_files(self) -> Result<Vec<PathBuf>> {
        let home = dirs::home_dir().context("there is no home folder")?;
        Ok(match self {
            // git-credential-store(1), "FILES"
            Self::GitCredentials => vec![
                home.join(".git-credentials"),
                git::config_folder(&home).join("credentials"),
            ],
            Self::Netrc => vec![home.join(".netrc"), home.join("_netrc")],
        })
    }
}

enum Place {
    File(Format, PathBuf),
    Helper(String),
}

/// The named places; without names, the usual files that exist.
fn places(sources: &[ImportSource]) -> Result<Vec<Place>> {
    let all = [Format::GitCredentials, Format::Netrc].map(|it| ImportSource::File(it, None));
    let is_named = !sources.is_empty();
    let mut places = Vec::new();
    for source in if is_named { sources } else { &all } {
        let (format, paths) = match source {
            ImportSource::Helper(name) => {
                places.push(Place::Helper(name.clone()));
                continue;
            }
            ImportSource::File(format, Some(file)) => (*format, vec![file.clone()]),
            ImportSource::File(format, None) => (*format, format.usual_files()?),
        };
        if is_named && !paths.iter().any(|path| path.exists()) {
            bail!(Hinted::new(
                format!("there is no file '{}'", paths[0].display()),
                "name the file after a colon, as in 'netrc:FILE'",
            ));
        }
        let there = paths.into_iter().filter(|path| path.exists());
        places.extend(there.map(|path| Place::File(format, path)));
    }
    if places.is_empty() {
        message::tell("There is neither a '~/.git-credentials' nor a '~/.netrc' to import from");
    }
    Ok(places)
}

/// The entries of a file; warns of those that are bad. What git tracks others may have written or read: it is not imported.
fn read(format: Format, path: &Path, hosts: &[Host]) -> Result<Vec<Entry>> {
    let shown = path.display();
    let text = fs::read(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("cannot read '{shown}'"))?;
    let is_tracked = git::is_tracked(path)
        .with_context(|| format!("cannot tell whether git tracks '{shown}'"))?;
    let mut entries = format.entries(&text, hosts);
    for entry in &mut entries {
        if is_tracked && !entry.own().is_empty() {
            let pages: Vec<String> = entry.own().iter().map(Credential::page).collect();
            entry.content = Err(format!(
                "git tracks it, so others may have written or read it: revoke it at {}",
                pages.join(" and ")
            ));
        }
        if let Err(reason) = &entry.content {
            message::warn(format_args!("{shown}:{}: {reason}", entry.line));
        }
    }
    Ok(entries)
}

impl Place {
    fn shown(&self) -> String {
        match self {
            Self::File(_, path) => format!("'{}'", path.display()),
            Self::Helper(name) => format!("the helper '{}'", git::shown(name)),
        }
    }

    fn entries(&self, hosts: &[Host], usernames: &[&[u8]]) -> Result<Vec<Entry>> {
        let name = match self {
            Self::File(format, path) => return read(*format, path, hosts),
            Self::Helper(name) => name,
        };
        if git::named_alone(name).is_some() {
            bail!(Hinted::new(
                "that helper is this program itself",
                "name another one, such as 'helper:store' or 'helper:libsecret'",
            ));
        }
        let credentials = other_helper::credentials(name, hosts, usernames)
            .with_context(|| format!("cannot ask {}", self.shown()))?;
        let entries = credentials.into_iter().map(|credential| Entry {
            line: 0,
            span: 0..0,
            content: Ok(vec![credential]),
        });
        Ok(entries.collect())
    }

    /// Removes the entries that are stored. The file may have changed: they are looked for again.
    fn remove(&self, entries: &[Entry], plan: &Plan, hosts: &[Host]) -> Result<()> {
        let is_stored = |entry: &&Entry| plan.has(entry.own());
        let (format, path) = match self {
            Self::File(format, path) => (format, path),
            Self::Helper(name) => {
                let mut stored = entries.iter().filter(is_stored).flat_map(Entry::own);
                return stored.try_for_each(|it| other_helper::forget(name, it));
            }
        };
        git::edit(path, path, |text| {
            let entries = format.entries(text, hosts);
            let stored = entries.iter().filter(is_stored);
            let spans: Vec<_> = stored.map(|entry| entry.span.clone()).collect();
            Ok(Some(without(text, &spans)))
        })
    }

    /// Reports the imported credentials, and with `--remove` removes them from the source; false if that failed.
    fn report(&self, arguments: &Import, entries: &[Entry], plan: &Plan, hosts: &[Host]) -> bool {
        let planned = entries.iter().flat_map(Entry::own);
        let planned = planned.filter_map(|credential| plan.of(credential));
        let stored = planned.filter(|planned| planned.failure.is_none());
        let name = |planned: &Planned| format!("'{}'", planned.account.name);
        let mut names: Vec<String> = stored.map(name).collect();
        names.dedup();
        let shown = self.shown();
        message::tell(&match (names.join(", "), arguments.dry_run) {
            (none, _) if none.is_empty() => format!("Nothing for Bitbucket in {shown}"),
            (names, true) => format!("Would import {names} from {shown}"),
            (names, false) => format!("Imported {names} from {shown}"),
        });
        let is_foreign = |entry: &&Entry| entry.content.as_ref().is_ok_and(Vec::is_empty);
        let foreign = entries.iter().filter(is_foreign).count();
        if foreign > 0 {
            let number = output::plural(foreign, "entry", "entries");
            message::tell(&format!("{number} for other hosts, left alone"));
        }
        if names.is_empty() || arguments.dry_run {
            return true;
        }
        if !arguments.remove {
            message::tell(&format!(
                "It is still in {shown}; '--remove' removes it there"
            ));
            return true;
        }
        let removed = self.remove(entries, plan, hosts);
        match &removed {
            Ok(()) => message::tell(&format!("Removed from {shown}")),
            Err(error) => message::warn(format_args!("{shown}: {}", error::one_line(error))),
        }
        removed.is_ok()
    }
}
