//! Searches the files that a repository tracks.

use std::path::Path;
use std::str;
use std::time::Duration;

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::program::run;
use crate::sys::child::{Output, Program};

/// How long git may search one repository. The largest known ones take less.
const GREP_PATIENCE: Duration = Duration::from_secs(120);

/// A line in which a pattern matches.
pub(crate) struct Line {
    /// The file's path, relative to the folder.
    pub(crate) name: String,
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

/// The lines that match an extended regular expression, in any letter case: in the tracked files of a work tree, or in
/// the commit at HEAD. Binary files are left out.
/// It fails if git does not trust the repository (git-config(1), `safe.directory`).
pub(crate) fn grep(tree: &Path, at_head: bool, pattern: &str, paths: &[&str]) -> Result<Vec<Line>> {
    let git = Program::new("git")
        .args([Path::new("-C"), tree])
        // A repository's own configuration could start a program.
        .args(["-c", "core.fsmonitor=false", "grep", "-zInEi", "--no-color"])
        .args(["-e", pattern])
        .args(at_head.then_some("HEAD"))
        .args(["--"])
        .args(paths)
        // gitglossary(7), "partial clone": fetch nothing that is missing.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0");
    let Some(Output {
        code,
        answer,
        errors,
    }) = run(git, b"", GREP_PATIENCE)?
    else {
        bail!(
            "git finds too much, or did not end within {} seconds",
            GREP_PATIENCE.as_secs()
        );
    };
    if !matches!(code, Some(0 | 1)) {
        let reason = String::from_utf8_lossy(&errors);
        let reason = reason.lines().next().unwrap_or("git does not say why");
        bail!("{}", reason.trim_start_matches("fatal: "));
    }
    let lines = answer.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |&byte| byte == 0);
        let name = String::from_utf8_lossy(fields.next()?).into_owned();
        let number = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let name = if at_head {
            name.trim_start_matches("HEAD:").to_owned()
        } else {
            name
        };
        let text = Zeroizing::new(fields.next()?.to_vec());
        Some(Line { name, number, text })
    });
    Ok(lines.collect())
}
