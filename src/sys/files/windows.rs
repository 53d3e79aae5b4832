//! Files on Windows: a profile's folders are private by their inherited access list.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use anyhow::Result;

pub(super) const READABLE: u32 = 0;
pub(super) const WRITABLE: u32 = 0;

pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Access lists are not checked.
pub(super) fn gives_others(_path: &Path, _mode: u32) -> io::Result<bool> {
    Ok(true)
}

pub(super) fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// There is no place where this is asked: a lock file ends by its age.
pub(super) fn is_running(_process: i32) -> bool {
    true
}

/// What lies below `ProgramData` everybody can read.
pub(super) fn open_to_readers(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Windows has no such call for a folder; a rename is durable with its volume's journal.
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn make_alike(file: &File, other: &Metadata) -> io::Result<()> {
    file.set_permissions(other.permissions())
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

pub(super) fn refuse_open_to_others(
    _path: &Path,
    _metadata: &Metadata,
    _forbidden: u32,
) -> Result<()> {
    Ok(())
}

pub(super) fn refuse_unless_of_the_machine(_path: &Path) -> Result<()> {
    Ok(())
}

pub(super) fn refuse_to_write_for_another(_folder: &Path) -> Result<()> {
    Ok(())
}
