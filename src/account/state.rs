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
        let host = &account.host;
        let what = match self {
            // The store's own error says why.
            Self::Ok | Self::Unreachable => return None,
            Self::Unchecked => format!("is unchecked: {host} has not seen its secret yet"),
            Self::Expiring => format!("expires on {}", last_day(account)?),
            Self::Expired => format!("has expired on {}", last_day(account)?),
            Self::Missing => return Some(missing(account)),
            Self::Rejected if account.lies_elsewhere() => format!("was refused by {host}"),
            Self::Rejected => format!("was refused by {host} and is set aside"),
            Self::Retired => format!("is an app password; {}", bitbucket::removed("these")),
        };
        let what = format!("{} {what}", account.shown());
        Some(Hinted::new(what, self.fix(account)))
    }

    /// What to do about it: a new login fixes every state. Where Bitbucket was not asked, and can be, a question may do.
    pub(crate) fn fix(self, account: &Account) -> String {
        let is_retired = account.is_retired();
        let name = account.argument();
        let lacks_email = Identity::for_rest(account, Secret::default()) == Err(Missing::Email);
        let is_unasked = matches!(
            account.standing(Timestamp::now()),
            Standing::OneMoreChance | Standing::Resting
        );
        let can_be_asked = account.kind().is_some() && !is_retired && !lacks_email;
        let (command, effect) = match (account.origin, self) {
            (Origin::Variable(_), _) if is_retired => {
                return "set BITBUCKET_API_TOKEN instead".to_owned();
            }
            (Origin::Variable(_), _) => return "give it another value".to_owned(),
            (Origin::Source(_), _) if is_retired => return "put an API token there".to_owned(),
            (Origin::Source(_), _) => return "replace the secret there".to_owned(),
            (_, Self::Unchecked) if lacks_email => {
                (format!("edit {name} --email ADDRESS"), "allows the check")
            }
            (_, Self::Unchecked) => (format!("status --verify {name}"), "checks it"),
            _ if is_unasked && can_be_asked => (format!("status --verify {name}"), "asks again"),
            _ => (format!("login {name}"), "replaces it"),
        };
        format!("'git credential-bitbucket {command}' {effect}")
    }
}

/// That its store has no secret for it, and what to do.
pub(crate) fn missing(account: &Account) -> Hinted {
    let (name, store) = (account.shown(), account.store);
    let login = format!("git credential-bitbucket login {}", account.argument());
    Hinted::new(
        format!("{name} has no secret in the {store}"),
        format!("'{login}' replaces it"),
    )
}

/// That one repository refuses the secret, and what to do.
pub(crate) fn refused_there(account: &Account) -> Hinted {
    let (name, host) = (account.shown(), &account.host);
    Hinted::new(
        format!("{name} works, but {host} refuses it for this repository"),
        "give its owner access there, or sign in for it with an account that has access",
    )
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
