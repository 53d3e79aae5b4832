//! `import`: imports Bitbucket credentials from files and other helpers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::bitbucket;
use crate::cli::output;
use crate::cli::setup;
use crate::cli::takeover::{
    Credential, Entry, EntryContent, Plan, Planned, git_credentials, netrc, other_helper, without,
};
use crate::git::context::Host;
use crate::git::username::Username;
use crate::git::{self, Helper};
use crate::settings::session::Session;
use crate::sys::error::{self, Hinted};
use crate::sys::message;

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
    /// The files where git and curl look for them.
    Usual(Format),
    Named(Place),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// The file of git-credential-store.
    GitCredentials,
    Netrc,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    File(Format, PathBuf),
    /// As `credential.helper` names it.
    Helper(String),
}

impl FromStr for ImportSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let format = match name {
            "git-credentials" => Format::GitCredentials,
            "netrc" => Format::Netrc,
            "helper" if !rest.is_empty() => return Ok(Self::Named(Place::Helper(rest.to_owned()))),
            _ => return Err("not one of 'git-credentials', 'netrc' and 'helper:NAME'"),
        };
        Ok(match rest {
            "" => Self::Usual(format),
            file => Self::Named(Place::File(format, file.into())),
        })
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
            Ok(entries) => gathered.push(Gathered { place, entries }),
            Err(error) => {
                message::warn(error::one_line(&error));
                error::hint(&error).into_iter().for_each(message::hint);
                all_well = false;
            }
        }
    }
    for mistake in gathered.iter().flat_map(Gathered::mistakes) {
        message::warn(mistake);
        all_well = false;
    }

    // git uses the first entry that fits, but our newest account from git answers. So import the first one last.
    let credentials: Vec<&Credential> = gathered.iter().flat_map(Gathered::credentials).collect();
    let mut plan = Plan::make(&session, credentials.iter().copied().rev())?;
    if !arguments.dry_run {
        plan.carry_out(&session)?;
    }
    for failure in plan.failures() {
        message::warn(failure);
        all_well = false;
    }
    for from in &gathered {
        all_well &= from.report(arguments, &plan);
    }
    if !arguments.dry_run && !credentials.is_empty() {
        setup::refresh(&session, "the accounts are stored")?;
        plan.tell_what_is_left(&hosts);
    }
    Ok(ExitCode::from(u8::from(!all_well)))
}

/// The named places; without names, the usual files that exist.
fn places(sources: &[ImportSource]) -> Result<Vec<Place>> {
    let usual = [Format::GitCredentials, Format::Netrc].map(ImportSource::Usual);
    let sources_or_usual = if sources.is_empty() { &usual } else { sources };
    let mut places = Vec::new();
    for source in sources_or_usual {
        let meant = match source {
            ImportSource::Usual(format) => format.usual_places()?,
            ImportSource::Named(place) => vec![place.clone()],
        };
        let there: Vec<Place> = meant
            .iter()
            .filter(|place| place.is_there())
            .cloned()
            .collect();
        if there.is_empty() && !sources.is_empty() {
            bail!(Hinted::new(
                format!("there is no file {}", meant[0].shown()),
                "name the file after a colon, as in 'netrc:FILE'",
            ));
        }
        places.extend(there);
    }
    if places.is_empty() {
        message::tell("There is neither a '~/.git-credentials' nor a '~/.netrc' to import from");
    }
    Ok(places)
}

impl Format {
    fn usual_places(self) -> Result<Vec<Place>> {
        let home = dirs::home_dir().context("there is no home folder")?;
        let paths = match self {
            // git-credential-store(1), "FILES"
            Self::GitCredentials => [
                home.join(".git-credentials"),
                git::config_folder(&home).join("credentials"),
            ],
            Self::Netrc => [home.join(".netrc"), home.join("_netrc")],
        };
        Ok(paths.map(|path| Place::File(self, path)).into())
    }

    fn entries(self, text: &[u8], hosts: &[Host]) -> Vec<Entry> {
        match self {
            Self::GitCredentials => git_credentials::entries(text, hosts),
            Self::Netrc => netrc::entries(text, hosts),
        }
    }

    /// The entries of a file. What git tracks others may have written or read: it is not imported.
    fn read(self, path: &Path, hosts: &[Host]) -> Result<Vec<Entry>> {
        let shown = path.display();
        let text = fs::read(path).map(Zeroizing::new);
        let text = text.with_context(|| format!("cannot read '{shown}'"))?;
        let is_tracked = git::is_tracked(path)
            .with_context(|| format!("cannot tell whether git tracks '{shown}'"))?;
        let mut entries = self.entries(&text, hosts);
        for entry in entries.iter_mut().filter(|_| is_tracked) {
            if let EntryContent::Ours(credentials) = &entry.content {
                let pages: Vec<String> = credentials.iter().map(Credential::page).collect();
                entry.content = EntryContent::Bad(format!(
                    "git tracks it, so others may have written or read it: revoke it at {}",
                    pages.join(" and ")
                ));
            }
        }
        Ok(entries)
    }
}

impl Place {
    fn is_there(&self) -> bool {
        match self {
            Self::File(_, path) => path.exists(),
            Self::Helper(_) => true,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::File(_, path) => format!("'{}'", path.display()),
            Self::Helper(name) => format!("the helper '{}'", helper(name).shown()),
        }
    }

    fn entries(&self, hosts: &[Host], usernames: &[&[u8]]) -> Result<Vec<Entry>> {
        let name = match self {
            Self::File(format, path) => return format.read(path, hosts),
            Self::Helper(name) => name,
        };
        if helper(name).is_ours() {
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
            content: EntryContent::Ours(vec![credential]),
        });
        Ok(entries.collect())
    }

    /// Removes the stored entries, and nothing else.
    fn remove(&self, stored: &[&Credential]) -> Result<()> {
        let (format, path) = match self {
            Self::File(format, path) => (format, path),
            Self::Helper(name) => {
                let mut stored = stored.iter();
                return stored.try_for_each(|credential| other_helper::forget(name, credential));
            }
        };
        let hosts = stored.iter().map(|credential| &credential.host);
        let hosts: Vec<Host> = hosts.flat_map(bitbucket::hosts_asked_for).collect();
        let is_stored = |found: &Credential| stored.iter().any(|known| known.is_twin(found));
        // The file may have changed: remove what was stored, wherever it is now.
        let change = |text: &[u8]| {
            let mut entries = format.entries(text, &hosts);
            entries.retain(|entry| match &entry.content {
                EntryContent::Ours(credentials) => credentials.iter().all(is_stored),
                EntryContent::Foreign | EntryContent::Bad(_) => false,
            });
            let spans: Vec<_> = entries.into_iter().map(|entry| entry.span).collect();
            Ok(Some(without(text, &spans)))
        };
        git::edit(path, &git::lock_of(path), change, |_| Ok(()))
    }
}

fn helper(name: &str) -> Helper {
    Helper {
        value: name.to_owned(),
        key: String::new(),
        origin: String::new(),
    }
}

/// The contents of a source.
struct Gathered {
    place: Place,
    entries: Vec<Entry>,
}

impl Gathered {
    fn own(&self) -> impl Iterator<Item = &[Credential]> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.content {
                EntryContent::Ours(credentials) => Some(credentials.as_slice()),
                EntryContent::Foreign | EntryContent::Bad(_) => None,
            })
    }

    fn credentials(&self) -> impl Iterator<Item = &Credential> {
        self.own().flatten()
    }

    /// A line each.
    fn mistakes(&self) -> impl Iterator<Item = String> {
        self.entries
            .iter()
            .filter_map(|entry| match (&self.place, &entry.content) {
                (Place::File(_, path), EntryContent::Bad(reason)) => {
                    Some(format!("{}:{}: {reason}", path.display(), entry.line))
                }
                _ => None,
            })
    }

    /// Reports the imported credentials, and with `--remove` removes them from the source; false if that failed.
    fn report(&self, arguments: &Import, plan: &Plan) -> bool {
        let planned = self
            .credentials()
            .filter_map(|credential| plan.of(credential));
        let stored = planned.filter(|planned| planned.failure.is_none());
        let name = |planned: &Planned| format!("'{}'", planned.account.name);
        let mut names: Vec<String> = stored.map(name).collect();
        names.dedup();
        let shown = self.place.shown();
        let verb = if arguments.dry_run {
            "Would import"
        } else {
            "Imported"
        };
        message::tell(&match names.as_slice() {
            [] => format!("Nothing for Bitbucket in {shown}"),
            names => format!("{verb} {} from {shown}", names.join(", ")),
        });
        let is_foreign = |entry: &&Entry| matches!(entry.content, EntryContent::Foreign);
        let foreign = self.entries.iter().filter(is_foreign).count();
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
        let stored = self.own().filter(|credentials| plan.has(credentials));
        let removed = self.place.remove(&stored.flatten().collect::<Vec<_>>());
        match &removed {
            Ok(()) => message::tell(&format!("Removed from {shown}")),
            Err(error) => message::warn(format_args!("{shown}: {}", error::one_line(error))),
        }
        removed.is_ok()
    }
}
