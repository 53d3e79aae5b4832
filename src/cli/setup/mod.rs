//! `setup`: has git's configuration include a file that makes this helper the only one for our hosts, or undoes that.

#[cfg(unix)]
mod fit_for_all;
mod place;
mod record;
mod written;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;
use std::str;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

pub(crate) use self::place::Place;
use self::record::Record;
use self::written::Written;
use crate::cli::doctor::chain;
use crate::cli::{output, post_buffer};
use crate::git::{self, Helper, Host, Setting, url};
use crate::settings::Session;
use crate::sys::{Hinted, files, message, printable, shell_quoted, terminal};

#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// Write to the configuration of the whole machine instead of the user's
    #[arg(long)]
    pub(crate) system: bool,
    /// Remove what setup wrote, and nothing else
    #[arg(long, conflicts_with_all = ["force", "guard", "no_guard", "print"])]
    pub(crate) undo: bool,
    /// Replace another helper for Bitbucket
    #[arg(long)]
    pub(crate) force: bool,
    /// Make git refuse URLs that hold a password
    #[arg(long, conflicts_with = "no_guard")]
    pub(crate) guard: bool,
    /// Let git accept URLs that hold a password, and do not ask about it
    #[arg(long)]
    pub(crate) no_guard: bool,
    /// Print what setup would write, and write nothing
    #[arg(long)]
    pub(crate) print: bool,
}

impl Setup {
    /// What the options say about the guard.
    fn guard(&self) -> Option<bool> {
        (self.guard || self.no_guard).then_some(self.guard)
    }
}

pub(crate) fn run(arguments: &Setup) -> Result<ExitCode> {
    let session = Session::default();
    let place = Place::new(&session, arguments.system)?;
    let outcome = if arguments.print {
        print(arguments, &place)
    } else if arguments.undo {
        undo(&place)
    } else {
        set_up(arguments, &session, &place)
    };
    match outcome {
        Err(error) if place.is_system || !arguments.undo => Err(say_who_can_write(error, &place)),
        outcome => outcome.map(|()| ExitCode::SUCCESS),
    }
}

/// Adds a hint to the error that a file cannot be written.
fn say_who_can_write(error: anyhow::Error, place: &Place<'_>) -> anyhow::Error {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    match causes.next().map(io::Error::kind) {
        Some(ErrorKind::PermissionDenied) if place.is_system => error.context(Hinted::new(
            "only an administrator can set up the whole machine",
            "run it as root, for example with 'sudo'; without '--system' it sets up git for you only",
        )),
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            let option = if place.is_system { " --system" } else { "" };
            error.context(Hinted::new(
                "git's configuration cannot be changed here",
                format!(
                    "if another program manages it, give that program the lines of 'git credential-bitbucket setup{option} --print'"
                ),
            ))
        }
        _ => error,
    }
}

fn print(arguments: &Setup, place: &Place<'_>) -> Result<()> {
    let title = |path: &Path| format!("# {}\n", printable(&path.display().to_string()));
    let parts = [
        title(&git::config_file(place.is_system)?),
        place.include().text(),
        title(&place.locations.gitconfig),
        place.text(arguments.guard())?,
    ];
    output::print(parts.concat().as_bytes())
}

fn set_up(arguments: &Setup, session: &Session, place: &Place<'_>) -> Result<()> {
    // Windows has no modes; access lists are not checked.
    #[cfg(unix)]
    if place.is_system {
        fit_for_all::refuse_unless_for_all()?;
    }
    let hosts = place.hosts()?;
    let settings = place.settings()?;
    let before = git::chains(&settings, &hosts);
    if !arguments.force {
        refuse_foreign(&before)?;
    }
    let mut record = Record::read(place)?;
    let is_set = settings.iter().any(|setting| setting.key == GUARD);
    let is_answered = is_set || place.guard().is_some();
    let of_0_1 = || record.has_guard().then_some(true);
    let mut guard = arguments.guard().or_else(of_0_1);
    let mut chain = before.iter().flat_map(|(_, chain)| chain);
    let to_the_end = arguments.force && chain.any(|helper| !helper.is_ours());
    write(place, &mut record, guard, to_the_end)?;
    name_those_cut_off(&before, &git::chains(&place.settings()?, &hosts));
    if place.is_system {
        message::tell(
            "A user's own helpers also receive the credentials: 'git credential-bitbucket setup', run by that user, cuts them off",
        );
    } else {
        chain::warn(session, None);
        post_buffer::offer(session.accounts()?.iter(), terminal::can_ask());
    }
    // The question comes last: without an answer everything else is done.
    if guard.is_none() && !is_answered && terminal::can_ask() {
        let question = "Should git refuse every URL that holds a password?";
        guard = Some(output::is_agreed(question)?);
        place.write(guard)?;
    }
    if guard == Some(true) {
        message::tell(
            "git refuses URLs that hold a password; 'git credential-bitbucket scrub' removes Bitbucket's from a repository",
        );
    } else if !is_answered && !arguments.no_guard {
        let option = if place.is_system { "--system " } else { "" };
        message::tell(&format!(
            "git still accepts URLs that hold a password; 'git credential-bitbucket setup {option}--guard' makes it refuse them"
        ));
    }
    Ok(())
}

/// git-config(1), `transfer.credentialsInUrl`, as git lists it.
const GUARD: &str = "transfer.credentialsinurl";

/// Writes both files, and reports.
fn write(
    place: &Place<'_>,
    record: &mut Record,
    guard: Option<bool>,
    to_the_end: bool,
) -> Result<()> {
    let (config, hosts) = (git::config_file(place.is_system)?, place.hosts()?);
    let is_new = !place.locations.gitconfig.exists();
    let mut has_changed = place.write(guard)?;
    if to_the_end || !place.is_included(&git::settings_in(&config)) {
        has_changed |= rewrite(place, record, true).inspect_err(|_| {
            if is_new {
                let _ = files::remove(&place.locations.gitconfig);
            }
        })?;
        record.write(place)?;
    }
    let list = output::listed(&hosts);
    message::tell(&if has_changed {
        let config = config.display();
        format!("git now asks this helper for {list} (written to '{config}')")
    } else {
        format!("git already asks this helper for {list}")
    });
    Ok(())
}

/// Takes what an earlier setup wrote out of git's configuration, and has its last lines include our file if that is
/// wanted. Whether that changed anything.
fn rewrite(place: &Place<'_>, record: &mut Record, is_wanted: bool) -> Result<bool> {
    let path = git::config_file(place.is_system)?;
    let is_new = !path.exists();
    let earlier = record.take(&path);
    if is_new && !is_wanted {
        return Ok(false);
    }
    // What was written without a record is the include.
    let unrecorded = || Written::behind("", &path, is_new, place.include());
    let earlier = earlier.unwrap_or_else(unrecorded);
    let created = earlier.created;
    let mut has_changed = false;
    git::edit(&path, &path, |text| {
        let text = str::from_utf8(text).ok();
        let text = text.with_context(|| format!("'{}' is not UTF-8", path.display()))?;
        let bare = earlier.taken_out_of(text);
        let mut new = bare.unwrap_or_else(|| text.to_owned());
        record.take(&path);
        if is_wanted {
            let written = Written::behind(&new, &path, created, place.include());
            new += &written.separator;
            new += &place.include().text();
            record.files.push(written);
        }
        has_changed = new != text;
        let new = Some(new).filter(|new| !(created && new.trim().is_empty()));
        Ok(new.map(|new| Zeroizing::new(new.into_bytes())))
    })?;
    if is_new && place.is_system {
        // A git that cannot read the file would fail at every command.
        files::open_to_readers(&path)?;
    }
    Ok(has_changed)
}

/// Brings the included file up to date, once setup has made it. An error says what is `done` all the same.
pub(crate) fn refresh(session: &Session, done: &str) -> Result<()> {
    let refresh = || -> Result<()> {
        let place = Place::new(session, false)?;
        let is_included = |settings: Vec<Setting>| place.is_included(&settings);
        let is_set_up = place.locations.gitconfig.exists()
            || git::settings(git::PATIENCE).is_ok_and(is_included);
        // Where the lines of another program are not enough, a warning about the chain follows.
        if is_set_up && !place.is_managed() {
            let written = place.write(None);
            written.map_err(|error| say_who_can_write(error, &place))?;
        }
        Ok(())
    };
    refresh().with_context(|| format!("{done}, but git's configuration could not be updated"))
}

fn refuse_foreign(chains: &[(Host, Vec<Helper>)]) -> Result<()> {
    let foreign =
        |helper: &&Helper| helper.is_for_host() && !helper.is_ours() && !helper.is_namesake();
    match chains.iter().flat_map(|(_, helpers)| helpers).find(foreign) {
        None => Ok(()),
        Some(helper) => bail!(Hinted::new(
            format!(
                "'{}' in '{}' names another helper, '{}'",
                url::masked(&helper.key),
                helper.origin,
                helper.shown()
            ),
            "to replace it with this one: 'git credential-bitbucket setup --force'",
        )),
    }
}

fn name_those_cut_off(before: &[(Host, Vec<Helper>)], after: &[(Host, Vec<Helper>)]) {
    let mut told = BTreeSet::new();
    for ((host, before), (_, after)) in before.iter().zip(after) {
        for helper in before {
            if helper.is_ours() || after.contains(helper) || !told.insert(&helper.value) {
                continue;
            }
            message::tell(&format!(
                "The helper '{}' in '{}' no longer answers for {host} or receives its credentials",
                helper.shown(),
                helper.origin
            ));
            if let Some(name) = helper.name() {
                message::tell(&format!(
                    "To keep its credentials, run 'git credential-bitbucket import {}'",
                    shell_quoted(&name)
                ));
            }
        }
    }
}

fn undo(place: &Place<'_>) -> Result<()> {
    let path = git::config_file(place.is_system)?;
    let mut record = Record::read(place)?;
    let was_there = rewrite(place, &mut record, false)?;
    let (shown, own) = (path.display(), &place.locations.gitconfig);
    let is_left = place.is_included(&git::settings_in(&path));
    // What a link leads to is another program's.
    if record.files.is_empty() && !is_left && !own.is_symlink() {
        files::remove(own)?;
    }
    record.write(place)?;
    message::tell(&if was_there {
        format!("Removed from '{shown}' what setup wrote")
    } else {
        format!("'{shown}' has nothing that setup wrote")
    });
    if is_left {
        message::hint(format_args!(
            "'{shown}' still includes '{}': take that line out, and try again",
            own.display()
        ));
    }
    Ok(())
}
