//! `login --kind oauth`: the user allows a consumer to act for them, in a browser; or the consumer acts for itself.
//!
//! Bitbucket has no device flow, and a secret inside a program is public: so the user brings the key and secret of an own
//! consumer.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::secret;
use crate::account::grant::Grant;
use crate::account::{Account, Kept};
use crate::answer::renewal;
use crate::bitbucket::Kind;
use crate::bitbucket::oauth::{self, Attempt, Consumer, Proof, Tokens};
use crate::bitbucket::oauth::{Ended, Flow};
use crate::cli::login::options::Login;
use crate::settings::session::Session;
use crate::sys::browser;
use crate::sys::error::{Hinted, Usage};
use crate::sys::loopback::{Callback, Loopback, Visitor, callback};
use crate::sys::message;
use crate::sys::secret::Secret;
use crate::sys::terminal;
use crate::sys::terminal::waiting::Waiting;

/// The callback's port: below the ephemeral range, and used by no other service.
const PORT: u16 = 23418;
/// How long the user may take in the browser.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long to wait for the browser's first visit before the address is shown.
const ARRIVAL: Duration = Duration::from_secs(5);
const NO_RANDOM: &str = "cannot get random numbers from the system";

/// Whether the user wants a grant: by `--kind`, by its options, or by the existing account.
pub(super) fn is_meant(arguments: &Login, existing: Option<&Account>) -> Result<bool> {
    let is_said = arguments.client_id.is_some()
        || arguments.client_credentials
        || arguments.no_browser
        || arguments.port.is_some();
    match arguments.kind {
        Some(Kind::Oauth) => Ok(true),
        Some(kind) if is_said => bail!(Usage(format!(
            "'--client-id', '--client-credentials', '--port' and '--no-browser' are for '--kind oauth', not for '{kind}'"
        ))),
        Some(_) => Ok(false),
        None => Ok(is_said || existing.is_some_and(|known| known.kind() == Some(Kind::Oauth))),
    }
}

/// Gets a grant, and stores its consumer in the account.
pub(super) fn sign_in(
    arguments: &Login,
    session: &Session,
    existing: Option<&Account>,
    account: &mut Account,
) -> Result<Kept> {
    if !Kind::Oauth.exists_on(&account.host) {
        bail!(Usage(format!(
            "{} has no credential of kind 'oauth'",
            account.host
        )));
    }
    let before = existing.and_then(Account::grant);
    let flow = match before {
        _ if arguments.client_credentials => Flow::ClientCredentials,
        Some(grant) if !arguments.no_browser && arguments.port.is_none() => grant.flow,
        _ => Flow::AuthorizationCode,
    };
    let port = arguments.port.unwrap_or(PORT);
    let key = arguments.client_id.as_ref();
    let key = key.or(before.map(|grant| &grant.client_id));
    // The old consumer stays, unless an option changes it.
    let known = existing.filter(|_| arguments.client_id.is_none() && !arguments.with_token);
    let kept = known.and_then(|known| session.secret_of(known).ok().flatten());
    let consumer = match (key, kept.and_then(|kept| kept.client_secret)) {
        (Some(key), Some(secret)) => Consumer {
            id: key.clone(),
            secret,
        },
        (key, _) => ask_consumer(arguments, key, account, flow, port)?,
    };
    let asked = Timestamp::now();
    let tokens = match flow {
        Flow::ClientCredentials => oauth::tokens(&consumer, &Proof::Nothing),
        Flow::AuthorizationCode if arguments.no_browser => by_hand(arguments, &consumer, port)?,
        Flow::AuthorizationCode => match Loopback::bind(port, PATIENCE) {
            Ok(loopback) => with_browser(&loopback, &consumer)?,
            Err(error) => {
                let message = format!("cannot listen on port {port}: {error}");
                if !terminal::can_ask() {
                    bail!(Hinted::new(
                        message,
                        "'--port N' takes another one, which must be in the consumer's callback URL"
                    ));
                }
                message::warn(message);
                by_hand(arguments, &consumer, port)?
            }
        },
    };
    let tokens = tokens.map_err(|error| explained(&error, account, flow))?;
    if tokens.refresh.is_none() && flow == Flow::AuthorizationCode {
        bail!("Bitbucket gave no refresh token: the access would end within hours");
    }
    account.password_expiry_utc = renewal::end_of(asked, tokens.lifetime);
    if let Some(known) = account.known_mut() {
        known.grant = Some(Grant::new(consumer.id, flow));
    }
    Ok(Kept {
        secret: tokens.access,
        oauth_refresh_token: tokens.refresh,
        client_secret: Some(consumer.secret),
    })
}

/// Asks for the consumer's key or secret if it is missing.
fn ask_consumer(
    arguments: &Login,
    key: Option<&String>,
    account: &Account,
    flow: Flow,
    port: u16,
) -> Result<Consumer> {
    let missing = || {
        Hinted::new(
            "the OAuth consumer's key is missing",
            format!(
                "register one at {}, and give its key: '--client-id KEY'",
                oauth::consumers_page(&account.reach)
            ),
        )
    };
    let asks = !arguments.with_token && terminal::can_ask();
    if key.is_none() && !asks {
        bail!(missing());
    }
    explain(account, flow, port);
    let id = match key {
        Some(key) => key.clone(),
        None => terminal::ask_line("Key of the OAuth consumer: ")?,
    };
    if id.is_empty() {
        bail!(missing());
    }
    Ok(Consumer {
        id,
        secret: ask_client_secret(arguments)?,
    })
}

/// Tells what to register, and where.
fn explain(account: &Account, flow: Flow, port: u16) {
    message::tell("The OAuth consumer is registered at:");
    message::tell(&oauth::consumers_page(&account.reach));
    // Bitbucket requires it even without a browser.
    message::tell(&format!("Callback URL: {}", oauth::redirect(port)));
    if let Some(scopes) = Kind::Oauth.scopes_to_tick() {
        message::tell(&format!("Permissions: {scopes}"));
    }
    if flow == Flow::ClientCredentials {
        message::tell("Tick 'This is a private consumer'");
    }
}

fn ask_client_secret(arguments: &Login) -> Result<Secret> {
    let prompt = "Secret of the OAuth consumer (it will not show): ";
    let secret = if arguments.with_token && !io::stdin().is_terminal() {
        secret::next_line(&mut terminal::input()?)?
    } else if terminal::can_ask() {
        terminal::ask_secret(prompt)?
    } else {
        bail!(Hinted::new(
            format!(
                "cannot ask for the secret of the OAuth consumer: {}",
                terminal::why_not()
            ),
            "give it on standard input, with '--with-token'",
        ));
    };
    secret::refuse_what_is_no_secret(&secret, "secret")?;
    Ok(secret)
}

/// Opens the browser and waits for it to come back.
fn with_browser(loopback: &Loopback, consumer: &Consumer) -> Result<GrantOutcome> {
    let attempt = attempt(loopback.port())?;
    let page = Zeroizing::new(attempt.url(&consumer.id));
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
    let outcome = exchange(consumer, &attempt, callback);
    show(visitor, &outcome);
    outcome
}

/// Opens the browser and waits for its visit. The address works once: it is shown only if no browser came.
fn open(loopback: &Loopback) {
    let (address, is_begun) = (loopback.address(), loopback.is_begun());
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

type GrantOutcome = Result<Tokens, oauth::Error>;

fn show(visitor: Visitor, outcome: &Result<GrantOutcome>) {
    match outcome {
        Ok(Ok(_)) => visitor.show(200, "You are signed in, and can close this page"),
        _ => visitor.show(400, "Sign-in failed; the terminal says why"),
    }
}

/// Asks for the address that a browser on another machine ended up at: the page does not load there.
fn by_hand(arguments: &Login, consumer: &Consumer, port: u16) -> Result<GrantOutcome> {
    let attempt = attempt(port)?;
    message::tell("Open this page in a browser, on any machine:");
    message::tell(&attempt.url(&consumer.id));
    message::tell("The browser ends up at a page that cannot load; copy its address");
    let is_piped = arguments.with_token && !io::stdin().is_terminal();
    let line = if is_piped || !terminal::can_ask() {
        secret::next_line(&mut terminal::input()?)?
    } else {
        Secret::default()
    };
    // Standard input may hold only the secret: then ask the user.
    let address = if line.is_empty() && terminal::can_ask() {
        terminal::ask_line("Paste the address: ")?
    } else {
        String::from_utf8_lossy(line.expose()).into_owned()
    };
    exchange(consumer, &attempt, callback(&address, &attempt.state))
}

fn attempt(port: u16) -> Result<Attempt> {
    Attempt::new(port).context(NO_RANDOM)
}

fn exchange(consumer: &Consumer, attempt: &Attempt, callback: Callback) -> Result<GrantOutcome> {
    match callback {
        Callback::Code(code) => Ok(oauth::tokens(consumer, &Proof::Code(&code, attempt))),
        Callback::Refused(code) if code == "access_denied" => bail!(Hinted::new(
            "you did not grant access",
            "sign in again, and grant access in the browser",
        )),
        Callback::Refused(code) => bail!(Hinted::new(
            format!("Bitbucket did not let you grant access: {code}"),
            "compare the consumer's callback URL and permissions with those printed above",
        )),
        Callback::Stray => bail!(Hinted::new(
            "that is not the address your browser ended up at in this sign-in",
            "sign in again, and copy the whole address, with its 'code' and 'state'",
        )),
    }
}

fn explained(error: &oauth::Error, account: &Account, flow: Flow) -> anyhow::Error {
    let page = oauth::consumers_page(&account.reach);
    let hint = match error.end() {
        Some(Ended::Client) => format!("check the consumer's key and secret: {page}"),
        Some(Ended::Grant) if flow == Flow::ClientCredentials => {
            format!("tick 'This is a private consumer': {page}")
        }
        Some(_) => "sign in again: a code works once, and only for minutes".to_owned(),
        None => match error {
            oauth::Error::Http(error) => error.hint().to_owned(),
            oauth::Error::Refused(code) if code == "invalid_request" => {
                format!("give the consumer a callback URL: {page}")
            }
            _ => "try again in a few minutes".to_owned(),
        },
    };
    Hinted::new(error.to_string(), hint).into()
}
