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

pub(crate) use self::bytes::Bytes;
pub(crate) use self::child::Program;
pub(crate) use self::error::{Hinted, Usage, one_line, printable, shell_quoted};
pub(crate) use self::secret::{Secret, SecretBuffer};
pub(crate) use self::terminal::waiting::Waiting;
