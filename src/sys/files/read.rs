//! Reading files that others must not be able to change, or to read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use super::platform;
use crate::sys::secret::Secret;

/// The content of a private file. None when there is no file.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(file) = open_private(path)? else {
        return Ok(None);
    };
    read_whole(path, file).map(Some)
}

/// Opens a private file to read it. None when there is no file.
pub(crate) fn open_private(path: &Path) -> Result<Option<File>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    platform::refuse_open_to_others(path, &file, platform::READABLE | platform::WRITABLE)?;
    Ok(Some(file))
}

/// The content of a file that the user writes by hand. None when there is no file.
pub(crate) fn read_trusted(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    platform::refuse_open_to_others(path, &file, platform::WRITABLE)?;
    read_whole(path, file).map(Some)
}

/// Whether the system tells a file of the machine's administrators from one that any user has made.
pub(crate) const HAS_MACHINE_FILES: bool = platform::HAS_MACHINE_FILES;

/// The content of a file that only administrators can have written or moved. None when there is no file, or if the system
/// cannot tell.
pub(crate) fn read_machine_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    if !HAS_MACHINE_FILES {
        return Ok(None);
    }
    let content = read_trusted(path)?;
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
    let file = match open(path) {
        Err(error) if error.downcast_ref().is_some_and(is_absence) => None,
        file => file?,
    };
    let Some(file) = file else {
        return Ok(None);
    };
    let content = read_whole(path, file)?;
    if content.len() > LONGEST {
        bail!("'{}' is too long to be a secret", path.display());
    }
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

/// More than all our files together.
pub(crate) const LONGEST: u64 = 16 << 20;

fn open(path: &Path) -> Result<Option<File>> {
    let cannot = || format!("cannot read '{}'", path.display());
    match fs::metadata(path) {
        // Opening a named pipe would wait for a writer.
        Ok(metadata) if !metadata.is_file() => bail!("'{}' is not a file", path.display()),
        Ok(metadata) if metadata.len() > LONGEST => {
            bail!("'{}' is longer than {LONGEST} bytes", path.display())
        }
        Ok(_) => match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(cannot),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(cannot),
    }
}

fn read_whole(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>> {
    // Room for the whole file: a `Vec` that grows leaves copies of a secret behind.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(LONGEST)
        .read_to_end(&mut content)
        .with_context(|| format!("cannot read '{}'", path.display()))?;
    Ok(content)
}
