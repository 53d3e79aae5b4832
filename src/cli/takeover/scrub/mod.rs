//! `scrub`: moves secrets from git's configuration, mostly from URLs, into the store.
//!
//! Find ([`walk`], [`find`]), store and confirm ([`Plan`]), and only then remove ([`rewrite`]): an interruption loses no
//! secret.

pub(crate) mod find;
pub(crate) mod rewrite;
mod walk;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use self::find::{Action, Found};
use self::walk::{Form, Walk};
use self::work::Scrubbing;
use crate::bitbucket::API_TOKEN_PAGE;
use crate::cli::output::{self, plural};
use crate::cli::takeover::{Credential, Plan};
use crate::git;
use crate::settings::Session;
use crate::sys::{Hinted, Waiting, error, message, variables};

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

    let plan = Plan::carry_out(&session, scrub.credentials(), arguments.dry_run)?;
    scrub.problems.extend(plan.failures());
    let done = if arguments.dry_run {
        Action::WouldMove
    } else {
        Action::Moved
    };
    scrub.settle(&plan, &hosts, done);
    print(&scrub, walk.trees.len(), arguments.json)?;
    plan.finish(&session, arguments.dry_run)?;
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
            walk.file(&path, Form::Global, None);
        }
    }
    Ok(walk)
}

fn print(scrub: &Scrubbing, searched: usize, as_json: bool) -> Result<()> {
    let rows: Vec<&Found> = scrub.holders.iter().flat_map(|it| &it.found).collect();
    if as_json {
        output::print_json(&BTreeMap::from([("found", &rows)]))?;
    } else {
        let lines: String = rows.iter().map(|row| line(row)).collect();
        output::print(lines.as_bytes())?;
    }
    scrub.problems.iter().for_each(message::warn);
    summary(&rows, searched, scrub.foreign).for_each(|line| message::tell(&line));
    Ok(())
}

fn line(row: &Found) -> String {
    let place = match (&row.key, &row.url) {
        (Some(key), Some(url)) => format!("{key} = {url}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "a token".to_owned(),
    };
    let account = row.account.as_deref().unwrap_or_default();
    let action = match row.action {
        Action::Moved => format!("moved to account '{account}'"),
        Action::WouldMove => format!("would move to account '{account}'"),
        Action::Reported => "still there".to_owned(),
        Action::OfOthers => "only reported".to_owned(),
    };
    let line = format!("{}:{}: {action}: {place}", row.file, row.line);
    error::printable(&line) + "\n"
}

/// What is left to do, a line each.
fn summary(rows: &[&Found], searched: usize, foreign: usize) -> impl Iterator<Item = String> {
    let with = |action| rows.iter().filter(move |row| row.action == action);
    let count = |action| with(action).count();
    let counted = |number: usize, (one, many): (&str, &str), rest: &str| {
        (number > 0).then(|| format!("{} {rest}", plural(number, one, many)))
    };
    let secrets = |number, rest| counted(number, ("secret", "secrets"), rest);
    let names = with(Action::Moved).filter_map(|row| Some(format!("'{}'", row.account.as_ref()?)));
    let names = Vec::from_iter(names.collect::<BTreeSet<_>>()).join(", ");
    let mut urls = with(Action::Moved).filter_map(|row| row.url.as_ref());
    let in_clear = urls.find(|url| url.starts_with("http:"));
    let unchanged = "would move into the store; nothing was changed";
    let by_others = "in files of the repository itself, which others may have written: no account is made of that, and \
                     nothing is rewritten; so revoke it";
    let lying = ("secret lies", "secrets lie");
    let left = ("secret is", "secrets are");
    let by_hand = "still there: take it out by hand";
    let moved = plural(count(Action::Moved), "secret", "secrets");
    let lines = [
        (searched > 1).then(|| format!("Searched {searched} repositories")),
        rows.is_empty()
            .then(|| "No secret for Bitbucket found".to_owned()),
        secrets(foreign, "for other hosts, left alone"),
        secrets(count(Action::WouldMove), unchanged),
        (!names.is_empty()).then(|| format!("Moved {moved} into the store: {names}")),
        in_clear.map(|url| {
            format!("Change '{url}' to 'https:': no helper sends a secret in clear text")
        }),
        counted(count(Action::OfOthers), lying, by_others),
        counted(count(Action::Reported), left, by_hand),
        where_to_revoke(rows),
    ];
    lines.into_iter().flatten()
}

/// The pages to revoke secrets; for an unknown kind, the usual page.
fn where_to_revoke(rows: &[&Found]) -> Option<String> {
    const MOST: usize = 3;
    let page = |row: &Found| {
        let credential = row.credentials.first();
        credential.map_or_else(|| API_TOKEN_PAGE.to_owned(), Credential::page)
    };
    let pages: BTreeSet<String> = rows.iter().map(|row| page(row)).collect();
    let more = if pages.len() > MOST { " …" } else { "" };
    let few: Vec<String> = pages.into_iter().take(MOST).collect();
    let few = few.join(" ");
    (!few.is_empty()).then(|| {
        format!(
            "Revoke the secrets that were in plain text, and sign in with new ones: {few}{more}"
        )
    })
}
