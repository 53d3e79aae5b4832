//! Secrets in files that are committed. Their history is not ours to rewrite: they are only reported.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{self, Ours, TextSecrets};
use super::walk::COMMITTED;
use crate::bitbucket;
use crate::git;

/// A secret in a committed file.
pub(super) struct Committed {
    pub(super) path: PathBuf,
    pub(super) findings: TextSecrets,
}

/// Looks into what git tracks in a work tree, or in a bare repository at HEAD.
pub(super) fn look_into(tree: &Path, ours: &Ours) -> Result<Vec<Committed>> {
    let is_bare = !tree.join(".git").exists();
    if is_bare {
        return search(tree, true, &[], ours);
    }
    let own = COMMITTED.map(|name| format!(":(exclude,top){name}"));
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let mut committed = search(tree, false, &own, ours)?;
    // These were looked into as configuration, and are changed in the work tree; the commit stays as it is.
    if COMMITTED.iter().any(|name| tree.join(name).exists()) {
        committed.extend(search(tree, true, &COMMITTED, ours)?);
    }
    Ok(committed)
}

fn search(tree: &Path, at_head: bool, paths: &[&str], ours: &Ours) -> Result<Vec<Committed>> {
    let lines = git::grep(tree, at_head, &pattern(ours), paths)?;
    let found = lines.into_iter().map(|line| {
        let mut findings = find::in_text(&line.text, ours);
        for found in &mut findings.found {
            found.line = line.number;
        }
        Committed {
            path: tree.join(line.name),
            findings,
        }
    });
    Ok(found.collect())
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
