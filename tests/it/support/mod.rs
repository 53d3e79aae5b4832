//! What the tests stand on: an environment of their own, a Bitbucket that is none, a terminal, a desktop session.

pub(crate) mod askpass;
pub(crate) mod canary;
pub(crate) mod catalogue;
#[cfg(target_os = "linux")]
pub(crate) mod disk;
#[cfg(target_os = "linux")]
pub(crate) mod etc;
pub(crate) mod harness;
#[cfg(target_os = "linux")]
pub(crate) mod keyring;
pub(crate) mod mounted;
pub(crate) mod needs;
mod prepared;
pub(crate) mod stand_in;
pub(crate) mod terminal;
