//! The answer to `get`: an account's secret in the form in which its taker wants it.

use anyhow::Result;

use crate::account::present::Missing;
use crate::account::{Account, Scheme};
use crate::answer::{Found, Wanted};
use crate::bitbucket::{API_HOST, Identity};
use crate::git::Username;
use crate::git::protocol::{Form, Reply};
use crate::sys::{Hinted, Secret};

/// The reply to a caller. None if the caller cannot take its form.
/// Fails when REST takes it in another form only.
pub(super) fn of(
    wanted: &Wanted<'_>,
    found: Found,
    offers_authtype: bool,
) -> Result<Option<Reply>> {
    let Found { account, kept } = found;
    let secret = kept.secret;
    // What we renew ourselves nobody else has to know.
    let refresh_token = kept.oauth_refresh_token;
    let oauth_refresh_token = refresh_token.filter(|_| account.kind().is_none());
    let form = if wanted.host.as_str() == API_HOST && account.kind().is_some() {
        Some(for_rest(&account, secret, offers_authtype)?)
    } else {
        for_git(&account, secret, offers_authtype)
    };
    // With nothing noted against it, its success would change nothing; and other helpers need not keep a copy.
    let is_ephemeral = offers_authtype && account.kind().is_some() && account.rejected.is_none();
    Ok(form.map(|form| Reply {
        form,
        password_expiry_utc: account.password_expiry_utc,
        oauth_refresh_token,
        is_ephemeral,
    }))
}

/// What git gave us goes back in the form in which it came; whoever does not offer the header form would drop it
/// without a word.
fn for_git(account: &Account, secret: Secret, offers_authtype: bool) -> Option<Form> {
    let identity = Identity::for_git(account, secret).ok()?;
    let username = account.opaque().and(account.username());
    match form(identity, username, offers_authtype) {
        Ok(form) => Some(form),
        // Recent Data Centers take the static name from gits that know no Bearer.
        Err(password) if account.scheme() == Scheme::Bearer => Some(Form::Password {
            username: account.git_username()?.to_vec(),
            password,
        }),
        Err(_) => None,
    }
}

fn for_rest(account: &Account, secret: Secret, offers_authtype: bool) -> Result<Form> {
    let identity =
        Identity::for_rest(account, secret).map_err(|missing| lacking(account, missing))?;
    form(identity, None, offers_authtype).map_err(|_| {
        let name = &account.name;
        let message =
            format!("Bitbucket's REST API takes '{name}' only as Bearer, which was not asked for");
        let hint = "put the line 'capability[]=authtype' at the end of what 'git credential fill' is given";
        Hinted::new(message, hint).into()
    })
}

/// The secret alone where it goes into a header, and that is not offered.
fn form(
    identity: Identity,
    username: Option<&Username>,
    offers_authtype: bool,
) -> Result<Form, Secret> {
    let (authtype, credential) = match identity {
        Identity::Basic { username, password } => return Ok(Form::Password { username, password }),
        Identity::Bearer(credential) => (b"Bearer".to_vec(), credential),
        Identity::Header {
            authtype,
            credential,
        } => (authtype, credential),
    };
    if !offers_authtype {
        return Err(credential);
    }
    Ok(Form::Header {
        authtype,
        credential,
        username: username.map(|name| name.as_slice().to_vec()),
    })
}

/// That an account cannot present itself at REST, and how to fix it.
pub(crate) fn lacking(account: &Account, missing: Missing) -> anyhow::Error {
    let name = &account.name;
    let message =
        format!("Bitbucket's REST API wants {missing} with the secret, and '{name}' has none");
    Hinted::new(message, missing.fix(account)).into()
}
