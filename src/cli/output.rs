//! How every verb prints.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::{Result, bail};
use serde::Serialize;

use crate::account::verify::{Meaning, Verdict};
use crate::account::{Account, Accounts};
use crate::answer::{Found, Wanted};
use crate::helper::unanswered::look;
use crate::settings::Session;
use crate::sys::message::{hint, tell, warn};
use crate::sys::{Hinted, printable, terminal};

pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Asks until the answer can be read, and says why one cannot.
pub(crate) fn ask<T, E: Display>(prompt: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<T> {
    loop {
        match read(&terminal::ask_line(prompt)?) {
            Ok(value) => return Ok(value),
            Err(reason) => tell(&reason.to_string()),
        }
    }
}

pub(crate) fn is_agreed(question: &str) -> Result<bool> {
    let answer = terminal::ask_line(&format!("{question} [y/N] "))?;
    Ok(matches!(&*answer.to_ascii_lowercase(), "y" | "yes"))
}

/// Asks at a terminal whether to go on, and fails after a no; without a terminal it goes on.
pub(crate) fn confirm(question: &str, instead: impl Into<String>) -> Result<()> {
    if terminal::can_ask() && !is_agreed(question)? {
        bail!(Hinted::new("nothing was changed", instead));
    }
    Ok(())
}

/// `a, b and c`
pub(crate) fn listed(items: &[impl ToString]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => texts.concat(),
    }
}

/// Prints data without a buffer that would not be wiped. A closed pipe (`| head`) is no failure.
pub(crate) fn print(data: &[u8]) -> Result<()> {
    match terminal::output().and_then(|mut output| output.write_all(data)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Who answers, once each notice is told. Fails where nobody does.
pub(crate) fn answering(session: &Session, wanted: &Wanted<'_>) -> Result<Found> {
    let (found, unanswered) = look(session, wanted)?;
    let Some(found) = found else {
        return Err(unanswered.error(session, wanted));
    };
    unanswered.notice.iter().for_each(warn);
    Ok(found)
}

/// Prints a value as JSON: its names are a contract. Its texts may end on a terminal (`jq -r`), so they are printable.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    let mut shown = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(start) = rest.find('"') {
        let (before, from_here) = rest.split_at(start);
        let mut texts = serde_json::Deserializer::from_str(from_here).into_iter::<String>();
        let text = texts.next().transpose()?.unwrap_or_default();
        shown += before;
        shown += &serde_json::to_string(&printable(&text))?;
        rest = &from_here[texts.byte_offset()..];
    }
    shown += rest;
    shown.push('\n');
    print(shown.as_bytes())
}

/// The account with this name; without a name, the only account.
pub(crate) fn pick<'a>(accounts: &'a Accounts, name: Option<&str>) -> Result<&'a Account> {
    let names: Vec<String> = accounts.iter().map(|it| format!("'{}'", it.name)).collect();
    let found = match name {
        Some(name) => accounts.named(name),
        None => accounts.iter().next().filter(|_| names.len() == 1),
    };
    let hint = format!("name one of {}", names.join(", "));
    let error = match (found, name) {
        (Some(account), _) => return Ok(account),
        (None, _) if names.is_empty() => Hinted::new(
            "there is no account",
            "sign in: 'git credential-bitbucket login'",
        ),
        (None, None) => Hinted::new("there are several accounts", hint),
        (None, Some(name)) => Hinted::new(format!("there is no account '{name}'"), hint),
    };
    Err(error.into())
}

/// The named account, or all in their order.
pub(crate) fn pick_some<'a>(
    accounts: &'a Accounts,
    name: Option<&str>,
) -> Result<Vec<&'a Account>> {
    Ok(match name {
        Some(name) => vec![pick(accounts, Some(name))?],
        None => accounts.in_order().collect(),
    })
}

/// ` for HOST`, unless the account's name is the host.
pub(crate) fn for_its_host(account: &Account) -> String {
    if account.name == account.host.as_str() {
        String::new()
    } else {
        format!(" for {}", account.host)
    }
}

/// What Bitbucket says about an account, in a line of its own.
pub(super) fn tell_about(account: &Account, verdict: &Verdict) {
    tell_verdict(account, verdict, &verdict.about(&account.name));
}

pub(super) fn tell_verdict(account: &Account, verdict: &Verdict, line: &str) {
    match verdict.meaning {
        Meaning::Good => return tell(line),
        // The state shows the rest.
        Meaning::Unchecked if account.is_retired() => return,
        _ => warn(line),
    }
    verdict.hint.iter().for_each(hint);
}
