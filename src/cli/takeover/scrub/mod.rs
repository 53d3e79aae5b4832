//! `scrub`: moves secrets from git's configuration, mostly from URLs, into the store.
//!
//! Find ([`walk`], [`find`]), store and confirm ([`Plan`]), and only then remove ([`rewrite`]): an interruption loses no
//! secret.

pub(crate) mod find;
mod report;
pub(crate) mod rewrite;
mod walk;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use self::walk::{Form, Walk};
use self::work::Scrubbing;
use crate::cli::setup;
use crate::cli::takeover::Plan;
use crate::git;
use crate::settings::Session;
use crate::sys::{Hinted, Waiting, variables};

#[derive(Debug, Args)]
pub(crate) struct Scrub {
    /// Folders: every repository in and below them [default: the repository here]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Search your own git configuration too
    #[arg(long)]
    pub(crate) global: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A problem with one file is reported, and the rest is done.
pub(crate) fn run(arguments: &Scrub) -> Result<ExitCode> {
    let session = Session::default();
    let hosts = session.known_hosts(&session.accounts()?)?;
    let line = Waiting::on(|| "looking for repositories…".to_owned());
    let mut walk = walk(arguments)?;
    let mut scrub = Scrubbing::default();
    scrub.look(&mut walk, &hosts);
    drop(line);
    scrub.look_at_commits(&walk, &hosts);
    scrub.problems.append(&mut walk.problems);

    let mut plan = Plan::make(&session, scrub.credentials())?;
    let is_change = !arguments.dry_run && scrub.credentials().next().is_some();
    if is_change {
        plan.carry_out(&session)?;
    }
    scrub.problems.extend(plan.failures());
    scrub.settle(&plan, &hosts, arguments.dry_run);
    if is_change {
        setup::refresh(&session, "the secrets are stored")?;
    }
    if report::print(&scrub, arguments.json)? {
        plan.tell_what_is_left(&hosts);
    }
    Ok(ExitCode::from(u8::from(!scrub.problems.is_empty())))
}

fn walk(arguments: &Scrub) -> Result<Walk> {
    let mut walk = Walk::default();
    walk.may_leave = arguments.global;
    for path in &arguments.paths {
        if path.is_dir() {
            walk.around(path);
            walk.below(path);
        } else {
            let problem = format!("'{}' is not a folder", path.display());
            walk.problems.push(problem);
        }
    }
    if arguments.paths.is_empty() {
        let here = variables::value("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
        if !walk.around(&here) && !arguments.global {
            bail!(Hinted::new(
                "there is no git repository here",
                "name a folder: scrub searches every repository below it",
            ));
        }
    }
    if arguments.global {
        for path in git::global_config_files()? {
            walk.file(&path, Form::Global);
        }
    }
    Ok(walk)
}
