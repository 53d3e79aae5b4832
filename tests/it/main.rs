//! The program from outside: the real binary, real git, real stores.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: a panic is a failure, and what was skipped is said"
)]

mod accounts;
mod check;
mod concurrency;
mod conformance;
#[cfg(unix)]
mod curl;
#[cfg(unix)]
mod damage;
mod dependencies;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(unix)]
mod doctor;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(target_os = "linux")]
mod exec_faults;
#[cfg(unix)]
mod first_contact;
#[cfg(unix)]
mod folder;
mod harness;
mod helper;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod import;
#[cfg(unix)]
mod install;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(target_os = "linux")]
mod keyring_states;
#[cfg(target_os = "linux")]
mod kills;
mod kinds;
mod layers;
mod leak;
mod login;
mod manual;
mod messages;
mod oauth;
#[cfg(target_os = "linux")]
mod policy;
mod probe;
#[cfg(target_os = "linux")]
mod recipes;
#[cfg(unix)]
mod scrub;
mod setup;
#[path = "../stand_in/mod.rs"]
mod stand_in;
mod stories;
#[cfg(unix)]
mod terminal;
mod thrift;
#[cfg(target_os = "linux")]
mod vault;
