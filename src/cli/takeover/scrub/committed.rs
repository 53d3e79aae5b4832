//! Secrets in committed files. We only report them and never rewrite history.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{self, Findings};
use crate::bitbucket;
use crate::git;
use crate::git::context::Host;

/// The secrets in what git tracks in a work tree, or in a bare repository at HEAD, line by line; but not in the files that
/// are `seen`. Ends once there is `enough`.
/// Fails when git does not let us.
pub(super) fn look_into(
    tree: &Path,
    hosts: &[Host],
    seen: &BTreeSet<PathBuf>,
    enough: usize,
) -> Result<Vec<(PathBuf, Findings)>> {
    let is_bare = !tree.join(".git").exists();
    let is_seen = |path: &Path| dunce::canonicalize(path).is_ok_and(|real| seen.contains(&real));
    let mut committed = Vec::new();
    let mut number = 0;
    for line in git::grep(tree, is_bare, &pattern(hosts))? {
        let path = tree.join(line.name);
        if number > enough || !is_bare && is_seen(&path) {
            continue;
        }
        let mut findings = find::in_text(&line.text, hosts);
        for found in &mut findings.found {
            found.line = line.number;
        }
        number += findings.found.len();
        committed.push((path, findings));
    }
    Ok(committed)
}

/// A case-insensitive extended regular expression for git: URLs with a secret for our hosts, and bare tokens. Each hit is
/// parsed afterwards.
fn pattern(hosts: &[Host]) -> String {
    let escaped = |host: &Host| host.as_str().replace('.', r"\.").replace(['[', ']'], ".");
    let hosts: Vec<String> = hosts.iter().map(escaped).collect();
    let (hosts, tokens) = (hosts.join("|"), bitbucket::pattern());
    format!("://[^/[:space:]]+@({hosts})|{tokens}")
}
