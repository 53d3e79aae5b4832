//! The question: nobody answers, and git would ask for a user name and a password. So `get` itself asks for a token once,
//! through whatever git would ask with.
//!
//! What is typed is checked and kept at once. What cannot be checked is kept when git reports that it worked.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use jiff::Timestamp;

use crate::account::verify::Meaning;
use crate::account::{Account, Kept, Known, Origin, Standing, verify};
use crate::answer::{Found, Wanted, source};
use crate::bitbucket::{self, Kind, Pasted};
use crate::git::context::Context;
use crate::git::{self, Username};
use crate::helper::asker::{ASKING, Asker, has_another_behind, usual_kind};
use crate::helper::unanswered::{Unanswered, look};
use crate::helper::{mark, newcomer};
use crate::settings::Session;
use crate::sys::{Secret, files, one_line};

/// No person is that fast.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) enum Outcome {
    /// Somebody signed in, here or in another process meanwhile; or what was typed could not be checked: it has no name.
    Found(Box<Found>),
    /// What was typed does not work, and why.
    Refused(String),
    /// git is not to ask either.
    Stop,
    /// It is git's turn to ask. Why there is no answer, where we know it.
    Nothing(Option<String>),
}

struct Question<'a> {
    session: &'a Session,
    context: &'a Context,
    wanted: &'a Wanted<'a>,
    unanswered: Unanswered,
    asker: Asker,
}

pub(super) fn ask(
    session: &Session,
    context: &Context,
    wanted: &Wanted<'_>,
    unanswered: &Unanswered,
) -> Result<Outcome> {
    // What lies elsewhere would go on coming first.
    let is_useless = unanswered.lacks_a_path || unanswered.out.iter().any(Account::lies_elsewhere);
    let settings = git::settings(session.patience()).unwrap_or_default();
    // Where another helper comes after us, it is for that to answer.
    let chains = git::chains(&settings, std::slice::from_ref(&wanted.host));
    let is_last = !chains.iter().any(|(_, it)| has_another_behind(it));
    let is_rest = bitbucket::is_rest(&wanted.host, wanted.path.unwrap_or_default());
    let may_ask = is_last && !is_rest && !is_useless;
    let asker = may_ask.then(|| Asker::of_git(&settings)).flatten();
    let Some(asker) = asker else {
        let is_known = is_last || unanswered.why.is_some();
        return Ok(Outcome::Nothing(is_known.then(|| unanswered.line(wanted))));
    };
    let kind = usual_kind(&wanted.host);
    let account = newcomer::account(wanted, Origin::Login, Known::new(kind));
    let store = session.config()?.store.default;
    if let Some(objection) = session.objection_to_keeping(&account, store)? {
        let why = unanswered.sentence(wanted);
        return Ok(Outcome::Nothing(Some(format!(
            "{why} What you type here is not kept: {objection}; 'git credential-bitbucket doctor' shows what it allows"
        ))));
    }
    let began = SystemTime::now();
    let mark = session.locations()?.first_contact();
    let start = Instant::now();
    let _lock = match mark::wait_for_the_others(&mark, ASKING) {
        Err(_) if start.elapsed() > ASKING => return Ok(Outcome::Stop),
        lock => lock?,
    };
    let (found, unanswered) = look(&session.afresh(), wanted)?;
    if let Some(found) = found {
        return Ok(Outcome::Found(found.into()));
    }
    // Whoever waited while another process asked gets that answer; whoever begins afterwards asks anew.
    if mark::since(&mark, began).is_some_and(|text| text == mark::REFUSED) {
        return Ok(Outcome::Stop);
    }
    let start = Instant::now();
    let mut question = Question {
        session,
        context,
        wanted,
        unanswered,
        asker,
    };
    let reach = wanted.reach.as_slice();
    let how_to = bitbucket::how_to_make(kind, &wanted.host, account.base_path(), reach);
    let outcome = question.put(how_to)?;
    match &outcome {
        Outcome::Found(found) if found.account.name.is_empty() => {
            mark::leave_asked(&mark, &found.kept.secret)?;
        }
        Outcome::Found(_) => {}
        _ if start.elapsed() > AT_ONCE => files::write_private(&mark, mark::REFUSED)?,
        // A program answered, and whoever waits asks it for himself.
        _ if question.unanswered.why.is_none() => mark::warn(&question.unanswered.line(wanted)),
        _ => {}
    }
    Ok(outcome)
}

impl Question<'_> {
    /// Puts the question, and once more where Bitbucket refuses what was typed.
    fn put(&mut self, how_to: Vec<String>) -> Result<Outcome> {
        let host = &self.wanted.host;
        let mut lines = [vec![self.unanswered.sentence(self.wanted)], how_to].concat();
        if let (Asker::Askpass(..), Some(_)) = (&self.asker, &self.unanswered.why) {
            mark::warn(&self.unanswered.line(self.wanted));
        }
        for _ in 0..2 {
            let Some(text) = self.asker.token(self.context, host, &lines)? else {
                return Ok(Outcome::Stop);
            };
            if text.expose().iter().all(u8::is_ascii_control) {
                return Ok(Outcome::Nothing(self.unanswered.notice.clone()));
            }
            let outcome = match bitbucket::understood(&bitbucket::joined(&text), host) {
                Ok(found) => self.try_out(found)?,
                Err(other) => Outcome::Refused(format!("that is a URL of {other}")),
            };
            let Outcome::Refused(reason) = &outcome else {
                return Ok(outcome);
            };
            self.asker.say(reason);
            lines.clear();
        }
        Ok(Outcome::Stop)
    }

    /// Signs in with what was typed, unless that is not even to be sent.
    fn try_out(&mut self, typed: Pasted) -> Result<Outcome> {
        let ((secret, mut name), wanted) = (typed, self.wanted);
        let host = &wanted.host;
        let told = Kind::of_secret(&secret, host);
        if let Some(objection) = self.session.policy()?.objection_to_kind(told) {
            self.asker.say(&format!("That is not kept: {objection}."));
            return Ok(Outcome::Nothing(self.unanswered.notice.clone()));
        }
        if told.is_some_and(|kind| kind.is_retired_on(host)) {
            return Ok(Outcome::Refused(bitbucket::removed("app passwords")));
        }
        if let Some(verdict) = verify::of_a_service_account(&secret) {
            return Ok(Outcome::Refused(verdict.message));
        }
        if let Some(kind) = Kind::of_another_host(&secret, host) {
            let message = format!("that is {}, which {host} does not know", kind.noun());
            return Ok(Outcome::Refused(message));
        }
        let session = self.session.afresh();
        if self.unanswered.is_just_refused(&session, wanted, &secret) {
            let Asker::Askpass(name, _) = &self.asker else {
                return Ok(Outcome::Refused(format!(
                    "{host} has just refused this token"
                )));
            };
            let token = format!("the token that the program of {name} remembers");
            let line = format!("{host} has just refused {token}: let it forget the token");
            self.asker.say(&line);
            return Ok(Outcome::Stop);
        }
        if told.is_none() {
            let Some(typed) = self.asker.username(self.context)? else {
                return Ok(Outcome::Stop);
            };
            name = Username::new(typed.expose());
        }
        Ok(self.sign_in(secret, name))
    }

    fn sign_in(&self, secret: Secret, name: Option<Username>) -> Outcome {
        let mut account = newcomer::typed(self.wanted, &secret, name);
        // Somebody may have thought for minutes.
        let session = &self.session.afresh();
        let verdict = verify::check(&mut account, &secret, session.deadline());
        let kept = Kept::only(secret);
        match verdict.meaning {
            Meaning::Refused | Meaning::Mistaken => {
                source::note_refusal(session, &kept.secret, self.wanted);
                return Outcome::Refused(verdict.message);
            }
            Meaning::Unchecked => return Outcome::Found(Found { account, kept }.into()),
            Meaning::Limited | Meaning::Misplaced => self.asker.say(&verdict.message),
            Meaning::Good => {}
        }
        let is_misplaced = verdict.meaning == Meaning::Misplaced;
        let mut out = self.unanswered.out.iter();
        let old = out.find(|old| !is_misplaced && may_replace(session, &account, old));
        let account = match newcomer::keep(&session.afresh(), account.clone(), &kept, old) {
            Ok(account) => account,
            Err(error) => {
                let reason = one_line(&error);
                self.asker.say(&format!("That is not kept: {reason}"));
                account
            }
        };
        Outcome::Found(Found { account, kept }.into())
    }
}

/// Whether a new secret may take the place of one that does not answer: another person's stays while it may come back.
fn may_replace(session: &Session, new: &Account, old: &Account) -> bool {
    let is_unknown = |account: &Account| account.owner.confirmed.is_none();
    let is_over = || {
        old.standing(Timestamp::now()) == Standing::Expired
            || matches!(session.secret_of(old), Ok(None))
    };
    old.kind() == new.kind()
        && (is_unknown(old) || is_unknown(new) || new.has_the_owner_of(old) || is_over())
}
