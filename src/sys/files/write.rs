//! Writing files as a whole, so that a crash leaves the old content or the new; and renaming damaged ones, so that nothing
//! in them is lost.

use std::fs::{self, DirEntry};
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;

use super::draft::{AT_WORK, Draft, Mode, folder_of};
use super::platform;
use super::read::{LONGEST, cannot, if_there};
use crate::sys::error::Hinted;

/// Replaces a private file as a whole: a reader sees the old content or the new, also after a crash.
/// On an error the old content stays.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, AT_WORK)
}

/// The mode of a file that everybody may read, and of its folder.
const PUBLIC: u32 = 0o644;
const PUBLIC_FOLDER: u32 = 0o755;

/// Replaces a file that everybody may read, whatever the umask is.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<()> {
    let target = target_of(path)?;
    let replace = || {
        let draft = Draft::write(&target, content, Mode::Private, AT_WORK)?;
        platform::open_to_readers(&draft.path, PUBLIC)?;
        draft.take_its_place()
    };
    replace().with_context(|| format!("cannot write '{}'", path.display()))
}

/// Makes a folder that everybody may enter, and opens one that is there.
pub(crate) fn make_public_folder(folder: &Path) -> Result<()> {
    let make = || {
        let is_missing = |folder: &&Path| !folder.exists();
        let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
        fs::create_dir_all(folder)?;
        let mut folders = missing.into_iter().chain([folder]);
        folders.try_for_each(|folder| platform::open_to_readers(folder, PUBLIC_FOLDER))
    };
    make().with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    platform::refuse_to_write_for_another(folder)
}

/// Lets everybody read a file, whatever the umask is.
pub(crate) fn open_to_readers(path: &Path) -> Result<()> {
    platform::open_to_readers(path, PUBLIC)
        .with_context(|| format!("cannot let everybody read '{}'", path.display()))
}

/// The mode that a file or folder lacks, if it is not one that everybody may read and only its owner may change.
pub(crate) fn missing_mode(path: &Path) -> Result<Option<u32>> {
    let mode = if path.is_dir() { PUBLIC_FOLDER } else { PUBLIC };
    let has = platform::gives_others(path, mode);
    let has = has.with_context(|| format!("cannot look at '{}'", path.display()))?;
    Ok((!has).then_some(mode))
}

/// The same. Removes drafts of at least this age.
pub(super) fn write(path: &Path, content: &[u8], age: Duration) -> Result<()> {
    // A file that would not be read must not be written.
    let is_short = content.len() as u64 <= LONGEST;
    let shown = path.display();
    ensure!(is_short, "'{shown}' would be longer than {LONGEST} bytes");
    let target = target_of(path)?;
    make_private_folder(&target)?;
    let replace = || Draft::write(&target, content, Mode::Private, age)?.take_its_place();
    replace().map_err(cannot("write", path))
}

/// Removes a file. A missing file is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if_there(fs::remove_file(path));
    removed.map(drop).map_err(cannot("remove", path))
}

/// Where a file lies behind its symbolic link. The link stays.
/// A link that leads nowhere is an error: its disk may not be mounted, and another disk would get the secret.
fn target_of(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => dunce::canonicalize(path).context(Hinted::new(
            format!("the symbolic link '{}' leads nowhere", path.display()),
            "bring back what it leads to, or remove the link",
        )),
        _ => Ok(path.to_owned()),
    }
}

pub(super) fn make_private_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    platform::make_folder(folder).map_err(cannot("make the folder", folder))?;
    platform::refuse_to_write_for_another(folder)
}

/// Stands between the name of a damaged file and the time.
const DAMAGED: &str = ".damaged-";

/// Renames a damaged file, or the symbolic link to it, and returns its new name. The user can look at it there and repair
/// it.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf> {
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
