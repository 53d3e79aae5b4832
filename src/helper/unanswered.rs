//! A request that nobody answers: why, and whose place a new token may take.

use anyhow::Result;
use jiff::Timestamp;

use crate::account::rejection::Rejection;
use crate::account::{Account, Standing};
use crate::answer::decide::{Candidate, Decision};
use crate::answer::found::Effort;
use crate::answer::matching::Misfit;
use crate::answer::ruling::Ruling;
use crate::answer::{Findings, Wanted, decide};
use crate::bitbucket;
use crate::settings::Session;
use crate::sys::Secret;

#[derive(Default)]
pub(super) struct Unanswered {
    /// None where nobody has signed in to the host.
    pub(super) why: Option<String>,
    /// Whether there are accounts, none of them for what is wanted.
    is_for_others: bool,
    /// The accounts that fit, and whose secret is refused or gone.
    pub(super) out: Vec<Account>,
    /// There are accounts, and git only has to say what it wants: a new one would not be the cure.
    pub(super) lacks_a_path: bool,
}

pub(super) fn look(session: &Session, wanted: &Wanted<'_>) -> Result<(Findings, Unanswered)> {
    let decision = decide(session, wanted, Effort::Answer)?;
    let is_out = |candidate: &Candidate| match candidate.ruling {
        // Ours works elsewhere, and stays.
        Ruling::Out(Standing::RefusedThere) => {
            candidate.account().is_some_and(Account::lies_elsewhere)
        }
        Ruling::Out(_) | Ruling::NoSecret => true,
        _ => false,
    };
    let out = decision.candidates.iter().filter(|it| is_out(it));
    let out: Vec<Account> = out.filter_map(Candidate::account).cloned().collect();
    let lacks_a_path = wanted.path.is_none() && out.is_empty() && decision.only_lacks_a_path();
    let for_others = for_others(&decision, wanted);
    let findings = decision.into_findings(wanted)?;
    let notices = Some(findings.notices.join("; ")).filter(|notices| !notices.is_empty());
    let unanswered = Unanswered {
        is_for_others: notices.is_none() && for_others.is_some(),
        why: notices.or(for_others),
        out,
        lacks_a_path,
    };
    Ok((findings, unanswered))
}

/// Says what the accounts of the host are for, the first of them at least.
fn for_others(decision: &Decision, wanted: &Wanted<'_>) -> Option<String> {
    const MOST: usize = 3;
    if decision.answering().is_some() {
        return None;
    }
    let is_there = |candidate: &&Candidate| candidate.ruling != Ruling::Misfit(Misfit::OtherHost);
    let accounts = decision.candidates.iter().filter(is_there);
    let told = accounts.filter_map(Candidate::account).map(|account| {
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
    pub(super) fn line(&self, wanted: &Wanted<'_>) -> String {
        let home = bitbucket::home_of(&wanted.host);
        match &self.why {
            None => format!(
                "nobody has signed in to {home}: '{}' signs in",
                wanted.login(None)
            ),
            Some(why) if self.is_for_others => {
                format!("{why}; '{}' signs in", wanted.login(wanted.reach.as_ref()))
            }
            Some(why) => why.clone(),
        }
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
