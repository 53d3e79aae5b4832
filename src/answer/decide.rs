//! The decision who answers: the one place that knows the order of what can answer.

use anyhow::{Context as _, Error, Result};
use jiff::Timestamp;

use crate::account::standing::Standing;
use crate::account::state::{self, State};
use crate::account::{Account, Kept, Origin};
use crate::answer::comeback::{self, Comeback};
use crate::answer::found::{Findings, Found};
use crate::answer::matching::{Misfit, Wanted};
use crate::answer::renewal;
use crate::answer::ruling::{self, Rank, Ruling, rule};
use crate::answer::shortlist;
use crate::answer::source::{self, environment};
use crate::settings::session::Session;
use crate::store::Name;
use crate::sys::error::Hinted;
use crate::sys::trace;

/// How far a decision goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// To an answer: Bitbucket is asked about a refused secret, a grant is renewed, and what comes after is not looked at.
    Answer,
    /// To a ruling on every candidate. Nothing changes, and Bitbucket is asked nothing.
    Explain,
}

/// Who answers, and what became of each other candidate.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// In the order in which they were considered.
    pub(crate) candidates: Vec<Candidate>,
    /// What the candidate that answers has.
    kept: Option<Kept>,
    /// Why what the candidate has that is meant cannot be had.
    failure: Option<Error>,
    /// Whether nothing that comes later in the order may answer any more.
    is_over: bool,
}

/// Somebody who could answer.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) who: Who,
    pub(crate) ruling: Ruling,
}

#[derive(Debug)]
pub(crate) enum Who {
    Account(Box<Account>),
    /// A store that is only looked into, and that told no account.
    Source(Name),
}

type Stage = fn(&Session, &Wanted<'_>, Effort, &mut Decision) -> Result<()>;

/// The order in which an answer is looked for.
const ORDER: [Stage; 3] = [of_environment, of_accounts, of_sources];

/// Decides who answers.
/// Fails when accounts, settings or policy cannot be read: nobody knows then who may answer.
pub(crate) fn decide(session: &Session, wanted: &Wanted<'_>, effort: Effort) -> Result<Decision> {
    let mut decision = Decision::default();
    for stage in ORDER {
        stage(session, wanted, effort, &mut decision)?;
        if decision.is_over && effort == Effort::Answer {
            break;
        }
    }
    trace::say(|| decision.describe());
    Ok(decision)
}

/// The account with what its store has for it, fit to be used: a grant's token is renewed when it has to be.
pub(crate) fn secret_of(session: &Session, account: &Account) -> Result<Option<(Account, Kept)>> {
    let kept = session
        .secret_of(account)
        .map_err(|error| unreadable(account, error))?;
    kept.map(|kept| renewal::current(session, account.clone(), kept))
        .transpose()
}

fn unreadable(account: &Account, error: Error) -> Error {
    error.context(format!("cannot read the secret of '{}'", account.name))
}

fn of_environment(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    decision: &mut Decision,
) -> Result<()> {
    let Some((account, kept)) = environment::account(&wanted.host)? else {
        return Ok(());
    };
    match session.objection_to_kept(&account, &kept)? {
        Some(objection) => decision.push(account, Ruling::Forbidden(objection)),
        None => judge(session, wanted, effort, Found { account, kept }, decision),
    }
    Ok(())
}

/// Rules on a secret that lies in no store of ours.
fn judge(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    found: Found,
    decision: &mut Decision,
) {
    let Found { mut account, kept } = found;
    let now = Timestamp::now();
    account.rejected = session.refusal_of(&kept.secret);
    let standing = match effort {
        Effort::Answer => comeback::of_elsewhere(session, &account, &kept, wanted),
        Effort::Explain => account.standing_at(wanted.reach.as_ref(), now),
    };
    if standing.may_answer() {
        decision.answer(account, kept);
    } else {
        decision.is_over = true;
        decision.push(account, Ruling::Out(standing));
    }
}

fn of_accounts(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    decision: &mut Decision,
) -> Result<()> {
    if decision.is_over {
        let mut before = decision.candidates.iter().filter_map(Candidate::account);
        let Some(Origin::Variable(variable)) = before.next().map(|account| account.origin) else {
            return Ok(());
        };
        // That they cannot be read makes no difference here.
        for account in session.accounts().unwrap_or_default().into_accounts() {
            decision.push(account, Ruling::Outranked(Rank::Variable(variable)));
        }
        return Ok(());
    }
    let before = decision.candidates.len();
    look_at_accounts(session, wanted, effort, decision)?;
    let is_missing = |candidate: &Candidate| candidate.ruling == Ruling::NoSecret;
    if decision.candidates[before..].iter().any(is_missing) {
        // The secret may have been replaced, and its entry with it, after we had read the account.
        decision.candidates.truncate(before);
        look_at_accounts(&session.afresh_when_late(), wanted, effort, decision)?;
    }
    Ok(())
}

fn look_at_accounts(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    decision: &mut Decision,
) -> Result<()> {
    session.policy()?;
    let accounts = match effort {
        Effort::Answer => shortlist::accounts(session, wanted)?,
        Effort::Explain => session.accounts()?,
    };
    let now = Timestamp::now();
    let hindrance = |account: &Account| ruling::hindrance(session, account, now);
    let mut rulings = rule(&accounts, wanted, hindrance);
    let mut kept = None;
    if effort == Effort::Answer
        && rulings
            .iter()
            .any(|(_, ruling)| matches!(ruling, Ruling::Out(_)))
    {
        match comeback::of_account(session, &accounts, wanted, now) {
            Some((back, Comeback::Back(account, secret))) => {
                // It comes back into service: the same order holds, as if nothing had been noted against it.
                rulings = rule(&accounts, wanted, |account| {
                    hindrance(account).filter(|_| account.entry != back)
                });
                kept = Some((*account, secret));
            }
            Some((there, Comeback::RefusedThere)) => {
                let mut rulings = rulings.iter_mut();
                if let Some((_, ruling)) = rulings.find(|(account, _)| account.entry == there) {
                    *ruling = Ruling::Out(Standing::RefusedThere);
                }
            }
            Some((_, Comeback::Fails(error)))
                if !rulings.iter().any(|(_, it)| *it == Ruling::Answers) =>
            {
                return Err(error);
            }
            Some((_, Comeback::Fails(error))) => {
                trace::say(|| format!("oauth: {}", crate::sys::error::one_line(&error)));
            }
            None => {}
        }
    }
    let rulings: Vec<Ruling> = rulings.into_iter().map(|(_, ruling)| ruling).collect();
    for (account, ruling) in accounts.into_accounts().zip(rulings) {
        if ruling != Ruling::Answers {
            decision.push(account, ruling);
        } else if let Some((account, kept)) = kept.take() {
            decision.answer(account, kept);
        } else {
            decision.settle(session, effort, account);
        }
    }
    Ok(())
}

/// The stores that are only looked into, in the order of the settings.
fn of_sources(
    session: &Session,
    wanted: &Wanted<'_>,
    effort: Effort,
    decision: &mut Decision,
) -> Result<()> {
    if decision.is_over || !source::is_asked_for(session, wanted)? {
        return Ok(());
    }
    // Do not charge the keyring's delay to these stores.
    let mut session = session.afresh_when_late();
    let sources = source::names(&session)?;
    for source in sources {
        let name = Name::from(source);
        if let Some(objection) = session.policy()?.objection_to_store(name) {
            decision.push_source(name, Ruling::Forbidden(objection));
            continue;
        }
        let found = source::look_into(&session, source, wanted);
        // These waits have bounds of their own.
        session = session.afresh();
        match found {
            Ok(None) => trace::say(|| format!("lookup: '{name}' has nothing")),
            Ok(Some(found)) => {
                let Found { account, kept } = &found;
                let Some(objection) = session.objection_to_kept(account, kept)? else {
                    judge(&session, wanted, effort, found, decision);
                    return Ok(());
                };
                decision.push(found.account, Ruling::Forbidden(objection));
            }
            // What comes after it is not asked, as that might have another account's.
            Err(error) => {
                let context = format!("cannot look into the store '{name}'");
                decision.is_over = true;
                decision.failure = Some(error.context(context));
                decision.push_source(name, Ruling::Fails);
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Decision {
    /// What answers, or why nothing does.
    /// Fails when the secret of the one that is meant cannot be had, or nothing fits but what
    /// the policy forbids.
    pub(crate) fn into_findings(mut self, wanted: &Wanted<'_>) -> Result<Findings> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if let Some(kept) = self.kept.take() {
            let account = self
                .candidates
                .into_iter()
                .find_map(Candidate::that_answers);
            let account = account.context("an answer has its candidate")?;
            let notices = notice_of_answer(&account).into_iter().collect();
            let found = Some(Found { account, kept });
            return Ok(Findings { found, notices });
        }
        let mut notices: Vec<String> = self.candidates.iter().filter_map(notice).collect();
        if !self.is_over {
            if let Some(forbidden) = self.candidates.iter().find_map(forbidden) {
                return Err(forbidden);
            }
            if notices.is_empty() && wanted.path.is_none() && self.only_lacks_a_path() {
                notices.push(format!(
                    "the accounts for {} are each for a workspace, and git does not say which one it wants: \
                     'git credential-bitbucket setup' makes it say so",
                    wanted.host
                ));
            }
        }
        let found = None;
        Ok(Findings { found, notices })
    }

    /// The account that answers.
    pub(crate) fn answering(&self) -> Option<&Account> {
        let mut candidates = self.candidates.iter();
        let answering = candidates.find(|candidate| candidate.ruling == Ruling::Answers);
        answering.and_then(Candidate::account)
    }

    /// Whether an account does not fit only because the request tells no workspace.
    pub(crate) fn only_lacks_a_path(&self) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.any(|candidate| candidate.ruling == Ruling::Misfit(Misfit::NoPath))
    }

    /// Why what is meant cannot be had.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    fn push(&mut self, account: Account, ruling: Ruling) {
        let who = Who::Account(Box::new(account));
        self.candidates.push(Candidate { who, ruling });
    }

    fn push_source(&mut self, name: Name, ruling: Ruling) {
        let who = Who::Source(name);
        self.candidates.push(Candidate { who, ruling });
    }

    fn answer(&mut self, account: Account, kept: Kept) {
        self.is_over = true;
        self.kept = Some(kept);
        self.push(account, Ruling::Answers);
    }

    /// Gets the secret of the account that is meant.
    fn settle(&mut self, session: &Session, effort: Effort, account: Account) {
        self.is_over = true;
        let outcome = match effort {
            Effort::Answer => secret_of(session, &account),
            Effort::Explain => match session.secret_of(&account) {
                Ok(kept) => Ok(kept.map(|kept| (account.clone(), kept))),
                Err(error) => Err(unreadable(&account, error)),
            },
        };
        match outcome {
            Ok(Some((account, kept))) => self.answer(account, kept),
            Ok(None) => self.push(account, Ruling::NoSecret),
            Err(error) => {
                self.failure = Some(error);
                self.push(account, Ruling::Fails);
            }
        }
    }

    fn describe(&self) -> String {
        let fits = |candidate: &&Candidate| !matches!(candidate.ruling, Ruling::Misfit(_));
        let fitting = self.candidates.iter().filter(fits);
        let fitting = fitting.map(|candidate| match &candidate.who {
            Who::Account(account) => format!("'{}': {:?}", account.name, candidate.ruling),
            Who::Source(name) => format!("store '{name}': {:?}", candidate.ruling),
        });
        let fitting: Vec<String> = fitting.collect();
        let others = self.candidates.len() - fitting.len();
        format!("decision: {}; {others} do not fit", fitting.join("; "))
    }
}

impl Candidate {
    pub(crate) fn account(&self) -> Option<&Account> {
        match &self.who {
            Who::Account(account) => Some(account),
            Who::Source(_) => None,
        }
    }

    fn that_answers(self) -> Option<Account> {
        match self.who {
            Who::Account(account) if self.ruling == Ruling::Answers => Some(*account),
            _ => None,
        }
    }
}

/// What a person would want to know of an account that answers.
fn notice_of_answer(account: &Account) -> Option<String> {
    if account.lies_elsewhere() {
        source::notice(account, Timestamp::now())
    } else {
        State::of(account, Timestamp::now()).notice(account)
    }
}

/// Why a candidate that fits does not answer, where a person can do something about it.
fn notice(candidate: &Candidate) -> Option<String> {
    let account = candidate.account()?;
    match candidate.ruling {
        Ruling::NoSecret => State::Missing.notice(account),
        Ruling::Out(Standing::RefusedThere) => Some(state::refused_there(account)),
        Ruling::Out(_) if account.lies_elsewhere() => Some(source::refused_notice(account)),
        Ruling::Out(Standing::Expired) => State::Expired.notice(account),
        Ruling::Out(_) => State::Rejected.notice(account),
        _ => None,
    }
}

/// That the policy forbids a candidate.
fn forbidden(candidate: &Candidate) -> Option<Error> {
    let Ruling::Forbidden(objection) = &candidate.ruling else {
        return None;
    };
    Some(match &candidate.who {
        Who::Account(account) => objection.to_using(account),
        Who::Source(name) => {
            let hint = format!("take '{name}' out of 'lookup' in config.toml");
            Hinted::new(objection.to_string(), hint).into()
        }
    })
}
