//! The secret that somebody signs in with, and of which kind it is.

use std::io::{self, IsTerminal as _, Read};

use anyhow::{Context as _, Result, bail};

use crate::account::Account;
use crate::bitbucket::{self, Kind};
use crate::cli::login::options::Login;
use crate::git::context::Host;
use crate::settings::policy::Policy;
use crate::sys::error::{Hinted, Usage};
use crate::sys::message;
use crate::sys::secret::Secret;
use crate::sys::terminal;

/// The longest secret git's protocol can carry, with room for the key in front of it.
const LONGEST: usize = 65_000;

/// Reads it from standard input, or asks for it.
pub(super) fn ask(arguments: &Login, policy: &Policy, host: &Host) -> Result<Secret> {
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

pub(super) fn refuse_what_is_no_secret(secret: &Secret, what: &str) -> Result<()> {
    if secret.is_empty() {
        bail!(Hinted::new(
            format!("the {what} is empty"),
            "sign in again and paste it"
        ));
    }
    if secret.expose().len() > LONGEST || secret.expose().iter().any(u8::is_ascii_control) {
        bail!(Hinted::new(
            format!("that is not a {what}: it is too long or has control characters"),
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
        .map_or("", |instance| instance.context.as_str());
    for line in bitbucket::how_to_make(kind, host, context, &arguments.reach) {
        message::tell(&line);
    }
    if arguments.kind.is_none() && usual.next() == Some(Kind::AccessToken) {
        message::tell("A repository, project or workspace access token works too");
    }
}

/// The next line, without the white space around it; what follows is left for whoever reads on.
pub(super) fn next_line(input: &mut impl Read) -> Result<Secret> {
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

/// The kind that is said, or told from the secret, or that of the account which it replaces, or else asked for.
pub(super) fn kind(
    arguments: &Login,
    policy: &Policy,
    existing: Option<&Account>,
    host: &Host,
    secret: &Secret,
) -> Result<Kind> {
    if let Some(kind) = arguments.kind.filter(|kind| !kind.exists_on(host)) {
        bail!(Usage(format!("{host} has no credential of kind '{kind}'")));
    }
    if let Some(kind) = Kind::of_another_host(secret, host) {
        let kind = kind.noun();
        bail!(if bitbucket::is_cloud(host) {
            Hinted::new(
                format!("that is {kind} of a Data Center, and {host} is another host"),
                "name its host with '--host HOST', or give a secret of bitbucket.org",
            )
        } else {
            Hinted::new(
                format!("that is {kind} of bitbucket.org, and {host} is another host"),
                "leave '--host' out, or give a secret of that host",
            )
        });
    }
    match (arguments.kind, Kind::of_secret(secret, host)) {
        (Some(said), Some(told)) if said != told => bail!(Hinted::new(
            format!("that is {}, not {}", told.noun(), said.noun()),
            format!("leave '--kind' out, or give {}", said.noun()),
        )),
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => match existing.and_then(Account::kind) {
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
            format!("give '--kind' one of {names}")
        ));
    }
    message::tell(
        "It does not start like one of Bitbucket's tokens; if that is a mistake, press Ctrl-C",
    );
    for _ in 0..3 {
        let answer = terminal::ask_line(&format!("What kind of secret is it ({names})? "))?;
        match answer.parse::<Kind>() {
            Ok(kind) if can_be(kind) => return Ok(kind),
            _ => message::tell(&format!("Please type one of {names}")),
        }
    }
    bail!(Hinted::new(
        "the kind is unknown",
        format!("give '--kind' one of {names}")
    ))
}
