//! The decision who answers: the one place that knows the order of what can answer.

use anyhow::{Error, Result};
use jiff::Timestamp;

use crate::account::file::Accounts;
use crate::account::standing::Standing;
use crate::account::state::{self, State};
use crate::account::{Account, Kept, Origin};
use crate::answer::comeback;
use crate::answer::found::{Findings, Found};
use crate::answer::matching::{Misfit, Wanted};
use crate::answer::renewal;
use crate::answer::ruling::{self, Rank, Ruling, rule};
use crate::answer::shortlist;
use crate::answer::source::{self, environment};
use crate::settings::session::Session;
use crate::store::Name;
use crate::sys::error::{Hinted, one_line};
use crate::sys::secret::Secret;
use crate::sys::trace;

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
    pub(crate) failure: Option<Error>,
    /// Whether nothing that comes later in the order may answer any more.
    is_over: bool,
}

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

/// Fails when accounts, settings or policy cannot be read: nobody knows then who may answer.
pub(crate) fn decide(session: &Session, wanted: &Wanted<'_>, effort: Effort) -> Result<Decision> {
    let mut search = Search {
        session,
        wanted,
        effort,
        decision: Decision::default(),
    };
    // The order in which an answer is looked for.
    search.environment()?;
    search.accounts()?;
    search.sources()?;
    trace::say(|| search.decision.describe());
    Ok(search.decision)
}

/// The account with what its store has for it, fit to be used: a grant's token is renewed when it has to be.
pub(crate) fn secret_of(session: &Session, account: &Account) -> Result<Option<(Account, Kept)>> {
    let kept = renewal::read(session, account)?;
    kept.map(|kept| renewal::current(session, account.clone(), kept))
        .transpose()
}

struct Search<'a> {
    session: &'a Session,
    wanted: &'a Wanted<'a>,
    effort: Effort,
    decision: Decision,
}

impl Search<'_> {
    fn environment(&mut self) -> Result<()> {
        if let Some((account, kept)) = environment::account(&self.wanted.host)? {
            match self.session.objection_to_kept(&account, &kept)? {
                _ if !self.session.lets_answer(&account) => {
                    self.decision.push(account, Ruling::NotNamed);
                }
                Some(objection) => self.decision.push(account, Ruling::Forbidden(objection)),
                None => self.judge(self.session, account, kept),
            }
        }
        Ok(())
    }

    /// Rules on a secret that lies in no store of ours.
    fn judge(&mut self, session: &Session, mut account: Account, kept: Kept) {
        account.rejected = session.refusal_of(&kept.secret);
        let standing = match self.effort {
            Effort::Answer => comeback::of_elsewhere(session, &account, &kept, self.wanted),
            Effort::Explain => account.standing_at(self.wanted.reach.as_ref(), Timestamp::now()),
        };
        if standing.may_answer() {
            self.decision.answer(account, kept);
        } else {
            self.decision.is_over = true;
            self.decision.push(account, Ruling::Out(standing));
        }
    }

    fn accounts(&mut self) -> Result<()> {
        let decision = &mut self.decision;
        if decision.is_over {
            let mut before = decision.candidates.iter().filter_map(Candidate::account);
            let variable = before.next().map(|account| account.origin);
            if let (Some(Origin::Variable(name)), Effort::Explain) = (variable, self.effort) {
                // That they cannot be read makes no difference here.
                for account in self.session.accounts().unwrap_or_default().into_accounts() {
                    decision.push(account, Ruling::Outranked(Rank::Variable(name)));
                }
            }
            return Ok(());
        }
        let before = decision.candidates.len();
        self.look_at_accounts(self.session)?;
        let is_missing = |candidate: &Candidate| candidate.ruling == Ruling::NoSecret;
        if self.decision.candidates[before..].iter().any(is_missing) {
            // The secret may have been replaced, and its entry with it, after we had read the account.
            self.decision.candidates.truncate(before);
            self.look_at_accounts(&self.session.afresh_when_late())?;
        }
        Ok(())
    }

    fn look_at_accounts(&mut self, session: &Session) -> Result<()> {
        session.policy()?;
        let wanted = self.wanted;
        let mut accounts = match self.effort {
            Effort::Answer => shortlist::accounts(session, wanted)?,
            Effort::Explain => session.accounts()?,
        };
        let now = Timestamp::now();
        let hindrance = |account: &Account| ruling::hindrance(session, account, Timestamp::now());
        let of = |accounts: &Accounts| -> Vec<Ruling> {
            let rulings = rule(accounts, wanted, hindrance).into_iter();
            rulings.map(|(_, ruling)| ruling).collect()
        };
        let mut rulings = of(&accounts);
        let mut back = None;
        let is_out = |ruling: &Ruling| matches!(ruling, Ruling::Out(_));
        if self.effort == Effort::Answer && rulings.iter().any(is_out) {
            match comeback::of_account(session, &mut accounts, wanted, now) {
                Ok(secret) => {
                    back = secret;
                    rulings = of(&accounts);
                }
                Err(error) if !rulings.contains(&Ruling::Answers) => return Err(error),
                Err(error) => trace::say(|| format!("oauth: {}", one_line(&error))),
            }
        }
        for (account, ruling) in accounts.into_accounts().zip(rulings) {
            let is_back = |(entry, _): &mut (String, Kept)| *entry == account.entry;
            if ruling != Ruling::Answers {
                self.decision.push(account, ruling);
            } else if let Some((_, kept)) = back.take_if(is_back) {
                self.decision.answer(account, kept);
            } else {
                self.settle(session, account);
            }
        }
        Ok(())
    }

    /// Gets the secret of the account that is meant.
    fn settle(&mut self, session: &Session, account: Account) {
        let decision = &mut self.decision;
        decision.is_over = true;
        let outcome = match self.effort {
            Effort::Answer => secret_of(session, &account),
            Effort::Explain => renewal::read(session, &account)
                .map(|kept| kept.map(|kept| (account.clone(), kept))),
        };
        match outcome {
            Ok(Some((account, kept))) => decision.answer(account, kept),
            Ok(None) => decision.push(account, Ruling::NoSecret),
            Err(error) => {
                decision.failure = Some(error);
                decision.push(account, Ruling::Fails);
            }
        }
    }

    /// The stores that are only looked into, in the order of the settings.
    fn sources(&mut self) -> Result<()> {
        let is_over = self.decision.is_over || self.session.only().is_some();
        if is_over || !source::is_asked_for(self.session, self.wanted)? {
            return Ok(());
        }
        // Do not charge the keyring's delay to these stores.
        let mut session = self.session.afresh_when_late();
        for &source in &self.session.config()?.lookup {
            let name = Name::from(source);
            if let Some(objection) = session.policy()?.objection_to_store(name) {
                self.decision
                    .push_source(name, Ruling::Forbidden(objection));
                continue;
            }
            let found = source::look_into(&session, source, self.wanted);
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
                    let context = format!("cannot look into the store '{name}'");
                    self.decision.is_over = true;
                    self.decision.failure = Some(error.context(context));
                    self.decision.push_source(name, Ruling::Fails);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Decision {
    /// Fails when the secret of the chosen account cannot be had, or only forbidden ones fit.
    pub(crate) fn into_findings(mut self, wanted: &Wanted<'_>) -> Result<Findings> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if let Some((kept, position)) = self.kept.take().zip(self.answering_position())
            && let Who::Account(account) = self.candidates.swap_remove(position).who
        {
            let account = *account;
            let now = Timestamp::now();
            let notice = if account.lies_elsewhere() {
                source::notice(&account, now)
            } else {
                let state = State::of(&account, now);
                // git's success checks an unchecked one.
                let is_told = state != State::Unchecked;
                is_told.then(|| state.notice(&account)).flatten()
            };
            let found = Some(Found { account, kept });
            let notices = notice.into_iter().collect();
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

    pub(crate) fn answering(&self) -> Option<&Account> {
        self.candidates[self.answering_position()?].account()
    }

    fn answering_position(&self) -> Option<usize> {
        let mut candidates = self.candidates.iter();
        candidates.position(|candidate| candidate.ruling == Ruling::Answers)
    }

    /// The account that answers, and its secret.
    pub(crate) fn answer_in_hand(&self) -> Option<(&Account, &Secret)> {
        Some((self.answering()?, &self.kept.as_ref()?.secret))
    }

    /// Whether an account does not fit only because the request tells no workspace.
    pub(crate) fn only_lacks_a_path(&self) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.any(|candidate| candidate.ruling == Ruling::Misfit(Misfit::NoPath))
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
}

/// Why a candidate that fits does not answer, where a person can do something about it.
fn notice(candidate: &Candidate) -> Option<String> {
    let account = candidate.account()?;
    match candidate.ruling {
        Ruling::NoSecret => State::Missing.notice(account),
        Ruling::Out(Standing::RefusedThere) => Some(state::refused_there(account)),
        Ruling::Out(_) if account.lies_elsewhere() => Some(source::refused_notice(account)),
        Ruling::Out(_) if account.is_retired() => State::Retired.notice(account),
        Ruling::Out(Standing::Expired) => State::Expired.notice(account),
        Ruling::Out(_) => State::Rejected.notice(account),
        _ => None,
    }
}

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
