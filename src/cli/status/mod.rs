//! `status`: the accounts, and which of them need attention.

mod table;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::account::file::Accounts;
use crate::account::state::{self, State};
use crate::account::{Account, Origin};
use crate::answer::source::environment;
use crate::bitbucket;
use crate::cli::output;
use crate::git::context::Host;
use crate::settings::config::Source;
use crate::settings::session::Session;
use crate::store;
use crate::sys::message;
use crate::sys::terminal;

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

/// An account as `--json` shows it: the names are a contract.
#[derive(Serialize)]
struct StatusRow {
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
struct StatusReport {
    accounts: Vec<StatusRow>,
}

pub(crate) fn run(arguments: &Status) -> Result<ExitCode> {
    let session = Session::default();
    if arguments.verify {
        verify::run(&session, arguments.name.as_deref())?;
    }
    let accounts = session.accounts()?;
    let shown = meant(&accounts, arguments.name.as_deref())?;
    let mut examiner = Examiner {
        session: &session,
        silent: Vec::new(),
        now: Timestamp::now(),
    };
    let rows: Vec<StatusRow> = shown
        .iter()
        .map(|account| row(account, examiner.state(account)))
        .collect();
    let mut needs_attention = rows.iter().any(|row| row.state.needs_attention());

    if arguments.json {
        output::print_json(&StatusReport { accounts: rows })?;
    } else {
        if !rows.is_empty() {
            output::print(table::text(&rows, terminal::width()).as_bytes())?;
        }
        tell_lookup(&session, rows.is_empty());
        for notice in shown
            .iter()
            .zip(&rows)
            .filter_map(|(account, row)| row.state.notice(account))
        {
            message::tell(&notice);
        }
    }
    match session.config().and_then(|_| session.unknown_keys()) {
        Ok(unknown) => unknown.iter().for_each(message::warn),
        Err(error) => message::warn(crate::sys::error::one_line(&error)),
    }
    needs_attention |= warn_of_the_policy(&session, &shown);
    let cloud = bitbucket::cloud();
    tell_environment(&session, &cloud)?;
    let hosts: Vec<Host> = std::iter::once(&cloud)
        .chain(shown.iter().map(|account| &account.host))
        .flat_map(bitbucket::hosts_asked_for)
        // No account answers for the other hosts.
        .filter(|host| {
            session
                .policy()
                .is_ok_and(|policy| policy.allows_host(host))
        })
        .fold(Vec::new(), |mut hosts, host| {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
            hosts
        });
    output::warn_of_ties(&session, &accounts);
    output::warn_of_the_chain(&hosts, "'git credential-bitbucket setup' fixes that");
    Ok(ExitCode::from(u8::from(needs_attention)))
}

fn tell_lookup(session: &Session, is_empty: bool) {
    // Settings that cannot be read are reported below.
    let sources = session.config().map_or(&[][..], |config| &config.lookup);
    let name = |source: &Source| format!("'{}'", store::Name::from(*source));
    let stores = sources.iter().map(name).collect::<Vec<_>>().join(", then ");
    match (is_empty, stores.is_empty()) {
        (true, true) => message::tell("No account yet: 'git credential-bitbucket login' adds one"),
        (true, false) => message::tell(&format!("No account; {stores} is searched")),
        (false, false) => {
            message::tell(&format!("Where no account fits, {stores} is searched"));
        }
        (false, true) => {}
    }
}

fn tell_environment(session: &Session, cloud: &Host) -> Result<()> {
    let Some((mut account, kept)) = environment::account(cloud)? else {
        return Ok(());
    };
    account.rejected = session.refusal_of(&kept.secret);
    let name = &account.name;
    message::tell(&if let Ok(Some(objection)) = session.objection(&account) {
        objection.notice(&account)
    } else if account.is_retired() {
        environment::retired_notice(&account)
    } else if account.standing(Timestamp::now()).may_answer() {
        format!("{name} is set and answers for bitbucket.org ahead of the accounts")
    } else {
        format!("{name} is set, but bitbucket.org refused it: set another value")
    });
    Ok(())
}

/// Reports the accounts that the policy forbids. True if there are any, or if the policy cannot be read.
fn warn_of_the_policy(session: &Session, accounts: &[&Account]) -> bool {
    let policy = match session.policy() {
        Ok(policy) => policy,
        Err(error) => {
            // Settings that cannot be read are reported above.
            if session.config().is_ok() {
                message::warn(crate::sys::error::one_line(&error));
            }
            return true;
        }
    };
    let mut is_forbidden = false;
    for account in accounts {
        if let Some(objection) = policy.objection(account) {
            message::warn(format_args!(
                "{}: {}",
                objection.notice(account),
                objection.fix(account)
            ));
            is_forbidden = true;
        }
    }
    is_forbidden
}

/// The named account, or all.
fn meant<'a>(accounts: &'a Accounts, name: Option<&str>) -> Result<Vec<&'a Account>> {
    Ok(match name {
        Some(name) => vec![output::pick(accounts, Some(name))?],
        None => accounts.iter().collect(),
    })
}

struct Examiner<'a> {
    session: &'a Session,
    /// The stores that did not answer: do not ask them again.
    silent: Vec<store::Name>,
    now: Timestamp,
}

impl Examiner<'_> {
    fn state(&mut self, account: &Account) -> State {
        if self.silent.contains(&account.store) {
            return State::Unreachable;
        }
        match self.session.has_secret(account) {
            Ok(true) => State::of(account, self.now),
            Ok(false) => State::Missing,
            Err(error) => {
                self.silent.push(account.store);
                message::warn(format_args!(
                    "'{}': {}",
                    account.name,
                    crate::sys::error::one_line(&error)
                ));
                State::Unreachable
            }
        }
    }
}

fn row(account: &Account, state: State) -> StatusRow {
    let expires = account.expires.map(|day| day.to_string());
    StatusRow {
        name: account.name.clone(),
        host: account.host.to_string(),
        kind: account.kind().map(bitbucket::Kind::as_str),
        username: account.username().map(ToString::to_string),
        email: account.email().map(str::to_owned),
        r#for: account.reach.iter().map(ToString::to_string).collect(),
        store: account.store.to_string(),
        expires: expires.or_else(|| Some(state::expiry(account)?.to_string())),
        origin: account.origin,
        state,
    }
}
