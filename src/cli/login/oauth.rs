//! `login --web`: the user lets an OAuth client act for them, in a browser; or the client acts for itself.
//!
//! Bitbucket has no device flow, and a secret inside a program is public: so the user brings a client of their own,
//! unless whoever built the program has put one in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::client;
use super::secret;
use crate::account::sign_in::Grant;
use crate::account::{Account, Kept};
use crate::answer::renewal;
use crate::bitbucket::oauth::{Attempt, Ended, Flow, Proof, Tokens};
use crate::bitbucket::site::{OauthClient, Site};
use crate::bitbucket::{Kind, oauth};
use crate::cli::login::options::Login;
use crate::cli::output;
use crate::git::Host;
use crate::settings::Session;
use crate::sys::loopback::{Callback, Loopback, callback};
use crate::sys::{Hinted, Usage, Waiting, browser, message, terminal};

/// The callback's port: below the ephemeral range, and used by no other service.
const PORT: u16 = 23418;
/// How long the user may take in the browser.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long to wait for the browser's first visit before the address is shown.
const ARRIVAL: Duration = Duration::from_secs(5);
const NO_RANDOM: &str = "cannot get random numbers from the system";

/// Whether the user wants a grant: by `--kind`, by its options, or by the existing account.
pub(super) fn is_meant(arguments: &Login, existing: Option<&Account>) -> Result<bool> {
    let is_said = arguments.web
        || arguments.client_id.is_some()
        || arguments.client_credentials
        || arguments.no_browser
        || arguments.port.is_some();
    match arguments.kind {
        Some(Kind::Oauth) => Ok(true),
        Some(kind) if is_said => bail!(Usage(format!(
            "'--web', '--client-id', '--client-credentials', '--port' and '--no-browser' are for '--kind oauth', not for \
             '{kind}'"
        ))),
        Some(_) => Ok(false),
        None => Ok(is_said || existing.is_some_and(|known| known.kind() == Some(Kind::Oauth))),
    }
}

/// Asks for browser or token, where nothing says it and a client is known.
pub(super) fn is_chosen(arguments: &Login, session: &Session, host: &Host) -> Result<bool> {
    let is_allowed = session.policy()?.allows_kind(Kind::Oauth);
    let site = arguments.host.clone().unwrap_or_else(|| Site {
        host: host.clone(),
        base_path: String::new(),
    });
    let may_be = arguments.kind.is_none() && arguments.may_ask() && is_allowed;
    if !may_be || client::of_settings(session, &site)?.is_none() {
        return Ok(false);
    }
    let prompt = "Sign in with browser or token (Enter: browser)? ";
    output::ask(prompt, |answer| match answer.to_ascii_lowercase() {
        answer if "browser".starts_with(&answer) => Ok(true),
        answer if "token".starts_with(&answer) => Ok(false),
        _ => Err("Please type browser or token"),
    })
}

/// Gets a grant, and stores its client in the account.
pub(super) fn sign_in(
    arguments: &Login,
    session: &Session,
    existing: Option<&Account>,
    account: &mut Account,
) -> Result<Kept> {
    let in_browser = arguments.web || arguments.no_browser || arguments.port.is_some();
    let flow = match existing.and_then(Account::grant) {
        _ if arguments.client_credentials => Flow::ClientCredentials,
        Some(grant) if !in_browser => grant.flow,
        _ => Flow::AuthorizationCode,
    };
    let port = arguments.port.unwrap_or(PORT);
    let client = client::of(arguments, session, existing, account, flow, port)?;
    let asked = Timestamp::now();
    let tokens = match flow {
        Flow::ClientCredentials => oauth::tokens(&client, &Proof::Nothing).map_err(Into::into),
        Flow::AuthorizationCode => granted(arguments, &client, port),
    };
    let tokens = tokens.map_err(|error| explained(error, account, flow))?;
    if tokens.refresh.is_none() && flow == Flow::AuthorizationCode {
        bail!(Hinted::new(
            "Bitbucket gave no refresh token: the access would end within hours",
            format!(
                "tick 'Refresh token': {}",
                client.site.clients_page(&account.reach)
            ),
        ));
    }
    account.password_expiry_utc = renewal::end_of(asked, tokens.lifetime);
    if let Some(known) = account.known_mut() {
        known.grant = Some(Grant {
            client_id: client.id,
            flow,
            ..Grant::default()
        });
    }
    Ok(Kept {
        secret: tokens.access,
        oauth_refresh_token: tokens.refresh,
        client_secret: client.secret,
    })
}

/// The tokens for what the user grants: with the browser, or by an address that they paste.
fn granted(arguments: &Login, client: &OauthClient, port: u16) -> Result<Tokens> {
    let attempt = Attempt::at(client, port).context(NO_RANDOM)?;
    if !arguments.no_browser && attempt.is_plain() {
        match Loopback::bind(port, PATIENCE) {
            Ok(loopback) => return with_browser(&loopback, client, &attempt),
            Err(error) => {
                let message = format!("cannot listen on port {port}: {error}");
                if !terminal::can_ask() {
                    bail!(Hinted::new(
                        message,
                        "'--port N' takes another one, which must be in the client's callback URL"
                    ));
                }
                message::warn(message);
            }
        }
    }
    by_hand(arguments, client, &attempt)
}

/// Opens the browser and waits for it to come back.
fn with_browser(loopback: &Loopback, client: &OauthClient, attempt: &Attempt) -> Result<Tokens> {
    let page = Zeroizing::new(attempt.url(client));
    message::tell("Grant access in the browser that opens");
    open(loopback);
    let minutes = PATIENCE.as_secs() / 60;
    let line =
        Waiting::on(move || format!("waiting for the browser ({minutes} minutes, Ctrl-C stops)"));
    let came = loopback.wait(&page, &attempt.state);
    drop(line);
    let Some((callback, visitor)) = came else {
        bail!(Hinted::new(
            format!("the browser did not come back within {minutes} minutes"),
            "sign in again; '--no-browser' asks for the address instead",
        ));
    };
    let tokens = exchange(client, attempt, callback);
    match tokens {
        Ok(_) => visitor.reply(200, "", "You are signed in, and can close this page"),
        Err(_) => visitor.reply(400, "", "Sign-in failed; the terminal says why"),
    }
    tokens
}

/// Opens the browser and waits for its visit. The address works once: it is shown only if no browser came.
fn open(loopback: &Loopback) {
    let (address, is_begun) = (loopback.address(), Arc::clone(&loopback.is_begun));
    thread::spawn(move || {
        if browser::open(&address) {
            thread::sleep(ARRIVAL);
        }
        if !is_begun.load(Ordering::Relaxed) {
            message::tell("No browser came; open this address in a browser on this machine:");
            message::tell(&address);
            message::tell("If your browser is on another machine, sign in with '--no-browser'");
        }
    });
}

/// Asks for the address that a browser on another machine ended up at: the page does not load there.
fn by_hand(arguments: &Login, client: &OauthClient, attempt: &Attempt) -> Result<Tokens> {
    message::tell("Open this page in a browser, on any machine:");
    message::tell(&attempt.url(client));
    message::tell("The browser ends up at a page that cannot load; copy its address");
    let mut address = String::new();
    if arguments.is_piped() || !terminal::can_ask() {
        let line = secret::next_line(&mut terminal::input()?)?;
        address = String::from_utf8_lossy(line.expose()).into_owned();
    }
    // Standard input may hold only the secret: then ask the user.
    if address.is_empty() && terminal::can_ask() {
        address = terminal::ask_line("Paste the address: ")?;
    }
    exchange(client, attempt, callback(&address, &attempt.state))
}

fn exchange(client: &OauthClient, attempt: &Attempt, callback: Callback) -> Result<Tokens> {
    match callback {
        Callback::Code(code) => Ok(oauth::tokens(client, &Proof::Code(&code, attempt))?),
        Callback::Refused(code) if code == "access_denied" => bail!(Hinted::new(
            "you did not grant access",
            "sign in again, and grant access in the browser",
        )),
        Callback::Refused(code) => bail!(Hinted::new(
            format!("Bitbucket did not let you grant access: {code}"),
            "check the client's callback URL and scopes: see 'login --help'",
        )),
        Callback::Stray => bail!(Hinted::new(
            "that is not the address your browser ended up at in this sign-in",
            "sign in again, and copy the whole address, with its 'code' and 'state'",
        )),
    }
}

fn explained(error: anyhow::Error, account: &Account, flow: Flow) -> anyhow::Error {
    let Some(error) = error.downcast_ref::<oauth::Error>() else {
        return error;
    };
    let page = account.oauth_site().clients_page(&account.reach);
    let hint = match error.end() {
        Some(Ended::Client) => format!("check the client's ID (older: key) and secret: {page}"),
        Some(Ended::Grant) if flow == Flow::ClientCredentials => {
            format!("tick 'Client credentials' (older: 'This is a private consumer'): {page}")
        }
        Some(_) => "sign in again: a code works once, and only for minutes".to_owned(),
        None => match error {
            oauth::Error::Http(error) => error.hint().to_owned(),
            oauth::Error::Refused(code) if code == "invalid_request" => {
                format!("give the client a callback URL: {page}")
            }
            _ => "try again in a few minutes".to_owned(),
        },
    };
    Hinted::new(error.to_string(), hint).into()
}
