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

/// The first of these that is filled, and its name. Some programs (pre-commit, simple-git) drop every `GIT_*`: so a
/// variable of ours has a second name.
pub(crate) fn first(names: [&'static str; 2]) -> Option<(&'static str, OsString)> {
    let set = |name| Some((name, filled(name)?));
    names.into_iter().find_map(set)
}

/// The same as [`filled`], as text.
pub(crate) fn text(name: &str) -> Option<String> {
    filled(name)?.into_string().ok()
}
