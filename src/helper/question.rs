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
use crate::git;
use crate::git::context::Context;
use crate::helper::asker::{ASKING, Asker, has_another_behind, usual_kind};
use crate::helper::unanswered::{Unanswered, look};
use crate::helper::{mark, newcomer};
use crate::settings::Session;
use crate::sys::{Secret, files, one_line};

/// No person is that fast.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) enum Outcome {
    /// Somebody signed in: here, or in another process meanwhile.
    Found(Found),
    /// Somebody typed a secret that could not be checked.
    Unchecked(Found),
    /// What was typed does not work, and why.
    Refused(String),
    /// git is not to ask either.
    Stop,
    /// It is git's turn to ask.
    Nothing,
    /// Nobody was asked. Why there is no answer, where we know it.
    Unasked(Option<String>),
}

struct Question<'a> {
    session: &'a Session,
    wanted: &'a Wanted<'a>,
    unanswered: Unanswered,
    asker: Asker,
}

pub(super) fn ask(
    session: &Session,
    context: &Context,
    wanted: &Wanted<'_>,
    unanswered: Unanswered,
) -> Result<Outcome> {
    // What lies elsewhere would go on coming first.
    let is_of_no_use =
        unanswered.lacks_a_path || unanswered.out.iter().any(Account::lies_elsewhere);
    if !is_of_no_use && !session.is_ours(&wanted.host, &session.accounts()?)? {
        return Ok(Outcome::Unasked(None));
    }
    let settings = git::settings(session.patience()).unwrap_or_default();
    // Where another helper comes after us, it is for that to answer.
    let is_last = !has_another_behind(&git::chain(&settings, &wanted.host));
    let is_rest = bitbucket::is_rest(&wanted.host, wanted.path.unwrap_or_default());
    let may_ask = is_last && !is_rest && !is_of_no_use;
    let asker = may_ask.then(|| Asker::of_git(&settings)).flatten();
    let Some(asker) = asker else {
        let is_known = is_last || unanswered.why.is_some();
        return Ok(Outcome::Unasked(is_known.then(|| unanswered.line(wanted))));
    };
    let mut question = Question {
        session,
        wanted,
        unanswered,
        asker,
    };
    let token = Known::new(usual_kind(&wanted.host));
    let account = newcomer::account(wanted, Origin::Login, token);
    if let Some(objection) =
        session.objection_to_keeping(&account, session.config()?.store.default)?
    {
        let first = question.first_line();
        question.asker.say(&format!(
            "{first} What you type here is not kept: {objection}."
        ));
        question.asker.say(
            "See what it allows: 'git credential-bitbucket doctor'. Then sign in: 'git credential-bitbucket login'.",
        );
        return Ok(Outcome::Nothing);
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
        return Ok(Outcome::Found(found));
    }
    // Whoever waited while another process asked gets that answer; whoever begins afterwards asks anew.
    if mark::since(&mark, began).is_some_and(|text| text == mark::REFUSED) {
        return Ok(Outcome::Stop);
    }
    question.unanswered = unanswered;
    let start = Instant::now();
    let outcome = question.put(context)?;
    match &outcome {
        Outcome::Found(_) => {}
        Outcome::Unchecked(found) => mark::leave_asked(&mark, &found.kept.secret)?,
        _ if start.elapsed() > AT_ONCE => files::write_private(&mark, mark::REFUSED)?,
        // A program answered, and whoever waits asks it for himself.
        _ if question.unanswered.why.is_none() => mark::warn(&question.unanswered.line(wanted)),
        _ => {}
    }
    Ok(outcome)
}

impl Question<'_> {
    /// Puts the question, and once more where Bitbucket refuses what was typed.
    fn put(&mut self, context: &Context) -> Result<Outcome> {
        let host = &self.wanted.host;
        let base_path = self.wanted.path.map(bitbucket::context_of);
        let base_path = base_path.unwrap_or_default();
        let reach = self.wanted.reach.as_slice();
        let how_to = bitbucket::how_to_make(usual_kind(host), host, &base_path, reach);
        let mut lines = [vec![self.first_line()], how_to].concat();
        if let (Asker::Askpass(..), Some(_)) = (&self.asker, &self.unanswered.why) {
            mark::warn(&self.unanswered.line(self.wanted));
        }
        let mut outcome = Outcome::Nothing;
        for _ in 0..2 {
            let Some(text) = self.asker.token(context, host, &lines)? else {
                return Ok(Outcome::Stop);
            };
            if text.expose().iter().all(u8::is_ascii_control) {
                return Ok(Outcome::Nothing);
            }
            outcome = match bitbucket::understood(&bitbucket::joined(&text), host) {
                Ok(found) => self.try_out(context, found)?,
                Err(other) => Outcome::Refused(format!("that is a URL of {other}")),
            };
            let Outcome::Refused(reason) = &outcome else {
                break;
            };
            self.asker.say(reason);
            lines.clear();
        }
        Ok(outcome)
    }

    fn try_out(&mut self, context: &Context, typed: Pasted) -> Result<Outcome> {
        let Pasted { secret, name } = typed;
        let mut name = name.map(|name| Secret::new(name.as_slice().to_vec()));
        let told = Kind::of_secret(&secret, &self.wanted.host);
        if let Some(outcome) = self.objection_to(told, &secret)? {
            return Ok(outcome);
        }
        if told.is_none() {
            name = self.asker.username(context)?;
            if name.is_none() {
                return Ok(Outcome::Stop);
            }
        }
        Ok(self.sign_in(secret, name))
    }

    /// What stands before the question on the terminal.
    fn first_line(&self) -> String {
        let nobody = || format!("Nobody has signed in to {} yet.", self.wanted.host);
        let why = self.unanswered.why.as_ref();
        why.map_or_else(nobody, |why| format!("{why}."))
    }

    /// What is wrong with a secret that is not even to be sent.
    fn objection_to(&self, told: Option<Kind>, secret: &Secret) -> Result<Option<Outcome>> {
        let host = &self.wanted.host;
        if let Some(objection) = self.session.policy()?.objection_to_kind(told) {
            self.asker.say(&format!("That is not kept: {objection}."));
            return Ok(Some(Outcome::Nothing));
        }
        let session = self.session.afresh();
        let is_refused = || (self.unanswered).is_just_refused(&session, self.wanted, secret);
        let refusal = if told.is_some_and(|kind| kind.is_retired_on(host)) {
            bitbucket::removed("app passwords")
        } else if let Some(verdict) = verify::of_a_service_account(secret) {
            verdict.message
        } else if let Some(kind) = Kind::of_another_host(secret, host) {
            format!("that is {}, which {host} does not know", kind.noun())
        } else if !is_refused() {
            return Ok(None);
        } else if let Asker::Askpass(name, _) = &self.asker {
            let token = format!("the token that the program of {name} remembers");
            let line = format!("{host} has just refused {token}: let it forget the token");
            self.asker.say(&line);
            return Ok(Some(Outcome::Stop));
        } else {
            format!("{host} has just refused this token")
        };
        Ok(Some(Outcome::Refused(refusal)))
    }

    fn sign_in(&self, secret: Secret, name: Option<Secret>) -> Outcome {
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
            Meaning::Unchecked => return Outcome::Unchecked(Found { account, kept }),
            Meaning::Limited | Meaning::Misplaced => self.asker.say(&verdict.message),
            Meaning::Good => {}
        }
        let mut out = self.unanswered.out.iter();
        let old = out.find(|old| {
            verdict.meaning != Meaning::Misplaced && may_replace(session, &account, old)
        });
        match newcomer::keep(&session.afresh(), account.clone(), &kept, old) {
            Ok(account) => Outcome::Found(Found { account, kept }),
            Err(error) => {
                let reason = one_line(&error);
                self.asker.say(&format!("That is not kept: {reason}"));
                Outcome::Unchecked(Found { account, kept })
            }
        }
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
