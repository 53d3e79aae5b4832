//! `scrub`: moves the secrets that lie in git's configuration, in URLs above all, into the store.
//!
//! Found ([`walk`], [`find`]), stored and confirmed ([`Plan`]), and only then taken out ([`rewrite`]): whenever it
//! is interrupted, a secret is in one of the two places.

mod committed;
pub(crate) mod find;
pub(crate) mod rewrite;
mod walk;

use crate::cli::output;
use crate::sys::variables;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use serde::Serialize;
use zeroize::Zeroizing;

use self::committed::Committed;
use self::find::{Found, Ours};
use self::walk::{Form, Target, Walk};
use crate::cli::Scrub;
use crate::cli::takeover::{Credential, Plan};
use crate::git;
use crate::git::config::GitConfig;
use crate::settings::session::Session;
use crate::sys::error::{self, Hinted};
use crate::sys::message;

use crate::cli::setup;

/// The longest file that is looked into, in bytes: more than any configuration or reflog ever was.
const LONGEST: u64 = 64 << 20;

/// # Errors
/// When there is nothing to look into, or the accounts cannot be read. What is wrong with one file is told, and the
/// rest is done.
pub(crate) fn run(arguments: &Scrub) -> Result<ExitCode> {
    let session = Session::default();
    let ours = Ours {
        hosts: setup::hosts_of(&session.accounts()?, &session.config()?.hosts),
    };
    let mut walk = walk(arguments)?;
    let mut scrub = Scrubbing::default();
    scrub.look(&mut walk, &ours);
    scrub.look_at_commits(&walk.trees, &ours);
    scrub.problems.append(&mut walk.problems);

    let credentials: Vec<Credential> = scrub
        .secrets
        .iter()
        .filter(|secret| secret.can_move)
        .flat_map(|secret| secret.found.credentials.clone())
        .collect();
    let mut plan = Plan::make(&session, &credentials.iter().collect::<Vec<_>>())?;
    plan.warnings.iter().for_each(message::warn);
    if arguments.dry_run {
        scrub.foresee(&plan, &credentials);
    } else if !credentials.is_empty() {
        scrub.take_out(&mut plan, &credentials, &session, &ours)?;
        setup::refresh(&session).context(
            "the secrets are stored, but git's configuration could not be brought up to date",
        )?;
    }
    scrub.report(arguments)?;
    if scrub
        .secrets
        .iter()
        .any(|secret| secret.action == Action::Moved)
    {
        plan.notices()
            .iter()
            .for_each(|notice| message::tell(notice));
        output::warn_of_ties(&session, &session.accounts()?);
        output::warn_of_the_chain(&ours.hosts, "'git credential-bitbucket setup' mends that");
    }
    Ok(ExitCode::from(u8::from(!scrub.problems.is_empty())))
}

/// Where to look.
fn walk(arguments: &Scrub) -> Result<Walk> {
    let mut walk = Walk::default();
    for path in &arguments.paths {
        if !path.is_dir() {
            walk.problems
                .push(format!("'{}' is not a folder", path.display()));
            continue;
        }
        walk.around(path);
        walk.below(path);
    }
    if arguments.paths.is_empty() {
        let here = variables::value("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
        if !walk.around(&here) && !arguments.global {
            return Err(Hinted::new(
                "there is no git repository here",
                "name a folder: every repository below it is looked into",
            )
            .into());
        }
    }
    if arguments.global {
        for path in git::global_config_files()? {
            walk.config(&path);
        }
    }
    Ok(walk)
}

/// A secret, the file it stands in, and what becomes of it.
struct Secret {
    target: usize,
    found: Found,
    /// It can be taken out of where it stands.
    can_move: bool,
    account: Option<String>,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// It is in the store, and not here any more.
    Moved,
    WouldMove,
    /// It is still here.
    Reported,
}

#[derive(Default)]
struct Scrubbing {
    targets: Vec<Target>,
    secrets: Vec<Secret>,
    /// How many secrets of other hosts were seen.
    foreign: usize,
    /// What went wrong, a line each.
    problems: Vec<String>,
}

impl Scrubbing {
    /// Looks into all files; configuration that they include joins them.
    fn look(&mut self, walk: &mut Walk, ours: &Ours) {
        let mut next = 0;
        while let Some(target) = walk.targets.get(next) {
            let Target { path, form } = target;
            let (path, form) = (path.clone(), form.clone());
            next += 1;
            match self.look_into(&path, &form, ours) {
                Ok(Some(config)) if form == Form::Config => {
                    for path in included(&path, &config) {
                        walk.config(&path);
                    }
                }
                Ok(_) => {}
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
        anyhow::ensure!(
            metadata.len() <= LONGEST,
            "it is longer than {LONGEST} bytes"
        );
        let text = Zeroizing::new(fs::read(path).context("cannot be read")?);
        let (config, findings) = match form {
            Form::Text { .. } => (None, find::in_text(&text, ours)),
            Form::Config | Form::Committed => {
                let (config, findings) =
                    find::in_config(&text, ours).context("git cannot read it")?;
                (Some(config), findings)
            }
        };
        self.foreign += findings.foreign;
        if findings.found.is_empty() {
            return Ok(config);
        }
        let can_write = !metadata.permissions().readonly();
        if !can_write {
            self.problems.push(format!(
                "'{}' is read-only, and holds a secret: 'chmod u+w' it, and try again",
                path.display()
            ));
        }
        self.add(path.to_owned(), form.clone(), findings.found, can_write);
        Ok(config)
    }

    /// Looks into what is committed; that is never changed.
    fn look_at_commits(&mut self, trees: &[PathBuf], ours: &Ours) {
        let outcomes = in_parallel(trees, |tree| committed::look_into(tree, ours));
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
                self.add(path, Form::Committed, findings.found, false);
            }
        }
    }

    /// Notes what was found in a file.
    fn add(&mut self, path: PathBuf, form: Form, found: Vec<Found>, can_move: bool) {
        if found.is_empty() {
            return;
        }
        let target = self.targets.len();
        self.targets.push(Target { path, form });
        self.secrets.extend(found.into_iter().map(|found| Secret {
            target,
            can_move: can_move && !found.credentials.is_empty(),
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
    fn foresee(&mut self, plan: &Plan, credentials: &[Credential]) {
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
    fn take_out(
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

    fn report(&self, arguments: &Scrub) -> Result<()> {
        if arguments.json {
            let found = self.secrets.iter().map(|secret| self.row(secret)).collect();
            let mut json = serde_json::to_vec_pretty(&Report { found })?;
            json.push(b'\n');
            output::print(&json)?;
        } else {
            let lines: String = self
                .secrets
                .iter()
                .map(|secret| self.line(secret))
                .collect();
            output::print(lines.as_bytes())?;
        }
        for problem in &self.problems {
            message::warn(problem);
        }
        self.tell();
        Ok(())
    }

    fn row(&self, secret: &Secret) -> Row {
        Row {
            file: self.targets[secret.target].path.display().to_string(),
            key: secret.found.key.clone(),
            line: secret.found.line,
            url: secret.found.url.clone(),
            account: secret.account.clone(),
            action: secret.action,
        }
    }

    fn line(&self, secret: &Secret) -> String {
        let Row {
            file,
            key,
            line,
            url,
            account,
            action,
        } = self.row(secret);
        let place = match (key, url) {
            (Some(key), Some(url)) => format!("{key} = {url}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "a token".to_owned(),
        };
        let account = account.unwrap_or_default();
        let action = match action {
            Action::Moved => format!("moved to account '{account}'"),
            Action::WouldMove => format!("would move to account '{account}'"),
            Action::Reported if self.is_committed(secret) => "committed".to_owned(),
            Action::Reported => "still there".to_owned(),
        };
        format!(
            "{}\n",
            error::printable(&format!("{file}:{line}: {action}: {place}"))
        )
    }

    /// Whether it was found in what is committed, and not in a file as it stands.
    fn is_committed(&self, secret: &Secret) -> bool {
        let target = &self.targets[secret.target];
        target.form == Form::Committed && secret.found.key.is_none() && !secret.can_move
    }

    /// What is left to do, in as many lines as there are things to do.
    fn tell(&self) {
        let those = |is_meant: &dyn Fn(&&Secret) -> bool| -> Vec<&Secret> {
            self.secrets.iter().filter(is_meant).collect()
        };
        let moved = those(&|secret| secret.action == Action::Moved);
        let would_move = those(&|secret| secret.action == Action::WouldMove);
        let reported = |secret: &Secret| secret.action == Action::Reported;
        let committed = those(&|secret| reported(secret) && self.is_committed(secret));
        let left = those(&|secret| reported(secret) && !self.is_committed(secret));
        let number = |secrets: &[&Secret]| output::plural(secrets.len(), "secret", "secrets");
        if self.secrets.is_empty() {
            message::tell("No secret for Bitbucket found");
        }
        if self.foreign > 0 {
            message::tell(&format!(
                "{} for other hosts, left alone",
                output::plural(self.foreign, "secret", "secrets")
            ));
        }
        if !would_move.is_empty() {
            let number = number(&would_move);
            message::tell(&format!(
                "{number} would move into the store; nothing was changed"
            ));
        }
        if !moved.is_empty() {
            let names: BTreeSet<&String> = moved
                .iter()
                .filter_map(|secret| secret.account.as_ref())
                .collect();
            let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
            message::tell(&format!(
                "Moved {} into the store: {}",
                number(&moved),
                names.join(", ")
            ));
        }
        let is_changed = |secret: &&&Secret| self.targets[secret.target].form == Form::Committed;
        let changed: BTreeSet<&Path> = moved
            .iter()
            .filter(is_changed)
            .map(|secret| self.targets[secret.target].path.as_path())
            .collect();
        for path in changed {
            message::tell(&format!("Commit the change to '{}'", path.display()));
        }
        let is_clear = |secret: &&&Secret| {
            let url = secret.found.url.as_deref().unwrap_or_default();
            url.starts_with("http:")
        };
        if let Some(url) = moved
            .iter()
            .find(is_clear)
            .and_then(|secret| secret.found.url.as_ref())
        {
            message::tell(&format!(
                "Make it 'https:': no helper sends a secret in clear to '{url}'"
            ));
        }
        if !committed.is_empty() {
            message::tell(&format!(
                "{} committed: the history is not rewritten, so only revoking helps",
                output::plural(committed.len(), "secret is", "secrets are")
            ));
        }
        if !left.is_empty() {
            message::tell(&format!(
                "{} still there: take it out by hand",
                output::plural(left.len(), "secret is", "secrets are")
            ));
        }
        let pages: BTreeSet<String> = self
            .secrets
            .iter()
            .map(|secret| page(secret.found.credentials.first()))
            .collect();
        if !pages.is_empty() {
            /// More do not help anybody.
            const MOST: usize = 3;
            let more = if pages.len() > MOST { " …" } else { "" };
            let pages: Vec<String> = pages.into_iter().take(MOST).collect();
            message::tell(&format!(
                "Revoke what lay in plain text, and sign in with a new one: {}{more}",
                pages.join(" ")
            ));
        }
    }
}

/// Does the work for each item, several at a time: most of it is waiting for git.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = thread::scope(|threads| {
        let workers: Vec<_> = (0..workers.min(items.len()))
            .map(|_| threads.spawn(worker))
            .collect();
        let done = workers
            .into_iter()
            .map(|worker| worker.join().expect("no worker panics"));
        done.flatten().collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Where a secret is revoked; of one of which nothing is known, where most are.
fn page(credential: Option<&Credential>) -> String {
    credential.map_or_else(
        || crate::bitbucket::API_TOKEN_PAGE.to_owned(),
        Credential::page,
    )
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

/// What `--json` shows: the names are a contract.
#[derive(Serialize)]
struct Report {
    found: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    file: String,
    key: Option<String>,
    line: usize,
    url: Option<String>,
    account: Option<String>,
    action: Action,
}

/// The files that a configuration file includes, whatever the condition (git-config(1), "Includes").
fn included(path: &Path, config: &GitConfig) -> Vec<PathBuf> {
    let is_include = |key: &[u8]| {
        key == b"include.path" || key.starts_with(b"includeif.") && key.ends_with(b".path")
    };
    let entries = config.entries.iter().filter(|entry| is_include(&entry.key));
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
