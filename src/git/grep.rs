//! The files that a repository tracks.

use std::path::Path;
use std::str;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use super::program::{PATIENCE, run};
use super::tree::work_tree_around;
use crate::sys::Program;
use crate::sys::child::Output;

/// How long git may search one repository. The largest known ones take less.
const GREP_PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Line {
    /// The file's path, relative to the folder.
    pub(crate) name: String,
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

/// What a search may not do: the repository's own configuration could start a program. A bare repository is searched
/// only where that is meant; git finds it by its place, so that `safe.directory` counts.
fn restrained(tree: &Path, is_bare: bool) -> Program {
    let bare = if is_bare { "all" } else { "explicit" };
    Program::new("git")
        .args([Path::new("-C"), tree])
        .args(["--no-pager", "-c", "core.fsmonitor=false"])
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(["-c", "protocol.allow=never"])
        .args(["-c", &format!("safe.bareRepository={bare}")])
        // gitglossary(7), "partial clone": fetch nothing that is missing. Before 2.45 git knows only the other one.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .without("GIT_DIR")
        .without("GIT_WORK_TREE")
        .without("GIT_INDEX_FILE")
        .without("GIT_COMMON_DIR")
}

/// The lines that match an extended regular expression, in any letter case: in the tracked files of a work tree, or in
/// a bare repository in the commit at HEAD. Binary files are left out.
/// Fails when git cannot be started, or does not trust the repository (git-config(1), `safe.directory`).
pub(crate) fn grep(tree: &Path, is_bare: bool, pattern: &str) -> Result<Vec<Line>> {
    let git = restrained(tree, is_bare)
        .args(["grep", "-zInEi", "--no-color", "--no-column"])
        .args(["--no-textconv", "--no-recurse-submodules", "-e", pattern])
        .args(is_bare.then_some("HEAD"))
        .args(["--"]);
    let output = answer(git, GREP_PATIENCE)?;
    let lines = output.answer.split(|&byte| byte == b'\n');
    let lines = lines.filter_map(|line| {
        let mut fields = line.splitn(3, |&byte| byte == 0);
        let name = String::from_utf8_lossy(fields.next()?);
        let name = match name.strip_prefix("HEAD:") {
            Some(committed) if is_bare => committed.to_owned(),
            _ => name.into_owned(),
        };
        let number = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let text = Zeroizing::new(fields.next()?.to_vec());
        Some(Line { name, number, text })
    });
    Ok(lines.collect())
}

/// Whether git tracks a file in the work tree in which it lies.
/// Fails when git cannot be started, or does not trust the repository (git-config(1), `safe.directory`).
pub(crate) fn is_tracked(path: &Path) -> Result<bool> {
    let real = dunce::canonicalize(path)?;
    let Some(tree) = work_tree_around(&real) else {
        return Ok(false);
    };
    let git = restrained(tree, false).args(["--literal-pathspecs", "ls-files", "--error-unmatch"]);
    let output = answer(git.args([Path::new("--"), &real]), PATIENCE)?;
    Ok(output.code == Some(0))
}

/// What git says; its exit status is 1 where it finds nothing.
fn answer(git: Program, limit: Duration) -> Result<Output> {
    let limit_passed = || format!("git did not end within {} seconds", limit.as_secs());
    let output = run(git, b"", limit)?.with_context(limit_passed)?;
    if !matches!(output.code, Some(0 | 1)) {
        let reason = String::from_utf8_lossy(&output.errors);
        let reason = reason.lines().next().unwrap_or("git does not say why");
        bail!("{}", reason.trim_start_matches("fatal: "));
    }
    Ok(output)
}
