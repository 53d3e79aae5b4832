//! Whether every user of the machine can start the program, and only its administrators can change it.

use std::path::Path;

use anyhow::Result;

/// Refuses a program that is not fit for the configuration of the whole machine: git of those who cannot start it would
/// complain at each command, and whoever can put another in its place is given everybody's credentials.
#[cfg(unix)]
pub(super) fn refuse_unless_for_all(program: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use anyhow::{Context as _, bail};
    use rustix::process::geteuid;

    use crate::sys::error::Hinted;

    /// "Others" may start a program, or pass through a folder.
    const REACHABLE: u32 = 0o001;
    const WRITABLE: u32 = 0o022;
    const STICKY: u32 = 0o1000;

    let refuse = |what: String| {
        Hinted::new(
            format!(
                "'{}' is not a program for all users: {what}",
                program.display()
            ),
            "install it where all can start it and only root can write: './install.sh --prefix /usr/local'",
        )
    };
    let metadata = |path: &Path| {
        path.metadata()
            .with_context(|| format!("cannot look at '{}'", path.display()))
    };
    for path in program.ancestors() {
        if metadata(path)?.mode() & REACHABLE == 0 {
            let path = path.display();
            bail!(refuse(format!("'{path}' is closed to them")));
        }
    }
    for path in program.ancestors().take(2) {
        let metadata = metadata(path)?;
        let is_foreign = metadata.uid() != 0 && metadata.uid() != geteuid().as_raw();
        let is_open = metadata.mode() & WRITABLE != 0 && metadata.mode() & STICKY == 0;
        if is_foreign || is_open {
            let path = path.display();
            bail!(refuse(format!("somebody else can change '{path}'")));
        }
    }
    Ok(())
}

/// Access lists are not looked at.
#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "where there are modes it can fail"
)]
pub(super) fn refuse_unless_for_all(_program: &Path) -> Result<()> {
    Ok(())
}
