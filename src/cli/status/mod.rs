//! `status`: the accounts, and which of them need attention.

mod table;
pub(crate) mod verify;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use self::table::StatusRow;
use crate::account::{Account, Accounts, State};
use crate::answer::ruling::{Ruling, hindrance, rule};
use crate::answer::{Wanted, source};
use crate::bitbucket;
use crate::cli::doctor::chain;
use crate::cli::output;
use crate::git::Username;
use crate::settings::Session;
use crate::sys::error::one_line;
use crate::sys::{message, terminal};

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Show this account only
    pub(crate) name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// First ask Bitbucket whether the secret of each account works
    #[arg(long)]
    pub(crate) verify: bool,
}

pub(crate) fn run(arguments: &Status) -> Result<ExitCode> {
    let session = Session::default();
    if arguments.verify {
        verify::run(&session, arguments.name.as_deref())?;
    }
    let accounts = session.accounts()?;
    let shown = output::pick_some(&accounts, arguments.name.as_deref())?;
    let now = Timestamp::now();
    let rows = shown.iter().map(|account| {
        let is_default = is_default(&session, &accounts, account);
        StatusRow::of(account, is_default, state(&session, account, now))
    });
    let rows: Vec<StatusRow> = rows.collect();
    let mut needs_attention = rows.iter().any(|row| row.state.needs_attention());

    if arguments.json {
        output::print_json(&BTreeMap::from([("accounts", &rows)]))?;
    } else {
        if !rows.is_empty() {
            output::print(table::text(&rows, terminal::width()).as_bytes())?;
        }
        if let Some(stores) = looked_into(&session) {
            let none = "Where no account fits,";
            let none = if rows.is_empty() { "No account;" } else { none };
            message::tell(&format!("{none} {stores} is searched"));
        } else if rows.is_empty() {
            let none = session.locations()?.no_account_yet();
            message::tell(&none.replacen('n', "N", 1));
        }
        let shown = shown.iter().zip(&rows);
        let complaints = shown.filter_map(|(account, row)| row.state.complaint(account));
        complaints.for_each(|it| message::tell(&it.on_one_line()));
    }
    match session.config().and_then(|_| session.unknown_keys()) {
        Ok(unknown) => unknown.iter().for_each(message::warn),
        Err(error) => message::warn_of(&error),
    }
    needs_attention |= warn_of_the_policy(&session, &shown);
    if let Some(notice) = source::notice_of_variable(&session)? {
        message::tell(&notice);
    }
    chain::warn(&session, None);
    Ok(ExitCode::from(u8::from(needs_attention)))
}

/// Whether the account answers for a place that it is for.
fn is_default(session: &Session, accounts: &Accounts, account: &Account) -> bool {
    let path = account.opaque().and_then(|opaque| opaque.path.as_ref());
    let paths: Vec<Vec<u8>> = match path {
        Some(path) => vec![path.as_slice().to_vec()],
        None => bitbucket::paths_of(&account.host, account.base_path(), &account.reach),
    };
    let given = account.opaque().and(account.username());
    let username = account.only_username.as_ref().or(given);
    let username = username.map(Username::as_slice);
    paths.iter().any(|path| {
        let path = Some(path.as_slice()).filter(|path| !path.is_empty());
        let wanted = Wanted::at(account.host.clone(), path, username);
        let rulings = rule(accounts, &wanted, |it| hindrance(session, it, &wanted));
        let is_it = |(it, ruling): &(&Account, Ruling)| {
            it.name == account.name && *ruling == Ruling::Answers
        };
        rulings.iter().any(is_it)
    })
}

/// The stores of `lookup`, listed for a sentence.
fn looked_into(session: &Session) -> Option<String> {
    // Settings that cannot be read are reported below.
    let sources = session.config().ok()?.lookup.iter();
    let names: Vec<String> = sources.map(|source| format!("'{source}'")).collect();
    (!names.is_empty()).then(|| names.join(", then "))
}

/// Reports the accounts that the policy forbids; whether there are any. An unreadable policy reports none.
fn warn_of_the_policy(session: &Session, accounts: &[&Account]) -> bool {
    let policy = match session.policy() {
        Ok(policy) => policy,
        Err(error) => {
            // Settings that cannot be read are reported above.
            if session.config().is_ok() {
                message::warn_of(&error);
            }
            return true;
        }
    };
    let objection = |account: &&Account| Some(policy.objection(account)?.to_using(account));
    let objections = accounts.iter().filter_map(objection);
    let objections: Vec<String> = objections.map(|it| it.on_one_line()).collect();
    objections.iter().for_each(message::warn);
    !objections.is_empty()
}

/// The state of an account; of a store that does not answer the first failure is told.
fn state(session: &Session, account: &Account, now: Timestamp) -> State {
    let is_known = session.is_silent(account.store);
    match session.read(account) {
        Ok(Some(_)) => State::of(account, now),
        Ok(None) => State::Missing,
        Err(error) => {
            if !is_known {
                let error = one_line(&error);
                message::warn(format_args!("'{}': {error}", account.name));
            }
            State::Unreachable
        }
    }
}
