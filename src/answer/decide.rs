//! The decision who answers: the one place that knows the order of what can answer.

use anyhow::{Error, Result};
use jiff::Timestamp;

use crate::account::{Account, Accounts, Kept, Standing, State, state};
use crate::answer::choice::{Candidate, Chosen};
use crate::answer::found::{Effort, Found};
use crate::answer::matching::{Misfit, Wanted};
use crate::answer::ruling::{Rank, Ruling, rule};
use crate::answer::source::environment;
use crate::answer::{choice, comeback, renewal, ruling, shortlist, source};
use crate::settings::Session;
use crate::sys::error::one_line;
use crate::sys::{Hinted, trace};

/// Who answers, and what became of each other candidate.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// The account that answers.
    pub(crate) found: Option<Found>,
    /// The others, in the order in which they were considered.
    pub(crate) candidates: Vec<Candidate>,
    /// How the one that answers was chosen, where several fit equally.
    pub(crate) chosen: Option<Chosen>,
    /// Why what the candidate has that is meant cannot be had.
    pub(crate) failure: Option<Error>,
    /// Whether nothing that comes later in the order may answer any more.
    is_over: bool,
}

/// Fails when accounts, settings or policy cannot be read: nobody knows then who may answer.
pub(crate) fn decide(session: &Session, wanted: &Wanted<'_>, effort: Effort) -> Result<Decision> {
    let mut search = Search {
        session,
        wanted,
        effort,
        decision: Decision::default(),
    };
    // The order in which an answer is looked for.
    search.variable_and_accounts()?;
    if session.only().is_none() {
        search.sources()?;
    }
    trace::say(|| search.decision.describe());
    Ok(search.decision)
}

/// Whether a source has, or may have, a credential for the request. Then we do not keep what git gives.
pub(crate) fn a_source_may_answer(session: &Session, wanted: &Wanted<'_>) -> bool {
    let mut search = Search {
        session,
        wanted,
        effort: Effort::Explain { is_offline: true },
        decision: Decision::default(),
    };
    // One that does not answer now may have answered before.
    search.sources().is_err() || search.decision.is_over
}

struct Search<'a> {
    session: &'a Session,
    wanted: &'a Wanted<'a>,
    effort: Effort,
    decision: Decision,
}

impl Search<'_> {
    /// How a secret stands that lies in no store of ours.
    fn standing(&self, session: &Session, account: &Account, kept: &Kept) -> Standing {
        match self.effort {
            Effort::Answer => comeback::of_elsewhere(session, account, kept, self.wanted),
            Effort::Explain { .. } => {
                account.standing_at(self.wanted.reach.as_ref(), Timestamp::now())
            }
        }
    }

    /// Rules on the secret of a store that is only looked into.
    fn judge(&mut self, session: &Session, mut account: Account, kept: Kept) {
        account.rejected = session.refusal_of(&kept.secret);
        let standing = self.standing(session, &account, &kept);
        self.decision.is_over = true;
        if standing.may_answer() {
            self.decision.found = Some(Found { account, kept });
        } else {
            self.decision.push(account, Ruling::Out(standing));
        }
    }

    /// The environment's account, which comes first. It is passed over if it is out of service, or can never work while
    /// another one fits.
    fn variable(&self, session: &Session, another_fits: bool) -> Result<Option<Candidate>> {
        let Some((mut account, kept)) = environment::account(session, &self.wanted.host)? else {
            return Ok(None);
        };
        account.rejected = session.refusal_of(&kept.secret);
        let now = Timestamp::now();
        let refused = account.rejected.as_ref();
        let is_just_refused = another_fits && refused.is_some_and(|it| it.is_recent(now));
        let ruling = match session.objection_to_kept(&account, &kept)? {
            _ if !session.lets_answer(&account) => Ruling::NotNamed,
            Some(objection) => Ruling::Forbidden(objection),
            None if another_fits && account.is_retired() => Ruling::Outranked(Rank::Retired),
            None if is_just_refused => Ruling::Out(account.standing(now)),
            None => match self.standing(session, &account, &kept) {
                standing if standing.may_answer() => Ruling::Answers,
                standing => Ruling::Out(standing),
            },
        };
        Ok(Some(Candidate {
            kept: Some(kept),
            ..Candidate::new(account, ruling)
        }))
    }

    fn variable_and_accounts(&mut self) -> Result<()> {
        self.look_at_accounts(self.session)?;
        let is_missing = |candidate: &Candidate| candidate.ruling == Ruling::NoSecret;
        if self.decision.candidates.iter().any(is_missing) {
            // The secret may have been replaced, and its entry with it, after we had read the account.
            self.decision = Decision::default();
            self.look_at_accounts(&self.session.afresh_when_late())?;
        }
        Ok(())
    }

    fn look_at_accounts(&mut self, session: &Session) -> Result<()> {
        session.policy()?;
        let wanted = self.wanted;
        let read = match self.effort {
            Effort::Answer => shortlist::accounts(session, wanted),
            Effort::Explain { .. } => session.accounts(),
        };
        let (mut accounts, unread) = match read {
            Ok(accounts) => (accounts, None),
            Err(error) => (Accounts::default(), Some(error)),
        };
        let now = Timestamp::now();
        let hindrance = |account: &Account| ruling::hindrance(session, account, wanted);
        let of = |accounts: &Accounts| -> Vec<Ruling> {
            let rulings = rule(accounts, wanted, hindrance).into_iter();
            rulings.map(|(_, ruling)| ruling).collect()
        };
        let mut rulings = of(&accounts);
        let variable = self.variable(session, rulings.contains(&Ruling::Answers))?;
        let answers = |it: &Candidate| it.ruling == Ruling::Answers;
        let is_first = variable.as_ref().is_some_and(answers);
        // That the accounts cannot be read makes no difference then.
        if let Some(error) = unread.filter(|_| !is_first) {
            return Err(error);
        }
        let mut back = None;
        let is_out = |ruling: &Ruling| matches!(ruling, Ruling::Out(_));
        if self.effort == Effort::Answer && !is_first && rulings.iter().any(is_out) {
            match comeback::of_account(session, &mut accounts, wanted, now) {
                Ok(secret) => {
                    back = secret;
                    rulings = of(&accounts);
                }
                Err(error) if !rulings.contains(&Ruling::Answers) => return Err(error),
                Err(error) => trace::say(|| format!("oauth: {}", one_line(&error))),
            }
        }
        let ruled = accounts.into_accounts().zip(rulings);
        let ruled = ruled.map(|(account, ruling)| Candidate::new(account, ruling));
        let mut all: Vec<Candidate> = variable.into_iter().chain(ruled).collect();
        if let Some((entry, kept)) = back {
            let mut all = all.iter_mut();
            let back = all.find(|it| it.account.entry == entry);
            back.expect("it is one of them").kept = Some(kept);
        }
        self.decision.chosen = choice::among(session, wanted, self.effort, &mut all);
        for it in all {
            if it.ruling == Ruling::Answers {
                self.settle(session, it);
            } else {
                self.decision.candidates.push(it);
            }
        }
        Ok(())
    }

    /// Gets the secret of the account that is meant.
    fn settle(&mut self, session: &Session, it: Candidate) {
        let decision = &mut self.decision;
        decision.is_over = true;
        let account = it.account;
        let outcome = match (it.kept, self.effort) {
            (Some(kept), _) => Ok(Some((account.clone(), kept))),
            (None, Effort::Answer) => renewal::secret_of(session, &account),
            (None, Effort::Explain { .. }) => renewal::read(session, &account)
                .map(|kept| kept.map(|kept| (account.clone(), kept))),
        };
        match outcome {
            Ok(Some((account, kept))) => decision.found = Some(Found { account, kept }),
            Ok(None) => decision.push(account, Ruling::NoSecret),
            Err(error) => {
                decision.failure = Some(error);
                decision.push(account, Ruling::Fails);
            }
        }
    }

    /// The stores that are only looked into, in the order of the settings.
    fn sources(&mut self) -> Result<()> {
        if self.decision.is_over || !source::is_asked_for(self.session, self.wanted)? {
            return Ok(());
        }
        // Do not charge the keyring's delay to these stores.
        let mut session = self.session.afresh_when_late();
        for &name in &self.session.config()?.lookup {
            if let Some(objection) = session.policy()?.objection_to_store(name) {
                let account = source::placeholder(name, &self.wanted.host);
                self.decision.push(account, Ruling::NotAsked(objection));
                continue;
            }
            let found = source::look_into(&session, name, self.wanted);
            // These waits have bounds of their own.
            session = session.afresh();
            match found {
                Ok(None) => trace::say(|| format!("lookup: '{name}' has nothing")),
                Ok(Some(Found { account, kept })) => {
                    let Some(objection) = session.objection_to_kept(&account, &kept)? else {
                        self.judge(&session, account, kept);
                        return Ok(());
                    };
                    self.decision.push(account, Ruling::Forbidden(objection));
                }
                // What comes after it is not asked, as that might have another account's.
                Err(error) => {
                    let context = format!("cannot ask the store '{name}'");
                    self.decision.is_over = true;
                    self.decision.failure = Some(error.context(context));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Decision {
    /// What a person would want to know, a line each. Fails when the secret of the chosen account cannot be had, or only
    /// forbidden ones fit.
    pub(crate) fn notices(&mut self, wanted: &Wanted<'_>) -> Result<Vec<String>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(Found { account, .. }) = &self.found {
            let notice = match State::of(account, Timestamp::now()) {
                State::Rejected if account.lies_elsewhere() => None,
                // git's success checks an unchecked one.
                State::Unchecked => None,
                state => state.notice(account),
            };
            return Ok(notice.into_iter().collect());
        }
        let (forbidden, others): (Vec<_>, Vec<_>) =
            self.candidates.iter().partition(|it| it.is_forbidden());
        let complaints = others.into_iter().filter_map(Candidate::complaint);
        let notices = complaints.map(|(what, fix)| format!("{what}: {fix}"));
        let mut notices: Vec<String> = notices.collect();
        if !self.is_over {
            if let Some((what, fix)) = forbidden.into_iter().find_map(Candidate::complaint) {
                return Err(Hinted::new(what, fix).into());
            }
            if notices.is_empty() && wanted.path.is_none() && self.only_lacks_a_path() {
                notices.push(format!(
                    "each account of {} is for a workspace, and git names none: \
                     'git credential-bitbucket setup' makes git name it",
                    wanted.host
                ));
            }
        }
        Ok(notices)
    }

    pub(crate) fn answering(&self) -> Option<&Account> {
        self.found.as_ref().map(|found| &found.account)
    }

    /// That Bitbucket opens the repository to none of those that fit, and what to do.
    pub(crate) fn closed(&self) -> Option<&str> {
        let chosen = self.chosen.as_ref().filter(|_| self.found.is_some());
        chosen?.closed.as_deref()
    }

    /// Whether an account does not fit only because the request tells no workspace.
    pub(crate) fn only_lacks_a_path(&self) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.any(|candidate| candidate.ruling == Ruling::Misfit(Misfit::NoPath))
    }

    fn push(&mut self, account: Account, ruling: Ruling) {
        self.candidates.push(Candidate::new(account, ruling));
    }

    fn describe(&self) -> String {
        let answering = self.answering().map(|it| (it, &Ruling::Answers));
        let others = self.candidates.iter().map(|it| (&it.account, &it.ruling));
        let (misfits, fitting): (Vec<_>, Vec<_>) = (answering.into_iter().chain(others))
            .partition(|(_, ruling)| matches!(ruling, Ruling::Misfit(_)));
        let fitting = fitting.iter();
        let fitting = fitting.map(|(account, ruling)| format!("'{}': {ruling:?}", account.name));
        let fitting: Vec<String> = fitting.collect();
        let misfits = misfits.len();
        format!("decision: {}; {misfits} do not fit", fitting.join("; "))
    }
}

impl Candidate {
    /// Why it does not answer although it fits, where a person can do something about it; and what.
    pub(crate) fn complaint(&self) -> Option<(String, String)> {
        let account = &self.account;
        let state = match &self.ruling {
            Ruling::Forbidden(objection) => {
                return Some((objection.notice(account), objection.fix(account)));
            }
            Ruling::NotAsked(objection) => {
                let fix = format!("take '{}' out of 'lookup' in config.toml", account.name);
                return Some((objection.to_string(), fix));
            }
            Ruling::Out(Standing::RefusedThere) => return Some(state::refused_there(account)),
            Ruling::NoSecret => State::Missing,
            Ruling::Out(_) if account.is_retired() => State::Retired,
            Ruling::Out(Standing::Expired) => State::Expired,
            Ruling::Out(_) => State::Rejected,
            _ => return None,
        };
        Some((state.complaint(account)?, state::fix(account)))
    }

    fn is_forbidden(&self) -> bool {
        matches!(self.ruling, Ruling::Forbidden(_) | Ruling::NotAsked(_))
    }
}
