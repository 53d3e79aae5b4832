//! The OAuth client of a sign-in: from an option, the account, the settings, the program itself, or a question.

use anyhow::{Result, bail};

use super::secret;
use crate::account::Account;
use crate::bitbucket::oauth::Flow;
use crate::bitbucket::site::{OauthClient, Site};
use crate::bitbucket::{oauth, site};
use crate::cli::login::options::Login;
use crate::git;
use crate::settings::Session;
use crate::sys::{Hinted, Secret, message, terminal, variables};

/// A client's ID and its secret. An empty secret is none; without one it lies in a store, or is asked for.
type Known = (String, Option<Secret>);

/// The first that `config.toml`, git or Git Credential Manager have for the site, else the program's own.
pub(super) fn of_settings(session: &Session, site: &Site) -> Result<Option<Known>> {
    let place = format!("{}{}", site.host, site.base_path);
    let mut sections = session.config()?.oauth.iter();
    let section = sections.find(|(name, _)| {
        name.eq_ignore_ascii_case(&place) || name.eq_ignore_ascii_case(site.host.as_str())
    });
    if let Some(id) = section.and_then(|(_, section)| section.client_id.clone()) {
        return Ok(Some((id, None)));
    }
    // git-credential-oauth's. The configuration of a repository could name somebody else's client.
    let url = format!("https://{place}/");
    let of_git = |name| git::own_setting(name, &url, git::PATIENCE);
    let is_cloud = site.is_cloud();
    let product = if is_cloud { "CLOUD" } else { "DATACENTER" };
    let of_manager = |name| variables::text(&format!("GCM_BITBUCKET_{product}_{name}"));
    let built_in = |text: Option<&str>| text.filter(|_| is_cloud).map(str::to_owned);
    let (id, secret) = site::BUILT_IN;
    let pairs = [
        (
            of_git("credential.oauthClientId"),
            of_git("credential.oauthClientSecret"),
        ),
        (of_manager("CLIENTID"), of_manager("CLIENTSECRET")),
        (built_in(id), built_in(secret)),
    ];
    Ok(pairs.into_iter().find_map(|(id, secret)| {
        let secret = Secret::new(secret.unwrap_or_default().into_bytes());
        Some((id.filter(|id| !id.is_empty())?, Some(secret)))
    }))
}

/// The client with which one signs in. What nothing tells is asked for.
pub(super) fn of(
    arguments: &Login,
    session: &Session,
    existing: Option<&Account>,
    account: &Account,
    flow: Flow,
    port: u16,
) -> Result<OauthClient> {
    let site = account.oauth_site();
    let said = arguments.client_id.as_ref();
    let of_before = existing.and_then(Account::grant);
    let known = match said.or(of_before.map(|grant| &grant.client_id)) {
        Some(id) => Some((id.clone(), None)),
        None => of_settings(session, &site)?,
    };
    if said.is_some() || known.is_none() {
        let callback = oauth::redirect("http", port);
        let acts_for_itself = flow == Flow::ClientCredentials;
        for line in site.how_to_register(&account.reach, acts_for_itself, &callback) {
            message::tell(&line);
        }
    }
    let (id, secret) = match known {
        Some(known) => known,
        None => (ask_id(arguments, &site)?, None),
    };
    let kept = || kept_secret(session, &site, &id).filter(|_| said.is_none());
    let secret = match secret.or_else(kept).filter(|_| !arguments.with_token) {
        Some(secret) => secret,
        None => ask_secret(arguments, flow)?,
    };
    let secret = Some(secret).filter(|secret| !secret.is_empty());
    Ok(OauthClient { site, id, secret })
}

/// The secret of a client, where a store has it beside a grant.
fn kept_secret(session: &Session, site: &Site, id: &str) -> Option<Secret> {
    let accounts = session.accounts().ok()?;
    let has_it = |account: &&Account| {
        let grant = account.grant();
        account.oauth_site() == *site && grant.is_some_and(|grant| grant.client_id == id)
    };
    accounts.iter().filter(has_it).find_map(|account| {
        let kept = session.secret_of(account).ok()??;
        Some(kept.client_secret.unwrap_or_default())
    })
}

fn ask_id(arguments: &Login, site: &Site) -> Result<String> {
    let id = if arguments.may_ask() {
        terminal::ask_line("Client ID (older: key) of the OAuth client: ")?
    } else {
        String::new()
    };
    if id.is_empty() {
        let Site { host, base_path } = site;
        let option = if site.is_cloud() {
            String::new()
        } else {
            format!(" --host {host}{base_path}")
        };
        bail!(Hinted::new(
            format!("no OAuth client of {host} is known"),
            format!("give its ID: 'git credential-bitbucket login{option} --web --client-id ID'"),
        ));
    }
    Ok(id)
}

fn ask_secret(arguments: &Login, flow: Flow) -> Result<Secret> {
    let secret = if arguments.is_piped() {
        secret::next_line(&mut terminal::input()?)?
    } else {
        secret::ask_hidden(
            "Secret of the OAuth client (Enter if it has none): ",
            "the secret of the OAuth client",
            "give it on standard input, with '--with-token'; an empty line where it has none",
        )?
    };
    if flow == Flow::ClientCredentials || !secret.is_empty() {
        secret::refuse_what_is_no_secret(&secret, "secret")?;
    }
    Ok(secret)
}
