//! What `scrub` does to the files: it looks into them, and takes out what is stored.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use zeroize::Zeroizing;

use super::committed::{self, Committed};
use super::find::{self, Found, Ours};
use super::rewrite;
use super::walk::{Form, Target, Walk};
use crate::cli::takeover::{Credential, Plan};
use crate::git::config::{ConfigEntry, GitConfig};
use crate::settings::session::Session;
use crate::sys::error;
use crate::sys::parallel::in_parallel;

/// The longest reflog and the longest other file that are looked into, in bytes: more than any ever was. Reading a
/// configuration takes many times as much memory.
const LONGEST_LOG: u64 = 64 << 20;
const LONGEST: u64 = 4 << 20;

/// How many secrets of files that others wrote are told.
const MOST_REPORTED: usize = 1000;

/// A secret, the file it stands in, and what becomes of it.
pub(super) struct FoundSecret {
    pub(super) target: usize,
    pub(super) found: Found,
    /// It can be taken out of where it stands.
    pub(super) can_move: bool,
    pub(super) account: Option<String>,
    pub(super) action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    /// It is in the store, and not here any more.
    Moved,
    WouldMove,
    /// It is still here.
    Reported,
}

#[derive(Default)]
pub(super) struct Scrubbing {
    pub(super) targets: Vec<Target>,
    pub(super) secrets: Vec<FoundSecret>,
    /// How many secrets of other hosts were seen.
    pub(super) foreign: usize,
    /// How many secrets of files that others wrote were seen.
    reported: usize,
    /// What went wrong, a line each.
    pub(super) problems: Vec<String>,
}

impl Scrubbing {
    /// Looks into all files; configuration that they include joins them.
    pub(super) fn look(&mut self, walk: &mut Walk, ours: &Ours) {
        let mut next = 0;
        while let Some(target) = walk.targets.get(next) {
            let Target { path, form } = target;
            let (path, form) = (path.clone(), form.clone());
            next += 1;
            match self.look_into(&path, &form, ours) {
                Ok(Some(config)) => {
                    for path in included(&path, &config) {
                        walk.included(&path, &form);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let error = error::one_line(&error);
                    self.problems.push(format!("'{}': {error}", path.display()));
                }
            }
        }
    }

    fn look_into(&mut self, path: &Path, form: &Form, ours: &Ours) -> Result<Option<GitConfig>> {
        let metadata = fs::metadata(path).context("cannot be read")?;
        anyhow::ensure!(metadata.is_file(), "it is not a file");
        let longest = match form {
            Form::Text { .. } => LONGEST_LOG,
            Form::Config | Form::Global | Form::OfOthers => LONGEST,
        };
        anyhow::ensure!(
            metadata.len() <= longest,
            "it is longer than {longest} bytes"
        );
        let text = Zeroizing::new(fs::read(path).context("cannot be read")?);
        let (config, findings) = match form {
            Form::Text { .. } | Form::OfOthers => (None, find::in_text(&text, ours)),
            Form::Config | Form::Global => {
                let (config, findings) =
                    find::in_config(&text, ours).context("git cannot read it")?;
                (Some(config), findings)
            }
        };
        self.foreign += findings.foreign;
        if findings.found.is_empty() {
            return Ok(config);
        }
        if findings.is_cut_short && *form != Form::OfOthers {
            let path = path.display();
            self.problems.push(format!(
                "'{path}' holds more than {} secrets: try again for the rest",
                find::MOST
            ));
        }
        let can_write = !metadata.permissions().readonly();
        if !can_write && *form != Form::OfOthers {
            self.problems.push(format!(
                "'{}' is read-only and holds a secret: 'chmod u+w' it, and try again",
                path.display()
            ));
        }
        self.add(path.to_owned(), form.clone(), findings.found, can_write);
        Ok(config)
    }

    /// Looks into what is committed; that is never changed.
    pub(super) fn look_at_commits(&mut self, walk: &Walk, ours: &Ours) {
        let trees = &walk.trees;
        let look_into =
            |tree: &PathBuf| committed::look_into(tree, ours, &walk.seen, MOST_REPORTED);
        let outcomes = in_parallel(trees, look_into);
        for (tree, outcome) in trees.iter().zip(outcomes) {
            let committed = match outcome {
                Ok(committed) => committed,
                Err(error) => {
                    let (tree, error) = (tree.display(), error::one_line(&error));
                    self.problems.push(format!(
                        "cannot search what is committed in '{tree}': {error}"
                    ));
                    continue;
                }
            };
            for Committed { path, findings } in committed {
                self.foreign += findings.foreign;
                self.add(path, Form::OfOthers, findings.found, false);
            }
        }
        if self.reported > MOST_REPORTED {
            self.problems.push(format!(
                "more than {MOST_REPORTED} secrets in files of the repositories themselves: the rest is not shown"
            ));
        }
    }

    /// Notes what was found in a file.
    fn add(&mut self, path: PathBuf, form: Form, mut found: Vec<Found>, can_move: bool) {
        let is_own = form != Form::OfOthers;
        if !is_own {
            let left = MOST_REPORTED.saturating_sub(self.reported);
            self.reported += found.len();
            found.truncate(left);
        }
        if found.is_empty() {
            return;
        }
        let target = self.targets.len();
        self.targets.push(Target { path, form });
        self.secrets
            .extend(found.into_iter().map(|found| FoundSecret {
                target,
                can_move: is_own && can_move && !found.credentials.is_empty(),
                found,
                account: None,
                action: Action::Reported,
            }));
    }

    /// Says of each secret that can move which account it is in, or would be.
    fn name(&mut self, plan: &Plan, credentials: &[Credential], action: Action) {
        for secret in self.secrets.iter_mut().filter(|secret| secret.can_move) {
            let own = &secret.found.credentials[0];
            let index = credentials.iter().position(|other| other.is_same(own));
            secret.account = index.map(|index| plan.name_of(index).to_owned());
            secret.action = action;
        }
    }

    /// Says which secrets would move.
    pub(super) fn foresee(&mut self, plan: &Plan, credentials: &[Credential]) {
        let outcomes = plan.foresee();
        self.tell_failures(plan, &outcomes);
        self.name(plan, credentials, Action::WouldMove);
        for secret in self.secrets.iter_mut().filter(|secret| secret.can_move) {
            if !secret
                .found
                .credentials
                .iter()
                .all(|credential| is_stored(credential, credentials, &outcomes))
            {
                secret.action = Action::Reported;
            }
        }
    }

    /// Notes which accounts cannot be stored, each once.
    fn tell_failures(&mut self, plan: &Plan, outcomes: &[Result<(), String>]) {
        let mut told = BTreeSet::new();
        for (index, outcome) in outcomes.iter().enumerate() {
            if let Err(error) = outcome
                && told.insert(plan.name_of(index))
            {
                self.problems
                    .push(format!("cannot store '{}': {error}", plan.name_of(index)));
            }
        }
    }

    /// Stores the secrets, and takes those that are stored out of their files.
    pub(super) fn take_out(
        &mut self,
        plan: &mut Plan,
        credentials: &[Credential],
        session: &Session,
        ours: &Ours,
    ) -> Result<()> {
        let outcomes = plan.carry_out(session)?;
        self.tell_failures(plan, &outcomes);
        let is_stored = |credential: &Credential| is_stored(credential, credentials, &outcomes);
        self.name(plan, credentials, Action::Moved);
        let has_some = |index: usize| {
            let mut own = self.secrets.iter().filter(|secret| secret.target == index);
            own.any(|secret| secret.can_move)
        };
        let changing: Vec<usize> = (0..self.targets.len())
            .filter(|&index| has_some(index))
            .collect();
        let rewritten = in_parallel(&changing, |&index| {
            rewrite::take_out(&self.targets[index], ours, &is_stored)
        });
        for (index, outcome) in changing.into_iter().zip(rewritten) {
            let own = self
                .secrets
                .iter_mut()
                .filter(|secret| secret.target == index && secret.can_move);
            if let Err(error) = &outcome {
                let hint = error::hint(error).map(|hint| format!("; {hint}"));
                let message = error::one_line(error);
                self.problems
                    .push(format!("{message}{}", hint.unwrap_or_default()));
            }
            for secret in own {
                if outcome.is_err() || !secret.found.credentials.iter().all(is_stored) {
                    secret.action = Action::Reported;
                }
            }
        }
        Ok(())
    }
}

/// Whether the account that a credential becomes has its secret.
fn is_stored(
    credential: &Credential,
    credentials: &[Credential],
    outcomes: &[Result<(), String>],
) -> bool {
    let mut all = credentials.iter();
    let same = all.position(|other| other.is_same(credential));
    same.is_some_and(|index| outcomes[index].is_ok())
}

/// The files that a configuration file includes, whatever the condition (git-config(1), "Includes").
fn included(path: &Path, config: &GitConfig) -> Vec<PathBuf> {
    let is_include = |entry: &&ConfigEntry| {
        let section = config.section_of(entry);
        let has_name = match &section.subsection {
            None => section.name == b"include",
            Some(_) => section.name == b"includeif",
        };
        has_name && entry.variable == b"path"
    };
    let entries = config.entries.iter().filter(is_include);
    entries
        .filter_map(|entry| {
            let value = std::str::from_utf8(entry.value.as_ref()?.bytes()).ok()?;
            let named = match value.strip_prefix("~/") {
                Some(rest) => dirs::home_dir()?.join(rest),
                None => dunce::canonicalize(path).ok()?.parent()?.join(value),
            };
            dunce::canonicalize(named)
                .ok()
                .filter(|path| path.is_file())
        })
        .collect()
}
