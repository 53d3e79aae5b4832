//! The answer to `get`: an account's secret in the form in which its taker wants it.

use anyhow::{Result, bail};

use crate::account::present::Missing;
use crate::account::{Account, Scheme};
use crate::answer::{Found, Wanted};
use crate::bitbucket::API_HOST;
use crate::git::Identity;
use crate::git::protocol::Reply;
use crate::sys::Hinted;

/// The reply to a caller. None if the caller cannot take its form.
/// Fails when REST takes it in another form only.
pub(super) fn of(
    wanted: &Wanted<'_>,
    found: Found,
    offers_authtype: bool,
) -> Result<Option<Reply>> {
    let Found { account, kept } = found;
    let is_given = account.kind().is_none();
    let is_for_rest = wanted.host.as_str() == API_HOST && !is_given;
    let identity = if is_for_rest {
        let identity = Identity::for_rest(&account, kept.secret);
        Some(identity.map_err(|missing| lacking(&account, missing))?)
    } else {
        Identity::for_git(&account, kept.secret).ok()
    };
    let identity = match identity {
        // Recent Data Centers take the static name from gits that know no Bearer. Of what git gave in the header form such
        // a caller would drop the header without a word.
        Some(Identity::Header { credential, .. }) if !offers_authtype => {
            if is_for_rest {
                let name = &account.name;
                bail!(Hinted::new(
                    format!(
                        "Bitbucket's REST API takes '{name}' only as Bearer, which was not asked for"
                    ),
                    "put the line 'capability[]=authtype' at the end of what 'git credential fill' is given",
                ));
            }
            let username = account.git_username();
            let username = username.filter(|_| account.scheme() == Scheme::Bearer);
            username.map(|name| Identity::basic(name, credential))
        }
        identity => identity,
    };
    // With nothing noted against it, its success would change nothing; and other helpers need not keep a copy. But git has
    // to report of what was typed and could not be checked, which is kept nowhere and has no name.
    let is_ephemeral =
        offers_authtype && !is_given && account.rejected.is_none() && !account.name.is_empty();
    Ok(identity.map(|identity| Reply {
        identity,
        username: account.username().filter(|_| is_given).cloned(),
        password_expiry_utc: account.password_expiry_utc,
        // What we renew ourselves nobody else has to know.
        oauth_refresh_token: kept.oauth_refresh_token.filter(|_| is_given),
        is_ephemeral,
    }))
}

/// That an account cannot present itself at REST, and how to fix it.
pub(crate) fn lacking(account: &Account, missing: Missing) -> anyhow::Error {
    let name = &account.name;
    let message =
        format!("Bitbucket's REST API wants {missing} with the secret, and '{name}' has none");
    Hinted::new(message, missing.fix(account)).into()
}
