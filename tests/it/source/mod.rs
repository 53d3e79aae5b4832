//! Where secrets are only read: mounted files, Vault.

mod folder;
#[cfg(target_os = "linux")]
mod vault;
