//! The work of `scrub`: searches files, and removes the secrets that are stored.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use zeroize::Zeroizing;

use super::find::{self, Action, Findings, Found};
use super::rewrite;
use super::walk::{Form, Target, Walk};
use crate::bitbucket;
use crate::cli::takeover::{Credential, Plan};
use crate::git::{self, Host};
use crate::sys::parallel::in_parallel;
use crate::sys::{Waiting, error, shell_quoted};

/// The longest reflog and the longest other file that are looked into, in bytes: more than any ever was. Reading a
/// configuration takes many times as much memory.
const LONGEST_LOG: u64 = 64 << 20;
const LONGEST: u64 = 4 << 20;

/// How many secrets of files that others wrote are told.
const MOST_REPORTED: usize = 1000;

/// A file with secrets.
pub(super) struct Holder {
    target: Target,
    pub(super) found: Vec<Found>,
    /// What is stored can be removed from it.
    lets_go: bool,
}

impl Holder {
    /// What may become an account. A repository may come from anybody, and a text may quote others: what names no
    /// repository there, and would be an account for the whole host, goes only with the same secret that names one.
    fn credentials(&self) -> impl Iterator<Item = &Credential> {
        let all = self.found.iter().flat_map(|found| &found.credentials);
        all.filter(|it| it.reach.is_some() || self.target.form == Form::Global)
    }
}

#[derive(Default)]
pub(super) struct Scrubbing {
    pub(super) holders: Vec<Holder>,
    /// The number of secrets of other hosts.
    pub(super) foreign: usize,
    /// How many secrets of files that others wrote were seen.
    reported: usize,
    /// What failed, a line each.
    pub(super) problems: Vec<String>,
}

impl Scrubbing {
    /// Searches all files, and the configuration that they include.
    pub(super) fn look(&mut self, walk: &mut Walk, hosts: &[Host]) {
        let mut next = 0;
        while let Some(target) = walk.targets.get(next).cloned() {
            next += 1;
            let shown = target.path.display().to_string();
            if let Err(error) = self.look_into(target, walk, hosts) {
                let error = error::one_line(&error);
                self.problems.push(format!("'{shown}': {error}"));
            }
        }
    }

    fn look_into(&mut self, target: Target, walk: &mut Walk, hosts: &[Host]) -> Result<()> {
        let path = &target.path;
        let metadata = fs::metadata(path).context("cannot be read")?;
        ensure!(metadata.is_file(), "it is not a file");
        let is_text = target.form == Form::Text;
        let most = if is_text { LONGEST_LOG } else { LONGEST };
        ensure!(metadata.len() <= most, "it is longer than {most} bytes");
        let text = Zeroizing::new(fs::read(path).context("cannot be read")?);
        let findings = match target.form {
            Form::Text | Form::OfOthers => find::in_text(&text, hosts),
            Form::Config | Form::Global => {
                let found = find::in_config(&text, hosts);
                let (config, findings) = found.context("git cannot read it")?;
                walk.included(&target, &config);
                findings
            }
        };
        let is_own = target.form != Form::OfOthers;
        let shown = path.display();
        if findings.found.len() > find::MOST && is_own {
            let most = find::MOST;
            self.problems.push(format!(
                "'{shown}' holds more than {most} secrets: try again for the rest"
            ));
        }
        let is_closed = metadata.permissions().readonly();
        if is_closed && is_own && !findings.found.is_empty() {
            self.problems.push(format!(
                "'{shown}' is read-only and holds a secret: 'chmod u+w {}', and try again",
                shell_quoted(&path.to_string_lossy())
            ));
        }
        self.add(target, findings, is_closed);
        Ok(())
    }

    /// Searches committed files, and never changes them.
    pub(super) fn look_at_commits(&mut self, walk: &Walk, hosts: &[Host]) {
        let searched = Arc::<AtomicUsize>::default();
        let number = Arc::clone(&searched);
        let all = walk.trees.len();
        let line = Waiting::on(move || {
            let number = number.load(Ordering::Relaxed);
            format!("searched {number} of {all} repositories…")
        });
        let outcomes = in_parallel(&walk.trees, |tree| {
            let lines = committed(tree, hosts, &walk.seen);
            searched.fetch_add(1, Ordering::Relaxed);
            lines
        });
        drop(line);
        for (tree, outcome) in walk.trees.iter().zip(outcomes) {
            let lines = outcome.unwrap_or_else(|error| {
                let (tree, error) = (tree.display(), error::one_line(&error));
                self.problems.push(format!(
                    "cannot search what is committed in '{tree}': {error}"
                ));
                Vec::new()
            });
            for (path, findings) in lines {
                let (form, locked) = (Form::OfOthers, None);
                self.add(Target { path, form, locked }, findings, false);
            }
        }
        if self.reported > MOST_REPORTED {
            self.problems.push(format!(
                "more than {MOST_REPORTED} secrets in files of the repositories themselves: the rest is not shown"
            ));
        }
    }

    fn add(&mut self, target: Target, findings: Findings, is_closed: bool) {
        let Findings { mut found, foreign } = findings;
        self.foreign += foreign;
        let is_of_others = target.form == Form::OfOthers;
        if is_of_others {
            let left = MOST_REPORTED.saturating_sub(self.reported);
            self.reported += found.len();
            found.truncate(left);
        }
        for found in &mut found {
            found.file = target.path.display().to_string();
            if is_of_others {
                found.action = Action::OfOthers;
            }
        }
        let mut holder = Holder {
            lets_go: !is_of_others && !is_closed,
            target,
            found,
        };
        let has_some = holder.credentials().next().is_some();
        holder.lets_go &= has_some;
        self.holders.push(holder);
    }

    /// What can be stored and removed.
    pub(super) fn credentials(&self) -> impl Iterator<Item = &Credential> {
        let holders = self.holders.iter().filter(|holder| holder.lets_go);
        holders.flat_map(Holder::credentials)
    }

    /// Removes what is stored, unless it only would be `done`, and notes what became of each secret.
    pub(super) fn settle(&mut self, plan: &Plan, hosts: &[Host], done: Action) {
        let holders = self.holders.iter_mut().filter(|it| it.lets_go);
        let holders: Vec<&mut Holder> = holders.collect();
        let outcomes = in_parallel(&holders, |holder| match done {
            Action::Moved => rewrite::take_out(&holder.target, hosts, plan),
            _ => Ok(()),
        });
        for (holder, outcome) in holders.into_iter().zip(outcomes) {
            let all = holder.found.iter_mut();
            for found in all.filter(|it| plan.has(&it.credentials)) {
                let planned = plan.of(&found.credentials[0]);
                found.account = planned.map(|planned| planned.account.name.clone());
                if outcome.is_ok() {
                    found.action = done;
                }
            }
            if let Err(error) = outcome {
                let hint = error::hint(&error).map(|hint| format!("; {hint}"));
                let error = error::one_line(&error);
                self.problems.push(error + &hint.unwrap_or_default());
            }
        }
    }
}

/// The secrets in what git tracks in a work tree, or in a bare repository at HEAD, line by line; but not in the files that
/// are `seen`. Fails when git does not let us.
fn committed(
    tree: &Path,
    hosts: &[Host],
    seen: &BTreeSet<PathBuf>,
) -> Result<Vec<(PathBuf, Findings)>> {
    let is_bare = !tree.join(".git").exists();
    let is_seen = |path: &Path| dunce::canonicalize(path).is_ok_and(|real| seen.contains(&real));
    let mut lines = Vec::new();
    for line in git::grep(tree, is_bare, &pattern(hosts))? {
        let path = tree.join(line.name);
        if !is_bare && is_seen(&path) {
            continue;
        }
        let mut findings = find::in_text(&line.text, hosts);
        for found in &mut findings.found {
            found.line = line.number;
        }
        lines.push((path, findings));
    }
    Ok(lines)
}

/// A case-insensitive extended regular expression for git: URLs with a secret for our hosts, and bare tokens. Each hit is
/// parsed afterwards.
fn pattern(hosts: &[Host]) -> String {
    let escaped = |host: &Host| host.as_str().replace('.', r"\.").replace(['[', ']'], ".");
    let hosts: Vec<String> = hosts.iter().map(escaped).collect();
    let (hosts, tokens) = (hosts.join("|"), bitbucket::pattern());
    format!("://[^/[:space:]]+@({hosts})|{tokens}")
}
