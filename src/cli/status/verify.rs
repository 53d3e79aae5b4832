//! `status --verify`: asks Bitbucket about each account; its answer sets the state.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;

use crate::account::rejection::{Probed, Rejection};
use crate::account::verify::Meaning;
use crate::account::{Account, Kept, verify};
use crate::answer::renewal;
use crate::answer::source::environment;
use crate::bitbucket;
use crate::cli::output;
use crate::settings::Session;
use crate::sys::parallel::in_parallel;
use crate::sys::{error, message};

/// The time limit for all accounts together.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks about each account, or the named one, and about the environment's. Tells each answer when it comes.
pub(crate) fn run(session: &Session, name: Option<&str>) -> Result<()> {
    let asked = whom_to_ask(session, name)?;
    let deadline = Instant::now() + PATIENCE;
    let one_at_a_time = Mutex::new(());
    let verdicts = in_parallel(&asked, |(account, kept)| {
        let mut account = account.clone();
        let verdict = verify::check(&mut account, &kept.secret, deadline);
        let _one = one_at_a_time.lock();
        output::tell_about(&account, &verdict);
        (account, verdict)
    });
    for ((account, kept), (checked, verdict)) in asked.iter().zip(verdicts) {
        let now = Timestamp::now();
        let rejected = match verdict.meaning {
            Meaning::Good | Meaning::Limited | Meaning::Misplaced => None,
            Meaning::Refused => {
                let before = account.rejected.clone();
                Some(Rejection::again(before, None, now).after(Probed::Unknown, None, now))
            }
            // git may be let in all the same.
            Meaning::Mistaken | Meaning::Unchecked => continue,
        };
        let told = |account: &Account| (account.owner.clone(), account.scheme());
        let is_news = rejected.is_none() && told(&checked) != told(account);
        if is_news && !account.lies_elsewhere() {
            // The rest of the sign-in may change meanwhile: a renewal keeps its notes there.
            session.change(account, |known| {
                known.set_scheme(checked.scheme());
                known.owner = checked.owner;
            })?;
        }
        session.judge(account, &kept.secret, |_| rejected)?;
    }
    Ok(())
}

/// The accounts that Bitbucket can be asked about, with their secrets.
fn whom_to_ask(session: &Session, name: Option<&str>) -> Result<Vec<(Account, Kept)>> {
    let accounts = session.accounts()?;
    let mut asked = Vec::new();
    for account in output::pick_some(&accounts, name)? {
        // The state shows a silent store or a missing secret, and a line below the table what the policy forbids.
        let Ok(Some(kept)) = session.secret_of(account) else {
            continue;
        };
        if account.kind().is_none() {
            message::warn(format_args!(
                "'{}' is unchecked: its kind is unknown, so there is nowhere to ask",
                account.name
            ));
            continue;
        }
        match renewal::again(session, account.clone(), kept) {
            Ok(current) => asked.push(current),
            Err(error) => message::warn(error::one_line(&error)),
        }
    }
    if name.is_none() {
        asked.extend(environment::allowed_account(session, &bitbucket::cloud())?);
    }
    Ok(asked)
}
