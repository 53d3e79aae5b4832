//! The account that `login` makes, without its secret.

use anyhow::{Result, bail};
use jiff::civil::Date;

use crate::account::{Account, Known, Origin, Owner, Scheme, today};
use crate::bitbucket::{self, Kind};
use crate::cli::login::options::Login;
use crate::cli::output;
use crate::git::{Host, Username};
use crate::settings::policy::Policy;
use crate::sys::{Hinted, Usage, terminal};

/// The account from the options, the account of its name, and questions.
pub(super) fn complete(
    arguments: &Login,
    existing: Option<&Account>,
    policy: &Policy,
    host: Host,
    kind: Kind,
) -> Result<Account> {
    let asks = arguments.may_ask();
    let is_day_wanted = policy.objection_to_end(false, Some(kind)).is_some();
    // Without one Bitbucket may say whose it is.
    let name = arguments.name.as_deref().map(checked_name);
    let name = name.transpose()?.unwrap_or_default();
    let mut owner = existing
        .map(|known| known.owner.clone())
        .unwrap_or_default();
    let said = arguments.username.clone().and_then(Username::new);
    owner.username = said.or(owner.username);
    if owner.username.is_none() && (kind.needs_username() || kind == Kind::HttpAccessToken) {
        owner.username = ask_username(kind, asks)?;
    }
    owner.email = arguments.email.clone().or(owner.email);
    refuse_mixed_up_names(&owner, &host)?;
    let known = sign_in(arguments, existing, kind);
    let mut account = Account::new(name, host, Origin::Login, known);
    account.owner = Owner::of_kind(kind, owner.username, owner.email);
    if let Some(existing) = existing {
        account.reach.clone_from(&existing.reach);
        account.only_username.clone_from(&existing.only_username);
    }
    if !arguments.reach.is_empty() {
        account.reach.clone_from(&arguments.reach);
    }
    if account.owner.email.is_none() && kind == Kind::ApiToken && asks {
        account.owner.email = ask_email()?;
    }
    account.expires = match arguments.expires {
        Some(day) => Some(day),
        // The old date was the old secret's.
        None if asks && (is_day_wanted || kind.always_expires()) => ask_expiry(is_day_wanted)?,
        None => existing
            .and_then(|known| known.expires)
            .filter(|day| *day >= today()),
    };
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
    let is_bearer = |known: &Account| known.kind() == Some(kind) && known.scheme() != Scheme::Basic;
    let base_path = match &arguments.host {
        Some(site) => &site.base_path,
        None => existing.map(Account::base_path).unwrap_or_default(),
    };
    Known {
        base_path: base_path.to_owned(),
        scheme: if existing.is_some_and(is_bearer) {
            Scheme::Bearer
        } else {
            Scheme::Basic
        },
        ..Known::new(kind)
    }
}

fn ask_email() -> Result<Option<String>> {
    output::ask(
        "E-mail of your Atlassian account (optional): ",
        |answer| match answer {
            "" => Ok(None),
            email if is_email(email) => Ok(Some(email.to_owned())),
            _ => Err("That is not an e-mail"),
        },
    )
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
    output::ask(prompt, |answer| match answer.parse::<Date>() {
        _ if answer.is_empty() && !is_wanted => Ok(None),
        _ if answer.is_empty() => Err("The policy of this machine requires an expiry date"),
        Ok(day) if day >= today() => Ok(Some(day)),
        Ok(_) => Err("That date has passed"),
        Err(_) => Err("Please type a date such as 2027-01-31"),
    })
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
    let username = owner.username.as_ref().map(ToString::to_string);
    let username = username.unwrap_or_default();
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
