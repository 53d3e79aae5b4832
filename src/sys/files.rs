//! Private files: made with mode 0600, replaced as a whole, refused when others could have read or changed them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::sys::error::Hinted;
use crate::sys::secret::Secret;

/// The content of a private file, or nothing when there is none.
///
/// # Errors
/// When others can read it, or can write to its folder, or it cannot be read.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(file) = open_private(path)? else {
        return Ok(None);
    };
    read_whole(path, file).map(Some)
}

/// A private file to read from, or nothing when there is none.
///
/// # Errors
/// As [`read_private`].
pub(crate) fn open_private(path: &Path) -> Result<Option<File>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    platform::refuse_open_to_others(path, &file, platform::READABLE | platform::WRITABLE)?;
    Ok(Some(file))
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

/// A secret that somebody else put into a file, without its final newline; nothing when there is no such file.
///
/// Who may read the file is for him to say who mounts it: Kubernetes, for one, makes it 0644 in a folder of its own.
///
/// # Errors
/// When it cannot be read, or is too long for a secret.
pub(crate) fn read_mounted(path: &Path) -> Result<Option<Secret>> {
    /// Longer than any secret: somebody may have mounted something else.
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

/// Whether there is nothing at a path, as against something that cannot be read.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Replaces a private file as a whole: whoever reads sees the old content or the new, also after a crash.
///
/// # Errors
/// When the folder cannot be made, or the disk is full, or the folder is read-only: the old content is then still there.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, AT_WORK)
}

/// The same for a file of the whole machine, which everybody may read, as they may pass through its folder: whatever
/// the umask is.
///
/// # Errors
/// As [`write_private`].
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
///
/// # Errors
/// When it is somebody else's.
pub(crate) fn open_to_readers(path: &Path) -> Result<()> {
    platform::open_to_readers(path, 0o644)
        .with_context(|| format!("cannot let everybody read '{}'", path.display()))
}

/// How old a draft at least is whose writer is no longer at work.
const AT_WORK: Duration = Duration::from_secs(60);

fn write(path: &Path, content: &[u8], age: Duration) -> Result<()> {
    let target = target_of(path)?;
    let folder = make_private_folder(&target)?;
    // First: where the disk is full, what they take may be what is missing.
    sweep(&target, folder, age);
    replace(&target, content).with_context(|| format!("cannot write '{}'", path.display()))
}

/// Gives a damaged file another name, under which it can be looked at and mended; tells which.
///
/// # Errors
/// When it is a symbolic link, whose end is not ours to move, or the folder cannot be written.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf> {
    if path.is_symlink() {
        bail!(Hinted::new(
            format!("'{}' is a symbolic link", path.display()),
            "mend what it leads to, or move that away",
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

/// The files that [`set_aside`] made of this one.
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

/// What the name of a damaged file is followed by, and then the time.
const DAMAGED: &str = ".damaged-";

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
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            bail!("'{}' is not a file", path.display());
        }
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

    /// Replaces a private file that nobody writes without this lock: then each draft of it is a dead process's.
    ///
    /// # Errors
    /// As [`write_private`].
    #[expect(clippy::unused_self, reason = "that it is held is what counts")]
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        // What a link leads to may be written under other locks as well.
        let age = if path.is_symlink() {
            AT_WORK
        } else {
            Duration::ZERO
        };
        write(path, content, age)
    }
}

/// More than all our files together: what is longer was not written by us, or by a user for us.
const LONGEST: u64 = 16 << 20;

fn open(path: &Path) -> Result<Option<File>> {
    let cannot = || format!("cannot read '{}'", path.display());
    match fs::metadata(path) {
        // Opening a named pipe would wait for somebody to write to it.
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
    // Room for all of it at once: a buffer that grows leaves copies of a secret behind.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(LONGEST)
        .read_to_end(&mut content)
        .with_context(|| format!("cannot read '{}'", path.display()))?;
    Ok(content)
}

/// Where a file really lies: a symbolic link to another disk stays one.
///
/// # Errors
/// When the link leads nowhere: the disk may not be mounted, and the secret would lie on the wrong one.
fn target_of(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => dunce::canonicalize(path).context(Hinted::new(
            format!("the symbolic link '{}' leads nowhere", path.display()),
            "bring back what it leads to, or remove the link",
        )),
        _ => Ok(path.to_owned()),
    }
}

fn make_private_folder(path: &Path) -> Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.as_os_str().is_empty() {
        platform::folder_builder()
            .create(folder)
            .with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
        platform::refuse_to_write_for_another(folder)?;
    }
    Ok(folder)
}

/// Removes the drafts of at least this age: those that a killed process left behind, which may hold a secret.
fn sweep(path: &Path, folder: &Path, least: Duration) {
    let start = format!(
        "{}.",
        path.file_name().unwrap_or_default().to_string_lossy()
    );
    let is_old = |entry: &fs::DirEntry| {
        let age = entry
            .metadata()
            .ok()
            .and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
        least.is_zero() || age.is_some_and(|age| age > least)
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // As `draft_beside` names them, and no other file of somebody's.
        let number = name
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix(DRAFT));
        let is_draft = number.is_some_and(|number| {
            number.len() == 8
                && number
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        if is_draft && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_old(&entry) {
            // Whoever comes next tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// How the name of a draft ends.
const DRAFT: &str = ".new";

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    Draft::write(path, content, Mode::Private)?.take_its_place()
}

/// How a new file is made.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Only its owner can read it.
    Private,
    /// As any program makes one.
    Usual,
    /// With mode and owner of the file it replaces.
    As(&'a fs::Metadata),
}

/// A new content beside the file whose place it is to take. It goes when that does not come to pass.
pub(crate) struct Draft<'a> {
    target: &'a Path,
    path: PathBuf,
    /// A file of ours: that it was replaced has to outlast a crash. git does not wait for that with its own.
    is_private: bool,
    has_moved: bool,
}

impl<'a> Draft<'a> {
    /// Writes it to the disk.
    ///
    /// # Errors
    /// When the folder is read-only, or the disk is full.
    pub(crate) fn write(target: &'a Path, content: &[u8], mode: Mode<'_>) -> io::Result<Self> {
        let (path, mut file) = draft_beside(target, mode)?;
        let draft = Self {
            target,
            path,
            is_private: matches!(mode, Mode::Private),
            has_moved: false,
        };
        if let Mode::As(metadata) = mode {
            // First the mode: what is private must not be open to others for even a moment.
            platform::make_alike(&draft.path, &file, metadata)?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        Ok(draft)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what others left behind that were killed while they wrote the same file.
    pub(crate) fn sweep(&self) {
        sweep(
            self.target,
            self.target.parent().unwrap_or(Path::new(".")),
            AT_WORK,
        );
    }

    /// Whoever reads sees the old content or the new, also after a crash.
    ///
    /// # Errors
    /// When the folder is read-only: the old content is then still there.
    pub(crate) fn take_its_place(mut self) -> io::Result<()> {
        fs::rename(&self.path, self.target)?;
        self.has_moved = true;
        if self.is_private {
            platform::sync_folder(self.target.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.has_moved {
            // The old content is untouched; the draft may hold a secret and must not stay.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a new, empty file with a name of its own beside `path`.
fn draft_beside(path: &Path, mode: Mode<'_>) -> io::Result<(PathBuf, File)> {
    loop {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        let number = getrandom::u32().map_err(io::Error::other)?;
        name.push(format!(".{number:08x}{DRAFT}"));
        let draft = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if !matches!(mode, Mode::Usual) {
            platform::private(&mut options);
        }
        match options.open(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (draft, file)),
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    };
    use std::path::Path;

    use anyhow::{Context as _, Result, bail};
    use rustix::process::geteuid;

    use crate::sys::error::Hinted;

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

    pub(super) fn open_to_readers(path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        File::open(folder)?.sync_all()
    }

    /// Gives a new file the mode of another one, and its owner where we may.
    pub(super) fn make_alike(path: &Path, file: &File, other: &Metadata) -> io::Result<()> {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
            // Only root may; git itself makes such a file its own.
            let _ = std::os::unix::fs::chown(path, Some(other.uid()), Some(other.gid()));
        }
        file.set_permissions(other.permissions())
    }

    pub(super) fn refuse_open_to_others(path: &Path, file: &File, forbidden: u32) -> Result<()> {
        let looked = || format!("cannot look at '{}'", path.display());
        let metadata = file.metadata().with_context(looked)?;
        refuse_foreign(path, metadata.uid())?;
        let mode = metadata.mode();
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
        // The folder in which it is found, and where a link leads the one in which it lies.
        refuse_open_folder(path.parent().unwrap_or(Path::new("/")))?;
        if path.is_symlink() {
            let real = path.canonicalize().with_context(looked)?;
            refuse_open_folder(real.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(())
    }

    fn refuse_open_folder(folder: &Path) -> Result<()> {
        let metadata = folder
            .metadata()
            .with_context(|| format!("cannot look at '{}'", folder.display()))?;
        refuse_foreign(folder, metadata.uid())?;
        let mode = metadata.mode();
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

    /// What somebody else owns they can change at any time; root can anyway.
    fn refuse_foreign(path: &Path, owner: u32) -> Result<()> {
        let own = geteuid().as_raw();
        if owner == own || owner == 0 || own == 0 {
            return Ok(());
        }
        bail!(Hinted::new(
            format!(
                "'{}' belongs to somebody else (user {owner})",
                path.display()
            ),
            "look whether its content is yours, then 'chown' it",
        ))
    }

    /// What root writes (under sudo, say) its owner could not read afterwards.
    pub(super) fn refuse_to_write_for_another(folder: &Path) -> Result<()> {
        let owner = folder
            .metadata()
            .with_context(|| format!("cannot look at '{}'", folder.display()))?
            .uid();
        if owner == geteuid().as_raw() {
            return Ok(());
        }
        bail!(Hinted::new(
            format!(
                "the folder '{}' belongs to somebody else (user {owner})",
                folder.display()
            ),
            "run this as that user, or with a HOME of its own",
        ))
    }
}

#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "on Unix the same calls can fail")]
mod platform {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
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

    /// What lies below `ProgramData` everybody can read.
    pub(super) fn open_to_readers(_path: &Path, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    /// Windows has no such call for a folder; a rename is durable with its volume's journal.
    pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn make_alike(_path: &Path, file: &File, other: &Metadata) -> io::Result<()> {
        file.set_permissions(other.permissions())
    }

    pub(super) fn refuse_open_to_others(_path: &Path, _file: &File, _forbidden: u32) -> Result<()> {
        Ok(())
    }

    pub(super) fn refuse_to_write_for_another(_folder: &Path) -> Result<()> {
        Ok(())
    }
}
