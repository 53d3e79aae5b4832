//! Writing files as a whole, so that a crash leaves the old content or the new.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::draft::{AT_WORK, Draft, Mode, folder_of, sweep};
use super::platform;
use super::read::if_there;
use crate::sys::error::Hinted;

/// Replaces a private file as a whole: a reader sees the old content or the new, also after a crash.
/// On an error the old content stays.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, AT_WORK)
}

/// Replaces a file of the whole machine, which everybody may read whatever the umask is; so with its folder.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let make = || {
        if !folder.exists() {
            fs::create_dir_all(folder)?;
            platform::open_to_readers(folder, 0o755)?;
        }
        let draft = Draft::write(path, content, Mode::Private)?;
        platform::open_to_readers(draft.path(), 0o644)?;
        draft.take_its_place()
    };
    make().with_context(|| format!("cannot write '{}'", path.display()))
}

/// Lets everybody read a file that was just made, whatever the umask is.
pub(crate) fn open_to_readers(path: &Path) -> Result<()> {
    platform::open_to_readers(path, 0o644)
        .with_context(|| format!("cannot let everybody read '{}'", path.display()))
}

pub(super) fn write(path: &Path, content: &[u8], age: Duration) -> Result<()> {
    let target = target_of(path)?;
    make_private_folder(&target)?;
    // First: on a full disk their space may be what is missing.
    sweep(&target, age);
    let replace = || Draft::write(&target, content, Mode::Private)?.take_its_place();
    replace().with_context(|| format!("cannot write '{}'", path.display()))
}

/// Removes a file. A missing file is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if_there(fs::remove_file(path));
    let removed = removed.with_context(|| format!("cannot remove '{}'", path.display()));
    removed.map(drop)
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
    let made = platform::folder_builder().create(folder);
    made.with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    platform::refuse_to_write_for_another(folder)
}
