//! A request that nobody answers: why, and whose place a new token may take.

use anyhow::{Error, Result};
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::{Account, Standing};
use crate::answer::choice::{Candidate, left_out};
use crate::answer::decide::Decision;
use crate::answer::found::{Effort, Found};
use crate::answer::matching::Misfit;
use crate::answer::ruling::Ruling;
use crate::answer::{Wanted, decide};
use crate::bitbucket;
use crate::helper::mark;
use crate::settings::Session;
use crate::sys::{Hinted, Secret};

const ALONE: &str = "and no other account may answer";

pub(crate) struct Unanswered {
    /// What a person would want to know of the accounts that fit.
    pub(crate) notice: Option<String>,
    /// That, else what the accounts are for. None where nobody has signed in to the host.
    pub(super) why: Option<String>,
    /// The accounts that fit, and whose secret is refused or gone.
    pub(super) out: Vec<Account>,
    /// There are accounts, and git only has to say what it wants: a new one would not be the cure.
    pub(super) lacks_a_path: bool,
}

pub(crate) fn look(session: &Session, wanted: &Wanted<'_>) -> Result<(Option<Found>, Unanswered)> {
    let mut decision = decide(session, wanted, Effort::Answer)?;
    let is_out = |candidate: &&Candidate| match candidate.ruling {
        // Ours works elsewhere, and stays.
        Ruling::Out(Standing::RefusedThere) => candidate.account.lies_elsewhere(),
        Ruling::Out(_) | Ruling::NoSecret => true,
        _ => false,
    };
    let out = decision.candidates.iter().filter(is_out);
    let out: Vec<Account> = out.map(|it| it.account.clone()).collect();
    let lacks_a_path = wanted.path.is_none() && out.is_empty() && decision.only_lacks_a_path();
    let notices = decision.notices(wanted)?;
    // git's own message, that there is no such repository, would mislead.
    decision.closed().into_iter().for_each(mark::warn);
    let notice = (!notices.is_empty()).then(|| notices.join("; "));
    let unanswered = Unanswered {
        why: notice
            .clone()
            .or_else(|| for_others(session, &decision, wanted)),
        notice,
        out,
        lacks_a_path,
    };
    Ok((decision.into_found(), unanswered))
}

/// Says what the accounts of the host are for, the first of them at least.
fn for_others(session: &Session, decision: &Decision, wanted: &Wanted<'_>) -> Option<String> {
    const MOST: usize = 3;
    if decision.answering().is_some() {
        return None;
    }
    let is_there = |it: &&Candidate| {
        it.ruling != Ruling::Misfit(Misfit::OtherHost) && session.lets_answer(&it.account)
    };
    let there = decision.candidates.iter().filter(is_there);
    let told = there.map(|Candidate { account, .. }| {
        let reach: Vec<String> = account.reach.iter().map(ToString::to_string).collect();
        let others = if reach.is_empty() { "others" } else { "" };
        format!("'{}' is for {others}{}", account.name, reach.join(" and "))
    });
    let told: Vec<String> = told.take(MOST).collect();
    let place = wanted.reach.as_ref().map(ToString::to_string);
    let place = place.unwrap_or_else(|| wanted.host.to_string());
    (!told.is_empty()).then(|| format!("no account is for '{place}': {}", told.join(", ")))
}

impl Unanswered {
    /// Why there is no answer, where nobody is asked.
    pub(super) fn line(&self, wanted: &Wanted<'_>) -> String {
        let (why, act) = self.why_and_act(wanted);
        let between = if self.why.is_some() { "; " } else { ": " };
        why + &act.map_or_else(String::new, |act| format!("{between}{act}"))
    }

    /// The same, with what to do apart from it, unless the notices say that.
    fn why_and_act(&self, wanted: &Wanted<'_>) -> (String, Option<String>) {
        let act = |reach| Some(format!("'{}' signs in", wanted.login(reach)));
        match (&self.notice, &self.why) {
            (Some(notice), _) => (notice.clone(), None),
            (None, Some(why)) => (why.clone(), act(wanted.reach.as_ref())),
            (None, None) => {
                let home = bitbucket::home_of(&wanted.host);
                (format!("nobody has signed in to {home}"), act(None))
            }
        }
    }

    /// The same as an error, for a person who has called a command.
    pub(crate) fn error(&self, session: &Session, wanted: &Wanted<'_>) -> Error {
        match self.why_and_act(wanted) {
            (why, None) => Error::msg(why),
            (why, Some(act)) if session.only().is_none() => Hinted::new(why, act).into(),
            _ => match left_out(session, wanted) {
                Some((why, edit)) => Hinted::new(format!("{why}, {ALONE}"), edit).into(),
                None => Error::msg(self.line_of(session, wanted)),
            },
        }
    }

    /// The same as a sentence, before a question.
    pub(super) fn sentence(&self, wanted: &Wanted<'_>) -> String {
        let nobody = || format!("Nobody has signed in to {} yet.", wanted.host);
        let why = self.why.as_ref();
        why.map_or_else(nobody, |why| format!("{why}."))
    }

    /// The same where only one account may answer, and nobody is asked for another: it could not answer either.
    pub(crate) fn line_of(&self, session: &Session, wanted: &Wanted<'_>) -> String {
        let Some(name) = session.only().filter(|_| self.notice.is_none()) else {
            return self.line(wanted);
        };
        if let Some((why, edit)) = left_out(session, wanted) {
            return format!("{why}, {ALONE}: {edit}");
        }
        let misfit = || format!("'{name}' does not fit");
        let why = self.why.clone().unwrap_or_else(misfit);
        format!("{why}, {ALONE}")
    }

    /// Whether a server has just refused the secret for what is wanted: as itself, or as that of an account.
    pub(super) fn is_just_refused(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
        secret: &Secret,
    ) -> bool {
        let now = Timestamp::now();
        let is_fresh = |rejection: &Rejection| rejection.is_fresh(wanted.reach.as_ref(), now);
        let of_account = |account: &Account| {
            account.rejected.as_ref().is_some_and(is_fresh)
                && matches!(session.secret_of(account), Ok(Some(kept)) if kept.secret == *secret)
        };
        let refusal = session.refusal_of(secret);
        refusal.as_ref().is_some_and(is_fresh) || self.out.iter().any(of_account)
    }
}
