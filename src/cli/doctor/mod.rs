//! `doctor`: checks everything that can be wrong, and says how to fix it.

mod accounts;
mod answer;
mod bypass;
pub(crate) mod chain;
mod environment;
mod explain;
mod files;
mod finding;
mod live;
mod programs;
mod sources;
mod surroundings;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use self::finding::{Check, CheckOutcome};
use self::surroundings::Surroundings;
use crate::cli::output;
use crate::settings::Session;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Say which account answers for this URL, or WORKSPACE/REPOSITORY, why, and whether it can fetch and push there
    pub(crate) url: Option<String>,
    /// Print every check, not only what is wrong
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask Bitbucket
    #[arg(long)]
    pub(crate) offline: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Only a bad URL or a failed print is an error; everything else is a finding.
pub(crate) fn run(arguments: &Doctor, only: Option<&str>) -> Result<ExitCode> {
    let session = Session::default().with_only(only)?;
    let mut checks = Vec::new();
    let surroundings = Surroundings::look(&session, &mut checks);
    match &arguments.url {
        None => {
            examine(&surroundings, &mut checks);
            if !arguments.offline {
                live::ask(&mut checks);
            }
        }
        Some(url) => checks.extend(explain::checks(&surroundings, url, arguments.offline)?),
    }
    if arguments.json {
        output::print_json(&BTreeMap::from([("checks", &checks)]))?;
    } else {
        let is_wrong =
            |check: &Check| matches!(check.outcome, CheckOutcome::Fail | CheckOutcome::Warn);
        // Where a URL has a problem, the other accounts may be the way out.
        let shows_all = arguments.all || arguments.url.is_some() && checks.iter().any(is_wrong);
        let is_asked_for = |check: &Check| match check.id.as_str() {
            "accounts" | "answer" | "fetch" | "push" | "url" => true,
            // A variable answers ahead of the accounts.
            "environment" => check.asks.is_some(),
            _ => false,
        };
        let is_shown = |check: &&Check| shows_all || is_wrong(check) || is_asked_for(check);
        let mut text: String = checks.iter().filter(is_shown).map(Check::shown).collect();
        text += &finding::summary(&checks, shows_all);
        output::print(text.as_bytes())?;
    }
    let mut outcomes = checks.iter().map(|check| check.outcome);
    let has_failed = outcomes.any(|outcome| outcome == CheckOutcome::Fail);
    Ok(ExitCode::from(u8::from(has_failed)))
}

fn examine(surroundings: &Surroundings<'_>, checks: &mut Vec<Check>) {
    if let Some(git) = &surroundings.git {
        checks.push(programs::version(git));
        checks.extend(programs::post_buffer(surroundings, git));
    }
    checks.push(programs::others_of_this_name(surroundings));
    if surroundings.git.is_some() {
        checks.extend(chain::checks(surroundings));
        checks.push(bypass::credentials_in_url(surroundings));
        checks.extend(bypass::secrets_in_urls(surroundings));
        checks.extend(bypass::extra_headers(surroundings));
        checks.extend(bypass::lfs_access(surroundings));
    } else {
        checks.extend(NEED_GIT.map(|id| Check::skip(id, "git could not be asked")));
    }
    checks.extend(files::included(surroundings));
    checks.extend(files::netrc(surroundings));
    let configuration = files::configuration(surroundings.session);
    checks.extend(configuration.unwrap_or_else(|error| vec![Check::failed("config", &error)]));
    checks.push(files::policy(surroundings));
    let mut permissions = files::permissions(surroundings);
    // Two checks may report the same unreadable file.
    permissions.retain(|check| checks.iter().all(|known| known.message != check.message));
    checks.append(&mut permissions);
    checks.extend(files::set_aside(surroundings));
    if surroundings.knows_accounts {
        checks.extend(accounts::checks(surroundings));
    }
    checks.extend(sources::stores(surroundings));
    checks.push(environment::credentials(surroundings));
    checks.push(environment::prompts(surroundings));
    checks.extend(surroundings.hosts.iter().map(environment::proxy));
}

/// The checks that need git.
const NEED_GIT: [&str; 5] = [
    "chain",
    "credentials-in-url",
    "secret-in-url",
    "extra-header",
    "lfs-access",
];
