//! What the user and the machine have set up.

mod config;
mod homes;
#[cfg(target_os = "linux")]
mod policy;
