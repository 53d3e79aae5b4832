//! Mounted secrets: a folder that Kubernetes, systemd or a CSI driver fills. It is read anew each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::answer::source::record::Fields;
use crate::bitbucket::Reach;
use crate::sys::{Hinted, files, variables};

/// A path in the settings that starts with this lies below systemd's folder.
const OF_SYSTEMD: &str = "$CREDENTIALS_DIRECTORY";
/// The name of the secret for everything that has none of its own.
const DEFAULT: &str = "_default";
/// How often a folder is read again because it was replaced meanwhile.
const ATTEMPTS: usize = 16;

/// The folder that the settings name, else systemd's. Outside of a service systemd's variable names nothing.
pub(crate) fn root(setting: Option<&Path>) -> Result<PathBuf> {
    // systemd.exec(5), "CREDENTIALS".
    let of_systemd = variables::value("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let named = setting.unwrap_or(Path::new(OF_SYSTEMD));
    let path = match (named.strip_prefix(OF_SYSTEMD), of_systemd) {
        (Ok(rest), Some(folder)) => folder.join(rest),
        _ => named.to_owned(),
    };
    if path.is_absolute() || setting.is_some() && path.starts_with(OF_SYSTEMD) {
        return Ok(path);
    }
    bail!(Hinted::new(
        "no folder is named for the store 'folder'",
        "set 'path' of [store.folder] in config.toml to an absolute path",
    ))
}

/// The repository's secret, else its workspace's, else the default one; and where it lies.
pub(crate) fn find(
    setting: Option<&Path>,
    reach: Option<&Reach>,
) -> Result<Option<(PathBuf, Fields)>> {
    let root = root(setting)?;
    if !root.is_absolute() {
        return Ok(None);
    }
    for name in names(reach) {
        // A name must not lead out of the folder.
        let is_below = name
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let path = root.join(&name);
        if is_below && let Some(fields) = read(&path, false)? {
            return Ok(Some((path, fields)));
        }
    }
    // What the settings name may itself be the secret. In systemd's folder `password` may be another service's.
    let itself = setting.map(|_| read(&root, true)).transpose()?;
    Ok(itself.flatten().map(|fields| (root, fields)))
}

fn names(reach: Option<&Reach>) -> Vec<PathBuf> {
    let own = reach.map(|reach| {
        let repository = reach.repository.as_ref().map(|_| reach.to_string().into());
        [repository, Some(Path::new(&reach.workspace).join(DEFAULT))]
    });
    let own = own.into_iter().flatten().flatten();
    own.chain([PathBuf::from(DEFAULT)]).collect()
}

/// Kubernetes switches a link to a new version: a reader in that moment finds nothing, or a part. So what is there is read
/// until it stays the same, and only what is never there is absent.
fn read(path: &Path, is_root: bool) -> Result<Option<Fields>> {
    let cannot = || format!("cannot read '{}'", path.display());
    for _ in 0..ATTEMPTS {
        let seen = match fs::metadata(path) {
            Err(error) if files::is_absence(&error) => None,
            Ok(metadata) if metadata.is_dir() => read_fields(path, is_root).with_context(cannot)?,
            Ok(_) => read_secret(path)?.map(Some),
            Err(error) => return Err(error).with_context(cannot),
        };
        if let Some(found) = seen {
            return Ok(found);
        }
    }
    if path.exists() {
        return Err(anyhow!("it changes all the time")).with_context(cannot);
    }
    Ok(None)
}

/// A file is the secret itself. None if the file went away meanwhile.
fn read_secret(path: &Path) -> Result<Option<Fields>> {
    let Some(password) = files::read_mounted(path)? else {
        return Ok(None);
    };
    if password.is_empty() {
        bail!("'{}' is empty", path.display());
    }
    Ok(Some(Fields {
        password: Some(password),
        ..Fields::default()
    }))
}

/// A folder has a file for each field; the root also has the workspaces' folders. None if it changed meanwhile: fields
/// belong together if the same files are there before and after.
#[expect(clippy::option_option, reason = "no look is not the same as no secret")]
fn read_fields(folder: &Path, is_root: bool) -> Result<Option<Option<Fields>>> {
    let look = || {
        let seen = |name| Some((name, place(&folder.join(name), is_root)?));
        let places: BTreeMap<&str, Place> = Fields::NAMES.into_iter().filter_map(seen).collect();
        (folder.canonicalize().ok(), places)
    };
    let (real, places) = look();
    let fields = Fields::read(|name| match places.get(name) {
        Some((path, _)) => files::read_mounted(path),
        None => Ok(None),
    });
    let has_some = !places.is_empty();
    // A file may have taken its place.
    if !folder.is_dir() || (real, places) != look() {
        return Ok(None);
    }
    fields.map(|fields| Some(has_some.then_some(fields)))
}

/// Where a file really lies, and when it was last changed.
type Place = (PathBuf, Option<SystemTime>);

/// None for what is not there, and for the folder of a workspace.
fn place(path: &Path, is_root: bool) -> Option<Place> {
    // A path that cannot be resolved is left to the reader, which reports the error.
    let real = match path.canonicalize() {
        Err(error) if files::is_absence(&error) => return None,
        real => real.unwrap_or_else(|_| path.to_owned()),
    };
    let metadata = real.metadata().ok();
    let is_workspace = is_root && metadata.as_ref().is_some_and(fs::Metadata::is_dir);
    let modified = metadata.and_then(|metadata| metadata.modified().ok());
    (!is_workspace).then_some((real, modified))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{find, read_fields};
    use crate::bitbucket::reach::Reach;

    #[test]
    fn the_most_exact_secret_is_found_and_nothing_outside_of_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        for (path, content) in [
            ("root/_default", "all\n"),
            ("root/acme/_default", "acme"),
            ("root/acme/site/password", "site\n\n"),
            ("root/acme/site/email", "ada@example.com\n"),
            ("outside/password", "never"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, content).expect("written");
        }
        let password = |reach: &str| {
            let reach: Option<Reach> = reach.parse().ok();
            let (_, fields) = find(Some(&root), reach.as_ref())
                .expect("an answer")
                .expect("one");
            fields.password.expect("a password").expose().to_vec()
        };
        assert_eq!(password("acme/site"), b"site\n", "one newline is dropped");
        assert_eq!(password("acme/app"), b"acme");
        assert_eq!(password("beta/app"), b"all");
        assert_eq!(password("acme/site/.."), b"all");
        let strange = Reach {
            workspace: "..".to_owned(),
            repository: Some("outside".to_owned()),
        };
        let (path, _) = find(Some(&root), Some(&strange))
            .expect("an answer")
            .expect("one");
        assert_eq!(path, root.join("_default"));
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_no_folder_without_a_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app");
        fs::write(&path, "secret").expect("written");
        assert!(read_fields(&path, false).expect("an answer").is_none());
        fs::remove_file(&path).expect("removed");
        assert!(read_fields(&path, false).expect("an answer").is_none());
        fs::create_dir(&path).expect("made");
        assert!(read_fields(&path, false).expect("an answer").is_some());
    }
}
