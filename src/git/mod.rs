//! git's words, git's configuration, and the one way to start git.

pub(crate) mod config;
pub(crate) mod context;
mod files;
mod grep;
mod helpers;
pub(crate) mod identity;
mod judge;
mod program;
pub(crate) mod protocol;
pub(crate) mod route;
pub(crate) mod tree;
pub(crate) mod url;
pub(crate) mod username;

pub(crate) use self::config::GitConfig;
pub(crate) use self::context::Host;
pub(crate) use self::files::{
    config_file, config_folder, edit, global_config_files, included, list_of, quoted,
};
pub(crate) use self::grep::{grep, is_tracked};
pub(crate) use self::helpers::{Helper, chains, cleared, helper_value, matches_host, shown};
pub(crate) use self::identity::{Identity, of_basic};
pub(crate) use self::judge::{capabilities, is_this_program, named_alone, this_program, words};
pub(crate) use self::program::{
    AUTHTYPE, GitVersion, PATIENCE, Scope, Setting, credential, instead_of, own_setting,
    set_global, setting, settings, settings_in, uses_http_path, version, version_of,
};
pub(crate) use self::protocol::Request;
pub(crate) use self::url::Url;
pub(crate) use self::username::Username;
