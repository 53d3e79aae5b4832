//! How every verb prints.

use std::io::{self, Write as _};

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

use crate::account::Account;
use crate::account::file::Accounts;
use crate::answer::decide::hindrance;
use crate::answer::tie;
use crate::git::context::Host;
use crate::git::{self, Helper};
use crate::settings::session::Session;
use crate::sys::error::Hinted;
use crate::sys::message::{hint, warn};
use crate::sys::terminal;

/// A number with its noun.
pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Prints data, without a buffer in between that would not be wiped. A reader that has seen enough (`| head`) is no
/// failure.
pub(crate) fn print(data: &[u8]) -> Result<()> {
    match terminal::output().and_then(|mut output| output.write_all(data)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as JSON: its names are a contract.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    print(&json)
}

/// The account of a name, or the only one there is.
pub(crate) fn pick<'a>(accounts: &'a Accounts, name: Option<&str>) -> Result<&'a Account> {
    let names = || {
        accounts
            .iter()
            .map(|account| format!("'{}'", account.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut all = accounts.iter();
    let message = match (name, all.next(), all.next()) {
        (None, Some(only), None) => return Ok(only),
        (_, None, _) => {
            return Err(Hinted::new(
                "there is no account",
                "sign in: 'git credential-bitbucket login'",
            )
            .into());
        }
        (None, Some(_), Some(_)) => "there are several accounts".to_owned(),
        (Some(name), _, _) => match accounts.named(name) {
            Some(account) => return Ok(account),
            None => format!("there is no account '{name}'"),
        },
    };
    Err(Hinted::new(message, format!("name one of {}", names())).into())
}

/// The account of a name, or all of them.
pub(crate) fn pick_some<'a>(
    accounts: &'a Accounts,
    name: Option<&str>,
) -> Result<Vec<&'a Account>> {
    Ok(match name {
        Some(name) => vec![pick(accounts, Some(name))?],
        None => accounts.iter().collect(),
    })
}

/// Says which accounts stand in one another's way.
pub(crate) fn warn_of_ties(session: &Session, accounts: &Accounts) {
    let now = Timestamp::now();
    let ties = tie::ties(accounts, &|account| hindrance(session, account, now));
    let mut silent = ties.iter().filter(|tie| !tie.has_user_names()).peekable();
    let fix = silent.peek().map(|tie| tie.fix());
    for tie in silent {
        warn(tie.message());
    }
    if let Some(fix) = fix {
        hint(fix);
    }
}

/// ` for HOST`, to stand behind an account's name; nothing where that is the host already.
pub(crate) fn for_its_host(account: &Account) -> String {
    if account.name == account.host.as_str() {
        String::new()
    } else {
        format!(" for {}", account.host)
    }
}

/// Says what keeps git from asking us, or hands our secrets to somebody else as well, and then what fixes it.
pub(crate) fn warn_of_the_chain<'a>(hosts: impl IntoIterator<Item = &'a Host>, fix: &str) {
    let mut not_asked = Vec::new();
    let mut neighbours: Vec<(Helper, Vec<&Host>)> = Vec::new();
    for host in hosts {
        // Where git cannot be asked there is nothing to say about it.
        let Ok(chain) = git::helpers(host) else {
            return;
        };
        if !chain.iter().any(Helper::is_ours) {
            not_asked.push(host);
            continue;
        }
        for helper in chain.into_iter().filter(|helper| !helper.is_ours()) {
            match neighbours.iter_mut().find(|(known, _)| *known == helper) {
                Some((_, hosts)) => hosts.push(host),
                None => neighbours.push((helper, vec![host])),
            }
        }
    }
    let list = |hosts: &[&Host]| {
        hosts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" and ")
    };
    if !not_asked.is_empty() {
        warn(format_args!(
            "git does not ask this helper for {} yet",
            list(&not_asked)
        ));
    }
    for (helper, hosts) in &neighbours {
        warn(format_args!(
            "the helper '{}' in '{}' also receives the credentials of {}",
            helper.shown(),
            helper.origin,
            list(hosts)
        ));
    }
    if !not_asked.is_empty() || !neighbours.is_empty() {
        hint(fix);
    }
}
