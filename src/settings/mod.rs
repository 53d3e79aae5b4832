//! What the user and the machine have set up.

pub(crate) mod config;
pub(crate) mod hosts;
pub(crate) mod locations;
pub(crate) mod policy;
pub(crate) mod session;
mod stores;
pub(crate) mod toml_file;

pub(crate) use self::config::{Config, StoreChoice};
pub(crate) use self::locations::Locations;
pub(crate) use self::session::Session;
