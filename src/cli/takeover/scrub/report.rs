//! The output of `scrub`: a line for each secret, and what is left to do.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;

use super::find::Found;
use super::walk::Form;
use super::work::{Holder, Scrubbing};
use crate::bitbucket::API_TOKEN_PAGE;
use crate::cli::output;
use crate::cli::output::plural;
use crate::cli::takeover::{Credential, Plan};
use crate::sys::{error, message};

/// A secret, its file, and what happens to it. As `--json` prints it: the names are a contract.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    file: String,
    #[serde(flatten)]
    found: &'a Found,
    account: Option<&'a str>,
    pub(super) action: Action,
    #[serde(skip)]
    is_of_others: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    /// It is in the store and no longer in the file.
    Moved,
    WouldMove,
    /// It is still in the file.
    Reported,
}

/// `done` happens to those that are stored.
pub(super) fn rows<'a>(scrub: &'a Scrubbing, plan: &'a Plan, done: Action) -> Vec<Row<'a>> {
    let row = |holder: &'a Holder, found: &'a Found| {
        let is_of_others = holder.target.form == Form::OfOthers;
        let own = found.credentials.first().filter(|_| !is_of_others);
        let is_done = holder.lets_go && own.is_some() && plan.has(&found.credentials);
        Row {
            file: holder.target.path.display().to_string(),
            found,
            account: own.and_then(|own| Some(plan.of(own)?.account.name.as_str())),
            action: if is_done { done } else { Action::Reported },
            is_of_others,
        }
    };
    let holders = scrub.holders.iter();
    let rows = holders.flat_map(|holder| holder.found.iter().map(move |found| row(holder, found)));
    rows.collect()
}

pub(super) fn print(scrub: &Scrubbing, rows: &[Row<'_>], as_json: bool) -> Result<()> {
    if as_json {
        output::print_json(&BTreeMap::from([("found", rows)]))?;
    } else {
        let lines: String = rows.iter().map(line).collect();
        output::print(lines.as_bytes())?;
    }
    scrub.problems.iter().for_each(message::warn);
    let summary = summary(rows, scrub);
    summary.for_each(|line| message::tell(&line));
    Ok(())
}

fn line(row: &Row<'_>) -> String {
    let place = match (&row.found.key, &row.found.url) {
        (Some(key), Some(url)) => format!("{key} = {url}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "a token".to_owned(),
    };
    let account = row.account.unwrap_or_default();
    let action = match row.action {
        Action::Moved => format!("moved to account '{account}'"),
        Action::WouldMove => format!("would move to account '{account}'"),
        Action::Reported if row.is_of_others => "only reported".to_owned(),
        Action::Reported => "still there".to_owned(),
    };
    let line = format!("{}:{}: {action}: {place}", row.file, row.found.line);
    error::printable(&line) + "\n"
}

/// What is left to do, a line each.
fn summary(rows: &[Row<'_>], scrub: &Scrubbing) -> impl Iterator<Item = String> {
    let with = |action| rows.iter().filter(move |row| row.action == action);
    let (of_others, left): (Vec<_>, Vec<_>) =
        with(Action::Reported).partition(|row| row.is_of_others);
    let would_move = with(Action::WouldMove).count();
    let moved = with(Action::Moved).count();
    let names: BTreeSet<&str> = with(Action::Moved).filter_map(|row| row.account).collect();
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let mut urls = with(Action::Moved).filter_map(|row| row.found.url.as_ref());
    let in_clear = urls.find(|url| url.starts_with("http:"));
    let counted = |number: usize, one: &str, many: &str, rest: &str| {
        (number > 0).then(|| format!("{} {rest}", plural(number, one, many)))
    };
    let unchanged = "would move into the store; nothing was changed";
    let by_others = "in files of the repository itself, which others may have written: no account is made of that, and \
                     nothing is rewritten; so revoke it";
    let by_hand = "still there: take it out by hand";
    let searched = scrub.repositories;
    let lines = [
        (searched > 1).then(|| format!("Searched {searched} repositories")),
        rows.is_empty()
            .then(|| "No secret for Bitbucket found".to_owned()),
        counted(
            scrub.foreign,
            "secret",
            "secrets",
            "for other hosts, left alone",
        ),
        counted(would_move, "secret", "secrets", unchanged),
        (moved > 0).then(|| {
            let (number, names) = (plural(moved, "secret", "secrets"), names.join(", "));
            format!("Moved {number} into the store: {names}")
        }),
        in_clear.map(|url| {
            format!("Change '{url}' to 'https:': no helper sends a secret in clear text")
        }),
        counted(of_others.len(), "secret lies", "secrets lie", by_others),
        counted(left.len(), "secret is", "secrets are", by_hand),
        where_to_revoke(rows),
    ];
    lines.into_iter().flatten()
}

/// The pages to revoke secrets; for an unknown kind, the usual page.
fn where_to_revoke(rows: &[Row<'_>]) -> Option<String> {
    const MOST: usize = 3;
    let page = |row: &Row<'_>| {
        let credential = row.found.credentials.first();
        credential.map_or_else(|| API_TOKEN_PAGE.to_owned(), Credential::page)
    };
    let pages: BTreeSet<String> = rows.iter().map(page).collect();
    let more = if pages.len() > MOST { " …" } else { "" };
    let few: Vec<String> = pages.into_iter().take(MOST).collect();
    let few = few.join(" ");
    (!few.is_empty()).then(|| {
        format!(
            "Revoke the secrets that were in plain text, and sign in with new ones: {few}{more}"
        )
    })
}
