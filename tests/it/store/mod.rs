//! Where secrets lie.

#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
pub(crate) mod exec;
#[cfg(target_os = "linux")]
mod exec_faults;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(target_os = "linux")]
mod keyring_states;
