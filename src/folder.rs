//! Mounted secrets: a folder that somebody else fills (Kubernetes, systemd, a CSI driver), read anew each time.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use crate::environment;
use crate::error::Hinted;
use crate::fields::Fields;
use crate::file;
use crate::scope::Scope;

/// How the path of the settings begins that lies below systemd's folder.
const OF_SYSTEMD: &str = "$CREDENTIALS_DIRECTORY";
/// The name of what is for everything that has no secret of its own.
const DEFAULT: &str = "_default";
/// How often a folder is read that is swapped while it is read.
const ATTEMPTS: usize = 3;

/// The folder of the settings, else of systemd's variable; the variable may also begin the path of the settings.
///
/// # Errors
/// When neither says one, or the path is not absolute.
pub(crate) fn root(setting: Option<&Path>) -> Result<PathBuf> {
    let of_systemd = environment::credentials_directory();
    let path = match setting {
        None => of_systemd,
        Some(path) => match (path.strip_prefix(OF_SYSTEMD), of_systemd) {
            (Ok(rest), of_systemd) => of_systemd.map(|folder| folder.join(rest)),
            (Err(_), _) => Some(path.to_owned()),
        },
    };
    let path = path.filter(|path| path.is_absolute());
    path.ok_or_else(|| {
        anyhow!(Hinted::new(
            "no folder is named for the store 'folder'",
            "set 'path' of [store.folder] in config.toml to an absolute path",
        ))
    })
}

/// The first secret there is for the scope, and where it lies: its own, its workspace's, the one for all.
///
/// # Errors
/// When it is there and cannot be read.
pub(crate) fn find(root: &Path, scope: Option<&Scope>) -> Result<Option<(PathBuf, Fields)>> {
    for name in names(scope) {
        let path = root.join(&name);
        // Nothing in a name leads out of the folder.
        let is_below = name
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if let Some(fields) = is_below.then(|| read(&path)).transpose()?.flatten() {
            return Ok(Some((path, fields)));
        }
    }
    Ok(None)
}

fn names(scope: Option<&Scope>) -> Vec<PathBuf> {
    let mut names = Vec::new();
    if let Some(Scope {
        workspace,
        repository,
    }) = scope
    {
        let workspace = Path::new(workspace);
        names.extend(repository.as_ref().map(|name| workspace.join(name)));
        names.push(workspace.join(DEFAULT));
    }
    names.push(DEFAULT.into());
    names
}

/// A file is the secret itself; a folder has a file for each field.
fn read(path: &Path) -> Result<Option<Fields>> {
    let cannot = || format!("cannot read '{}'", path.display());
    for _ in 0..ATTEMPTS {
        let metadata = match fs::metadata(path) {
            Err(error) if file::is_absence(&error) => return Ok(None),
            outcome => outcome.with_context(cannot)?,
        };
        if !metadata.is_dir() {
            let password = file::read_mounted(path)?;
            return Ok(Some(Fields {
                password,
                ..Fields::default()
            }));
        }
        // Kubernetes swaps a link to the folder in which the files really lie: all are read out of the same one.
        let Ok(real) = path.join("password").canonicalize() else {
            // Of a folder of repositories that is as it should be.
            return Ok(None);
        };
        let real = real.parent().unwrap_or(path);
        let fields =
            Fields::read(|name| file::read_mounted(&real.join(name))).with_context(cannot)?;
        if fields.password.is_some() || path.join("password").exists() && real.exists() {
            return Ok(Some(fields));
        }
    }
    Err(anyhow!("it is replaced all the time")).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::find;
    use crate::scope::Scope;

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
        let password = |scope: &str| {
            let scope: Option<Scope> = scope.parse().ok();
            let (_, fields) = find(&root, scope.as_ref())
                .expect("an answer")
                .expect("one");
            fields.password.expect("a password").expose().to_vec()
        };
        assert_eq!(password("acme/site"), b"site\n", "one newline is dropped");
        assert_eq!(password("acme/app"), b"acme");
        assert_eq!(password("beta/app"), b"all");
        assert_eq!(password("acme/site/.."), b"all");
        let strange = Scope {
            workspace: "..".to_owned(),
            repository: Some("outside".to_owned()),
        };
        let (path, _) = find(&root, Some(&strange))
            .expect("an answer")
            .expect("one");
        assert_eq!(path, root.join("_default"));
    }
}
