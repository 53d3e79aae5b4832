//! The account that `login` makes, without its secret.

use anyhow::{Result, bail};
use jiff::civil::Date;

use crate::account::{Account, Accounts, Known, Origin, Owner, Scheme, today};
use crate::bitbucket::{self, Kind};
use crate::cli::login::options::Login;
use crate::git::{Host, Username};
use crate::settings::policy::Policy;
use crate::sys::{Hinted, Usage, message, terminal};

/// The account from the options, the account it replaces, and questions.
pub(super) fn complete(
    arguments: &Login,
    accounts: &Accounts,
    policy: &Policy,
    host: Host,
    kind: Kind,
) -> Result<Account> {
    let asks = arguments.may_ask();
    let is_day_wanted = policy.wants_a_day(kind);
    let asks_for_day = asks && (is_day_wanted || kind.always_expires());
    let existing = arguments
        .name
        .as_deref()
        .and_then(|name| accounts.named(name));

    let mut username = arguments.username.clone().and_then(Username::new);
    username = username.or_else(|| existing.and_then(Account::username).cloned());
    if username.is_none() && (kind.needs_username() || kind == Kind::HttpAccessToken) {
        username = ask_username(kind, asks)?;
    }
    let name = match &arguments.name {
        Some(name) => checked_name(name)?,
        // Bitbucket may say whose it is.
        None => String::new(),
    };
    let owner = existing.map(|existing| existing.owner.clone());
    let mut owner = owner.unwrap_or_default();
    owner.username = username.or(owner.username);
    owner.email = arguments.email.clone().or(owner.email);
    refuse_mixed_up_names(&owner, &host)?;
    let known = sign_in(arguments, existing, kind);
    let mut account = match existing {
        Some(existing) => Account {
            sign_in: known.into(),
            ..existing.clone()
        },
        None => Account::new(name, host, Origin::Login, known),
    };
    // What git or a server said about the old secret does not apply to the new one.
    account.origin = Origin::Login;
    account.owner = Owner::of_kind(kind, owner.username, owner.email);
    account.rejected = None;
    account.password_expiry_utc = None;
    account.expires = match arguments.expires {
        Some(day) => Some(day),
        // The old date was the old secret's.
        None if asks_for_day => None,
        None => account.expires.filter(|day| *day >= today()),
    };
    if !arguments.reach.is_empty() {
        account.reach.clone_from(&arguments.reach);
    }
    if account.owner.email.is_none() && kind == Kind::ApiToken && asks {
        account.owner.email = ask_email()?;
    }
    if arguments.expires.is_none() && asks_for_day {
        account.expires = ask_expiry(is_day_wanted)?;
    }
    Ok(account)
}

pub(crate) fn checked_name(name: &str) -> Result<String> {
    if name.is_empty() || name.chars().any(char::is_control) {
        bail!(Usage(
            "a name cannot be empty or have control characters".to_owned()
        ));
    }
    Ok(name.to_owned())
}

/// The sign-in. Until Bitbucket is asked, the scheme of the replaced account stays.
fn sign_in(arguments: &Login, existing: Option<&Account>, kind: Kind) -> Known {
    let existing_base_path = existing.map(Account::base_path).unwrap_or_default();
    let mut known = Known::new(kind);
    known.base_path = match &arguments.host {
        Some(instance) => instance.context.clone(),
        None => existing_base_path.to_owned(),
    };
    known.scheme = match existing.map(|existing| (existing.kind(), existing.scheme())) {
        Some((same, Scheme::Bearer | Scheme::BearerOnly)) if same == Some(kind) => Scheme::Bearer,
        _ => Scheme::Basic,
    };
    known
}

fn ask_email() -> Result<Option<String>> {
    loop {
        let answer = terminal::ask_line("E-mail of your Atlassian account (optional): ")?;
        match answer.as_str() {
            "" => return Ok(None),
            email if is_email(email) => return Ok(Some(answer)),
            _ => message::tell("That is not an e-mail"),
        }
    }
}

fn is_email(text: &str) -> bool {
    text.contains('@') && !text.chars().any(char::is_control)
}

/// Bitbucket shows the expiry date only once, when the token is made.
fn ask_expiry(is_wanted: bool) -> Result<Option<Date>> {
    let prompt = if is_wanted {
        "Expiry date, YYYY-MM-DD: "
    } else {
        "Expiry date, YYYY-MM-DD (Enter if you do not know): "
    };
    loop {
        let answer = terminal::ask_line(prompt)?;
        if answer.is_empty() && is_wanted {
            message::tell("The policy of this machine requires an expiry date");
            continue;
        }
        if answer.is_empty() {
            return Ok(None);
        }
        match answer.parse::<Date>() {
            Ok(day) if day >= today() => return Ok(Some(day)),
            Ok(_) => message::tell("That date has passed"),
            Err(_) => message::tell("Please type a date such as 2027-01-31"),
        }
    }
}

fn ask_username(kind: Kind, asks: bool) -> Result<Option<Username>> {
    let answer = match (asks, kind.needs_username()) {
        (true, true) => terminal::ask_line("Bitbucket user name: ")?,
        (true, false) => terminal::ask_line("User name (Enter if the token has none): ")?,
        (false, _) => String::new(),
    };
    if answer.is_empty() && kind.needs_username() {
        return Err(lacks_username(kind));
    }
    Ok(Username::new(answer))
}

pub(crate) fn lacks_username(kind: Kind) -> anyhow::Error {
    let message = format!("{} needs a user name", kind.noun());
    Hinted::new(message, "give it with '--username NAME'").into()
}

/// git needs the user name and REST the e-mail; people often confuse the two.
pub(crate) fn refuse_mixed_up_names(owner: &Owner, host: &Host) -> Result<()> {
    let username = owner
        .username
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    if bitbucket::looks_like_a_secret(&username) {
        bail!(Usage("a secret is no user name".to_owned()));
    }
    if username.contains(|character: char| character.is_control() || character == ':') {
        bail!(Usage(
            "a user name cannot have a colon or control characters".to_owned()
        ));
    }
    if username.contains('@') && bitbucket::is_cloud(host) {
        bail!(Hinted::new(
            format!("'{username}' is an e-mail, which Bitbucket refuses as a git user name"),
            format!(
                "give it with '--email', and give '--username' the name from {}",
                bitbucket::PROFILE_PAGE
            ),
        ));
    }
    match &owner.email {
        Some(email) if !is_email(email) => {
            bail!(Hinted::new(
                format!("'{email}' is not an e-mail"),
                "give the e-mail of the Atlassian account, or leave '--email' out",
            ))
        }
        _ => Ok(()),
    }
}

/// The usual name; `@HOST` follows if an account of another host has it.
pub(super) fn default_name(account: &Account, accounts: &Accounts) -> String {
    let name = account.usual_name();
    match accounts.named(&name) {
        Some(known) if known.host != account.host => format!("{name}@{}", account.host),
        _ => name,
    }
}
