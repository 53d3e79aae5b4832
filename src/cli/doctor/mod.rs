//! `doctor`: checks everything that can be wrong, and says how to fix it.

mod accounts;
mod answer;
mod bypass;
mod chain;
mod environment;
mod explain;
mod files;
mod finding;
mod netrc;
mod programs;
mod sources;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use self::finding::{Check, CheckOutcome};
use crate::account::file::Accounts;
use crate::cli::output;
use crate::git::context::Host;
use crate::git::{self, Setting};
use crate::settings::hosts::known_hosts;
use crate::settings::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Say which account answers for this URL, and why, instead of checking everything
    pub(crate) url: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Only a bad URL or a failed print is an error; everything else is a finding.
pub(crate) fn run(arguments: &Doctor) -> Result<ExitCode> {
    let session = Session::default();
    let mut checks = Vec::new();
    let surroundings = Surroundings::look(&session, &mut checks);
    match &arguments.url {
        None => examine(&surroundings, &mut checks),
        Some(url) => checks.extend(explain::checks(&surroundings, url)?),
    }
    if arguments.json {
        output::print_json(&DoctorReport { checks: &checks })?;
    } else {
        let text: String = checks.iter().map(Check::text).collect();
        output::print(text.as_bytes())?;
    }
    let has_failed = checks
        .iter()
        .any(|check| check.outcome == CheckOutcome::Fail);
    Ok(ExitCode::from(u8::from(has_failed)))
}

/// The output of `--json`: the names are a contract.
#[derive(Serialize)]
struct DoctorReport<'a> {
    checks: &'a [Check],
}

fn examine(surroundings: &Surroundings<'_>, checks: &mut Vec<Check>) {
    if let Some(git) = &surroundings.git {
        checks.push(programs::version(git));
        checks.extend(programs::post_buffer(surroundings, git));
    }
    checks.push(programs::others_of_this_name(surroundings));
    match &surroundings.git {
        Some(git) => {
            checks.extend(chain::checks(surroundings, git));
            checks.push(bypass::credentials_in_url(git));
            checks.extend(bypass::secrets_in_urls(surroundings, git));
            checks.extend(bypass::extra_headers(surroundings, git));
            checks.extend(bypass::lfs_access(surroundings, git));
        }
        None => checks.extend(NEED_GIT.map(|id| Check::skip(id, "git could not be asked"))),
    }
    checks.extend(netrc::check(surroundings));
    checks.extend(files::configuration(surroundings));
    checks.push(sources::policy(surroundings));
    let permissions = files::permissions(surroundings).into_iter();
    // Two checks may report the same unreadable file.
    let is_new = |check: &Check| checks.iter().all(|known| known.message != check.message);
    let permissions: Vec<Check> = permissions.filter(is_new).collect();
    checks.extend(permissions);
    checks.extend(files::set_aside(surroundings));
    if surroundings.knows_accounts {
        checks.extend(accounts::checks(surroundings));
    }
    checks.extend(sources::stores(surroundings));
    checks.push(environment::credentials(surroundings));
    checks.push(environment::prompts(surroundings));
    checks.extend(environment::proxies(surroundings));
}

/// The checks that need git.
const NEED_GIT: [&str; 5] = [
    "chain",
    "credentials-in-url",
    "secret-in-url",
    "extra-header",
    "lfs-access",
];

/// What the checks examine.
struct Surroundings<'a> {
    session: &'a Session,
    accounts: Accounts,
    /// Whether the accounts could be read.
    knows_accounts: bool,
    /// The hosts whose credentials are ours to keep.
    hosts: Vec<Host>,
    git: Option<Git>,
}

struct Git {
    version: String,
    exec_path: Option<PathBuf>,
    settings: Vec<Setting>,
}

impl<'a> Surroundings<'a> {
    /// Reads everything; what cannot be read is a finding.
    fn look(session: &'a Session, checks: &mut Vec<Check>) -> Self {
        let git = Git::look()
            .inspect_err(|error| checks.push(Check::failed("git", error)))
            .ok();
        let accounts = session
            .accounts()
            .inspect_err(|error| checks.push(Check::failed("accounts", error)));
        let knows_accounts = accounts.is_ok();
        let accounts = accounts.unwrap_or_default();
        // Another check reports a configuration or policy that cannot be read.
        let hosts = session.our_hosts(&accounts);
        let hosts = hosts.unwrap_or_else(|_| known_hosts(&accounts, &[]));
        Self {
            session,
            accounts,
            knows_accounts,
            hosts,
            git,
        }
    }

    /// Whether `lookup` names a store.
    fn is_looked_up(&self) -> bool {
        // Another check reports settings that cannot be read.
        let config = self.session.config();
        config.is_ok_and(|config| !config.lookup.is_empty())
    }
}

impl Git {
    fn look() -> Result<Self> {
        Ok(Self {
            version: git::version()?,
            exec_path: git::exec_path().ok(),
            settings: git::settings()?,
        })
    }
}
