//! `scrub`: moves secrets from git's configuration, mostly from URLs, into the store.
//!
//! Find ([`walk`], [`find`]), store and confirm ([`Plan`]), and only then remove ([`rewrite`]): an interruption loses no
//! secret.

mod committed;
pub(crate) mod find;
mod report;
pub(crate) mod rewrite;
mod walk;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use self::find::Ours;
use self::walk::Walk;
use self::work::{Action, Scrubbing};
use crate::cli::output;
use crate::cli::setup;
use crate::cli::takeover::{Credential, Plan};
use crate::git;
use crate::settings::session::Session;
use crate::sys::error::Hinted;
use crate::sys::message;
use crate::sys::variables;

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
    let ours = Ours {
        hosts: session.known_hosts(&session.accounts()?)?,
    };
    let mut walk = walk(arguments)?;
    let mut scrub = Scrubbing::default();
    scrub.look(&mut walk, &ours);
    scrub.look_at_commits(&walk, &ours);
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
        setup::refresh(&session, "the secrets are stored")?;
    }
    report::print(&scrub, arguments.json)?;
    if scrub
        .secrets
        .iter()
        .any(|secret| secret.action == Action::Moved)
    {
        plan.notices()
            .iter()
            .for_each(|notice| message::tell(notice));
        output::warn_of_the_chain(&ours.hosts, "'git credential-bitbucket setup' fixes that");
    }
    Ok(ExitCode::from(u8::from(!scrub.problems.is_empty())))
}

fn walk(arguments: &Scrub) -> Result<Walk> {
    let mut walk = Walk::default();
    walk.may_leave = arguments.global;
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
                "name a folder: scrub searches every repository below it",
            )
            .into());
        }
    }
    if arguments.global {
        for path in git::global_config_files()? {
            walk.global(&path);
        }
    }
    Ok(walk)
}
