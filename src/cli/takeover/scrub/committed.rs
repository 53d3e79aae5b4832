//! Secrets in files that are committed. Their history is not ours to rewrite: they are only reported.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{self, Findings, Ours};
use crate::bitbucket;
use crate::git;

/// A secret in a committed file.
pub(super) struct Committed {
    pub(super) path: PathBuf,
    pub(super) findings: Findings,
}

/// Looks into what git tracks in a work tree, or in a bare repository at HEAD, but for the files that are `seen`. Ends
/// once there is `enough`.
///
/// # Errors
/// When git does not let us.
pub(super) fn look_into(
    tree: &Path,
    ours: &Ours,
    seen: &BTreeSet<PathBuf>,
    enough: usize,
) -> Result<Vec<Committed>> {
    let is_bare = !tree.join(".git").exists();
    let is_seen = |path: &Path| {
        let real = dunce::canonicalize(path);
        !is_bare && real.is_ok_and(|real| seen.contains(&real))
    };
    let mut committed = Vec::new();
    let mut number = 0;
    for line in git::grep(tree, is_bare, &pattern(ours))? {
        let path = tree.join(line.name);
        if is_seen(&path) {
            continue;
        }
        let mut findings = find::in_text(&line.text, ours);
        for found in &mut findings.found {
            found.line = line.number;
        }
        number += findings.found.len();
        committed.push(Committed { path, findings });
        if number > enough {
            break;
        }
    }
    Ok(committed)
}

/// What git is to look for, as an extended regular expression without regard to letter case: URLs with a password or a
/// token for one of our hosts, and tokens that stand alone. What it finds is then looked at more closely.
fn pattern(ours: &Ours) -> String {
    let hosts: Vec<String> = ours
        .hosts
        .iter()
        .map(|host| host.as_str().replace('.', r"\.").replace(['[', ']'], "."))
        .collect();
    format!(
        "://[^/[:space:]]+@({})|{}",
        hosts.join("|"),
        bitbucket::pattern()
    )
}
