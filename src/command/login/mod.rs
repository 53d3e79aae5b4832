//! `login`: adds an account, or replaces the one of that name.

mod oauth;

use std::io::{self, IsTerminal as _, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use jiff::civil::Date;

use crate::account::{Account, Kept, Origin, today};
use crate::accounts::{Accounts, Damage};
use crate::bitbucket::{self, APP_PASSWORDS_REMOVED, Kind};
use crate::bytes::Bytes;
use crate::check::{self, Verdict};
use crate::cli::Login;
use crate::config::StoreChoice;
use crate::context::Host;
use crate::error::{Hinted, Usage};
use crate::lookup::Lookup;
use crate::policy::Policy;
use crate::renewal;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::store;
use crate::terminal;

use super::setup;

/// The longest secret git's protocol can carry, with room for the key in front of it.
const LONGEST: usize = 65_000;

/// How long all questions to Bitbucket may take together.
const CHECK: Duration = Duration::from_secs(20);

/// # Errors
/// When something is missing that cannot be asked for, does not fit together, or cannot be stored.
pub(crate) fn run(arguments: &Login) -> Result<ExitCode> {
    let lookup = Lookup::default();
    let (accounts, is_damaged) = match lookup.accounts() {
        Err(error) if error.is::<Damage>() => (Accounts::default(), true),
        accounts => (accounts?, false),
    };
    let named = arguments
        .name
        .as_deref()
        .and_then(|name| accounts.named(name));
    let host = host(arguments, named)?;
    let policy = lookup.policy()?;
    let is_oauth = oauth::is_meant(arguments, named)?;
    let said = arguments.kind.or(is_oauth.then_some(Kind::Oauth));
    refuse_before_asking(arguments, &lookup, named, &host, said)?;
    let (mut account, kept) = if is_oauth {
        let mut account = complete(arguments, &accounts, policy, host, Kind::Oauth)?;
        let kept = oauth::sign_in(arguments, &lookup, named, &mut account)?;
        (account, kept)
    } else {
        let secret = secret(arguments, policy, &host)?;
        let kind = kind(arguments, policy, named, &host, &secret)?;
        if let Some(objection) = policy.objection_to_kind(Some(kind)) {
            return Err(objection.to_keeping());
        }
        let account = complete(arguments, &accounts, policy, host, kind)?;
        (account, Kept::only(secret))
    };
    let choice = choice(arguments, &lookup, accounts.named(&account.name))?;
    // Before anybody else sees the secret.
    if let Some(objection) = lookup.objection_to_keeping(&account, choice)? {
        return Err(objection.to_keeping());
    }
    let verdict = if arguments.no_verify {
        None
    } else {
        let deadline = Instant::now() + CHECK;
        Some(check::check(&mut account, &kept.secret, deadline))
    };
    if let Some(Verdict::Refused { message, hint }) = verdict {
        bail!(Hinted::new(message, hint));
    }

    if is_damaged {
        set_accounts_aside(&lookup)?;
    }
    let reason = lookup.keep(&mut account, &kept, choice)?;
    let replaced = put(&lookup, &account, arguments.name.is_some())?;
    tell_where(&lookup, &account, replaced.is_some(), reason.as_ref())?;
    if let Some(old) = &replaced {
        // The account is signed in; an old secret that cannot be reached any more must not undo that.
        if let Err(error) = renewal::forget(&lookup, old) {
            let error = crate::error::one_line(&error);
            super::warn(format_args!(
                "the old secret stays in the {}: {error}",
                old.store
            ));
        }
    }
    tell_verdict(&account, verdict);
    tell_expiry(arguments, &account);
    if account.is_retired() {
        super::warn(format_args!(
            "Bitbucket removed app passwords on {APP_PASSWORDS_REMOVED}: git shows error 410"
        ));
        super::hint(format_args!(
            "make an API token at {}, then replace it: 'git credential-bitbucket login {}'",
            Kind::AppPassword.page(&account.host, "", &[]),
            account.name
        ));
    }
    super::warn_of_ties(&lookup, &lookup.accounts()?);
    setup::refresh(&lookup).context(
        "the account is stored, but git's configuration could not be brought up to date",
    )?;
    super::warn_of_the_chain(
        &bitbucket::hosts_asked_for(&account.host),
        "'git credential-bitbucket setup' mends that",
    );
    Ok(ExitCode::SUCCESS)
}

/// Refuses what the policy of the machine does not allow, as far as that can be told before somebody has made a secret
/// and typed it; `said` is the kind, where it is said.
fn refuse_before_asking(
    arguments: &Login,
    lookup: &Lookup,
    named: Option<&Account>,
    host: &Host,
    said: Option<Kind>,
) -> Result<()> {
    let policy = lookup.policy()?;
    let mut kinds = Kind::ALL
        .into_iter()
        .filter(|kind| said.unwrap_or(*kind) == *kind && kind.exists_on(host))
        .map(|kind| policy.objection_to_kind(Some(kind)));
    // Of several one that is allowed is enough.
    let to_kinds = || {
        kinds
            .find(Option::is_none)
            .map_or_else(|| policy.objection_to_kind(said), |_| None)
    };
    let stays = |account: &Account| account.expires.is_some_and(|day| day >= today());
    let is_day_told = arguments.expires.is_some() || asks(arguments) || named.is_some_and(stays);
    let objection = match policy.objection_to_host(host) {
        Some(objection) => Some(objection),
        None => lookup.objection_to_choice(choice(arguments, lookup, named)?)?,
    };
    let objection = objection
        .or_else(to_kinds)
        .or_else(|| policy.objection_to_end(is_day_told, said));
    objection.map_or(Ok(()), |objection| Err(objection.to_keeping()))
}

/// Whether what is missing can be asked for.
fn asks(arguments: &Login) -> bool {
    !arguments.with_token && terminal::can_ask()
}

/// Where the secret goes: as it is said, else where the old one is, if it may stay there.
fn choice(arguments: &Login, lookup: &Lookup, existing: Option<&Account>) -> Result<StoreChoice> {
    let policy = lookup.policy()?;
    let existing = existing.filter(|existing| policy.allows_store(existing.store));
    Ok(match (arguments.store, existing) {
        (Some(choice), _) => choice,
        (None, Some(existing)) => existing.store.into(),
        (None, None) => lookup.config()?.store.default,
    })
}

/// Makes way for a new file, now that there is something to write.
///
/// Only here: somebody has asked for it and reads what becomes of it. A `store` that git starts would set aside all
/// accounts behind the user's back, for a slip in a file which the user may mend in a minute.
fn set_accounts_aside(lookup: &Lookup) -> Result<()> {
    let path = lookup.locations()?.accounts();
    if let Some((aside, damage)) = lookup.set_damaged_accounts_aside()? {
        super::warn(format_args!(
            "'{}' is damaged ({damage}) and now called '{}'",
            path.display(),
            aside.display()
        ));
        super::hint("mend it and give it its name back, or sign in again to its other accounts");
    }
    Ok(())
}

fn tell_verdict(account: &Account, verdict: Option<Verdict>) {
    match verdict {
        None | Some(Verdict::Refused { .. }) => {}
        Some(Verdict::Good { who: Some(who) }) => {
            super::tell(&format!("{} knows it as '{who}'", account.host));
        }
        Some(Verdict::Good { who: None }) => super::tell(&format!("{} knows it", account.host)),
        Some(Verdict::Limited { message, hint }) => {
            super::warn(message);
            super::hint(hint);
        }
        // That app passwords are gone is said at more length.
        Some(Verdict::Unchecked { .. }) if account.is_retired() => {}
        Some(Verdict::Unchecked { reason, hint }) => {
            super::warn(format_args!("it is stored unchecked: {reason}"));
            if let Some(hint) = hint {
                super::hint(hint);
            }
        }
    }
}

/// A day that stays from the old secret is worth a look, and one that has passed a doubt.
fn tell_expiry(arguments: &Login, account: &Account) {
    match (arguments.expires, account.expires) {
        (Some(day), _) if day < today() => {
            super::warn(format_args!("{day}, the day of '--expires', has passed"));
        }
        (None, Some(day)) if arguments.with_token => {
            super::tell(&format!(
                "Its last day stays {day}; '--expires' changes that"
            ));
        }
        _ => {}
    }
}

/// Adds the account, in place of the one of its name.
fn put(lookup: &Lookup, account: &Account, is_named: bool) -> Result<Option<Account>> {
    lookup.update(account, |accounts, account| {
        // The names of what git gave are ours to choose: such an account makes room, unless it is meant.
        let free = accounts.free_name(&account.name);
        let in_the_way = |known: &&mut Account| {
            !is_named && known.name == account.name && known.origin == Origin::Git
        };
        if let Some(known) = accounts.iter_mut().find(in_the_way) {
            known.name = free;
        }
        accounts.replace(account.clone())
    })
}

fn host(arguments: &Login, existing: Option<&Account>) -> Result<Host> {
    let named = arguments
        .host
        .as_ref()
        .map(|place| bitbucket::home_of(&place.host));
    match (named, existing) {
        (Some(host), Some(existing)) if host != existing.host => bail!(Hinted::new(
            format!(
                "'{}' is an account for {}, not for {host}",
                existing.name, existing.host
            ),
            "choose another name, or log that account out first",
        )),
        (Some(host), _) => Ok(host),
        (None, Some(existing)) => Ok(existing.host.clone()),
        (None, None) => Ok(bitbucket::cloud()),
    }
}

fn secret(arguments: &Login, policy: &Policy, host: &Host) -> Result<Secret> {
    let secret = if arguments.with_token && io::stdin().is_terminal() {
        // Typed, it must not show either.
        terminal::ask_secret(&format!("Token for {host} (it will not show): "))?
    } else if arguments.with_token {
        next_line(&mut terminal::input()?)?
    } else if terminal::can_ask() {
        explain_where_to_make_one(arguments, policy, host);
        terminal::ask_secret(&format!("Token for {host} (it will not show): "))?
    } else {
        let name = arguments
            .name
            .as_ref()
            .map(|name| format!(" {name}"))
            .unwrap_or_default();
        bail!(Hinted::new(
            format!("cannot ask for the token: {}", terminal::why_not()),
            format!(
                "give it on standard input: 'git credential-bitbucket login{name} --with-token'"
            ),
        ));
    };
    refuse_what_is_no_secret(&secret, "token")?;
    Ok(secret)
}

fn refuse_what_is_no_secret(secret: &Secret, what: &str) -> Result<()> {
    if secret.is_empty() {
        bail!(Hinted::new(
            format!("the {what} is empty"),
            "sign in again and paste it"
        ));
    }
    if secret.expose().len() > LONGEST || secret.expose().iter().any(u8::is_ascii_control) {
        bail!(Hinted::new(
            format!("that is no {what}: it is too long or holds control characters"),
            "copy it again from its page"
        ));
    }
    Ok(())
}

fn explain_where_to_make_one(arguments: &Login, policy: &Policy, host: &Host) {
    let usual = [Kind::ApiToken, Kind::AccessToken, Kind::HttpAccessToken];
    let mut usual = usual
        .into_iter()
        .filter(|kind| kind.exists_on(host) && policy.allows_kind(*kind));
    let Some(kind) = arguments.kind.or_else(|| usual.next()) else {
        return;
    };
    let context = arguments
        .host
        .as_ref()
        .map_or("", |place| place.context.as_str());
    for line in bitbucket::how_to_make(kind, host, context, &arguments.scopes) {
        super::tell(&line);
    }
    if arguments.kind.is_none() && usual.next() == Some(Kind::AccessToken) {
        super::tell("A repository, project or workspace access token is as welcome");
    }
}

/// The next line, without the white space around it; what follows is left for whoever reads on.
fn next_line(input: &mut impl Read) -> Result<Secret> {
    let mut line = zeroize::Zeroizing::new(Vec::with_capacity(LONGEST + 2));
    let mut byte = zeroize::Zeroizing::new([0]);
    while line.len() < LONGEST + 2
        && input
            .read(byte.as_mut())
            .context("cannot read from standard input")?
            == 1
        && byte[0] != b'\n'
    {
        line.push(byte[0]);
    }
    Ok(Secret::new(line.to_vec()).trimmed())
}

fn kind(
    arguments: &Login,
    policy: &Policy,
    existing: Option<&Account>,
    host: &Host,
    secret: &Secret,
) -> Result<Kind> {
    if let Some(kind) = arguments.kind.filter(|kind| !kind.exists_on(host)) {
        bail!(Usage(format!("{host} has no credential of kind '{kind}'")));
    }
    let elsewhere = if bitbucket::is_cloud(host) {
        None
    } else {
        Kind::of_secret(secret, &bitbucket::cloud())
    };
    if let Some(kind) = elsewhere {
        bail!(Hinted::new(
            format!(
                "that is {} of bitbucket.org, and {host} is another host",
                kind.noun()
            ),
            "leave '--host' out, or give a secret of that host",
        ));
    }
    match (arguments.kind, Kind::of_secret(secret, host)) {
        (Some(said), Some(told)) if said != told => bail!(Hinted::new(
            format!("that is {}, not {}", told.noun(), said.noun()),
            format!("leave '--kind' out, or give {}", said.noun()),
        )),
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => match existing.and_then(|existing| existing.kind) {
            Some(kind) => Ok(kind),
            None => ask_kind(arguments, policy, host),
        },
    }
}

fn ask_kind(arguments: &Login, policy: &Policy, host: &Host) -> Result<Kind> {
    // A grant is not typed.
    let can_be =
        |kind: Kind| kind.exists_on(host) && kind != Kind::Oauth && policy.allows_kind(kind);
    let names: Vec<&str> = Kind::ALL
        .into_iter()
        .filter(|kind| can_be(*kind))
        .map(Kind::as_str)
        .collect();
    let names = names.join(", ");
    if arguments.with_token || !terminal::can_ask() {
        bail!(Hinted::new(
            "cannot tell what kind of secret this is",
            format!("say '--kind' with one of {names}")
        ));
    }
    super::tell(
        "It does not start like one of Bitbucket's tokens; if that is a slip, press Ctrl-C",
    );
    for _ in 0..3 {
        let answer = terminal::ask_line(&format!("What kind of secret is it ({names})? "))?;
        match answer.parse::<Kind>() {
            Ok(kind) if can_be(kind) => return Ok(kind),
            _ => super::tell(&format!("Please type one of {names}")),
        }
    }
    bail!(Hinted::new(
        "the kind is not known",
        format!("say '--kind' with one of {names}")
    ))
}

/// The account as it is to be: what was named, what the one it replaces had, and what can be asked for.
fn complete(
    arguments: &Login,
    accounts: &Accounts,
    policy: &Policy,
    host: Host,
    kind: Kind,
) -> Result<Account> {
    let asks = asks(arguments);
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
        None => default_name(username.as_ref(), &arguments.scopes, &host, accounts),
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
    if !arguments.scopes.is_empty() {
        account.scopes.clone_from(&arguments.scopes);
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
            _ => super::tell("That is no e-mail"),
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
            super::tell("The policy of this machine wants it");
            continue;
        }
        if answer.is_empty() {
            return Ok(None);
        }
        match answer.parse::<Date>() {
            Ok(day) if day >= today() => return Ok(Some(day)),
            Ok(_) => super::tell("That day has passed"),
            Err(_) => super::tell("Please type a date such as 2027-01-31"),
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

/// The user name, else the first scope, else the host; with the host behind it where an account of another host has
/// that name already.
fn default_name(
    username: Option<&Bytes>,
    scopes: &[Scope],
    host: &Host,
    accounts: &Accounts,
) -> String {
    let username = username.map(ToString::to_string);
    let name = username.or_else(|| scopes.first().map(ToString::to_string));
    let name = name.unwrap_or_else(|| host.to_string());
    match accounts.named(&name) {
        Some(known) if known.host != *host => format!("{name}@{host}"),
        _ => name,
    }
}

fn tell_where(
    lookup: &Lookup,
    account: &Account,
    is_replaced: bool,
    reason: Option<&store::Error>,
) -> Result<()> {
    let verb = if is_replaced { "Replaced" } else { "Stored" };
    let what = format!(
        "{verb} the secret of '{}'{}",
        account.name,
        super::for_its_host(account)
    );
    super::tell(&match account.store {
        store::Name::Keyring => format!("{what} in the OS keyring"),
        store::Name::Exec => format!("{what} with '{}'", lookup.exec_store()?.program),
        store::Name::File => {
            let path = lookup.file_store()?.path;
            match reason {
                None => format!("{what} in the file '{}'", path.display()),
                Some(reason) => format!(
                    "{what} in the file '{}', as {}",
                    path.display(),
                    reason.briefly()
                ),
            }
        }
        // Nothing is ever put there.
        store @ (store::Name::Env | store::Name::Folder | store::Name::Vault) => {
            format!("{what} in '{store}'")
        }
    });
    Ok(())
}
