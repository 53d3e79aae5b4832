//! Files: who may read and change them, how they are replaced, and who waits for whom.

mod draft;
mod lock;
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(
    windows,
    expect(clippy::unnecessary_wraps, reason = "on Unix the same calls can fail")
)]
mod platform;
mod read;
mod write;

pub(crate) use self::draft::{AT_WORK, Draft, Mode};
pub(crate) use self::lock::{Lock, LockFile};
pub(crate) use self::read::{
    HAS_MACHINE_FILES, if_there, is_absence, is_older, open_private, read_machine_file,
    read_mounted, read_private, read_trusted,
};
pub(crate) use self::write::{
    make_public_folder, missing_mode, open_to_readers, remove, set_aside, set_aside_before,
    write_private, write_public,
};
