//! Damaged files, renamed so that nothing in them is lost.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;

use crate::sys::error::Hinted;

/// Stands between the name of a damaged file and the time.
const DAMAGED: &str = ".damaged-";

/// Renames a damaged file and returns its new name. The user can look at it there and repair it.
///
/// # Errors
/// When it is a symbolic link (its end is not ours to move), or the folder cannot be written.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf> {
    if path.is_symlink() {
        bail!(Hinted::new(
            format!("'{}' is a symbolic link", path.display()),
            "fix what it leads to, or move that away",
        ));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(DAMAGED);
    name.push(Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string());
    let numbered = (2..).map(|number| {
        let mut name = name.clone();
        name.push(format!("-{number}"));
        name
    });
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let aside = names
        .find_map(|name| Some(path.with_file_name(name)).filter(|aside| !aside.exists()))
        .expect("numbers do not end");
    fs::rename(path, &aside).with_context(|| format!("cannot rename '{}'", path.display()))?;
    Ok(aside)
}

/// The names that [`set_aside`] has given to damaged versions of this file.
pub(crate) fn set_aside_before(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = format!("{name}{DAMAGED}");
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}
