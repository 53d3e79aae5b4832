//! What is around the program: its installation, its pages, its packages, its plan. On Unix.

#![cfg(unix)]
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: a panic is a failure, and what was skipped is said"
)]

mod dependencies;
mod facts;
mod install;
mod layers;
mod manual;
mod messages;
mod packages;
mod pages;
#[cfg(target_os = "linux")]
mod recipes;
mod release;
#[cfg(target_os = "linux")]
mod supply;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "the tests of the program use the rest of it")]
mod support;
