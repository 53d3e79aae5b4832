//! Modes and owners of files on Unix.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use rustix::fs::OFlags;
use rustix::process::{geteuid, test_kill_process};

use crate::sys::error::{Hinted, shell_quoted};

pub(super) const READABLE: u32 = 0o044;
pub(super) const WRITABLE: u32 = 0o022;

pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Makes a folder for its owner alone, and those above it that are missing.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether a lock failed because its file system has none: NFS without its lock daemon says `ENOLCK`, others have no
/// such call.
pub(super) fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error())
}

pub(super) fn is_running(process: i32) -> bool {
    let process = rustix::process::Pid::from_raw(process);
    process.is_none_or(|process| test_kill_process(process) != Err(rustix::io::Errno::SRCH))
}

/// Whether others may do with a file or folder what this mode lets them do, and no more.
pub(super) fn gives_others(path: &Path, mode: u32) -> io::Result<bool> {
    Ok(path.metadata()?.mode() & 0o077 == mode & 0o077)
}

/// Sets the mode, unless others have its rights already: a file that another program manages cannot be changed.
pub(super) fn open_to_readers(path: &Path, mode: u32) -> io::Result<()> {
    if gives_others(path, mode)? {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Gives a new file the mode of another one, and its owner where we may.
pub(super) fn make_alike(file: &File, other: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
        // Only root may; git itself makes such a file its own.
        let _ = fchown(file, Some(other.uid()), Some(other.gid()));
    }
    file.set_permissions(other.permissions())
}

/// Opens a file to read it. A named pipe does not wait for a writer.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .custom_flags(no_wait)
        .open(path)
}

pub(super) fn refuse_open_to_others(
    path: &Path,
    metadata: &Metadata,
    forbidden: u32,
) -> Result<()> {
    let shown = path.display();
    let looked = || format!("cannot look at '{shown}'");
    refuse_foreign(path, metadata.uid())?;
    let mode = metadata.mode();
    if mode & forbidden != 0 {
        let own = as_argument(path);
        let (what, fix) = match mode & forbidden & WRITABLE {
            0 => (
                "read",
                format!("'chmod 600 {own}'; revoke its tokens if somebody may have looked"),
            ),
            _ => (
                "changed",
                format!("look whether its content is yours, then 'chmod go-rwx {own}'"),
            ),
        };
        let mode = mode & 0o7777;
        let message = format!("'{shown}' can be {what} by others (mode {mode:04o})");
        bail!(Hinted::new(message, fix));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let is_link = path.is_symlink();
    let mut safe = SAFE_FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_link && metadata.uid() == geteuid().as_raw() && safe.as_deref() == Some(folder) {
        return Ok(());
    }
    // The folder in which it is found, and where a link leads the one in which it lies.
    refuse_open_folder(folder)?;
    if is_link {
        let real = path.canonicalize().with_context(looked)?;
        refuse_open_folder(real.parent().unwrap_or(Path::new("/")))?;
    }
    if geteuid().is_root() {
        refuse_unless_of_root(path, |_| OWN_PLACE.to_owned())?;
    } else {
        // Further up its group may write to a folder: often each user has a group.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_open = |folder: &&Path| folder.metadata().is_ok_and(|it| is_open(it.mode(), 0o002));
        let mut open = real.ancestors().skip(2).filter(is_open);
        open.try_for_each(refuse_open_folder)?;
    }
    // Above a link only the way to its target may have been checked.
    if !is_link {
        *safe = Some(folder.to_owned());
    }
    Ok(())
}

/// The folder checked last, with those above it: most of our files share one.
static SAFE_FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Whether one of these others can replace what is in a folder. In a sticky one (/tmp) they can only add files.
fn is_open(mode: u32, others: u32) -> bool {
    mode & others != 0 && mode & 0o1000 == 0
}

fn refuse_open_folder(folder: &Path) -> Result<()> {
    let metadata = look_at(folder)?;
    refuse_foreign(folder, metadata.uid())?;
    if is_open(metadata.mode(), WRITABLE) {
        let (shown, mode) = (folder.display(), metadata.mode() & 0o7777);
        bail!(Hinted::new(
            format!("others can write to the folder '{shown}' (mode {mode:04o})"),
            format!(
                "look whether its files are yours, then 'chmod go-w {}'",
                as_argument(folder)
            ),
        ));
    }
    Ok(())
}

fn as_argument(path: &Path) -> String {
    shell_quoted(&path.to_string_lossy()).into_owned()
}

fn look_at(folder: &Path) -> Result<Metadata> {
    let cannot = || format!("cannot look at '{}'", folder.display());
    folder.metadata().with_context(cannot)
}

pub(super) fn refuse_unless_of_the_machine(path: &Path) -> Result<()> {
    refuse_unless_of_root(path, |folder| {
        let folder = as_argument(folder);
        format!("'chown root {folder}' and 'chmod go-w {folder}'")
    })
}

/// Refuses a path if others can replace a folder above it, also one that a link leads to.
fn refuse_unless_of_root(path: &Path, fix: impl Fn(&Path) -> String) -> Result<()> {
    let real = path.canonicalize().ok();
    let mut ways = vec![path];
    ways.extend(real.as_deref().filter(|real| *real != path));
    for folder in ways.iter().flat_map(|way| way.ancestors()) {
        let Ok(metadata) = folder.metadata() else {
            continue;
        };
        if metadata.uid() != 0 || is_open(metadata.mode(), WRITABLE) {
            let (path, changed) = (path.display(), folder.display());
            bail!(Hinted::new(
                format!("'{path}' is not safe for root: another user can change '{changed}'"),
                fix(folder),
            ));
        }
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
        format!(
            "look whether its content is yours, then 'sudo chown {own} {}'",
            as_argument(path)
        ),
    ))
}

/// For root below another user's HOME, with sudo or in a container. To `chown` that HOME would take it from its user.
const OWN_PLACE: &str =
    "run this as that user, or set GIT_CREDENTIAL_BITBUCKET_HOME to a folder of your own";

/// Refuses a folder that belongs to another user, who could not read what root writes there. Root reads no file below
/// such a folder, so it writes none.
pub(super) fn refuse_to_write_for_another(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let owner = look_at(folder)?.uid();
    if owner != geteuid().as_raw() {
        bail!(Hinted::new(
            format!("the folder '{shown}' belongs to somebody else (user {owner})"),
            OWN_PLACE,
        ));
    }
    if geteuid().is_root() {
        return refuse_unless_of_root(folder, |_| OWN_PLACE.to_owned());
    }
    Ok(())
}
