//! Files: our own, the machine's, the one that git's configuration includes, and netrc.

use std::fs;
use std::path::Path;

use anyhow::Result;
use zeroize::Zeroizing;

use super::finding::{Check, or_pass};
use super::surroundings::Surroundings;
use crate::cli::setup::Place;
use crate::cli::takeover::netrc::{Machine, Netrc};
use crate::settings::{Locations, Session};
use crate::store::file::KeyPlace;
use crate::sys::{files, shell_quoted};

/// Whether `config.toml` has mistakes.
pub(super) fn configuration(session: &Session) -> Result<Vec<Check>> {
    let id = "config";
    let path = session.locations()?.config();
    session.config()?;
    session.file_store()?;
    let unknown = session.unknown_keys()?;
    if !unknown.is_empty() {
        let hint =
            "correct the spelling or remove the key: 'man git-credential-bitbucket' lists the keys";
        let unknown = unknown.iter().map(|key| Check::warn(id, key, hint));
        return Ok(unknown.collect());
    }
    let there = [Locations::of_machine().config(), path];
    let there = there.iter().filter(|path| path.exists());
    let there: Vec<String> = there.map(|path| format!("'{}'", path.display())).collect();
    let message = match there.as_slice() {
        [] => "there is no config.toml, and it is optional".to_owned(),
        [one] => format!("{one} has no mistake"),
        several => format!("{} have no mistake", several.join(" and ")),
    };
    Ok(vec![Check::pass(id, message)])
}

pub(super) fn policy(surroundings: &Surroundings<'_>) -> Check {
    let id = "policy";
    let path = Locations::of_machine().config();
    let shown = path.display();
    if !files::HAS_MACHINE_FILES {
        let said = "settings of the whole machine are not read on Windows, where any user can put them there";
        if path.exists() {
            return Check::warn(id, said, format!("'{shown}' has no effect: remove it"));
        }
        return Check::pass(id, said);
    }
    let rules = match surroundings.session.policy() {
        Err(error) => return Check::failed(id, &error),
        Ok(policy) => policy.describe(),
    };
    let message = match (rules, settings_of_machine(surroundings.session)) {
        (Some(rules), _) => format!("'{shown}' allows only: {rules}"),
        (None, Some(all)) if all.is_empty() => {
            let message = format!("'{shown}' is there, but says nothing: nothing is forbidden");
            let hint = "have it looked at by whoever administers this machine";
            return Check::warn(id, message, hint);
        }
        // Its heading may be misspelt.
        (None, Some(all)) if !all.contains_key("policy") => {
            format!("nothing is forbidden on this machine: '{shown}' has no [policy]")
        }
        (None, _) => "nothing is forbidden on this machine".to_owned(),
    };
    Check::pass(id, message)
}

fn settings_of_machine(session: &Session) -> Option<toml::Table> {
    let machine = session.machine().ok().filter(|it| it.path.exists())?;
    String::from_utf8_lossy(&machine.content).parse().ok()
}

/// Whether another user can read, change or replace our files.
pub(super) fn permissions(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "files";
    let Ok(locations) = surroundings.session.locations() else {
        return vec![Check::skip(id, "there is no home folder for our files")];
    };
    let mut private = vec![
        locations.accounts(),
        locations.refusals(),
        locations.setup(),
    ];
    if let Ok(store) = surroundings.session.file_store() {
        private.push(store.path);
        if let KeyPlace::File(path) = store.key {
            private.push(path);
        }
    }
    let private = private.into_iter();
    let private = private.map(|path| (files::read_private(&path), path));
    let config = locations.config();
    let config = (files::read_trusted(&config), config);
    let (mut fine, mut checks) = (Vec::new(), Vec::new());
    for (content, path) in private.chain([config]) {
        match content {
            Ok(Some(_)) => fine.push(name(&path)),
            Ok(None) => {}
            Err(error) => checks.push(Check::failed(&format!("{id}.{}", name(&path)), &error)),
        }
    }
    if checks.is_empty() {
        checks.push(if cfg!(windows) {
            Check::skip(
                id,
                "Windows keeps a user's folders from others; access lists are not checked",
            )
        } else if fine.is_empty() {
            Check::skip(id, "this program has written no files yet")
        } else {
            let fine = fine.join(", ");
            Check::pass(id, format!("nobody else can read or change {fine}"))
        });
    }
    checks
}

/// Damaged files that were set aside.
pub(super) fn set_aside(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let Ok(locations) = surroundings.session.locations() else {
        return Vec::new();
    };
    let aside = [locations.accounts(), locations.refusals()]
        .into_iter()
        .flat_map(|path| files::set_aside_before(&path))
        .map(|path| {
            let hint = "fix the file and rename it back, or remove it";
            let message = format!("'{}' is damaged and was set aside", path.display());
            Check::warn(&format!("files.{}", name(&path)), message, hint)
        });
    aside.collect()
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Whether every user's git can read the files that `setup` has it include, and whether they say what `setup` would
/// write.
pub(super) fn included(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let session = surroundings.session;
    // Another check reports that there is no home folder.
    let places = [false, true]
        .into_iter()
        .flat_map(|is_system| Place::new(session, is_system));
    let check = |place: Place<'_>| {
        let check = included_by(surroundings, &place);
        check.unwrap_or_else(|error| Some(Check::failed(SETUP, &error)))
    };
    places.filter_map(check).collect()
}

const SETUP: &str = "setup";

fn included_by(surroundings: &Surroundings<'_>, place: &Place<'_>) -> Result<Option<Check>> {
    let path = &place.locations.gitconfig;
    let shown = path.display();
    let (sudo, option) = if place.is_system {
        ("sudo ", " --system")
    } else {
        ("", "")
    };
    let setup = format!("'{sudo}git credential-bitbucket setup{option}'");
    let is_included = place.is_included(&surroundings.settings);
    if !path.exists() {
        let message = format!("git's configuration includes '{shown}', which does not exist");
        return Ok(is_included.then(|| Check::warn(SETUP, message, setup)));
    }
    let folder = path.parent().filter(|_| !place.is_private());
    for path in [Some(path.as_path()), folder].into_iter().flatten() {
        if let Some(mode) = files::missing_mode(path)? {
            let name = path.display().to_string();
            let message = format!(
                "the mode of '{name}' is not {mode:04o}: git fails where it cannot read a file that it includes, and nobody else should change it"
            );
            let hint = format!("'{sudo}chmod {mode:o} {}'", shell_quoted(&name));
            return Ok(Some(Check::fail(SETUP, message, hint)));
        }
    }
    // Other checks report accounts and settings that cannot be read.
    if is_included && !place.is_up_to_date().unwrap_or(true) {
        let message = format!("'{shown}' is not as setup writes it");
        return Ok(Some(Check::warn(SETUP, message, setup)));
    }
    Ok(Some(Check::pass(SETUP, format!("git can read '{shown}'"))))
}

/// The netrc file: curl, and so git, reads it before git asks a helper.
pub(super) fn netrc(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "netrc";
    let Some(home) = dirs::home_dir() else {
        return vec![Check::skip(id, "there is no home folder")];
    };
    let names = [".netrc", "_netrc"];
    let names = &names[..if cfg!(windows) { 2 } else { 1 }];
    let paths = names.iter().map(|name| home.join(name));
    let mut checks = Vec::new();
    for path in paths.filter(|path| path.is_file()) {
        let shown = path.display();
        let Ok(text) = fs::read(&path).map(Zeroizing::new) else {
            checks.push(Check::skip(id, format!("cannot read '{shown}'")));
            continue;
        };
        let is_ours = |name: &str| {
            let mut hosts = surroundings.hosts.iter();
            hosts.any(|host| host.name().eq_ignore_ascii_case(name))
        };
        for Machine { name, line, .. } in Netrc::parse(&text).machines {
            let (what, hint) = match name {
                None => (
                    "a 'default' entry for every host".to_owned(),
                    "remove the entry once an account answers: 'git credential-bitbucket login'",
                ),
                Some(name) if is_ours(&name) => (
                    format!("an entry for {name}"),
                    "'git credential-bitbucket import netrc --remove' moves it into the store",
                ),
                Some(_) => continue,
            };
            let message =
                format!("'{shown}' has {what} in line {line}; git uses it and asks no helper");
            checks.push(Check::warn(id, message, hint));
        }
    }
    or_pass(checks, id, "no netrc file has an entry for Bitbucket")
}
