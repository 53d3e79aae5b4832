//! A server refused a secret: how long the secret rests, and when Bitbucket is asked about it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bitbucket::Reach;

/// Whether an account may answer, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    InService,
    /// A server refused the secret once, and its rest is over: it answers once more.
    OneMoreChance,
    /// The grant gives no new token. The last one answers until it ends.
    Ended,
    // Those below do not answer.
    /// For ten minutes.
    Resting,
    /// Refused again, or unknown to Bitbucket: set aside until Bitbucket knows it or somebody signs in again.
    Refused,
    /// The repository that is wanted refuses the secret, although Bitbucket knows it.
    RefusedThere,
    Expired,
}

impl Standing {
    pub(crate) fn may_answer(self) -> bool {
        matches!(self, Self::InService | Self::OneMoreChance | Self::Ended)
    }
}

/// A server's refusals of a secret, and what Bitbucket said about it since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    at: Timestamp,
    /// How often it was refused since it last worked, or Bitbucket last said that it knows the secret.
    times: u32,
    /// When Bitbucket was last asked, if it did not say that it knows the secret.
    asked: Option<Timestamp>,
    /// Whether `times` is 0, for version 0.1: it sets aside what is not said to be back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_back: bool,
    /// When Bitbucket said that it knows the secret, of late and since it last worked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    comebacks: Vec<Timestamp>,
    /// The repository that refused it last.
    repository: Option<Reach>,
    /// The repositories that refuse it although Bitbucket knows it, and when they said so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    closed: BTreeMap<String, Timestamp>,
}

/// What Bitbucket says about a secret that a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    Known,
    /// Bitbucket knows it, but the repository that refused it goes on refusing it.
    NotThere,
    Unknown,
    /// Bitbucket could not be asked, or its answer decides nothing.
    Nobody,
}

/// How long a refused secret rests before it gets one more chance, and before Bitbucket is asked again.
const REST: SignedDuration = SignedDuration::from_mins(10);
/// More than five comebacks in ten minutes: stop trusting them. git-lfs asks for ever.
const MOST_COMEBACKS: usize = 5;
/// How many closed repositories are remembered, and how long a name may be.
const MOST_CLOSED: usize = 16;
const LONGEST_NAME: usize = 255;

impl Rejection {
    /// Adds a refusal to the earlier ones. What parallel processes report of the same answer counts once.
    pub(crate) fn again(before: Option<Self>, repository: Option<&Reach>, now: Timestamp) -> Self {
        let before = before.unwrap_or_default();
        if !before.standing(now).may_answer() {
            return before;
        }
        Self {
            at: now,
            times: before.times.saturating_add(1),
            asked: None,
            is_back: false,
            repository: repository.filter(|reach| is_notable(reach)).cloned(),
            ..before
        }
    }

    /// Whom to ask about it: the repository that refused it, else the one that is wanted.
    pub(crate) fn repository_to_ask<'a>(&'a self, wanted: Option<&'a Reach>) -> Option<&'a Reach> {
        self.repository.as_ref().or(wanted)
    }

    /// Whether it was refused just now for this place.
    pub(crate) fn is_fresh(&self, place: Option<&Reach>, now: Timestamp) -> bool {
        self.repository_to_ask(place) == place && self.is_recent(now)
    }

    /// Whether it was refused in the last ten minutes, and nobody has taken it since.
    pub(crate) fn is_recent(&self, now: Timestamp) -> bool {
        self.times > 0 && is_recent(self.at, now)
    }

    /// Whether this repository refuses it, although Bitbucket knows it.
    pub(crate) fn is_closed(&self, repository: Option<&Reach>, now: Timestamp) -> bool {
        let at = repository.and_then(|repository| self.closed.get(&repository.to_string()));
        at.is_some_and(|at| is_recent(*at, now))
    }

    /// What is left of it after the secret has worked for a repository: what others say of themselves.
    pub(crate) fn after_success(self, repository: Option<&Reach>, now: Timestamp) -> Option<Self> {
        let mut back = self.back();
        let own = repository.map(ToString::to_string);
        back.closed
            .retain(|name, at| Some(name) != own.as_ref() && is_recent(*at, now));
        back.comebacks.clear();
        (!back.closed.is_empty()).then_some(back)
    }

    fn back(self) -> Self {
        Self {
            times: 0,
            asked: None,
            is_back: true,
            repository: None,
            ..self
        }
    }

    /// One stray refusal is forgiven after ten minutes, a second is not.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        match self.times {
            0 => Standing::InService,
            1 if is_recent(self.at, now) => Standing::Resting,
            1 => Standing::OneMoreChance,
            _ => Standing::Refused,
        }
    }

    /// Whether Bitbucket may be asked now: once in ten minutes, and not after too many comebacks.
    pub(crate) fn may_ask(&self, now: Timestamp) -> bool {
        let is_recent = |time: &&Timestamp| is_recent(**time, now);
        !self.standing(now).may_answer()
            && self.comebacks.iter().filter(is_recent).count() < MOST_COMEBACKS
            && !self.asked.iter().any(|asked| is_recent(&asked))
    }

    /// The rejection after Bitbucket was asked, and the repository of [`Self::repository_to_ask`].
    pub(crate) fn after(self, asked: Probed, wanted: Option<&Reach>, now: Timestamp) -> Self {
        let refuses = self.repository_to_ask(wanted);
        let refuses = refuses.filter(|reach| is_notable(reach));
        match (asked, refuses.map(ToString::to_string)) {
            // It is not shown there again, so this is no comeback that somebody could repeat for ever.
            (Probed::NotThere, Some(refuses)) => {
                let mut back = self.back();
                back.closed.retain(|_, at| is_recent(*at, now));
                if back.closed.len() >= MOST_CLOSED {
                    let oldest = back.closed.values().min().copied();
                    back.closed.retain(|_, at| Some(*at) != oldest);
                }
                back.closed.insert(refuses, now);
                back
            }
            (Probed::Known | Probed::NotThere, _) => {
                let mut back = self.back();
                back.comebacks.retain(|at| is_recent(*at, now));
                back.comebacks.push(now);
                back
            }
            // It stays aside until Bitbucket knows it.
            (Probed::Unknown, _) => Self {
                times: self.times.max(2),
                asked: Some(now),
                ..self
            },
            (Probed::Nobody, _) => Self {
                asked: Some(now),
                ..self
            },
        }
    }
}

fn is_recent(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time) < REST
}

/// Whether it is a repository, with a name that is short enough to be noted.
pub(crate) fn is_notable(reach: &Reach) -> bool {
    reach.repository.is_some() && reach.to_string().len() <= LONGEST_NAME
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Probed, Rejection};
    use crate::bitbucket::reach::Reach;

    fn holds(rejection: &Rejection, now: Timestamp) -> bool {
        !rejection.standing(now).may_answer()
    }

    #[test]
    fn a_refusal_is_forgiven_once_after_ten_minutes() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let first = Rejection::again(None, None, start);
        assert!(holds(&first, after(9)) && !holds(&first, after(10)));
        assert_eq!(
            Rejection::again(Some(first.clone()), None, after(1)),
            first,
            "parallel processes count once"
        );
        let second = Rejection::again(Some(first), None, after(11));
        assert!(holds(&second, after(9999)));
    }

    #[test]
    fn bitbucket_is_asked_at_times_and_believed_five_times_in_ten_minutes() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let mut rejection = Rejection::again(None, None, start);
        for _ in 0..5 {
            assert!(rejection.may_ask(after(1)));
            rejection = rejection.after(Probed::Known, None, after(1));
            assert!(!holds(&rejection, after(1)) && !rejection.may_ask(after(1)));
            rejection = Rejection::again(Some(rejection), None, after(2));
            assert!(holds(&rejection, after(2)));
        }
        assert!(!rejection.may_ask(after(9)), "five times is enough");
        assert!(
            !holds(&rejection, after(12)),
            "then it has its one more chance"
        );
        let refused = Rejection::again(Some(rejection), None, after(13));
        assert!(refused.may_ask(after(13)), "ten minutes are over");

        let refused = refused.after(Probed::Unknown, None, after(13));
        assert!(
            holds(&refused, after(9999)),
            "it waits until Bitbucket knows it"
        );
        assert!(!refused.may_ask(after(22)) && refused.may_ask(after(23)));
        let nobody = Rejection::again(None, None, start).after(Probed::Nobody, None, after(1));
        assert!(
            !nobody.may_ask(after(2)) && holds(&nobody, after(2)) && !holds(&nobody, after(10))
        );
    }

    #[test]
    fn of_the_repositories_that_refuse_a_known_secret_the_latest_are_remembered() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let named = |number: i64| -> Reach { format!("evil/{number}").parse().expect("a reach") };
        let mut rejection = None;
        for number in 0..30 {
            let refused = Rejection::again(rejection, Some(&named(number)), start);
            let own = "acme/app".parse().expect("a reach");
            assert_eq!(refused.repository_to_ask(Some(&own)), Some(&named(number)));
            let at = start + SignedDuration::from_secs(number);
            rejection = Some(refused.after(Probed::NotThere, Some(&own), at));
        }
        let rejection = rejection.expect("one");
        assert!(!holds(&rejection, after(1)));
        assert!(rejection.is_closed(Some(&named(29)), after(1)));
        assert!(!rejection.is_closed(Some(&named(0)), after(1)));
        assert!(!rejection.is_closed(Some(&named(29)), after(11)));
        let left = rejection
            .after_success(Some(&named(29)), after(1))
            .expect("others");
        assert!(left.is_closed(Some(&named(28)), after(1)));
        assert!(!left.is_closed(Some(&named(29)), after(1)));
        assert_eq!(left.after_success(None, after(11)), None);
        let long: Reach = format!("evil/{}", "x".repeat(40_000))
            .parse()
            .expect("a reach");
        let rejection = Rejection::again(None, Some(&long), start);
        let rejection = rejection.after(Probed::NotThere, Some(&long), start);
        assert!(!rejection.is_closed(Some(&long), start));
    }
}
