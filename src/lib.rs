//! Entry points for the fuzzer, and nothing else: the program is `main.rs`, whose modules these are.
//!
//! A reader of hostile input gets a function in `targets.rs`, a file of three lines in `tests/fuzz/targets`, and its
//! name in `tests/fuzz/Cargo.toml`.

#![cfg(feature = "fuzzing")]
#![expect(
    dead_code,
    unused_imports,
    reason = "most of the program is not entered from here"
)]

mod account;
mod accounts;
#[macro_use]
mod bitbucket;
mod browser;
mod bytes;
mod check;
mod child;
mod cli;
mod command;
mod config;
mod context;
mod elsewhere;
mod environment;
mod error;
mod fields;
mod file;
mod first_contact;
mod folder;
mod git;
mod git_config;
mod grant;
mod helper;
mod http;
mod identity;
mod import;
mod locations;
mod lookup;
mod loopback;
mod matching;
mod oauth;
mod policy;
mod probe;
mod process;
mod protocol;
#[cfg(unix)]
mod quiet;
mod refusal;
mod rejection;
mod remote;
mod renewal;
mod route;
mod scope;
mod secret;
mod shortlist;
mod state;
mod store;
pub mod targets;
mod terminal;
mod trace;
mod vault;
