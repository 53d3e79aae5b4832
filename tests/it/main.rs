//! The program from outside: the real binary, real git, real stores. On Unix; `tests/windows.rs` has what Windows does
//! in its own way.

#![cfg(unix)]
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: a panic is a failure, and what was skipped is said"
)]

mod accounts;
mod check;
mod children;
mod concurrency;
mod conformance;
mod curl;
mod damage;
mod dependencies;
#[cfg(target_os = "linux")]
mod disk;
mod doctor;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(target_os = "linux")]
mod exec_faults;
mod facts;
mod first_contact;
mod folder;
mod harness;
mod helper;
mod hostile;
mod import;
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
mod packages;
#[cfg(target_os = "linux")]
mod policy;
mod probe;
#[cfg(target_os = "linux")]
mod recipes;
mod scrub;
mod setup;
#[path = "../stand_in/mod.rs"]
mod stand_in;
mod stories;
mod terminal;
mod thrift;
#[cfg(target_os = "linux")]
mod vault;
