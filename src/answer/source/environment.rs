//! The account that variables of the environment make: CI systems and containers set them.

use anyhow::{Result, bail};

use crate::account::{Account, Kept, Known, Origin, Owner};
use crate::bitbucket::{self, Kind};
use crate::git::{Host, Username};
use crate::settings::Session;
use crate::sys::child::SECRET_VARIABLES;
use crate::sys::{Hinted, Secret, variables};

/// The kinds that the variables with a secret name. The start of the secret knows better.
const KINDS: [Option<Kind>; SECRET_VARIABLES.len()] = [
    Some(Kind::ApiToken),
    Some(Kind::AccessToken),
    None,
    Some(Kind::AppPassword),
];

/// The environment's account, if a variable is set and the host is Bitbucket Cloud, unless the settings turn it off.
pub(crate) fn account(session: &Session, host: &Host) -> Result<Option<(Account, Kept)>> {
    if !bitbucket::is_cloud(host) {
        return Ok(None);
    }
    // A Data Center's token may be set for another program. Bitbucket Cloud must not see it.
    let set = |name| {
        let found = bitbucket::understood(&secret_variable(name)?, host).ok();
        found.filter(|(secret, _)| Kind::of_another_host(secret, host).is_none())
    };
    let mut variables = SECRET_VARIABLES.into_iter().zip(KINDS);
    let Some((variable, kind, (secret, name))) =
        variables.find_map(|(variable, kind)| Some((variable, kind, set(variable)?)))
    else {
        return Ok(None);
    };
    if session.config()?.environment == Some(false) {
        return Ok(None);
    }
    if secret.expose().iter().any(u8::is_ascii_control) {
        bail!(Hinted::new(
            format!("{variable} holds a line break or another control character"),
            "set it to the token alone",
        ));
    }
    let host = bitbucket::cloud();
    // A token without a prefix comes from OAuth, whatever the user name: git presents it as an access token.
    let kind = Kind::of_secret(&secret, &host).or(kind);
    let kind = kind.unwrap_or_else(|| Kind::of_pair(&secret, None, &host));
    let username = text_variable("BITBUCKET_USERNAME").and_then(Username::new);
    let owner = Owner::of_kind(kind, username.or(name), text_variable("BITBUCKET_EMAIL"));
    if kind.needs_username() && owner.username.is_none() {
        bail!(Hinted::new(
            format!("{variable} is set, but an app password needs a user name"),
            "set BITBUCKET_USERNAME to the Bitbucket user name",
        ));
    }
    let origin = Origin::Variable(variable);
    let mut account = Account::new(variable.to_owned(), host, origin, Known::new(kind));
    account.owner = owner;
    Ok(Some((account, Kept::only(secret))))
}

/// The environment's account, unless the policy or the session's limit forbids it.
pub(crate) fn allowed_account(session: &Session, host: &Host) -> Result<Option<(Account, Kept)>> {
    let Some((account, kept)) = account(session, host)? else {
        return Ok(None);
    };
    let objection = session.objection_to_kept(&account, &kept)?;
    let may_answer = objection.is_none() && session.lets_answer(&account);
    Ok(may_answer.then_some((account, kept)))
}

/// A variable of Vault's own tools; `name` is without `VAULT_`. OpenBao's `BAO_` comes first.
pub(crate) fn vault_variable(name: &str) -> Option<String> {
    ["BAO", "VAULT"]
        .iter()
        .find_map(|start| text_variable(&format!("{start}_{name}")))
}

/// The token with which a step of Bitbucket Pipelines proves its identity to others:
/// <https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/>.
pub(crate) fn step_token() -> Option<Secret> {
    secret_variable("BITBUCKET_STEP_OIDC_TOKEN")
}

fn secret_variable(name: &str) -> Option<Secret> {
    let secret = Secret::new(variables::value(name)?.into_encoded_bytes()).trimmed();
    Some(secret).filter(|secret| !secret.is_empty())
}

fn text_variable(name: &str) -> Option<String> {
    let text = variables::text(name)?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}
