//! `import`: takes over Bitbucket's credentials from files and other helpers.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::bitbucket;
use crate::cli::output;
use crate::cli::setup;
use crate::cli::takeover::netrc::Netrc;
use crate::cli::takeover::{Credential, Entry, EntryContent, Plan, git_credentials, other_helper};
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

/// Where credentials are taken over from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImportSource {
    /// The file of git-credential-store; none means where git looks for it.
    GitCredentials(Option<PathBuf>),
    Netrc(Option<PathBuf>),
    /// As `credential.helper` names it.
    Helper(String),
}

#[derive(Debug, Error)]
#[error("not one of 'git-credentials', 'netrc' and 'helper:NAME'")]
pub(crate) struct NotASource;

impl FromStr for ImportSource {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let file = Some(rest)
            .filter(|rest| !rest.is_empty())
            .map(PathBuf::from);
        match name {
            "git-credentials" => Ok(Self::GitCredentials(file)),
            "netrc" => Ok(Self::Netrc(file)),
            "helper" if !rest.is_empty() => Ok(Self::Helper(rest.to_owned())),
            _ => Err(NotASource),
        }
    }
}

pub(crate) fn run(arguments: &Import) -> Result<ExitCode> {
    let session = Session::default();
    let accounts = session.accounts()?;
    let hosts = session.known_hosts(&accounts)?;
    let usernames: Vec<Username> = accounts
        .iter()
        .filter_map(|account| account.username().cloned())
        .collect();
    let mut all_well = true;
    let mut gathered = Vec::new();
    for place in places(&arguments.sources)? {
        match Gathered::from(place, &hosts, &usernames) {
            Ok(from) => gathered.push(from),
            Err(error) => {
                message::warn(error::one_line(&error));
                if let Some(hint) = error::hint(&error) {
                    message::hint(hint);
                }
                all_well = false;
            }
        }
    }
    for from in &gathered {
        from.mistakes.iter().for_each(message::warn);
        all_well &= from.mistakes.is_empty();
    }

    // git takes the first one that fits; of several that git gave the newest answers. So the first becomes the newest.
    let credentials: Vec<&Credential> = gathered
        .iter()
        .flat_map(|from| from.entries.iter().flat_map(|(_, credentials)| credentials))
        .rev()
        .collect();
    let mut plan = Plan::make(&session, &credentials)?;
    plan.warnings.iter().for_each(message::warn);
    let outcomes = if arguments.dry_run {
        plan.foresee()
    } else {
        plan.carry_out(&session)?
    };
    let outcome_of = |credential: &Credential| {
        let index = credentials
            .iter()
            .position(|other| other.is_same(credential))?;
        Some(ImportOutcome {
            name: plan.name_of(index),
            failure: outcomes[index].as_ref().err(),
        })
    };
    for from in &gathered {
        all_well &= from.report(arguments, &outcome_of);
    }
    if !arguments.dry_run && !credentials.is_empty() {
        setup::refresh(&session)
            .context("the accounts are stored, but git's configuration could not be updated")?;
        plan.notices()
            .iter()
            .for_each(|notice| message::tell(notice));
        output::warn_of_the_chain(&hosts, "'git credential-bitbucket setup' fixes that");
    }
    Ok(ExitCode::from(u8::from(!all_well)))
}

/// A source, with the file it is in.
enum SourcePlace {
    GitCredentials(PathBuf),
    Netrc(PathBuf),
    Helper(String),
}

/// The places that are meant. Without a word, the files that are there.
fn places(sources: &[ImportSource]) -> Result<Vec<SourcePlace>> {
    let home = || dirs::home_dir().context("there is no home folder");
    let git_credentials = || -> Result<Vec<PathBuf>> {
        let home = home()?;
        // git-credential-store(1), "FILES"
        Ok(vec![
            home.join(".git-credentials"),
            git::config_folder(&home).join("credentials"),
        ])
    };
    let netrc = || -> Result<Vec<PathBuf>> {
        let home = home()?;
        Ok(vec![home.join(".netrc"), home.join("_netrc")])
    };
    let there = |paths: Vec<PathBuf>| -> Vec<PathBuf> {
        paths.into_iter().filter(|path| path.exists()).collect()
    };
    let named = |paths: Vec<PathBuf>| -> Result<Vec<PathBuf>> {
        let first = paths[0].display().to_string();
        let there = there(paths);
        if there.is_empty() {
            bail!(Hinted::new(
                format!("there is no file '{first}'"),
                "name the file after a colon, as in 'netrc:FILE'",
            ));
        }
        Ok(there)
    };
    let mut places = Vec::new();
    if sources.is_empty() {
        places.extend(
            there(git_credentials()?)
                .into_iter()
                .map(SourcePlace::GitCredentials),
        );
        places.extend(there(netrc()?).into_iter().map(SourcePlace::Netrc));
        if places.is_empty() {
            message::tell(
                "There is neither a '~/.git-credentials' nor a '~/.netrc' to import from",
            );
        }
    }
    for source in sources {
        match source {
            ImportSource::GitCredentials(file) => {
                let paths = file
                    .clone()
                    .map_or_else(git_credentials, |file| Ok(vec![file]))?;
                places.extend(named(paths)?.into_iter().map(SourcePlace::GitCredentials));
            }
            ImportSource::Netrc(file) => {
                let paths = file.clone().map_or_else(netrc, |file| Ok(vec![file]))?;
                places.extend(named(paths)?.into_iter().map(SourcePlace::Netrc));
            }
            ImportSource::Helper(name) => places.push(SourcePlace::Helper(name.clone())),
        }
    }
    Ok(places)
}

/// What became of a credential.
struct ImportOutcome<'a> {
    /// The account that it is in.
    name: &'a str,
    /// Why it is in none.
    failure: Option<&'a String>,
}

/// What a source has for us.
struct Gathered {
    place: SourcePlace,
    /// With the part of the file that says it; empty for a helper.
    entries: Vec<(Range<usize>, Vec<Credential>)>,
    foreign: usize,
    /// `path:line: reason`
    mistakes: Vec<String>,
}

impl Gathered {
    fn from(place: SourcePlace, hosts: &[Host], usernames: &[Username]) -> Result<Self> {
        let mut gathered = Self {
            entries: Vec::new(),
            foreign: 0,
            mistakes: Vec::new(),
            place,
        };
        match &gathered.place {
            SourcePlace::Helper(name) => {
                gathered.entries = of_helper(name, hosts, usernames)?;
            }
            SourcePlace::GitCredentials(path) | SourcePlace::Netrc(path) => {
                let path = path.clone();
                let text = Zeroizing::new(
                    fs::read(&path).with_context(|| format!("cannot read '{}'", path.display()))?,
                );
                let is_tracked = git::is_tracked(&path).with_context(|| {
                    format!("cannot tell whether git tracks '{}'", path.display())
                })?;
                let (entries, mistakes) = gathered.place.read(&text, hosts);
                for (line, reason) in mistakes {
                    gathered.mistake(&path, line, reason);
                }
                for Entry {
                    line,
                    span,
                    content,
                } in entries
                {
                    match content {
                        EntryContent::Ours(credentials) if is_tracked => {
                            for credential in credentials {
                                let page = credential.page();
                                gathered.mistake(
                                    &path,
                                    line,
                                    &format!("git tracks it, so others may have written or read it: revoke it at {page}"),
                                );
                            }
                        }
                        EntryContent::Ours(credentials) => {
                            gathered.entries.push((span, credentials));
                        }
                        EntryContent::Foreign => gathered.foreign += 1,
                        EntryContent::Bad(reason) => gathered.mistake(&path, line, reason),
                    }
                }
            }
        }
        Ok(gathered)
    }

    fn mistake(&mut self, path: &Path, line: usize, reason: &str) {
        self.mistakes
            .push(format!("{}:{line}: {reason}", path.display()));
    }

    /// Says what became of what was found, and with `--remove` takes out what is stored; whether all went well.
    fn report<'a>(
        &self,
        arguments: &Import,
        outcome_of: &dyn Fn(&Credential) -> Option<ImportOutcome<'a>>,
    ) -> bool {
        let mut all_well = true;
        let mut names: Vec<String> = Vec::new();
        for credential in self.entries.iter().flat_map(|(_, credentials)| credentials) {
            let Some(ImportOutcome { name, failure }) = outcome_of(credential) else {
                continue;
            };
            match failure {
                None => names.push(format!("'{name}'")),
                Some(reason) => {
                    message::warn(format_args!("cannot store '{name}': {reason}"));
                    all_well = false;
                }
            }
        }
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
        if self.foreign > 0 {
            message::tell(&format!(
                "{} for other hosts, left alone",
                output::plural(self.foreign, "entry", "entries")
            ));
        }
        if names.is_empty() || arguments.dry_run {
            return all_well;
        }
        if arguments.remove {
            let is_stored = |credentials: &[Credential]| {
                credentials.iter().all(|credential| {
                    outcome_of(credential).is_some_and(|outcome| outcome.failure.is_none())
                })
            };
            match self.remove(&is_stored) {
                Ok(()) => message::tell(&format!("Removed from {shown}")),
                Err(error) => {
                    message::warn(format_args!("{shown}: {}", error::one_line(&error)));
                    all_well = false;
                }
            }
        } else {
            message::tell(&format!(
                "It is still in {shown}; '--remove' removes it there"
            ));
        }
        all_well
    }

    /// Deletes the entries that are stored, and nothing else.
    fn remove(&self, is_stored: &dyn Fn(&[Credential]) -> bool) -> Result<()> {
        let stored = || {
            self.entries
                .iter()
                .filter(|(_, credentials)| is_stored(credentials))
        };
        let path = match &self.place {
            SourcePlace::Helper(name) => {
                let mut credentials = stored().flat_map(|(_, credentials)| credentials);
                return credentials
                    .try_for_each(|credential| other_helper::forget(name, credential));
            }
            SourcePlace::GitCredentials(path) | SourcePlace::Netrc(path) => path,
        };
        let hosts: Vec<Host> = stored()
            .flat_map(|(_, credentials)| credentials)
            .flat_map(|credential| bitbucket::hosts_asked_for(&credential.host))
            .collect();
        // The file may have changed since: what goes is what was stored, wherever it stands now.
        let is_taken = |content: &EntryContent| match content {
            EntryContent::Ours(credentials) => credentials.iter().all(|credential| {
                let mut known = stored().flat_map(|(_, credentials)| credentials);
                known
                    .any(|known| known.is_same(credential) && known.username == credential.username)
            }),
            _ => false,
        };
        let change = |text: &[u8]| {
            let (entries, _) = self.place.read(text, &hosts);
            let spans = entries.iter().filter(|entry| is_taken(&entry.content));
            let mut rest = Zeroizing::new(Vec::with_capacity(text.len()));
            let mut position = 0;
            for Entry { span, .. } in spans {
                rest.extend_from_slice(&text[position..span.start]);
                position = span.end;
            }
            rest.extend_from_slice(&text[position..]);
            Ok(Some(rest))
        };
        git::edit(path, &git::lock_of(path), change, |_| Ok(()))
    }
}

impl SourcePlace {
    /// The entries of a file of this sort, and what of it cannot be understood.
    fn read(&self, text: &[u8], hosts: &[Host]) -> (Vec<Entry>, Vec<(usize, &'static str)>) {
        match self {
            Self::GitCredentials(_) => (git_credentials::entries(text, hosts), Vec::new()),
            Self::Netrc(_) => {
                let netrc = Netrc::parse(text);
                let machines = netrc.machines.iter();
                let entries = machines.map(|machine| Entry {
                    line: machine.line,
                    span: machine.span.clone(),
                    content: machine.content(hosts),
                });
                (entries.collect(), netrc.mistakes)
            }
            Self::Helper(_) => (Vec::new(), Vec::new()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::GitCredentials(path) | Self::Netrc(path) => format!("'{}'", path.display()),
            Self::Helper(name) => format!("the helper '{}'", named(name).shown()),
        }
    }
}

fn named(name: &str) -> Helper {
    Helper {
        value: name.to_owned(),
        key: String::new(),
        origin: String::new(),
    }
}

fn of_helper(
    name: &str,
    hosts: &[Host],
    usernames: &[Username],
) -> Result<Vec<(Range<usize>, Vec<Credential>)>> {
    if named(name).is_ours() {
        bail!(Hinted::new(
            "that helper is this program itself",
            "name another one, such as 'helper:store' or 'helper:libsecret'",
        ));
    }
    let shown = named(name).shown().to_owned();
    let credentials = other_helper::credentials(name, hosts, usernames)
        .with_context(|| format!("cannot ask the helper '{shown}'"))?;
    Ok(credentials
        .into_iter()
        .map(|credential| (0..0, vec![credential]))
        .collect())
}
