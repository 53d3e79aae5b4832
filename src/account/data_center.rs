//! How a Data Center takes a secret: as Basic or as Bearer, and whose it is.

use std::time::Instant;

use crate::account::inquiry::about;
use crate::account::record::Account;
use crate::account::sign_in::Scheme;
use crate::account::verdict::{Verdict, mistaken, refused, undecided};
use crate::bitbucket::{self, Identity, Kind};
use crate::sys::http::Answer;
use crate::sys::{Secret, http};

/// Finds out how a Data Center takes the secret, and whose it is, and notes both. Returns the answer that decided.
///
/// A user's token goes as Basic with the user's name where that works: some gits lose the header of Bearer on large pushes,
/// and git-lfs before 3.6 knows no Bearer.
pub(super) fn work_out_scheme(
    account: &mut Account,
    secret: &Secret,
    deadline: Instant,
) -> Result<Answer, http::Error> {
    let ask = |account: &Account| {
        let identity = Identity::for_git(account, secret.clone());
        let identity = identity.unwrap_or_else(|_| Identity::Bearer(secret.clone()));
        about(account, secret, deadline).who_is(&identity)
    };
    if account.kind() == Some(Kind::Oauth) {
        // git takes an OAuth token with any user name, unless the instance refuses Basic; REST takes it as Bearer.
        set_scheme(account, Scheme::Basic);
        if ask(account)?.status == 403 {
            set_scheme(account, Scheme::Bearer);
        }
        let bearer = Identity::Bearer(secret.clone());
        let answer = about(account, secret, deadline).who_is(&bearer)?;
        let names = bitbucket::signed_in_users(&answer).into_iter();
        account.owner.username = names.chain(account.owner.username.take()).next();
        return Ok(answer);
    }
    let is_token = account.kind() == Some(Kind::HttpAccessToken);
    let is_refused = |answer: &Answer| matches!(answer.status, 401 | 403);
    let bearer = match account.scheme() {
        Scheme::BearerOnly => Scheme::BearerOnly,
        Scheme::Basic | Scheme::Bearer => Scheme::Bearer,
    };
    let mut by_name = None;
    if account.username().is_some() || !is_token {
        set_scheme(account, Scheme::Basic);
        let answer = ask(account)?;
        if !is_refused(&answer) || !is_token {
            return Ok(answer);
        }
        by_name = Some(answer);
    }
    set_scheme(account, bearer);
    let as_bearer = ask(account)?;
    if as_bearer.status != 200 {
        // Only of a name that was taken for wrong there is more to say.
        let first = by_name.filter(|first| first.status == 401 && is_refused(&as_bearer));
        return Ok(first.unwrap_or(as_bearer));
    }
    let names = bitbucket::signed_in_users(&as_bearer);
    if names.iter().any(|name| Some(name) == account.username()) {
        return Ok(as_bearer);
    }
    for name in &names {
        let mut other = account.clone();
        set_scheme(&mut other, Scheme::Basic);
        other.owner.username = Some(name.clone());
        let answer = ask(&other)?;
        if answer.status == 200 {
            *account = other;
            return Ok(answer);
        }
    }
    account.owner.username = names.into_iter().next().or(account.owner.username.take());
    Ok(as_bearer)
}

pub(super) fn set_scheme(account: &mut Account, scheme: Scheme) {
    if let Some(known) = account.known_mut() {
        known.scheme = scheme;
    }
}

/// What an answer of a Data Center says that is not a good one.
pub(super) fn failure(account: &Account, answer: &Answer) -> Verdict {
    let (host, base_path) = (&account.host, account.base_path());
    match answer.status {
        401 if bitbucket::wants_a_captcha(answer) => mistaken(
            format!("{host} wants a CAPTCHA solved after too many wrong attempts"),
            format!("sign in once with the browser: https://{host}{base_path}"),
        ),
        401 => refused(account, answer),
        403 => mistaken(
            format!("{host} has disabled Basic authentication, and takes no passwords"),
            format!(
                "give an HTTP access token: {}",
                Kind::HttpAccessToken.page(host, base_path, &[])
            ),
        ),
        404 => mistaken(
            format!("there is no Bitbucket at {host}{base_path}"),
            "if Bitbucket lies below a path, say '--host HOST/PATH'; '--no-verify' stores it unchecked",
        ),
        status => undecided(account, status),
    }
}
