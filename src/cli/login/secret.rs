//! The secret of a login, and its kind.

use std::io::Read;

use anyhow::{Context as _, Result, bail};

use crate::account::{Account, verify};
use crate::bitbucket::{self, Kind};
use crate::cli::login::options::Login;
use crate::cli::login::report;
use crate::cli::output;
use crate::git::Host;
use crate::settings::policy::Policy;
use crate::sys::{Hinted, Secret, SecretBuffer, Usage, message, shell_quoted, terminal};

/// The longest secret that fits a line of git's protocol, with its key.
const LONGEST: usize = 65_000;

/// Reads it from standard input, or asks for it, and finds the token in it. A user name or e-mail beside the token counts
/// as given.
pub(super) fn ask(arguments: &mut Login, policy: &Policy, host: &Host) -> Result<Secret> {
    let text = if arguments.is_piped() {
        SecretBuffer::read(terminal::input()?, LONGEST)
            .context("cannot read from standard input")?
            .into()
    } else {
        if arguments.may_ask() {
            explain_where_to_make_one(arguments, policy, host);
        }
        let name = arguments.name.as_deref().map(shell_quoted);
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        ask_hidden(
            &format!("Token for {host} (it will not show): "),
            "the token",
            format!(
                "give it on standard input: 'git credential-bitbucket login{name} --with-token'"
            ),
        )?
    };
    let mut text = bitbucket::joined(&text);
    if arguments.with_token {
        text = next_line(&mut text.trimmed().expose())?;
    }
    let (secret, name) = bitbucket::understood(&text, host).map_err(|other| {
        let hint = format!("give a token of {host}, or sign in to {other} with '--host {other}'");
        Hinted::new(format!("that is a URL of {other}"), hint)
    })?;
    refuse_what_is_no_secret(&secret, "token")?;
    let name = name.map(|name| name.to_string());
    let is_email = |name: &String| bitbucket::is_cloud(host) && name.contains('@');
    if name.as_ref().is_some_and(is_email) {
        arguments.email = arguments.email.take().or(name);
    } else {
        arguments.username = arguments.username.take().or(name);
    }
    Ok(secret)
}

/// Asks without showing what is typed.
pub(super) fn ask_hidden(prompt: &str, what: &str, hint: impl Into<String>) -> Result<Secret> {
    if terminal::can_ask() {
        return terminal::ask_secret(prompt);
    }
    let message = format!("cannot ask for {what}: {}", terminal::why_not());
    bail!(Hinted::new(message, hint))
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
    let site = arguments.host.as_ref();
    let context = site.map_or("", |site| &site.base_path);
    for line in bitbucket::how_to_make(kind, host, context, &arguments.reach) {
        message::tell(&line);
    }
    if arguments.kind.is_none() && usual.next() == Some(Kind::AccessToken) {
        message::tell("A repository, project or workspace access token works too");
    }
}

/// The next line, trimmed. The lines after it stay in the stream.
pub(super) fn next_line(input: &mut impl Read) -> Result<Secret> {
    let mut line = SecretBuffer::default();
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
    Ok(Secret::from(line).trimmed())
}

/// The kind from `--kind`, the secret, the replaced account, or a question.
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
    if let Some(verdict) = verify::of_a_service_account(secret) {
        report::refuse(&verdict)?;
    }
    if let Some(kind) = Kind::of_another_host(secret, host) {
        let (home, act) = if bitbucket::is_cloud(host) {
            let act = "name its host with '--host HOST', or give a secret of bitbucket.org";
            ("a Data Center", act)
        } else {
            let act = "leave '--host' out, or give a secret of that host";
            ("bitbucket.org", act)
        };
        let kind = kind.noun();
        let message = format!("that is {kind} of {home}, and {host} is another host");
        bail!(Hinted::new(message, act));
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
    // OAuth grants are not typed.
    let can_be =
        |kind: Kind| kind.exists_on(host) && kind != Kind::Oauth && policy.allows_kind(kind);
    let kinds = Kind::ALL.into_iter().filter(|kind| can_be(*kind));
    let names: Vec<&str> = kinds.map(Kind::as_str).collect();
    let names = names.join(", ");
    if arguments.with_token || !terminal::can_ask() {
        bail!(Hinted::new(
            "cannot tell what kind of secret this is",
            format!("give '--kind' one of {names}")
        ));
    }
    message::tell("It does not begin like a Bitbucket token; if that is a mistake, press Ctrl-C");
    let prompt = format!("What kind of secret is it ({names})? ");
    output::ask(&prompt, |answer| match answer.parse::<Kind>() {
        Ok(kind) if can_be(kind) => Ok(kind),
        _ => Err(format!("Please type one of {names}")),
    })
}
