//! Our own files: what the user wrote, and who else can read or change them.

use std::path::Path;

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::settings::locations::system_config;
use crate::store::file::KeyPlace;
use crate::sys::files;

/// Whether `config.toml` says what it can say.
pub(super) fn configuration(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "config";
    let path = match surroundings.session.locations() {
        Ok(locations) => locations.config(),
        Err(error) => return vec![Check::failed(id, &error)],
    };
    let session = surroundings.session;
    let read = session
        .config()
        .and_then(|_| session.file_store())
        .and_then(|_| session.unknown_keys());
    let unknown = match read {
        Ok(unknown) => unknown,
        Err(error) => return vec![Check::failed(id, &error)],
    };
    if unknown.is_empty() {
        let there = [system_config(), path]
            .into_iter()
            .filter(|path| path.exists());
        let there: Vec<String> = there.map(|path| format!("'{}'", path.display())).collect();
        let message = match there.as_slice() {
            [] => "there is no config.toml, and it is optional".to_owned(),
            [one] => format!("{one} has no mistake"),
            several => format!("{} have no mistake", several.join(" and ")),
        };
        return vec![Check::pass(id, message)];
    }
    let unknown = unknown.iter().map(|key| {
        Check::warn(
            id,
            key,
            "correct the spelling or remove the key: 'man git-credential-bitbucket' lists the keys",
        )
    });
    unknown.collect()
}

/// Whether somebody else can read or change our files, or put others in their place.
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
        match store.key {
            KeyPlace::File(path) => private.push(path),
            KeyPlace::Kernel => {}
        }
    }
    let looked = private.into_iter().map(|path| {
        (
            files::read_private(&path).map(|content| content.is_some()),
            path,
        )
    });
    let config = locations.config();
    let config = (
        files::read_trusted(&config).map(|content| content.is_some()),
        config,
    );
    let mut fine: Vec<String> = Vec::new();
    let mut checks = Vec::new();
    for (outcome, path) in looked.chain([config]) {
        match outcome {
            Ok(true) => fine.push(name(&path)),
            Ok(false) => {}
            Err(error) => checks.push(Check::failed(format!("{id}.{}", name(&path)), &error)),
        }
    }
    if checks.is_empty() && cfg!(windows) {
        let message = "Windows keeps a user's folders from others; access lists are not checked";
        checks.push(Check::skip(id, message));
    } else if checks.is_empty() {
        checks.push(if fine.is_empty() {
            Check::skip(id, "this program has written no files yet")
        } else {
            Check::pass(
                id,
                format!("nobody else can read or change {}", fine.join(", ")),
            )
        });
    }
    checks
}

/// Files of ours that were damaged and set aside.
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
