//! Secrets in committed files. We only report them and never rewrite history.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{self, Ours, TextSecrets};
use super::walk::COMMITTED;
use crate::bitbucket;
use crate::git;

pub(super) struct Committed {
    pub(super) path: PathBuf,
    pub(super) findings: TextSecrets,
}

/// Searches the tracked files of a work tree, or HEAD of a bare repository.
pub(super) fn look_into(tree: &Path, ours: &Ours) -> Result<Vec<Committed>> {
    let is_bare = !tree.join(".git").exists();
    if is_bare {
        return search(tree, true, &[], ours);
    }
    let own = COMMITTED.map(|name| format!(":(exclude,top){name}"));
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let mut committed = search(tree, false, &own, ours)?;
    // These are configuration files: the walk searches them in the work tree.
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
