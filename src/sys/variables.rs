//! The environment, read in this one place.

use std::env;
use std::ffi::OsString;

/// A variable as it is; an empty one is a value as well.
pub(crate) fn value(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// A variable that is set and not empty.
pub(crate) fn filled(name: &str) -> Option<OsString> {
    value(name).filter(|value| !value.is_empty())
}

/// The same, as text.
pub(crate) fn text(name: &str) -> Option<String> {
    filled(name)?.into_string().ok()
}
