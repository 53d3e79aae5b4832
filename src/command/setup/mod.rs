//! `setup`: puts the helper into git's configuration, alone for our hosts, and takes it out again.

mod block;
mod record;

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use self::block::{Section, Written, separator_after, without};
use self::record::Record;
use crate::accounts::Accounts;
use crate::bitbucket;
use crate::cli::Setup;
use crate::context::Host;
use crate::error::Hinted;
use crate::git::{self, Helper};
use crate::lookup::Lookup;
use crate::terminal;

/// # Errors
/// When a foreign helper for Bitbucket would be disturbed, or git's configuration cannot be written.
pub(crate) fn run(arguments: &Setup) -> Result<ExitCode> {
    let lookup = Lookup::default();
    let path = git::config_file(arguments.system)?;
    if arguments.undo {
        return undo(&lookup, &path);
    }
    let accounts = lookup.accounts()?;
    let hosts = hosts(&lookup, &accounts)?;
    let before = chains(&hosts)?;
    if !arguments.force {
        refuse_foreign(&before)?;
    }
    let guard = Guard::decide(arguments, Record::read(&lookup)?.has_guard(&path))?;
    let sections = sections(&lookup, &hosts, &accounts, guard == Guard::Set)?;
    let changed = apply(&lookup, &path, &sections)?;
    verify(&lookup, &path)?;
    let list = hosts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" and ");
    super::tell(&if changed {
        format!(
            "git now asks this helper for {list} (written to '{}')",
            path.display()
        )
    } else {
        format!("git asks this helper for {list} already")
    });
    guard.tell();
    name_those_cut_off(&before, &chains(&hosts)?);
    super::warn_of_the_chain(&hosts, "take it out of that file: it stands behind ours");
    Ok(ExitCode::SUCCESS)
}

/// Brings what an earlier setup wrote up to date with the accounts; nothing when there was none, or when somebody has
/// taken it out by hand.
///
/// # Errors
/// When git's configuration cannot be written.
pub(crate) fn refresh(lookup: &Lookup) -> Result<()> {
    let record = Record::read(lookup)?;
    if record.files.is_empty() {
        return Ok(());
    }
    let accounts = lookup.accounts()?;
    let hosts = hosts(lookup, &accounts)?;
    for written in record.files {
        let sections = sections(lookup, &hosts, &accounts, written.has_guard())?;
        let is_there = |text: String| without(&text, &written).is_some();
        if std::fs::read_to_string(&written.path).is_ok_and(is_there) {
            apply(lookup, &written.path, &sections)?;
        }
    }
    Ok(())
}

/// Whether git is to refuse URLs that hold a password (git-config(1), `transfer.credentialsInUrl`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// It is among what we write.
    Set,
    /// Somebody else has set it.
    There,
    No,
}

impl Guard {
    fn decide(arguments: &Setup, is_ours: bool) -> Result<Self> {
        let is_there = git::plain_setting(GUARD).is_some_and(|value| value == "die");
        if is_ours || arguments.guard && !is_there {
            return Ok(Self::Set);
        }
        if is_there {
            return Ok(Self::There);
        }
        if !terminal::can_ask() {
            return Ok(Self::No);
        }
        let answer = terminal::ask_line(
            "Shall git refuse every URL that holds a password, for any host (transfer.credentialsInUrl)? [y/N] ",
        )?;
        let is_yes = matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes");
        Ok(if is_yes { Self::Set } else { Self::No })
    }

    fn tell(self) {
        super::tell(match self {
            Self::Set => {
                "git refuses URLs that hold a password; 'git credential-bitbucket scrub' takes Bitbucket's out of a repository"
            }
            Self::There => return,
            Self::No => {
                "git still takes URLs that hold a password; 'git credential-bitbucket setup --guard' makes it refuse them"
            }
        });
    }
}

const GUARD: &str = "transfer.credentialsInUrl";

/// git itself has to see what was written; otherwise it is taken back.
fn verify(lookup: &Lookup, path: &Path) -> Result<()> {
    let value = helper_value()?;
    if git::values_in(path, "credential.https://bitbucket.org.helper")?.contains(&value) {
        return Ok(());
    }
    undo(lookup, path)?;
    bail!(Hinted::new(
        format!(
            "git does not see what was written to '{}', and it was taken back",
            path.display()
        ),
        format!(
            "look for a mistake in the file: git config --file '{}' --list",
            path.display()
        ),
    ))
}

/// The hosts for which git should ask us: Bitbucket Cloud, and what accounts or the configuration name.
fn hosts(lookup: &Lookup, accounts: &Accounts) -> Result<Vec<Host>> {
    Ok(hosts_of(accounts, &lookup.config()?.hosts))
}

/// The same, given the hosts that the configuration names.
pub(super) fn hosts_of(accounts: &Accounts, configured: &[Host]) -> Vec<Host> {
    let mut hosts = vec![bitbucket::cloud(), bitbucket::api_host()];
    let others: BTreeSet<&Host> = accounts
        .iter()
        .map(|account| &account.host)
        .chain(configured)
        .collect();
    hosts.extend(
        others
            .into_iter()
            .filter(|host| !bitbucket::is_cloud(host))
            .cloned(),
    );
    hosts
}

fn chains(hosts: &[Host]) -> Result<Vec<(Host, Vec<Helper>)>> {
    hosts
        .iter()
        .map(|host| Ok((host.clone(), git::helpers(host)?)))
        .collect()
}

fn refuse_foreign(chains: &[(Host, Vec<Helper>)]) -> Result<()> {
    let foreign = |helper: &&Helper| helper.is_for_host() && !helper.is_ours();
    match chains.iter().flat_map(|(_, helpers)| helpers).find(foreign) {
        None => Ok(()),
        Some(helper) => bail!(Hinted::new(
            format!(
                "'{}' in '{}' names another helper, '{}'",
                helper.key,
                helper.origin,
                helper.shown()
            ),
            "to put this one in its place: 'git credential-bitbucket setup --force'",
        )),
    }
}

fn name_those_cut_off(before: &[(Host, Vec<Helper>)], after: &[(Host, Vec<Helper>)]) {
    let mut told: Vec<&str> = Vec::new();
    for ((host, before), (_, after)) in before.iter().zip(after) {
        for helper in before
            .iter()
            .filter(|helper| !helper.is_ours() && !after.contains(helper))
        {
            if told.contains(&helper.value.as_str()) {
                continue;
            }
            told.push(&helper.value);
            super::tell(&format!(
                "The helper '{}' in '{}' is no longer asked for {host}, nor handed its credentials",
                helper.shown(),
                helper.origin
            ));
            if let Some(name) = helper.name() {
                super::tell(&format!(
                    "What it has can be taken over: 'git credential-bitbucket import {name}'"
                ));
            }
        }
    }
}

fn helper_value() -> Result<String> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    git::helper_value(&program)
}

/// The sections that make git ask us, and nobody else: the empty helper cuts the chain (gitcredentials(7)), since git
/// hands what worked to every helper of the chain, and `store` would write it to a plain file.
fn sections(
    lookup: &Lookup,
    hosts: &[Host],
    accounts: &Accounts,
    with_guard: bool,
) -> Result<Vec<Section>> {
    let value = git::quoted(&helper_value()?);
    // The stores that are looked into have a place for each repository.
    let is_looked_up = !lookup.config()?.lookup.is_empty();
    let section = |host: &Host| {
        let home = bitbucket::home_of(host);
        let has_scopes = accounts
            .iter()
            .any(|account| account.host == home && !account.scopes.is_empty());
        let mut lines = vec!["\thelper =".to_owned(), format!("\thelper = {value}")];
        if *host == bitbucket::cloud() || has_scopes || is_looked_up && home == *host {
            lines.push("\tuseHttpPath = true".to_owned());
        }
        Section {
            header: format!("[credential \"https://{host}\"]"),
            lines,
        }
    };
    let guard = with_guard.then(Section::guard);
    Ok(hosts.iter().map(section).chain(guard).collect())
}

/// Writes the sections to the end of the file, in place of what an earlier setup wrote; whether anything changed.
fn apply(lookup: &Lookup, path: &Path, sections: &[Section]) -> Result<bool> {
    let before = Record::read(lookup)?;
    let mut record = before.clone();
    let earlier = record.take(path);
    let mut changed = false;
    let is_new = !path.exists();
    let edited = git::edit_config(path, |text| {
        let bare = earlier.as_ref().and_then(|written| without(text, written));
        let bare = bare.unwrap_or_else(|| text.to_owned());
        let written = Written {
            path: path.to_owned(),
            created: earlier.as_ref().map_or(is_new, |written| written.created),
            separator: separator_after(&bare).to_owned(),
            sections: sections.to_vec(),
        };
        let block: String = sections.iter().map(Section::text).collect();
        let new = format!("{bare}{}{block}", written.separator);
        changed = new != text;
        // First the record: of what is written but not recorded nobody could take anything back.
        let mut record = record.clone();
        record.files.push(written);
        record.write(lookup)?;
        Ok(Some(new))
    });
    if edited.is_err() {
        before.write(lookup)?;
    }
    edited.map(|()| changed)
}

fn undo(lookup: &Lookup, path: &Path) -> Result<ExitCode> {
    let mut record = Record::read(lookup)?;
    let Some(written) = record.take(path) else {
        super::tell(&format!("There is nothing of ours in '{}'", path.display()));
        return Ok(ExitCode::SUCCESS);
    };
    let mut was_there = false;
    if path.exists() {
        git::edit_config(path, |text| {
            let bare = without(text, &written);
            was_there = bare.is_some();
            let bare = bare.unwrap_or_else(|| text.to_owned());
            Ok(Some(bare).filter(|bare| !(written.created && bare.trim().is_empty())))
        })?;
    }
    let value = helper_value()?;
    if path.exists()
        && git::values_in(path, "credential.https://bitbucket.org.helper")?.contains(&value)
    {
        bail!(Hinted::new(
            format!(
                "'{}' names this helper in a way that setup did not write",
                path.display()
            ),
            format!(
                "take it out by hand: git config --file '{}' --edit",
                path.display()
            ),
        ));
    }
    record.write(lookup)?;
    super::tell(&if was_there {
        format!("Took out of '{}' what setup had put there", path.display())
    } else {
        format!(
            "What setup had put into '{}' is not there any more",
            path.display()
        )
    });
    Ok(ExitCode::SUCCESS)
}
