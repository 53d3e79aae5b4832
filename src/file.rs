//! Private files: made with mode 0600, replaced as a whole, refused when others could have read or changed them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use crate::error::Hinted;

/// The content of a private file, or nothing when there is none.
///
/// # Errors
/// When others can read it, or can write to its folder, or it cannot be read.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    platform::refuse_open_to_others(path, &file, platform::READABLE | platform::WRITABLE)?;
    read_whole(path, file).map(Some)
}

/// The content of a file the user writes by hand, or nothing when there is none.
///
/// # Errors
/// When others can change it or its folder, or it cannot be read.
pub(crate) fn read_trusted(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    platform::refuse_open_to_others(path, &file, platform::WRITABLE)?;
    read_whole(path, file).map(Some)
}

/// Replaces a private file as a whole: whoever reads sees the old content or the new, also after a crash.
///
/// # Errors
/// When the folder cannot be made, or the disk is full, or the folder is read-only: the old content is then still there.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let folder = make_private_folder(path)?;
    replace(path, folder, content).with_context(|| format!("cannot write '{}'", path.display()))
}

/// Removes a file; that there was none is no error.
///
/// # Errors
/// When it is there and cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove '{}'", path.display()))
        }
        _ => Ok(()),
    }
}

/// A lock that ends with this value, or with the process.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock that is kept on `path`, at most for `patience`.
    ///
    /// # Errors
    /// When another process holds it all that time, or the file cannot be made.
    pub(crate) fn acquire(path: &Path, patience: Duration) -> Result<Self> {
        make_private_folder(path)?;
        let file = platform::private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(path)
            .with_context(|| format!("cannot open '{}'", path.display()))?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(fs::TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock '{}'", path.display()));
                }
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(2));
                }
                Err(fs::TryLockError::WouldBlock) => bail!(Hinted::new(
                    format!("'{}' stays locked by another process", path.display()),
                    "look for a 'git-credential-bitbucket' that hangs, end it, and try again",
                )),
            }
        }
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read '{}'", path.display())),
    }
}

fn read_whole(path: &Path, mut file: File) -> Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: a buffer that grows leaves copies of a secret behind.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.read_to_end(&mut content)
        .with_context(|| format!("cannot read '{}'", path.display()))?;
    Ok(content)
}

fn make_private_folder(path: &Path) -> Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.as_os_str().is_empty() {
        platform::folder_builder()
            .create(folder)
            .with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    }
    Ok(folder)
}

fn replace(path: &Path, folder: &Path, content: &[u8]) -> io::Result<()> {
    let (draft, mut file) = draft_beside(path)?;
    let written = (|| {
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&draft, path)?;
        platform::sync_folder(folder)
    })();
    if written.is_err() {
        // The old content is untouched; the draft may hold a secret and must not stay.
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Makes a new, empty, private file with a name of its own beside `path`.
fn draft_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        let number = getrandom::u32().map_err(io::Error::other)?;
        name.push(format!(".{number:08x}.new"));
        let draft = path.with_file_name(name);
        match platform::private(OpenOptions::new().write(true).create_new(true)).open(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (draft, file)),
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
    use std::path::Path;

    use anyhow::{Context as _, Result, bail};

    use crate::error::Hinted;

    pub(super) const READABLE: u32 = 0o044;
    pub(super) const WRITABLE: u32 = 0o022;

    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    pub(super) fn folder_builder() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
    }

    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        File::open(folder)?.sync_all()
    }

    pub(super) fn refuse_open_to_others(path: &Path, file: &File, forbidden: u32) -> Result<()> {
        let looked = || format!("cannot look at '{}'", path.display());
        let mode = file.metadata().with_context(looked)?.mode();
        if mode & forbidden != 0 {
            let (what, mend) = if mode & forbidden & WRITABLE == 0 {
                (
                    "read",
                    "'chmod 600' it, and revoke the tokens it held if somebody may have looked",
                )
            } else {
                (
                    "changed",
                    "look whether its content is yours, then 'chmod go-rwx' it",
                )
            };
            bail!(Hinted::new(
                format!(
                    "'{}' can be {what} by others (mode {:04o})",
                    path.display(),
                    mode & 0o7777
                ),
                mend,
            ));
        }
        let real = path.canonicalize().with_context(looked)?;
        let folder = real.parent().unwrap_or(Path::new("/"));
        let mode = folder.metadata().with_context(looked)?.mode();
        // In a sticky folder (/tmp) others can add files but neither replace nor remove ours.
        if mode & WRITABLE != 0 && mode & 0o1000 == 0 {
            bail!(Hinted::new(
                format!(
                    "others can write to the folder '{}' (mode {:04o})",
                    folder.display(),
                    mode & 0o7777
                ),
                "look whether its files are yours, then 'chmod go-w' it",
            ));
        }
        Ok(())
    }
}

#[cfg(windows)]
mod platform {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io;
    use std::path::Path;

    use anyhow::Result;

    pub(super) const READABLE: u32 = 0;
    pub(super) const WRITABLE: u32 = 0;

    /// The profile's folders are private by their inherited access list.
    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn folder_builder() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        builder
    }

    /// Windows has no such call for a folder; a rename is durable with its volume's journal.
    pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn refuse_open_to_others(_path: &Path, _file: &File, _forbidden: u32) -> Result<()> {
        Ok(())
    }
}
