//! `get`: the credential for a context.

use anyhow::Result;

use super::reply;
use crate::answer::decide::{Effort, decide};
use crate::answer::found::Findings;
use crate::answer::matching::Wanted;
use crate::git::protocol::{Form, Reply, Request};
use crate::helper::first_contact::{self, Outcome};
use crate::settings::session::Session;

/// What `get` has to say.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Nothing when we have none: then git asks the next helper, or the user.
    pub(crate) reply: Option<Reply>,
    /// For a person at a terminal, a line each.
    pub(crate) notices: Vec<String>,
    /// Somebody wants nothing more to be asked: git is to stop.
    pub(crate) quit: bool,
}

/// Answers with the credential for a request's context.
pub(crate) fn get(session: &Session, request: &Request) -> Result<Answer> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(Answer::default());
    };
    let Findings { found, mut notices } =
        decide(session, &wanted, Effort::Answer)?.into_findings(&wanted)?;
    let reply = match found {
        Some(found) => reply::of(&wanted, found, request.offers_authtype)?,
        None if notices.is_empty() && session.only().is_none() => {
            return first_contact(session, &wanted, request);
        }
        // Nobody is asked for another account: it could not answer either.
        None => {
            let unfit = |name| format!("'{name}' does not fit, and no other account may answer");
            let only = session.only().filter(|_| notices.is_empty());
            notices.extend(only.map(unfit));
            None
        }
    };
    Ok(Answer {
        reply,
        notices,
        quit: false,
    })
}

/// Asks for a first token where nobody has signed in yet.
fn first_contact(session: &Session, wanted: &Wanted<'_>, request: &Request) -> Result<Answer> {
    match first_contact::ask(session, wanted)? {
        Outcome::Found(found) => {
            let reply = reply::of(wanted, *found, request.offers_authtype)?;
            Ok(Answer {
                reply,
                ..Answer::default()
            })
        }
        Outcome::Given { username, password } => {
            let form = Form::Password { username, password };
            let reply = Reply {
                form,
                password_expiry_utc: None,
                oauth_refresh_token: None,
                is_ephemeral: false,
            };
            Ok(Answer {
                reply: Some(reply),
                ..Answer::default()
            })
        }
        Outcome::Interrupted => Ok(Answer {
            quit: true,
            ..Answer::default()
        }),
        Outcome::Nothing => Ok(Answer::default()),
    }
}
