//! Reading files that others must not be able to change, or to read.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use zeroize::Zeroizing;

use super::platform;
use crate::sys::error::Hinted;
use crate::sys::secret::Secret;

/// The content of a private file. None when there is no file.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    read(path, Some(PRIVATE), cannot("read", path))
}

/// Opens a private file to read it. None when there is no file.
pub(crate) fn open_private(path: &Path) -> Result<Option<File>> {
    let opened = open(path, Some(PRIVATE), cannot("read", path))?;
    Ok(opened.map(|(file, _)| file))
}

/// What nobody else may do with a private file.
const PRIVATE: u32 = platform::READABLE | platform::WRITABLE;

/// The content of a file that the user writes by hand. None when there is no file.
pub(crate) fn read_trusted(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    read(path, Some(platform::WRITABLE), cannot("read", path))
}

/// Whether the system tells a file of the machine's administrators from one that any user has made. On Windows any user
/// can make a folder below `ProgramData`, and std does not tell who owns a file.
pub(crate) const HAS_MACHINE_FILES: bool = cfg!(unix);

/// The content of a file that only administrators can have written or moved. None when there is no file, or if the system
/// cannot tell.
pub(crate) fn read_machine_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    if !HAS_MACHINE_FILES {
        return Ok(None);
    }
    let content = read(path, Some(platform::WRITABLE), cannot_read(path))?;
    if content.is_some() {
        platform::refuse_unless_of_the_machine(path)?;
    }
    Ok(content)
}

/// The secret in a mounted file, without its final newline. None when there is no file.
///
/// The file's mode is not checked, for it is set by the system that mounts it: Kubernetes makes it 0644 in a folder of
/// its own.
pub(crate) fn read_mounted(path: &Path) -> Result<Option<Secret>> {
    /// More than any secret has: another file may be mounted.
    const LONGEST: usize = 64 << 10;
    let content = match read(path, None, cannot_read(path)) {
        Err(error) if error.downcast_ref().is_some_and(is_absence) => None,
        content => content?,
    };
    let Some(content) = content else {
        return Ok(None);
    };
    let shown = path.display();
    ensure!(
        content.len() <= LONGEST,
        "'{shown}' is too long to be a secret"
    );
    let value = content.strip_suffix(b"\n").unwrap_or(&content);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    Ok(Some(Secret::new(value.to_vec())))
}

/// Whether the error says that there is no file, rather than one that cannot be read.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Whether a file was last changed longer ago than this.
pub(crate) fn is_older(metadata: io::Result<Metadata>, least: Duration) -> bool {
    let modified = metadata.and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > least))
}

/// More than all our files together.
pub(super) const LONGEST: u64 = 16 << 20;

/// The error of a failed call, with its fix where the folder is of no use: read-only, or another user's.
pub(super) fn cannot(what: &str, path: &Path) -> impl Fn(io::Error) -> anyhow::Error {
    move |error| {
        let message = format!("cannot {what} '{}'", path.display());
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                let fix = "set GIT_CREDENTIAL_BITBUCKET_HOME to a folder of your own";
                anyhow::Error::new(error).context(Hinted::new(message, fix))
            }
            _ => anyhow::Error::new(error).context(message),
        }
    }
}

/// The error of a file that cannot lie elsewhere.
fn cannot_read(path: &Path) -> impl Fn(io::Error) -> anyhow::Error {
    move |error| anyhow::Error::new(error).context(format!("cannot read '{}'", path.display()))
}

/// Opens a file to read it, unless others may do with it what is `forbidden` or can replace it. None when there is no file.
fn open(
    path: &Path,
    forbidden: Option<u32>,
    failed: impl Fn(io::Error) -> anyhow::Error,
) -> Result<Option<(File, Metadata)>> {
    let shown = path.display();
    let no_file = || Hinted::new(format!("'{shown}' is not a file"), "move it away");
    let opened = if_there(platform::open(path));
    // A socket cannot be opened, and on Windows no folder.
    let is_other = || fs::metadata(path).is_ok_and(|it| !it.is_file());
    ensure!(opened.is_ok() || !is_other(), no_file());
    let Some(file) = opened.map_err(&failed)? else {
        return Ok(None);
    };
    let metadata = file.metadata().map_err(failed)?;
    ensure!(metadata.is_file(), no_file());
    let is_short = metadata.len() <= LONGEST;
    ensure!(is_short, "'{shown}' is longer than {LONGEST} bytes");
    if let Some(forbidden) = forbidden {
        platform::refuse_open_to_others(path, &metadata, forbidden)?;
    }
    Ok(Some((file, metadata)))
}

fn read(
    path: &Path,
    forbidden: Option<u32>,
    failed: impl Fn(io::Error) -> anyhow::Error,
) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some((file, metadata)) = open(path, forbidden, &failed)? else {
        return Ok(None);
    };
    // Room for the whole file: a `Vec` that grows leaves copies of a secret behind.
    let room = usize::try_from(metadata.len())? + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    let read = file.take(LONGEST).read_to_end(&mut content);
    read.map_err(failed)?;
    Ok(Some(content))
}

/// None in place of the error that there is no such file.
pub(crate) fn if_there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}
