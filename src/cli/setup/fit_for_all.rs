//! Whether every user can start the program, and only administrators can change it.

use std::path::Path;

use anyhow::Result;

/// Refuses a program that some users cannot start, since their git would fail at each command, or that another user can
/// replace, since that user would get everybody's credentials.
#[cfg(unix)]
pub(super) fn refuse_unless_for_all(program: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use anyhow::{Context as _, bail};
    use rustix::process::geteuid;

    use crate::sys::error::Hinted;

    /// The mode bit: others may start a program or enter a folder.
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
    for path in program.ancestors() {
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

/// Access lists are not checked.
#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "where there are modes it can fail"
)]
pub(super) fn refuse_unless_for_all(_program: &Path) -> Result<()> {
    Ok(())
}
