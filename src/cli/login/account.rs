//! All that is known of an account but its secret, before it is checked.

use anyhow::{Result, bail};
use jiff::civil::Date;

use crate::account::file::Accounts;
use crate::account::{Account, Origin, today};
use crate::bitbucket::reach::Reach;
use crate::bitbucket::{self, Kind};
use crate::cli::Login;
use crate::git::context::Host;
use crate::settings::policy::Policy;
use crate::sys::bytes::Bytes;
use crate::sys::error::{Hinted, Usage};
use crate::sys::message;
use crate::sys::terminal;

/// The account as it is to be: what was named, what the one it replaces had, and what can be asked for.
///
/// # Errors
/// When something is missing and nobody can be asked, or cannot be what it is.
pub(super) fn complete(
    arguments: &Login,
    accounts: &Accounts,
    policy: &Policy,
    host: Host,
    kind: Kind,
) -> Result<Account> {
    let asks = super::asks(arguments);
    let is_day_wanted = policy.wants_a_day(kind);
    let asks_for_day = asks && (is_day_wanted || kind.always_expires());
    let mine = |name: &str| {
        accounts
            .named(name)
            .filter(|known| known.origin == Origin::Login)
    };
    let named = arguments
        .name
        .as_deref()
        .and_then(|name| accounts.named(name));

    let mut username = arguments
        .username
        .clone()
        .map(|name| Bytes::from(name.into_bytes()));
    username = username.or_else(|| named.and_then(|named| named.username.clone()));
    if username.is_none() && (kind.needs_username() || kind == Kind::HttpAccessToken) {
        username = ask_username(kind, asks)?;
    }
    let name = match &arguments.name {
        Some(name) if name.is_empty() || name.chars().any(char::is_control) => {
            bail!(Usage(
                "a name is not empty and has no control characters".to_owned()
            ))
        }
        Some(name) => name.clone(),
        None => default_name(username.as_ref(), &arguments.reach, &host, accounts),
    };
    let mut account = match named.or_else(|| mine(&name)) {
        Some(existing) => existing.clone(),
        None => Account::new(name, host, Origin::Login),
    };
    // Without a check nobody knows better than the last one.
    account.bearer &= account.kind == Some(kind);
    account.kind = Some(kind);
    // What git said of the old secret, or a server did, is not true of the new one.
    account.origin = Origin::Login;
    account.rejected = None;
    account.bearer_only = false;
    account.path = None;
    account.authtype = None;
    account.password_expiry_utc = None;
    account.oauth = None;
    if let Some(place) = &arguments.host {
        account.context.clone_from(&place.context);
    }
    account.username = username.or(account.username);
    account.email = arguments.email.clone().or(account.email);
    account.expires = match arguments.expires {
        Some(day) => Some(day),
        // The old day was the old secret's.
        None if asks_for_day => None,
        None => account.expires.filter(|day| *day >= today()),
    };
    if !arguments.reach.is_empty() {
        account.reach.clone_from(&arguments.reach);
    }
    if account.email.is_none() && kind == Kind::ApiToken && asks {
        account.email = ask_email()?;
    }
    if arguments.expires.is_none() && asks_for_day {
        account.expires = ask_expiry(is_day_wanted)?;
    }
    refuse_mixed_up_names(&account)?;
    Ok(account)
}

fn ask_email() -> Result<Option<String>> {
    loop {
        let answer = terminal::ask_line(
            "E-mail of your Atlassian account, for the REST API (Enter to leave it out): ",
        )?;
        match answer.as_str() {
            "" => return Ok(None),
            email if email.contains('@') => return Ok(Some(answer)),
            _ => message::tell("That is no e-mail"),
        }
    }
}

/// Bitbucket shows the date when the token is made, and tells it to nobody afterwards.
fn ask_expiry(is_wanted: bool) -> Result<Option<Date>> {
    let prompt = if is_wanted {
        "Last day on which it is good, YYYY-MM-DD: "
    } else {
        "Last day on which it is good, YYYY-MM-DD (Enter if you do not know): "
    };
    loop {
        let answer = terminal::ask_line(prompt)?;
        if answer.is_empty() && is_wanted {
            message::tell("The policy of this machine wants it");
            continue;
        }
        if answer.is_empty() {
            return Ok(None);
        }
        match answer.parse::<Date>() {
            Ok(day) if day >= today() => return Ok(Some(day)),
            Ok(_) => message::tell("That day has passed"),
            Err(_) => message::tell("Please type a date such as 2027-01-31"),
        }
    }
}

fn ask_username(kind: Kind, asks: bool) -> Result<Option<Bytes>> {
    let answer = match (asks, kind.needs_username()) {
        (true, true) => terminal::ask_line("Bitbucket user name: ")?,
        (true, false) => terminal::ask_line(
            "User name (Enter when the token is a project's or a repository's): ",
        )?,
        (false, _) => String::new(),
    };
    if answer.is_empty() && kind.needs_username() {
        bail!(Hinted::new(
            format!("{} needs a user name", kind.noun()),
            "say it with '--username NAME'"
        ));
    }
    Ok(Some(answer)
        .filter(|answer| !answer.is_empty())
        .map(|answer| Bytes::from(answer.into_bytes())))
}

/// git wants the user name and REST the e-mail, and people give one for the other.
fn refuse_mixed_up_names(account: &Account) -> Result<()> {
    let username = account
        .username
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    if username.contains(|character: char| character.is_control() || character == ':') {
        bail!(Usage(
            "a user name has neither a colon nor control characters".to_owned()
        ));
    }
    if username.contains('@') && bitbucket::is_cloud(&account.host) {
        bail!(Hinted::new(
            format!("'{username}' is an e-mail, and Bitbucket refuses e-mails as git user names"),
            "say it with '--email', and '--username' with the name from https://bitbucket.org/account/settings/",
        ));
    }
    match &account.email {
        Some(email) if !email.contains('@') || email.chars().any(char::is_control) => {
            bail!(Hinted::new(
                format!("'{email}' is not an e-mail"),
                "say the e-mail of the Atlassian account, or leave it out",
            ))
        }
        _ => Ok(()),
    }
}

/// The user name, else the first reach, else the host; with the host behind it where an account of another host has
/// that name already.
fn default_name(
    username: Option<&Bytes>,
    reach: &[Reach],
    host: &Host,
    accounts: &Accounts,
) -> String {
    let username = username.map(ToString::to_string);
    let name = username.or_else(|| reach.first().map(ToString::to_string));
    let name = name.unwrap_or_else(|| host.to_string());
    match accounts.named(&name) {
        Some(known) if known.host != *host => format!("{name}@{host}"),
        _ => name,
    }
}
