//! The program from outside: the real binary, real git, real stores. On Unix; `tests/windows.rs` has what Windows does
//! in its own way.

#![cfg(unix)]
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: a panic is a failure, and what was skipped is said"
)]

mod account;
mod answer;
mod cli;
mod clients;
mod helper;
mod hints;
mod promises;
mod settings;
mod source;
mod store;
mod support;
