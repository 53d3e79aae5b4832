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
    /// In the order in which they were considered; one answers at most.
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
    /// Rules on a secret that lies in no store of ours. If `another_fits`, it is passed over where it can never work, and
    /// nobody is asked about one that was just refused.
    fn judge(
        &self,
        session: &Session,
        (mut account, kept): (Account, Kept),
        another_fits: bool,
    ) -> Result<Candidate> {
        account.rejected = session.refusal_of(&kept.secret);
        let now = Timestamp::now();
        let refused = account.rejected.as_ref();
        let is_passed = another_fits && refused.is_some_and(|it| it.is_recent(now));
        let ruling = match session.objection_to_kept(&account, &kept)? {
            _ if !session.lets_answer(&account) => Ruling::NotNamed,
            Some(objection) => Ruling::Forbidden(objection),
            None if another_fits && account.is_retired() => Ruling::Outranked(Rank::Retired),
            None => {
                if self.effort == Effort::Answer && !is_passed {
                    account = comeback::asked(session, &account, &kept.secret, self.wanted);
                }
                match account.standing_at(self.wanted.reach.as_ref(), now) {
                    standing if standing.may_answer() => Ruling::Answers,
                    standing => Ruling::Out(standing),
                }
            }
        };
        Ok(Candidate {
            kept: Some(kept),
            ..Candidate::new(account, ruling)
        })
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
        let hindrance = |account: &Account| ruling::hindrance(session, account, wanted);
        let of = |accounts: &Accounts| -> Vec<Ruling> {
            let rulings = rule(accounts, wanted, hindrance).into_iter();
            rulings.map(|(_, ruling)| ruling).collect()
        };
        let mut rulings = of(&accounts);
        let another_fits = rulings.contains(&Ruling::Answers);
        let variable = environment::account(session, &wanted.host)?;
        let variable = variable.map(|it| self.judge(session, it, another_fits));
        let variable = variable.transpose()?;
        let is_first = variable.as_ref().is_some_and(Candidate::answers);
        // That the accounts cannot be read makes no difference then.
        if let Some(error) = unread.filter(|_| !is_first) {
            return Err(error);
        }
        let mut back = None;
        let is_out = |ruling: &Ruling| matches!(ruling, Ruling::Out(_));
        if self.effort == Effort::Answer && !is_first && rulings.iter().any(is_out) {
            match comeback::of_account(session, &mut accounts, wanted) {
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
        let decision = &mut self.decision;
        decision.chosen = choice::among(session, wanted, self.effort, &mut all);
        if let Some(it) = all.iter_mut().find(|it| it.answers()) {
            decision.is_over = true;
            decision.failure = it.get_secret(session, self.effort).err();
        }
        decision.candidates = all;
        Ok(())
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
                let it = Candidate::new(account, Ruling::Forbidden(objection));
                self.decision.candidates.push(it);
                continue;
            }
            let found = source::look_into(&session, name, self.wanted);
            // These waits have bounds of their own.
            session = session.afresh();
            match found {
                Ok(None) => trace::say(|| format!("lookup: '{name}' has nothing")),
                Ok(Some(found)) => {
                    let it = self.judge(&session, found, false)?;
                    self.decision.is_over = !it.is_forbidden();
                    self.decision.candidates.push(it);
                    if self.decision.is_over {
                        return Ok(());
                    }
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
        if let Some(Candidate { account, .. }) = self.answering() {
            let complaint = match State::of(account, Timestamp::now()) {
                State::Rejected if account.lies_elsewhere() => None,
                // git's success checks an unchecked one.
                State::Unchecked => None,
                state => state.complaint(account),
            };
            return Ok(complaint.iter().map(Hinted::on_one_line).collect());
        }
        let (forbidden, others): (Vec<_>, Vec<_>) =
            self.candidates.iter().partition(|it| it.is_forbidden());
        let complaints = others.into_iter().filter_map(Candidate::complaint);
        let mut notices: Vec<String> = complaints.map(|it| it.on_one_line()).collect();
        if !self.is_over {
            if let Some(complaint) = forbidden.into_iter().find_map(Candidate::complaint) {
                return Err(complaint.into());
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

    pub(crate) fn answering(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|it| it.answers())
    }

    pub(crate) fn into_found(self) -> Option<Found> {
        let it = self.candidates.into_iter().find(Candidate::answers)?;
        Some(Found {
            account: it.account,
            kept: it.kept?,
        })
    }

    /// That Bitbucket opens the repository to none of those that fit, and what to do.
    pub(crate) fn closed(&self) -> Option<&str> {
        self.answering()?;
        self.chosen.as_ref()?.closed.as_deref()
    }

    /// Whether an account does not fit only because the request tells no workspace.
    pub(crate) fn only_lacks_a_path(&self) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.any(|candidate| candidate.ruling == Ruling::Misfit(Misfit::NoPath))
    }

    fn describe(&self) -> String {
        let (misfits, fitting): (Vec<_>, Vec<_>) =
            (self.candidates.iter()).partition(|it| matches!(it.ruling, Ruling::Misfit(_)));
        let fitting = fitting.iter();
        let fitting = fitting.map(|it| format!("'{}': {:?}", it.account.name, it.ruling));
        let fitting: Vec<String> = fitting.collect();
        let misfits = misfits.len();
        format!("decision: {}; {misfits} do not fit", fitting.join("; "))
    }
}

impl Candidate {
    fn answers(&self) -> bool {
        self.ruling == Ruling::Answers
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self.ruling, Ruling::Forbidden(_))
    }

    /// Gets the secret of the one that is meant, unless it is known. Without one it does not answer.
    fn get_secret(&mut self, session: &Session, effort: Effort) -> Result<()> {
        if self.kept.is_some() {
            return Ok(());
        }
        self.ruling = Ruling::Fails;
        if effort != Effort::Answer {
            self.kept = renewal::read(session, &self.account)?;
        } else if let Some((account, kept)) = renewal::secret_of(session, &self.account)? {
            (self.account, self.kept) = (account, Some(kept));
        }
        self.ruling = match self.kept {
            Some(_) => Ruling::Answers,
            None => Ruling::NoSecret,
        };
        Ok(())
    }

    /// Why it does not answer although it fits, where a person can do something about it; and what.
    pub(crate) fn complaint(&self) -> Option<Hinted> {
        let account = &self.account;
        match &self.ruling {
            Ruling::Forbidden(objection) => Some(objection.to_using(account)),
            Ruling::Out(Standing::RefusedThere) => Some(state::refused_there(account)),
            Ruling::Out(_) => State::of(account, Timestamp::now()).complaint(account),
            Ruling::NoSecret => Some(state::missing(account)),
            _ => None,
        }
    }
}
