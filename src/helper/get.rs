//! `get`: the credential for a context.

use anyhow::Result;

use super::reply;
use crate::answer::found::Findings;
use crate::answer::matching::Wanted;
use crate::git::protocol::{Reply, Request};
use crate::helper::question::{self, Outcome};
use crate::helper::unanswered::look;
use crate::settings::session::Session;

/// What `get` has to say.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Nothing when we have none: then git asks the next helper, or the user.
    pub(crate) reply: Option<Reply>,
    /// Why there is none, or what a person at a terminal should know of it.
    pub(crate) notice: Option<String>,
    /// Somebody wants nothing more to be asked: git is to stop.
    pub(crate) quit: bool,
}

/// Answers with the credential for a request's context.
pub(crate) fn get(session: &Session, request: &Request) -> Result<Answer> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(Answer::default());
    };
    let (Findings { found, notices }, unanswered) = look(session, &wanted)?;
    let notice = (!notices.is_empty()).then(|| notices.join("; "));
    if let Some(found) = found {
        return Ok(Answer {
            reply: reply::of(&wanted, found, request.offers_authtype)?,
            notice,
            quit: false,
        });
    }
    // Nobody is asked for another account: it could not answer either.
    if let Some(name) = session.only() {
        let is_ours = session.is_ours(&wanted.host, &session.accounts()?)?;
        let misfit = || format!("'{name}' does not fit, and no other account may answer");
        return Ok(Answer {
            notice: notice.or_else(|| is_ours.then(misfit)),
            ..Answer::default()
        });
    }
    let (found, is_kept) = match question::ask(session, &request.context, &wanted, unanswered)? {
        Outcome::Found(found) => (found, true),
        Outcome::Unchecked(found) => (found, false),
        outcome => {
            let quit = matches!(outcome, Outcome::Refused(_) | Outcome::Stop);
            return Ok(Answer {
                reply: None,
                notice: match outcome {
                    Outcome::Unasked(line) => line,
                    _ => notice,
                },
                quit,
            });
        }
    };
    let mut answer = Answer {
        reply: reply::of(&wanted, found, request.offers_authtype)?,
        ..Answer::default()
    };
    if let Some(reply) = &mut answer.reply {
        // git is to report what could not be checked.
        reply.is_ephemeral &= is_kept;
    }
    Ok(answer)
}
