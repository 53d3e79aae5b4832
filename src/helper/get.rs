//! `get`: the credential for a context.

use std::io::Write as _;

use anyhow::Result;

use super::{mark, reply};
use crate::answer::Wanted;
use crate::answer::choice::left_out;
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
    let mut notice = unanswered.notice.clone();
    let outcome = match (found, session.only()) {
        (Some(found), _) => Outcome::Found(found),
        // Nobody is asked for another account: it could not answer either.
        (None, Some(name)) => {
            let is_ours = session.is_ours(&wanted.host, &session.accounts()?)?;
            let misfit = || match left_out(session, &wanted) {
                Some((why, edit)) => format!("{why}, and no other account may answer: {edit}"),
                None => format!("'{name}' does not fit, and no other account may answer"),
            };
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
    // Somebody wants nothing more to be asked: git is to stop.
    let quit = matches!(outcome, Outcome::Refused(_) | Outcome::Stop);
    // git is to report what could not be checked.
    let must_report = matches!(outcome, Outcome::Unchecked(_));
    let mut reply = None;
    if let Outcome::Found(found) | Outcome::Unchecked(found) = outcome {
        reply = reply::of(&wanted, found, request.offers_authtype)?;
    }
    if let Some(reply) = &mut reply {
        reply.is_ephemeral &= !must_report;
        trace::say(|| format!("reply: {}", reply.describe()));
    } else {
        trace::say(|| "no reply".to_owned());
    }
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
