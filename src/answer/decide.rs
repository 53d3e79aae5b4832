//! Who answers: the environment first, then the accounts, then the stores that are only looked into; and of what was
//! refused what is good again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::{Findings, Found};
use crate::account::probe;
use crate::account::rejection::{Asked, Rejection};
use crate::account::standing::Standing;
use crate::account::state::State;
use crate::account::{Account, Kept};
use crate::answer::matching::{self, Wanted};
use crate::answer::renewal;
use crate::answer::source;
use crate::answer::source::environment;
use crate::settings::session::Session;
use crate::sys::files::Lock;
use crate::sys::secret::Secret;
use crate::sys::trace;

/// What of an answer's time is left for writing down what Bitbucket said of a refused secret.
const NOTE: Duration = Duration::from_millis(500);

/// What the accounts have for a place.
struct Look {
    /// The account that is meant, with what its store has for it.
    candidate: Option<(Account, Option<Kept>)>,
    /// Why others do not answer, a line each.
    notices: Vec<String>,
    /// The first that the policy keeps from answering.
    forbidden: Option<anyhow::Error>,
}

impl Look {
    fn of(candidate: (Account, Option<Kept>)) -> Self {
        Self {
            candidate: Some(candidate),
            notices: Vec::new(),
            forbidden: None,
        }
    }
}

impl Session {
    /// The account that answers, with its secret, if there is one.
    ///
    /// # Errors
    /// When two accounts of the user's fit equally, or the store of the one that fits does not answer, or nothing fits but
    /// what the policy does not allow.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Result<Findings> {
        let now = Timestamp::now();
        let mut in_the_environment = None;
        if let Some((account, kept)) = environment::account(&wanted.host)? {
            trace::say(|| format!("match: {} of the environment", account.name));
            match self.objection(&account)? {
                None => return Ok(self.judged(Found { account, kept }, wanted, now)),
                Some(objection) => in_the_environment = Some(objection.to_using(&account)),
            }
        }
        let mut look = self.look(wanted, now)?;
        if matches!(look.candidate, Some((_, None))) {
            // The secret may have been replaced, and its entry with it, after we had read the account.
            look = self.look(wanted, now)?;
        }
        let Look {
            candidate,
            mut notices,
            forbidden,
        } = look;
        if let Some((account, kept)) = candidate {
            let (account, kept) = match kept {
                Some(kept) => {
                    let (account, kept) = renewal::current(self, account, kept)?;
                    (account, Some(kept))
                }
                None => (account, None),
            };
            let state = if kept.is_some() {
                State::of(&account, now)
            } else {
                State::Missing
            };
            notices.extend(state.notice(&account));
            return Ok(Findings {
                found: kept.map(|kept| Found { account, kept }),
                notices,
            });
        }
        let (found, elsewhere) = source::find(self, wanted)?;
        let Some(found) = found else {
            // Whoever reads a log wants to know as well, as it looks as if nobody had signed in.
            if let Some(forbidden) = in_the_environment.or(forbidden).or(elsewhere) {
                return Err(forbidden);
            }
            return Ok(Findings {
                found: None,
                notices,
            });
        };
        let judged = self.judged(found, wanted, now);
        notices.extend(judged.notices);
        Ok(Findings {
            found: judged.found,
            notices,
        })
    }

    /// A secret that lies in no store of ours, unless a server refused it and Bitbucket does not know it.
    fn judged(&self, mut found: Found, wanted: &Wanted<'_>, now: Timestamp) -> Findings {
        found.account.rejected = self.refusal_of(&found.kept.secret);
        let Found { account, kept } = &found;
        let may_ask = account.rejected.is_some_and(|it| it.may_ask(now));
        let may_answer = account.standing(now).may_answer()
            || may_ask && self.is_back_from_elsewhere(account, kept, wanted);
        if !may_answer {
            return Findings {
                found: None,
                notices: vec![source::refused_notice(account)],
            };
        }
        let notices = source::notice(account, now);
        Findings {
            found: Some(found),
            notices: notices.into_iter().collect(),
        }
    }

    fn look(&self, wanted: &Wanted<'_>, now: Timestamp) -> Result<Look> {
        let accounts = self.accounts_for(wanted)?;
        let policy = self.policy()?;
        let (allowed, forbidden): (Vec<_>, Vec<_>) = matching::fitting(&accounts, wanted)
            .into_iter()
            .partition(|(_, account)| policy.objection(account).is_none());
        let (aside, fitting): (Vec<_>, Vec<_>) = allowed
            .into_iter()
            .partition(|(_, account)| !account.standing(now).may_answer());
        trace::say(|| {
            let names = |accounts: &[(u8, &Account)]| {
                let named = accounts
                    .iter()
                    .map(|(exactness, account)| format!("'{}' ({exactness})", account.name));
                named.collect::<Vec<_>>().join(", ")
            };
            let total = accounts.iter().count();
            format!(
                "match: {total} accounts; fit: {}; set aside: {}; not allowed: {}",
                names(&fitting),
                names(&aside),
                names(&forbidden)
            )
        });
        let refused: Vec<_> = aside
            .iter()
            .filter(|(_, account)| account.standing(now) != Standing::Expired)
            .copied()
            .collect();
        match self.back_in_service(&refused, &fitting, wanted) {
            Some(Ok(back)) => return Ok(Look::of(back)),
            Some(Err(error)) if fitting.is_empty() => return Err(error),
            Some(Err(error)) => {
                trace::say(|| format!("oauth: {}", crate::sys::error::one_line(&error)));
            }
            None => {}
        }
        if let Some(account) = matching::choose(&fitting, wanted)? {
            let kept = self
                .secret_of(account)
                .with_context(|| format!("cannot read the secret of '{}'", account.name))?;
            return Ok(Look::of((account.clone(), kept)));
        }
        let notice = |account: &Account| match account.standing(now) {
            Standing::Expired => State::Expired.notice(account),
            _ => State::Rejected.notice(account),
        };
        let mut notices: Vec<String> = aside
            .iter()
            .filter_map(|(_, account)| notice(account))
            .collect();
        let mut forbidden = forbidden
            .iter()
            .filter_map(|(_, account)| Some(policy.objection(account)?.to_using(account)));
        let forbidden = forbidden.next();
        if notices.is_empty()
            && forbidden.is_none()
            && wanted.path.is_none()
            && matching::only_lacks_a_path(&accounts, wanted)
        {
            notices.push(format!(
                "the accounts for {} are each for a workspace, and git does not say which one it wants: \
                 'git credential-bitbucket setup' makes it say so",
                wanted.host
            ));
        }
        Ok(Look {
            candidate: None,
            notices,
            forbidden,
        })
    }

    /// Of the accounts that are set aside the one that would answer, if Bitbucket says now that it knows its secret; an
    /// OAuth grant, if it gives another, or why not.
    fn back_in_service(
        &self,
        aside: &[(u8, &Account)],
        fitting: &[(u8, &Account)],
        wanted: &Wanted<'_>,
    ) -> Option<Result<(Account, Option<Kept>)>> {
        if aside.is_empty() {
            return None;
        }
        let all = [aside, fitting].concat();
        let account = matching::choose(&all, wanted).ok().flatten()?;
        let is_aside = aside.iter().any(|(_, other)| other.entry == account.entry);
        if !is_aside || account.kind().is_none() || account.is_retired() {
            return None;
        }
        let rejection = || {
            let accounts = self.accounts()?;
            let mut accounts = accounts.iter();
            let known = accounts.find(|known| known.entry == account.entry);
            // Somebody may have signed in anew: then there is nothing to bring back.
            Ok(known.context("the account is gone")?.rejected)
        };
        let note = |rejection| self.set_rejected(account, Some(rejection));
        if !account.has_ended() && !account.rejected?.may_ask(Timestamp::now()) {
            return None;
        }
        if account.grant().is_some() {
            let current = renewal::anew(self, account);
            return Some(current.map(|(account, kept)| (account, Some(kept))));
        }
        let kept = self.secret_of(account).ok().flatten()?;
        let is_back = self.is_back(account, &kept.secret, wanted, &rejection, &note);
        let rejected = account.rejected;
        let rejected = rejected.map(|it| it.after(Asked::Known, Timestamp::now()));
        is_back.then(|| {
            let account = Account {
                rejected,
                ..account.clone()
            };
            Ok((account, Some(kept)))
        })
    }

    /// The same for a secret that lies in no store of ours.
    fn is_back_from_elsewhere(&self, account: &Account, kept: &Kept, wanted: &Wanted<'_>) -> bool {
        let rejection = || self.refusals()?.of(&kept.secret);
        let note = |rejection| self.refusals()?.note(&kept.secret, rejection);
        !account.is_retired() && self.is_back(account, &kept.secret, wanted, &rejection, &note)
    }

    /// Asks Bitbucket about a secret that a server refused, and notes the answer; one process at a time, and whoever
    /// has waited for another one takes that one's answer.
    fn is_back(
        &self,
        account: &Account,
        secret: &Secret,
        wanted: &Wanted<'_>,
        rejection: &dyn Fn() -> Result<Option<Rejection>>,
        note: &dyn Fn(Rejection) -> Result<()>,
    ) -> bool {
        let ask = || -> Result<bool> {
            let _lock = Lock::acquire(&self.locations()?.probe_lock(), self.patience())?;
            let now = Timestamp::now();
            let rejection = match rejection()? {
                Some(rejection) if rejection.may_ask(now) => rejection,
                // Somebody else has asked since, or used its one more chance.
                other => return Ok(other.is_none_or(|it| it.standing(now).may_answer())),
            };
            // Time to write the answer down.
            let deadline = Instant::now() + self.patience().saturating_sub(NOTE);
            let asked = probe::ask(account, secret, wanted.reach.as_ref(), deadline);
            // Where nothing can be written the answer is as good.
            let _ = note(rejection.after(asked, now));
            Ok(asked == Asked::Known)
        };
        ask().unwrap_or_else(|error| {
            trace::say(|| format!("probe: {}", crate::sys::error::one_line(&error)));
            false
        })
    }
}
