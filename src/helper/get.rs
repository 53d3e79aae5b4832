//! `get`: the credential for a context.

use anyhow::Result;

use super::{mark, reply};
use crate::answer::{Findings, Wanted};
use crate::git::Request;
use crate::git::protocol::Reply;
use crate::helper::question;
use crate::helper::question::Outcome;
use crate::helper::unanswered::look;
use crate::settings::Session;

#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Nothing when we have none: then git asks the next helper, or the user.
    pub(crate) reply: Option<Reply>,
    /// Why there is none, or what a person at a terminal should know of it.
    pub(crate) notice: Option<String>,
    /// Somebody wants nothing more to be asked: git is to stop.
    pub(crate) quit: bool,
}

pub(super) fn get(session: &Session, request: &Request) -> Result<Answer> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(Answer::default());
    };
    let (findings, unanswered) = look(session, &wanted)?;
    let Findings {
        found,
        notices,
        closed,
    } = findings;
    // git's own message, that there is no such repository, would mislead.
    if let Some(line) = closed {
        mark::warn(&line);
    }
    let mut notice = (!notices.is_empty()).then(|| notices.join("; "));
    let outcome = match (found, session.only()) {
        (Some(found), _) => Outcome::Found(found),
        // Nobody is asked for another account: it could not answer either.
        (None, Some(name)) => {
            let is_ours = session.is_ours(&wanted.host, &session.accounts()?)?;
            let misfit = || format!("'{name}' does not fit, and no other account may answer");
            notice = notice.or_else(|| is_ours.then(misfit));
            Outcome::Nothing
        }
        (None, None) => {
            let mut outcome = question::ask(session, &request.context, &wanted, unanswered)?;
            match &mut outcome {
                Outcome::Found(_) | Outcome::Unchecked(_) => notice = None,
                Outcome::Unasked(line) => notice = line.take(),
                _ => {}
            }
            outcome
        }
    };
    let quit = matches!(outcome, Outcome::Refused(_) | Outcome::Stop);
    // git is to report what could not be checked.
    let must_report = matches!(outcome, Outcome::Unchecked(_));
    let mut reply = None;
    if let Outcome::Found(found) | Outcome::Unchecked(found) = outcome {
        reply = reply::of(&wanted, found, request.offers_authtype)?;
    }
    if let Some(reply) = &mut reply {
        reply.is_ephemeral &= !must_report;
    }
    Ok(Answer {
        reply,
        notice,
        quit,
    })
}
