//! Secrets in committed files. We only report them and never rewrite history.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{self, Findings, Ours};
use crate::bitbucket;
use crate::git;

pub(super) struct Committed {
    pub(super) path: PathBuf,
    pub(super) findings: Findings,
}

/// Looks into what git tracks in a work tree, or in a bare repository at HEAD, but for the files that are `seen`. Ends
/// once there is `enough`.
/// Fails when git does not let us.
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

/// A case-insensitive extended regular expression for git: URLs with a secret for our hosts, and bare tokens. Each hit is
/// parsed afterwards.
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
