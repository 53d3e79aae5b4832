//! What the user and the machine have set up.

#[cfg(target_os = "linux")]
mod policy;
