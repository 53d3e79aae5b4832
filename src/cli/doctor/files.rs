//! Our own files: their mistakes, and who else can read or change them.

use std::path::Path;

use anyhow::Result;

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::settings::locations::system_config;
use crate::settings::session::Session;
use crate::store::file::KeyPlace;
use crate::sys::files;

/// Whether `config.toml` has mistakes.
pub(super) fn configuration(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let checked = mistakes(surroundings.session);
    checked.unwrap_or_else(|error| vec![Check::failed(CONFIG, &error)])
}

const CONFIG: &str = "config";

fn mistakes(session: &Session) -> Result<Vec<Check>> {
    let path = session.locations()?.config();
    session.config()?;
    session.file_store()?;
    let unknown = session.unknown_keys()?;
    if !unknown.is_empty() {
        let hint =
            "correct the spelling or remove the key: 'man git-credential-bitbucket' lists the keys";
        let unknown = unknown.iter().map(|key| Check::warn(CONFIG, key, hint));
        return Ok(unknown.collect());
    }
    let there = [system_config(), path];
    let there = there.iter().filter(|path| path.exists());
    let there: Vec<String> = there.map(|path| format!("'{}'", path.display())).collect();
    let message = match there.as_slice() {
        [] => "there is no config.toml, and it is optional".to_owned(),
        [one] => format!("{one} has no mistake"),
        several => format!("{} have no mistake", several.join(" and ")),
    };
    Ok(vec![Check::pass(CONFIG, message)])
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
            Err(error) => checks.push(Check::failed(format!("{id}.{}", name(&path)), &error)),
        }
    }
    if checks.is_empty() && cfg!(windows) {
        let message = "Windows keeps a user's folders from others; access lists are not checked";
        checks.push(Check::skip(id, message));
    } else if checks.is_empty() {
        let message = format!("nobody else can read or change {}", fine.join(", "));
        checks.push(match fine.as_slice() {
            [] => Check::skip(id, "this program has written no files yet"),
            _ => Check::pass(id, message),
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
            Check::warn(format!("files.{}", name(&path)), message, hint)
        });
    aside.collect()
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
