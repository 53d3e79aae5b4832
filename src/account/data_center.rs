//! How a Data Center takes a secret: as Basic or as Bearer, and whose it is.

use crate::account::inquiry::Inquiry;
use crate::account::record::Account;
use crate::account::sign_in::Scheme;
use crate::account::verdict::{Meaning, Verdict, refused, undecided};
use crate::bitbucket::{self, Kind};
use crate::git::{Identity, Username};
use crate::sys::http::{self, Answer};

/// Finds out how a Data Center takes the secret, and whose it is, and notes both. Returns the answer that decided.
///
/// A user's token goes as Basic with the user's name where that works: some gits lose the header of Bearer on large pushes,
/// and git-lfs before 3.6 knows no Bearer.
pub(super) fn work_out_scheme(inquiry: &mut Inquiry<'_>) -> Result<Answer, http::Error> {
    let kind = inquiry.account.kind();
    if kind == Some(Kind::Oauth) {
        // git takes an OAuth token with any user name, unless the instance refuses Basic; REST takes it as Bearer.
        inquiry.account.set_scheme(Scheme::Basic);
        if ask(inquiry)?.status == 403 {
            inquiry.account.set_scheme(Scheme::Bearer);
        }
        let answer = inquiry.who_is(&inquiry.as_bearer())?;
        note_user(inquiry, bitbucket::signed_in_users(&answer));
        return Ok(answer);
    }
    let is_token = kind == Some(Kind::HttpAccessToken);
    let is_refused = |answer: &Answer| matches!(answer.status, 401 | 403);
    let bearer = inquiry.account.scheme().max(Scheme::Bearer);
    let mut by_name = None;
    if inquiry.account.username().is_some() || !is_token {
        inquiry.account.set_scheme(Scheme::Basic);
        let answer = ask(inquiry)?;
        if !is_refused(&answer) || !is_token {
            return Ok(answer);
        }
        by_name = Some(answer);
    }
    inquiry.account.set_scheme(bearer);
    let as_bearer = ask(inquiry)?;
    if as_bearer.status != 200 {
        // Only of a name that was taken for wrong there is more to say.
        let first = by_name.filter(|first| first.status == 401 && is_refused(&as_bearer));
        return Ok(first.unwrap_or(as_bearer));
    }
    let names = bitbucket::signed_in_users(&as_bearer);
    let own = inquiry.account.username();
    if names.iter().any(|name| Some(name) == own) {
        return Ok(as_bearer);
    }
    for name in &names {
        let mut other = inquiry.with_scheme(Scheme::Basic);
        other.account.owner.username = Some(name.clone());
        let answer = ask(&other)?;
        if answer.status == 200 {
            *inquiry = other;
            return Ok(answer);
        }
    }
    note_user(inquiry, names);
    Ok(as_bearer)
}

/// Asks who signs in as git would.
fn ask(inquiry: &Inquiry<'_>) -> Result<Answer, http::Error> {
    let identity = Identity::for_git(&inquiry.account, inquiry.secret.clone());
    inquiry.who_is(&identity.unwrap_or_else(|_| inquiry.as_bearer()))
}

/// Notes the first of these, if there is one.
fn note_user(inquiry: &mut Inquiry<'_>, names: Vec<Username>) {
    let known = &mut inquiry.account.owner.username;
    *known = names.into_iter().next().or(known.take());
}

/// What an answer of a Data Center says that is not a good one.
pub(super) fn failure(account: &Account, answer: &Answer) -> Verdict {
    let (host, base_path) = (&account.host, account.base_path());
    match answer.status {
        401 if bitbucket::wants_a_captcha(answer) => Meaning::Mistaken.says(
            format!("{host} wants a CAPTCHA solved after too many wrong attempts"),
            format!("sign in once with the browser: https://{host}{base_path}"),
        ),
        401 => refused(account, answer),
        403 => Meaning::Mistaken.says(
            format!("{host} has disabled Basic authentication, and takes no passwords"),
            format!(
                "give an HTTP access token: {}",
                Kind::HttpAccessToken.page(host, base_path, &[])
            ),
        ),
        404 => Meaning::Mistaken.says(
            format!("there is no Bitbucket at {host}{base_path}"),
            "if Bitbucket lies below a path, say '--host HOST/PATH'; '--no-verify' stores it unchecked",
        ),
        status => undecided(account, status),
    }
}
