//! What the user and the machine have set up.

mod config;
#[cfg(target_os = "linux")]
mod policy;
