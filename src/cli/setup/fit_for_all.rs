//! Whether every user can start the program, and only administrators can change it.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

use super::place::program_path;
use crate::sys::Hinted;

/// The mode bit: others may start a program or enter a folder.
const REACHABLE: u32 = 0o001;
const WRITABLE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Refuses a program that some users cannot start, since their git would fail at each command, or that another user can
/// replace, since that user would get everybody's credentials.
pub(super) fn refuse_unless_for_all() -> Result<()> {
    let program = program_path()?;
    let refuse = |what: String| {
        Hinted::new(
            format!(
                "'{}' is not a program for all users: {what}",
                program.display()
            ),
            "install it where all can start it and only root can write: './install.sh --prefix /usr/local'",
        )
    };
    for path in program.ancestors() {
        let metadata = path.metadata();
        let metadata = metadata.with_context(|| format!("cannot look at '{}'", path.display()))?;
        let (mode, owner) = (metadata.mode(), metadata.uid());
        let path = path.display();
        if mode & REACHABLE == 0 {
            bail!(refuse(format!("'{path}' is closed to them")));
        }
        let is_foreign = owner != 0 && owner != geteuid().as_raw();
        if is_foreign || mode & WRITABLE != 0 && mode & STICKY == 0 {
            bail!(refuse(format!("somebody else can change '{path}'")));
        }
    }
    Ok(())
}
