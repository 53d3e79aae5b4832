//! `get`: the credential for a context.

use std::io::Write as _;

use anyhow::Result;

use super::{mark, reply};
use crate::answer::Wanted;
use crate::git::Request;
use crate::helper::question;
use crate::helper::question::Outcome;
use crate::helper::unanswered::look;
use crate::settings::Session;
use crate::sys::{terminal, trace};

/// Answers, or says why not: then git asks the next helper, or the user.
pub(super) fn get(session: &Session, request: &Request) -> Result<()> {
    let Some(wanted) = Wanted::of(&request.context) else {
        return Ok(());
    };
    let (found, unanswered) = look(session, &wanted)?;
    let (found, notice, quit) = match (found, session.only()) {
        (Some(found), _) => (Some(found), unanswered.notice, false),
        (None, _) if !session.is_ours(&wanted.host)? => (None, None, false),
        // Nobody is asked for another account: it could not answer either.
        (None, Some(_)) => (None, Some(unanswered.line_of(session, &wanted)), false),
        (None, None) => match question::ask(session, &request.context, &wanted, &unanswered)? {
            Outcome::Found(found) => (Some(*found), None, false),
            Outcome::Nothing(line) => (None, line, false),
            Outcome::Stop | Outcome::Refused(_) => (None, unanswered.notice, true),
        },
    };
    let reply = found.map(|found| reply::of(&wanted, found, request.offers_authtype));
    let reply = reply.transpose()?.flatten();
    trace::say(|| match &reply {
        Some(reply) => format!("reply: {}", reply.describe()),
        None => "no reply".to_owned(),
    });
    match (&reply, notice) {
        (None, Some(line)) => mark::warn(&line),
        (_, line) => mark::notice(line),
    }
    if let Some(reply) = reply.and_then(|reply| reply.to_bytes()) {
        terminal::output()?.write_all(&reply)?;
    } else if quit {
        terminal::output()?.write_all(b"quit=1\n")?;
    }
    Ok(())
}
