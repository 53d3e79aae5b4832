//! `status`: the accounts, and which of them need attention.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde::Serialize;

use crate::account::{Account, Origin, today};
use crate::bitbucket::{self, APP_PASSWORDS_REMOVED};
use crate::cli::Status;
use crate::config;
use crate::context::Host;
use crate::environment;
use crate::lookup::Lookup;
use crate::store;

/// How long ahead an expiry is told.
const AHEAD_DAYS: i64 = 14;

/// What an account is like. Only the first two are no reason for attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Expiring,
    Expired,
    Missing,
    Rejected,
    Retired,
    Unreachable,
}

/// An account as `--json` shows it: the names are a contract.
#[derive(Serialize)]
struct Row {
    name: String,
    host: String,
    kind: Option<&'static str>,
    username: Option<String>,
    email: Option<String>,
    r#for: Vec<String>,
    store: String,
    expires: Option<String>,
    origin: Origin,
    state: State,
}

#[derive(Serialize)]
struct Report {
    accounts: Vec<Row>,
}

/// # Errors
/// When there is no such account, or the accounts cannot be read.
pub(crate) fn run(arguments: &Status) -> Result<ExitCode> {
    let lookup = Lookup::default();
    let accounts = lookup.accounts()?;
    let shown: Vec<&Account> = match &arguments.name {
        Some(name) => vec![super::pick(&accounts, Some(name))?],
        None => accounts.iter().collect(),
    };
    let mut examiner = Examiner {
        lookup: &lookup,
        silent: Vec::new(),
        today: today(),
    };
    let rows: Vec<Row> = shown
        .iter()
        .map(|account| row(account, examiner.state(account)))
        .collect();
    let needs_attention = rows
        .iter()
        .any(|row| !matches!(row.state, State::Ok | State::Expiring));

    if arguments.json {
        let mut json = serde_json::to_vec_pretty(&Report { accounts: rows })?;
        json.push(b'\n');
        super::print(&json)?;
    } else {
        if !rows.is_empty() {
            super::print(table(&rows).as_bytes())?;
        }
        advise(&rows);
    }
    for unknown in config::unknown_keys(&lookup.locations()?.config())? {
        super::warn(format_args!("unknown key in {unknown}"));
    }
    let cloud = bitbucket::cloud();
    if let Some((account, _)) = environment::account(&cloud)? {
        super::tell(&format!(
            "{} is set and answers for bitbucket.org ahead of the accounts",
            account.name
        ));
    }
    let hosts: BTreeSet<&Host> = std::iter::once(&cloud)
        .chain(shown.iter().map(|account| &account.host))
        .collect();
    super::warn_of_the_chain(hosts, lookup.locations()?.setup().exists());
    Ok(ExitCode::from(u8::from(needs_attention)))
}

struct Examiner<'a> {
    lookup: &'a Lookup,
    /// The stores that did not answer: they are not waited for a second time.
    silent: Vec<store::Name>,
    today: Date,
}

impl Examiner<'_> {
    fn state(&mut self, account: &Account) -> State {
        if self.silent.contains(&account.store) {
            return State::Unreachable;
        }
        match self.lookup.secret_of(account) {
            Err(error) => {
                self.silent.push(account.store);
                super::warn(crate::error::one_line(&error));
                State::Unreachable
            }
            Ok(None) => State::Missing,
            Ok(Some(_)) if account.rejected.is_some() => State::Rejected,
            Ok(Some(_))
                if account
                    .kind
                    .is_some_and(|kind| kind.is_retired_on(&account.host)) =>
            {
                State::Retired
            }
            Ok(Some(_)) => match last_day(account) {
                Some(day) if day < self.today => State::Expired,
                Some(day) if day <= self.today.saturating_add(AHEAD_DAYS.days()) => State::Expiring,
                _ => State::Ok,
            },
        }
    }
}

/// The last day on which the secret is good, UTC: what the user said, or what git said with it.
fn last_day(account: &Account) -> Option<Date> {
    account
        .expires
        .or_else(|| Some(expiry(account)?.to_zoned(TimeZone::UTC).date()))
}

fn expiry(account: &Account) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(account.password_expiry_utc?).ok()?).ok()
}

fn row(account: &Account, state: State) -> Row {
    let expires = account.expires.map(|day| day.to_string());
    Row {
        name: account.name.clone(),
        host: account.host.to_string(),
        kind: account.kind.map(bitbucket::Kind::as_str),
        username: account.username.as_ref().map(ToString::to_string),
        email: account.email.clone(),
        r#for: account.scopes.iter().map(ToString::to_string).collect(),
        store: account.store.to_string(),
        expires: expires.or_else(|| Some(expiry(account)?.to_string())),
        origin: account.origin,
        state,
    }
}

fn table(rows: &[Row]) -> String {
    let head = ["NAME", "KIND", "HOST", "FOR", "STORE", "EXPIRES", "STATE"].map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(head)
        .chain(rows.iter().map(cells))
        .collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 7] {
    let or_dash = |text: Option<&str>| {
        text.filter(|text| !text.is_empty())
            .unwrap_or("-")
            .to_owned()
    };
    let state = serde_json::to_value(row.state)
        .ok()
        .and_then(|state| state.as_str().map(str::to_owned));
    [
        row.name.clone(),
        row.kind.unwrap_or("given by git").to_owned(),
        row.host.clone(),
        or_dash(Some(&row.r#for.join(","))),
        row.store.clone(),
        or_dash(row.expires.as_deref()),
        or_dash(state.as_deref()),
    ]
    .map(|cell| crate::error::printable(&cell))
}

/// What to do about the accounts that need something, a line each.
fn advise(rows: &[Row]) {
    if rows.is_empty() {
        super::tell("No account yet: 'git credential-bitbucket login' adds one");
    }
    for row in rows {
        let Row { name, host, .. } = row;
        let again = format!("'git credential-bitbucket login {name}' replaces it");
        match row.state {
            State::Ok => {}
            State::Expiring => super::tell(&format!("'{name}' expires soon: {again}")),
            State::Expired => super::tell(&format!("'{name}' has expired: {again}")),
            State::Missing => super::tell(&format!(
                "'{name}' has no secret in the {}: {again}",
                row.store
            )),
            State::Rejected => super::tell(&format!(
                "'{name}' was refused by {host} and is set aside: {again}"
            )),
            State::Retired => super::tell(&format!(
                "'{name}' is an app password, which Bitbucket removed on {APP_PASSWORDS_REMOVED}: {again}"
            )),
            State::Unreachable => {
                super::tell(&format!("'{name}': the {} does not answer", row.store));
            }
        }
    }
}
