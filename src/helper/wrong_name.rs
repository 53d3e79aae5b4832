//! A refused token beside a user name that it cannot work with: the start of the token tells the right name.

use anyhow::Result;
use jiff::Timestamp;

use crate::account::verify::Meaning;
use crate::account::{Known, Origin, verify};
use crate::answer::{Wanted, source};
use crate::bitbucket::Kind;
use crate::git::Request;
use crate::helper::newcomer;
use crate::helper::store::store;
use crate::helper::unanswered::look;
use crate::settings::Session;
use crate::sys::message;

/// Keeps the token under its right name, if the repository of the request opens with it; else says which mistake it is.
///
/// git does not say whether a person typed the pair or a submodule's URL held it. So nothing is tried or kept without the
/// path, and what is kept is for that path's workspace at most.
pub(super) fn put_right(session: &Session, mut request: Request, is_known: bool) -> Result<()> {
    let Some((kind, right)) = mistake(&request) else {
        return Ok(());
    };
    let context = request.context.clone();
    let (Some(wanted), Some(secret)) = (Wanted::of(&context), request.password.clone()) else {
        return Ok(());
    };
    let typed = String::from_utf8_lossy(wanted.username.unwrap_or_default());
    let wrong = format!("'{typed}' is no user name for {}", kind.noun());
    let place = wanted.reach.as_ref();
    let repository = place.filter(|place| place.repository.is_some() && !is_known);
    let refusal = session.refusal_of(&secret).filter(|_| repository.is_some());
    if refusal.is_some_and(|refusal| refusal.is_fresh(place, Timestamp::now())) {
        return Ok(());
    }
    let mut account = newcomer::account(&wanted, Origin::Git, Known::new(kind));
    account.reach.extend(repository.cloned());
    let inquiry = verify::about(&account, &secret, session.deadline());
    let said = inquiry.check_repositories(&account.reach);
    match said {
        Some(verdict) if verdict.is_good() => {}
        Some(verdict) if verdict.meaning == Meaning::Refused => {
            source::note_refusal(session, &secret, &wanted);
            message::warn(verdict.message);
            return Ok(());
        }
        // Nobody was asked, or nobody answered.
        _ => {
            message::warn(format_args!("{wrong}: git needs '{right}'"));
            return Ok(());
        }
    }
    // An e-mail is remembered for REST. Any other name says nothing.
    if !typed.contains('@') || kind != Kind::ApiToken {
        request.context.username = Some(right.into_bytes());
    }
    store(&session.afresh(), request)?;
    let (found, _) = look(&session.afresh(), &wanted)?;
    if found.is_some_and(|found| found.kept.secret == secret) {
        let again = "the token is kept under the right one: run the command again";
        message::warn(format_args!("{wrong}; {again}"));
    }
    Ok(())
}

/// The kind that the token tells, and its user name, where another one stood beside it.
fn mistake(request: &Request) -> Option<(Kind, String)> {
    let host = request.context.https_host()?;
    let kind = Kind::of_secret(request.password.as_ref()?, &host)?;
    // Others may work with the user's own name.
    let is_static = matches!(kind, Kind::ApiToken | Kind::AccessToken);
    let right = kind.git_username(&host, None).filter(|_| is_static)?;
    let typed = request.context.username.as_deref()?;
    (typed != right).then(|| (kind, String::from_utf8_lossy(right).into_owned()))
}
