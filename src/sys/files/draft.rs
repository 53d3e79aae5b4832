//! The new content of a file, written beside it before it takes its place.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::platform;
use super::read::{if_there, is_older};

/// Older drafts belong to dead writers.
pub(crate) const AT_WORK: Duration = Duration::from_secs(60);

const DRAFT: &str = ".new";

/// Who gets the new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Only its owner can read it.
    Private,
    /// It has mode and owner of the file it replaces; where there is none, those that any program gives it.
    AsBefore,
}

/// The new content of a file, in a file beside it. It is removed when it does not take the old one's place.
pub(crate) struct Draft<'a> {
    target: &'a Path,
    pub(crate) path: PathBuf,
    mode: Mode,
    has_moved: bool,
}

impl<'a> Draft<'a> {
    /// Writes a draft, in place of those of at least this age that killed processes left behind.
    pub(crate) fn write(
        target: &'a Path,
        content: &[u8],
        mode: Mode,
        least: Duration,
    ) -> io::Result<Self> {
        // First: on a full disk their space may be what is missing.
        sweep(target, least);
        let before = match mode {
            Mode::Private => None,
            Mode::AsBefore => if_there(fs::metadata(target))?,
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if mode == Mode::Private || before.is_some() {
            platform::private(&mut options);
        }
        let mut name = target.file_name().unwrap_or_default().to_owned();
        let number = getrandom::u32().map_err(io::Error::other)?;
        name.push(format!(".{number:08x}{DRAFT}"));
        let path = target.with_file_name(name);
        let mut file = options.open(&path)?;
        let draft = Self {
            target,
            path,
            mode,
            has_moved: false,
        };
        if let Some(before) = before {
            // The mode comes first: private content must never be readable by others.
            platform::make_alike(&file, &before)?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Replaces the file. A reader sees the old content or the new, also after a crash.
    /// On an error the old content stays.
    pub(crate) fn take_its_place(mut self) -> io::Result<()> {
        fs::rename(&self.path, self.target)?;
        self.has_moved = true;
        // A file of ours must survive a crash. git does not wait for the disk with its own files.
        if self.mode == Mode::Private {
            platform::sync_folder(folder_of(self.target))?;
        }
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.has_moved {
            // It may hold a secret.
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Removes drafts of at least this age. Killed processes leave them behind, and they may hold a secret.
fn sweep(path: &Path, least: Duration) {
    let name = path.file_name().unwrap_or_default();
    let start = format!("{}.", name.to_string_lossy());
    let is_old = |entry: &fs::DirEntry| least.is_zero() || is_older(entry.metadata(), least);
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let folder = fs::read_dir(folder_of(path));
    for entry in folder.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(&start);
        let number = number.and_then(|rest| rest.strip_suffix(DRAFT));
        // Only the names that `Draft::write` gives.
        let is_draft = number.is_some_and(|number| number.len() == 8 && number.bytes().all(is_hex));
        if is_draft && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_old(&entry) {
            // The next write tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}
