//! Processes, files, the terminal, the network, secrets in memory: nothing of git or Bitbucket.

pub(crate) mod browser;
pub(crate) mod bytes;
pub(crate) mod child;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod hardening;
pub(crate) mod http;
pub(crate) mod limit;
pub(crate) mod loopback;
pub(crate) mod message;
pub(crate) mod parallel;
pub(crate) mod secret;
pub(crate) mod terminal;
pub(crate) mod trace;
pub(crate) mod variables;
pub(crate) mod words;
