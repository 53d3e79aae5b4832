//! `setup`: puts the helper into git's configuration, alone for our hosts, and takes it out again.

mod block;
mod fit_for_all;
mod record;
mod wishes;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use self::block::{Section, Written, separator_after, without};
use self::record::Record;
use self::wishes::{Wishes, helper_value, program_path, sections};
use crate::cli::output;
use crate::git::context::Host;
use crate::git::{self, Helper, Setting};
use crate::settings::session::Session;
use crate::sys::error::Hinted;
use crate::sys::files;
use crate::sys::message;
use crate::sys::terminal;

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct Setup {
    /// Write to the configuration of the whole machine instead of the user's
    #[arg(long)]
    pub(crate) system: bool,
    /// Remove what setup wrote, and nothing else
    #[arg(long)]
    pub(crate) undo: bool,
    /// Replace another helper for Bitbucket
    #[arg(long, conflicts_with = "undo")]
    pub(crate) force: bool,
    /// Make git refuse URLs that hold a password
    #[arg(long, conflicts_with = "undo")]
    pub(crate) guard: bool,
}

pub(crate) fn run(arguments: &Setup) -> Result<ExitCode> {
    let session = Session::default();
    let is_system = arguments.system;
    let path = git::config_file(is_system)?;
    let outcome = if arguments.undo {
        undo(&session, &path, is_system)
    } else if is_system {
        for_the_machine(arguments, &session, &path)
    } else {
        for_the_user(arguments, &session, &path)
    };
    outcome.map_err(|error| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
        if is_system && causes.any(is_for_administrators) {
            return error.context(Hinted::new(
                "only an administrator can set up the whole machine",
                "run it as root, for example with 'sudo'; without '--system' it sets up git for you only",
            ));
        }
        error
    })
}

fn is_for_administrators(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

fn for_the_user(arguments: &Setup, session: &Session, path: &Path) -> Result<ExitCode> {
    let wishes = Wishes::of_the_user(session)?;
    let before = chains(&wishes.hosts, &git::settings()?);
    if !arguments.force {
        refuse_foreign(&before)?;
    }
    let record = Record::read(session, false)?;
    let is_there = git::plain_setting(GUARD, git::PATIENCE).is_some_and(|value| value == "die");
    let guard = Guard::decide(arguments, record.has_guard(path), is_there)?;
    write(session, path, &record, &wishes, guard)?;
    name_those_cut_off(&before, &chains(&wishes.hosts, &git::settings()?));
    output::warn_of_the_chain(
        &wishes.hosts,
        "remove it from that file: it comes after ours",
    );
    Ok(ExitCode::SUCCESS)
}

/// The same for everybody: neither accounts nor settings of whoever runs it make a difference.
fn for_the_machine(arguments: &Setup, session: &Session, path: &Path) -> Result<ExitCode> {
    fit_for_all::refuse_unless_for_all(&program_path()?)?;
    let wishes = Wishes::of_the_machine(session)?;
    let before = chains(&wishes.hosts, &git::settings_in(path));
    if !arguments.force {
        refuse_foreign(&before)?;
    }
    let record = Record::read(session, true)?;
    let is_there = git::values_in(path, GUARD)?
        .last()
        .is_some_and(|value| value == "die");
    let guard = Guard::decide(arguments, record.has_guard(path), is_there)?;
    write(session, path, &record, &wishes, guard)?;
    name_those_cut_off(&before, &chains(&wishes.hosts, &git::settings_in(path)));
    message::tell(
        "Helpers in a user's own configuration also receive the credentials: 'git credential-bitbucket doctor' names them to each user, and 'git credential-bitbucket setup' cuts them off",
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes what is wished for, if git then sees it, and says so.
fn write(
    session: &Session,
    path: &Path,
    record: &Record,
    wishes: &Wishes,
    guard: Guard,
) -> Result<()> {
    let is_system = record.is_system();
    let is_new = !path.exists();
    let changed = apply(record, path, &sections(wishes, guard == Guard::Set)?)?;
    if is_new && is_system {
        // A git that cannot read it does nothing at all.
        files::open_to_readers(path)?;
    }
    verify(session, path, is_system, &wishes.hosts[0])?;
    let hosts: Vec<String> = wishes.hosts.iter().map(ToString::to_string).collect();
    let list = hosts.join(" and ");
    message::tell(&if changed {
        format!(
            "git now asks this helper for {list} (written to '{}')",
            path.display()
        )
    } else {
        format!("git already asks this helper for {list}")
    });
    guard.tell(is_system);
    Ok(())
}

/// git itself has to see what was written; otherwise it is taken back.
fn verify(session: &Session, path: &Path, is_system: bool, host: &Host) -> Result<()> {
    let value = helper_value()?;
    if git::values_in(path, &format!("credential.https://{host}.helper"))?.contains(&value) {
        return Ok(());
    }
    undo(session, path, is_system)?;
    bail!(Hinted::new(
        format!(
            "git does not read what setup wrote to '{}', so setup undid it",
            path.display()
        ),
        format!(
            "look for a mistake in the file: git config --file '{}' --list",
            path.display()
        ),
    ))
}

/// Brings what an earlier setup wrote up to date with the accounts; nothing when there was none, or when somebody has
/// taken it out by hand.
pub(crate) fn refresh(session: &Session) -> Result<()> {
    let record = Record::read(session, false)?;
    if record.files.is_empty() {
        return Ok(());
    }
    let wishes = Wishes::of_the_user(session)?;
    for written in record.files {
        let sections = sections(&wishes, written.has_guard())?;
        let is_there = |text: String| without(&text, &written).is_some();
        if std::fs::read_to_string(&written.path).is_ok_and(is_there) {
            apply(&Record::read(session, false)?, &written.path, &sections)?;
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
    fn decide(arguments: &Setup, is_ours: bool, is_there: bool) -> Result<Self> {
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
            "Should git refuse every URL that holds a password, for any host (transfer.credentialsInUrl)? [y/N] ",
        )?;
        let is_yes = matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes");
        Ok(if is_yes { Self::Set } else { Self::No })
    }

    fn tell(self, is_system: bool) {
        let command = if is_system {
            "setup --system --guard"
        } else {
            "setup --guard"
        };
        match self {
            Self::Set => message::tell(
                "git refuses URLs that hold a password; 'git credential-bitbucket scrub' removes Bitbucket's from a repository",
            ),
            Self::There => {}
            Self::No => message::tell(&format!(
                "git still accepts URLs that hold a password; 'git credential-bitbucket {command}' makes it refuse them"
            )),
        }
    }
}

const GUARD: &str = "transfer.credentialsInUrl";

fn chains(hosts: &[Host], settings: &[Setting]) -> Vec<(Host, Vec<Helper>)> {
    let chain = |host: &Host| (host.clone(), git::chain(settings, host));
    hosts.iter().map(chain).collect()
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
            "to replace it with this one: 'git credential-bitbucket setup --force'",
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
            message::tell(&format!(
                "The helper '{}' in '{}' no longer answers for {host} or receives its credentials",
                helper.shown(),
                helper.origin
            ));
            if let Some(name) = helper.name() {
                message::tell(&format!(
                    "To keep its credentials, run 'git credential-bitbucket import {name}'"
                ));
            }
        }
    }
}

/// Writes the sections to the end of the file, in place of what an earlier setup wrote; whether anything changed.
fn apply(before: &Record, path: &Path, sections: &[Section]) -> Result<bool> {
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
        record.write()?;
        Ok(Some(new))
    });
    if edited.is_err() {
        before.write()?;
    }
    edited.map(|()| changed)
}

fn undo(session: &Session, path: &Path, is_system: bool) -> Result<ExitCode> {
    let mut record = Record::read(session, is_system)?;
    let Some(written) = record.take(path) else {
        message::tell(&format!(
            "'{}' has nothing that setup wrote",
            path.display()
        ));
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
                "'{}' names this helper, but setup did not write that",
                path.display()
            ),
            format!(
                "remove it by hand: git config --file '{}' --edit",
                path.display()
            ),
        ));
    }
    record.write()?;
    message::tell(&if was_there {
        format!("Removed from '{}' what setup wrote", path.display())
    } else {
        format!("'{}' no longer has what setup wrote", path.display())
    });
    Ok(ExitCode::SUCCESS)
}
