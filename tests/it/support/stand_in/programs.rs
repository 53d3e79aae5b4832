//! Where programs lie.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where a program lies. `std::process` looks for a bare name in a copy of the whole process, once the environment is
/// another, and that copy takes longer than most of what it starts.
pub(crate) fn found_on(path: &str, program: &OsStr) -> OsString {
    let mut places = path
        .split(':')
        .map(|folder| Path::new(folder).join(program));
    let found = places.find(|place| place.is_absolute() && place.is_file());
    found.map_or_else(|| program.to_owned(), PathBuf::into_os_string)
}

/// The same on the PATH of the tests.
pub(crate) fn found_here(program: &str) -> OsString {
    let path = std::env::var("PATH").unwrap_or_default();
    found_on(&path, program.as_ref())
}
