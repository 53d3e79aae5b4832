//! Damaged files, renamed so that nothing in them is lost.

use std::fs::{self, DirEntry};
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;

use crate::sys::error::Hinted;

/// Stands between the name of a damaged file and the time.
const DAMAGED: &str = ".damaged-";

/// Renames a damaged file and returns its new name. The user can look at it there and repair it.
/// A symbolic link is an error: we must not move its target.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf> {
    if path.is_symlink() {
        bail!(Hinted::new(
            format!("'{}' is a symbolic link", path.display()),
            "fix what it leads to, or move that away",
        ));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let name = format!("{name}{DAMAGED}{time}");
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let names = iter::once(name.clone()).chain(numbered);
    let mut places = names.map(|name| path.with_file_name(name));
    let aside = places.find(|aside| !aside.exists());
    let aside = aside.expect("numbers do not end");
    fs::rename(path, &aside).with_context(|| format!("cannot rename '{}'", path.display()))?;
    Ok(aside)
}

/// The names that [`set_aside`] has given to damaged versions of this file.
pub(crate) fn set_aside_before(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = format!("{name}{DAMAGED}");
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let entries = entries.into_iter().flatten().flatten();
    let is_one = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(&start);
    let mut paths: Vec<PathBuf> = entries.filter(is_one).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
