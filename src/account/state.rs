//! The state of an account that people see, and the words for it: the same everywhere.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::account::present::Missing;
use crate::account::record::{Account, Origin};
use crate::account::rejection::Standing;
use crate::bitbucket;
use crate::git::Identity;
use crate::sys::words::words;
use crate::sys::{Hinted, Secret};

/// How many days before its end an account counts as expiring.
const AHEAD: i64 = 14;

words! {
    /// The state of an account. The names are a contract: `status --json` shows them.
    pub(crate) enum State {
        Ok = "ok",
        Unchecked = "unchecked",
        /// Within the next 14 days.
        Expiring = "expiring",
        Expired = "expired",
        Missing = "missing",
        /// A server refused the secret, or a grant yields no new token.
        Rejected = "rejected",
        Retired = "retired",
        Unreachable = "unreachable",
    }
}

impl State {
    /// The state as far as it is known without the store.
    pub(crate) fn of(account: &Account, now: Timestamp) -> Self {
        if account.is_retired() {
            return Self::Retired;
        }
        let today = now.to_zoned(TimeZone::UTC).date();
        match (account.standing(now), last_day(account)) {
            (Standing::Expired, _) => Self::Expired,
            (Standing::InService, Some(day)) if day < today => Self::Expired,
            (Standing::InService, Some(day)) if day <= today.saturating_add(AHEAD.days()) => {
                Self::Expiring
            }
            (Standing::InService, _) if account.unchecked => Self::Unchecked,
            (Standing::InService, _) => Self::Ok,
            _ => Self::Rejected,
        }
    }

    pub(crate) fn needs_attention(self) -> bool {
        !matches!(self, Self::Ok | Self::Unchecked | Self::Expiring)
    }

    /// What is wrong with the account, and how to fix it.
    pub(crate) fn complaint(self, account: &Account) -> Option<Hinted> {
        let Account { host, store, .. } = account;
        let what = match self {
            // The store's own error says why.
            Self::Ok | Self::Unreachable => return None,
            Self::Unchecked => format!("is unchecked: {host} has not seen its secret yet"),
            Self::Expiring => format!("expires on {}", last_day(account)?),
            Self::Expired => format!("has expired on {}", last_day(account)?),
            Self::Missing => format!("has no secret in the {store}"),
            Self::Rejected if account.lies_elsewhere() => format!("was refused by {host}"),
            Self::Rejected => format!("was refused by {host} and is set aside"),
            Self::Retired => format!("is an app password; {}", bitbucket::removed("these")),
        };
        let fix = match self {
            Self::Unchecked => how_to_check(account),
            _ => fix(account),
        };
        Some(Hinted::new(format!("{} {what}", account.shown()), fix))
    }
}

/// That one repository refuses the secret, and what to do.
pub(crate) fn refused_there(account: &Account) -> Hinted {
    let (name, host) = (account.shown(), &account.host);
    Hinted::new(
        format!("{name} works, but {host} refuses it for this repository"),
        "give its owner access there, or sign in for it with an account that has access",
    )
}

/// How to fix it: a new login fixes every state. Where Bitbucket was not asked, and can be, a question may do.
pub(crate) fn fix(account: &Account) -> String {
    let elsewhere = match account.origin {
        Origin::Variable(_) if account.is_retired() => Some("set BITBUCKET_API_TOKEN instead"),
        Origin::Variable(_) => Some("give it another value"),
        Origin::Source(_) if account.is_retired() => Some("put an API token there"),
        Origin::Source(_) => Some("replace the secret there"),
        Origin::Git | Origin::Login => None,
    };
    if let Some(fix) = elsewhere {
        return fix.to_owned();
    }
    let name = account.argument();
    let is_unasked = matches!(
        account.standing(Timestamp::now()),
        Standing::OneMoreChance | Standing::Resting
    );
    let can_be_asked = account.kind().is_some() && !account.is_retired() && !lacks_email(account);
    if is_unasked && can_be_asked {
        format!("'git credential-bitbucket status --verify {name}' asks again")
    } else {
        format!("'git credential-bitbucket login {name}' replaces it")
    }
}

/// Whether Bitbucket can only be asked once the e-mail is known.
fn lacks_email(account: &Account) -> bool {
    Identity::for_rest(account, Secret::default()) == Err(Missing::Email)
}

/// The command that makes Bitbucket say whether the secret works.
pub(crate) fn how_to_check(account: &Account) -> String {
    let name = account.argument();
    if lacks_email(account) {
        format!("'git credential-bitbucket edit {name} --email ADDRESS' allows the check")
    } else {
        format!("'git credential-bitbucket status --verify {name}' checks it")
    }
}

/// When the secret ends, as git said. The end of an access token that we renew does not matter.
pub(crate) fn expiry(account: &Account) -> Option<Timestamp> {
    if account.grant().is_some() {
        return None;
    }
    Timestamp::from_second(i64::try_from(account.password_expiry_utc?).ok()?).ok()
}

/// The last day, UTC, on which the secret works, as the user or git said.
fn last_day(account: &Account) -> Option<Date> {
    account
        .expires
        .or_else(|| Some(expiry(account)?.to_zoned(TimeZone::UTC).date()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use jiff::tz::TimeZone;

    use super::State;
    use crate::account::sign_in::Known;
    use crate::account::{Account, Origin};
    use crate::bitbucket::{Kind, cloud};

    #[test]
    fn a_secret_is_good_to_the_end_of_its_last_day_and_told_fourteen_days_ahead() {
        let mut account = Account::new(
            "work".to_owned(),
            cloud(),
            Origin::Login,
            Known::new(Kind::ApiToken),
        );
        account.expires = Some("2026-11-21".parse().expect("a day"));
        let on = |day: &str| {
            let day: Date = day.parse().expect("a day");
            let start = day.to_zoned(TimeZone::UTC).expect("a time");
            State::of(&account, start.timestamp())
        };
        assert_eq!(on("2026-11-06"), State::Ok);
        assert_eq!(on("2026-11-07"), State::Expiring);
        assert_eq!(on("2026-11-21"), State::Expiring);
        assert_eq!(on("2026-11-22"), State::Expired);
        assert!(State::Expired.needs_attention() && !State::Expiring.needs_attention());
        assert_eq!(
            State::Expired
                .complaint(&account)
                .map(|it| it.on_one_line())
                .as_deref(),
            Some(
                "'work' has expired on 2026-11-21: 'git credential-bitbucket login work' replaces it"
            )
        );
    }
}
