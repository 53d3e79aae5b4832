//! A server refused a secret: how long the secret rests, and when Bitbucket is asked about it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::standing::Standing;

/// A server's refusals of a secret, and what Bitbucket said about it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// When it was last refused.
    pub(crate) at: Timestamp,
    /// How often it was refused since it last worked.
    pub(crate) times: u32,
    /// When Bitbucket was last asked, if it did not say that it knows the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Timestamp>,
    /// Bitbucket said that it knows the secret: it is in service again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_back: bool,
    /// How often the secret came back since [`Rejection::since`].
    #[serde(default, skip_serializing_if = "is_zero")]
    returns: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

/// What Bitbucket says about a secret that a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// Bitbucket knows it.
    Known,
    /// Bitbucket does not know it.
    Unknown,
    /// Bitbucket could not be asked, or its answer decides nothing.
    Nobody,
}

/// How long a refused secret rests before it gets one more chance, and before Bitbucket is asked again.
const REST: SignedDuration = SignedDuration::from_mins(10);
/// More than five comebacks in ten minutes: stop trusting them. git-lfs asks for ever.
const MOST_RETURNS: u32 = 5;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Rejection {
    /// Adds a refusal to the earlier ones.
    ///
    /// Parallel processes that got the same answer each report a refusal: together they count once.
    pub(crate) fn again(before: Option<Self>, now: Timestamp) -> Self {
        match before {
            Some(before) if !before.standing(now).may_answer() => before,
            Some(before) => Self {
                at: now,
                times: before.times.saturating_add(1),
                asked: None,
                is_back: false,
                ..before
            },
            None => Self {
                at: now,
                times: 1,
                asked: None,
                is_back: false,
                returns: 0,
                since: None,
            },
        }
    }

    /// One stray refusal is forgiven after ten minutes, a second is not.
    pub(crate) fn standing(self, now: Timestamp) -> Standing {
        match self {
            Self { is_back: true, .. } => Standing::InService,
            Self { times: 2.., .. } => Standing::Refused,
            Self { at, .. } if now.duration_since(at) < REST => Standing::Resting {
                until: at.saturating_add(REST).unwrap_or(Timestamp::MAX),
            },
            _ => Standing::OneMoreChance,
        }
    }

    /// Whether Bitbucket may be asked now: once in ten minutes, and not after too many comebacks.
    pub(crate) fn may_ask(self, now: Timestamp) -> bool {
        let is_recent = |time: Timestamp| now.duration_since(time) < REST;
        let is_worn_out = self.returns >= MOST_RETURNS && self.since.is_some_and(is_recent);
        !self.standing(now).may_answer() && !is_worn_out && !self.asked.is_some_and(is_recent)
    }

    /// The rejection after Bitbucket was asked.
    pub(crate) fn after(self, asked: Probed, now: Timestamp) -> Self {
        let window = self.since.filter(|since| now.duration_since(*since) < REST);
        match asked {
            Probed::Known => Self {
                times: 0,
                asked: None,
                is_back: true,
                returns: window.map_or(1, |_| self.returns.saturating_add(1)),
                since: window.or(Some(now)),
                ..self
            },
            // It stays aside until Bitbucket knows it.
            Probed::Unknown => Self {
                times: self.times.max(2),
                asked: Some(now),
                ..self
            },
            Probed::Nobody => Self {
                asked: Some(now),
                ..self
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Probed, Rejection};

    fn holds(rejection: Rejection, now: Timestamp) -> bool {
        !rejection.standing(now).may_answer()
    }

    #[test]
    fn a_refusal_is_forgiven_once_after_ten_minutes() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let first = Rejection::again(None, start);
        assert!(holds(first, after(9)) && !holds(first, after(10)));
        assert_eq!(
            Rejection::again(Some(first), after(1)),
            first,
            "parallel processes count once"
        );
        let second = Rejection::again(Some(first), after(11));
        assert!(holds(second, after(9999)));
    }

    #[test]
    fn bitbucket_is_asked_at_times_and_believed_five_times_in_ten_minutes() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let mut rejection = Rejection::again(None, start);
        for _ in 0..5 {
            assert!(rejection.may_ask(after(1)));
            rejection = rejection.after(Probed::Known, after(1));
            assert!(!holds(rejection, after(1)) && !rejection.may_ask(after(1)));
            rejection = Rejection::again(Some(rejection), after(2));
            assert!(holds(rejection, after(2)));
        }
        assert!(!rejection.may_ask(after(9)), "five times is enough");
        assert!(
            !holds(rejection, after(12)),
            "then it has its one more chance"
        );
        let refused = Rejection::again(Some(rejection), after(13));
        assert!(refused.may_ask(after(13)), "ten minutes are over");

        let refused = refused.after(Probed::Unknown, after(13));
        assert!(
            holds(refused, after(9999)),
            "it waits until Bitbucket knows it"
        );
        assert!(!refused.may_ask(after(22)) && refused.may_ask(after(23)));
        let nobody = Rejection::again(None, start).after(Probed::Nobody, after(1));
        assert!(!nobody.may_ask(after(2)) && holds(nobody, after(2)) && !holds(nobody, after(10)));
    }
}
