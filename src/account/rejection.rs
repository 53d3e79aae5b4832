//! That a server refused a secret: for how long it rests, and when Bitbucket is asked about it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::standing::Standing;

/// That a server refused the secret, and what Bitbucket said of it when it was asked since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// When, the last time.
    pub(crate) at: Timestamp,
    /// How often since it last worked.
    pub(crate) times: u32,
    /// When Bitbucket was last asked about it, and did not say that it knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Timestamp>,
    /// Bitbucket said that it knows it: it is in service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_back: bool,
    /// How often it came back since [`Rejection::since`].
    #[serde(default, skip_serializing_if = "is_zero")]
    returns: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

/// What came of asking Bitbucket about a secret that a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Bitbucket knows it.
    Known,
    /// Bitbucket does not know it.
    Unknown,
    /// Nobody could be asked, or the answer tells nothing.
    Nobody,
}

/// How long a refused secret rests before it gets its one more chance, or Bitbucket is asked about it again.
const REST: SignedDuration = SignedDuration::from_mins(10);
/// How often a secret comes back within that time: whoever goes on refusing it has a reason, and git-lfs asks for ever.
const MOST_RETURNS: u32 = 5;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Rejection {
    /// This refusal on top of what was before.
    ///
    /// Of several processes that were answered before the first refusal each brings its own: together they are one.
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

    /// Whether Bitbucket is to be asked: not all the time, and not for ever.
    pub(crate) fn may_ask(self, now: Timestamp) -> bool {
        let is_recent = |time: Timestamp| now.duration_since(time) < REST;
        let is_worn_out = self.returns >= MOST_RETURNS && self.since.is_some_and(is_recent);
        !self.standing(now).may_answer() && !is_worn_out && !self.asked.is_some_and(is_recent)
    }

    /// The same after Bitbucket was asked.
    pub(crate) fn after(self, asked: Asked, now: Timestamp) -> Self {
        let window = self.since.filter(|since| now.duration_since(*since) < REST);
        match asked {
            Asked::Known => Self {
                times: 0,
                asked: None,
                is_back: true,
                returns: window.map_or(1, |_| self.returns.saturating_add(1)),
                since: window.or(Some(now)),
                ..self
            },
            // It is not given out again before Bitbucket knows it.
            Asked::Unknown => Self {
                times: self.times.max(2),
                asked: Some(now),
                ..self
            },
            Asked::Nobody => Self {
                asked: Some(now),
                ..self
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Asked, Rejection};

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
            rejection = rejection.after(Asked::Known, after(1));
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

        let refused = refused.after(Asked::Unknown, after(13));
        assert!(
            holds(refused, after(9999)),
            "it waits until Bitbucket knows it"
        );
        assert!(!refused.may_ask(after(22)) && refused.may_ask(after(23)));
        let nobody = Rejection::again(None, start).after(Asked::Nobody, after(1));
        assert!(!nobody.may_ask(after(2)) && holds(nobody, after(2)) && !holds(nobody, after(10)));
    }
}
