//! Secrets as files, the way an orchestrator mounts them.

use std::fs;
use std::path::{Path, PathBuf};

use super::harness::{TestEnv, write_private};

/// Where the tests mount their secrets.
pub(crate) fn mounted(env: &TestEnv) -> PathBuf {
    env.path().join("mounted")
}

/// Looks into the folder that the settings name with these lines.
pub(crate) fn configure(env: &TestEnv, settings: &str) {
    fs::create_dir_all(env.data()).unwrap();
    let settings = format!("lookup = ['folder']\n[store.folder]\n{settings}\n");
    write_private(&env.data().join("config.toml"), &settings);
}

/// Writes these files below the folder.
pub(crate) fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}
