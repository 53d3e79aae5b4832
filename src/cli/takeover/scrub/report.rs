//! What `scrub` says: a line or a row for each secret, and what is left to do.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;

use super::walk::Form;
use super::work::{Action, FoundSecret, Scrubbing};
use crate::bitbucket::API_TOKEN_PAGE;
use crate::cli::output::{self, plural};
use crate::cli::takeover::Credential;
use crate::sys::error;
use crate::sys::message;

/// Prints what was found, then says what went wrong and what is left to do.
pub(super) fn print(scrub: &Scrubbing, as_json: bool) -> Result<()> {
    if as_json {
        let found = scrub.secrets.iter().map(|secret| row(scrub, secret));
        let found = found.collect();
        output::print_json(&Rows { found })?;
    } else {
        let lines: String = scrub.secrets.iter().map(|it| line(scrub, it)).collect();
        output::print(lines.as_bytes())?;
    }
    scrub.problems.iter().for_each(message::warn);
    for line in summary(scrub) {
        message::tell(&line);
    }
    Ok(())
}

/// What `--json` shows: the names are a contract.
#[derive(Serialize)]
struct Rows {
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

fn row(scrub: &Scrubbing, secret: &FoundSecret) -> Row {
    Row {
        file: scrub.targets[secret.target].path.display().to_string(),
        key: secret.found.key.clone(),
        line: secret.found.line,
        url: secret.found.url.clone(),
        account: secret.account.clone(),
        action: secret.action,
    }
}

fn line(scrub: &Scrubbing, secret: &FoundSecret) -> String {
    let Row {
        file,
        key,
        line,
        url,
        account,
        action,
    } = row(scrub, secret);
    let place = match (key, url) {
        (Some(key), Some(url)) => format!("{key} = {url}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "a token".to_owned(),
    };
    let account = account.unwrap_or_default();
    let action = match action {
        Action::Moved => format!("moved to account '{account}'"),
        Action::WouldMove => format!("would move to account '{account}'"),
        Action::Reported if is_of_others(scrub, secret) => "only reported".to_owned(),
        Action::Reported => "still there".to_owned(),
    };
    let line = error::printable(&format!("{file}:{line}: {action}: {place}"));
    format!("{line}\n")
}

/// Whether it was found in what others may have written.
fn is_of_others(scrub: &Scrubbing, secret: &FoundSecret) -> bool {
    scrub.targets[secret.target].form == Form::OfOthers
}

/// What is left to do, in as many lines as there are things to do.
fn summary(scrub: &Scrubbing) -> Vec<String> {
    let (committed, left): (Vec<_>, Vec<_>) =
        with(scrub, Action::Reported).partition(|secret| is_of_others(scrub, secret));
    let would_move = with(scrub, Action::WouldMove).count();
    let mut lines = Vec::new();
    if scrub.secrets.is_empty() {
        lines.push("No secret for Bitbucket found".to_owned());
    }
    if scrub.foreign > 0 {
        let number = plural(scrub.foreign, "secret", "secrets");
        lines.push(format!("{number} for other hosts, left alone"));
    }
    if would_move > 0 {
        let number = plural(would_move, "secret", "secrets");
        lines.push(format!(
            "{number} would move into the store; nothing was changed"
        ));
    }
    lines.extend(about_moved(scrub));
    if !committed.is_empty() {
        let number = plural(committed.len(), "secret lies", "secrets lie");
        lines.push(format!(
            "{number} in files of the repository itself, which others may have written: no account is made of that, and \
             nothing is rewritten; so revoke it"
        ));
    }
    if !left.is_empty() {
        let number = plural(left.len(), "secret is", "secrets are");
        lines.push(format!("{number} still there: take it out by hand"));
    }
    lines.extend(where_to_revoke(scrub));
    lines
}

fn with(scrub: &Scrubbing, action: Action) -> impl Iterator<Item = &FoundSecret> {
    let secrets = scrub.secrets.iter();
    secrets.filter(move |secret| secret.action == action)
}

fn about_moved(scrub: &Scrubbing) -> Vec<String> {
    let moved = || with(scrub, Action::Moved);
    let number = moved().count();
    if number == 0 {
        return Vec::new();
    }
    let names: BTreeSet<&String> = moved().filter_map(|it| it.account.as_ref()).collect();
    let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    let mut lines = vec![format!(
        "Moved {} into the store: {}",
        plural(number, "secret", "secrets"),
        names.join(", ")
    )];
    let mut urls = moved().filter_map(|secret| secret.found.url.as_ref());
    if let Some(url) = urls.find(|url| url.starts_with("http:")) {
        lines.push(format!(
            "Change '{url}' to 'https:': no helper sends a secret in clear text"
        ));
    }
    lines
}

/// Where secrets are revoked; of one that nothing is known of, where most are.
fn where_to_revoke(scrub: &Scrubbing) -> Option<String> {
    /// More do not help anybody.
    const MOST: usize = 3;
    let page = |secret: &FoundSecret| {
        let credential = secret.found.credentials.first();
        credential.map_or_else(|| API_TOKEN_PAGE.to_owned(), Credential::page)
    };
    let pages: BTreeSet<String> = scrub.secrets.iter().map(page).collect();
    let more = if pages.len() > MOST { " …" } else { "" };
    let few: Vec<String> = pages.into_iter().take(MOST).collect();
    (!few.is_empty()).then(|| {
        format!(
            "Revoke the secrets that were in plain text, and sign in with new ones: {}{more}",
            few.join(" ")
        )
    })
}
