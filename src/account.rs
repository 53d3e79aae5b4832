//! An account: all that is known of it but its secret, and what of it lies in a store.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

use crate::bitbucket::Kind;
use crate::context::Host;
use crate::protocol;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::store;

/// One account: everything but its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) host: Host,
    /// Absent for what git gave us to keep and whose kind nothing tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// The workspaces and repositories it is for; none means the whole host.
    #[serde(rename = "for", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<Scope>,
    pub(crate) store: store::Name,
    /// Where in the store its secret lies; a new secret gets a new entry.
    pub(crate) entry: String,
    /// The last day, UTC, on which the secret is good, as the user said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Date>,
    pub(crate) origin: Origin,
    /// The path for which git gave it, when its kind is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Bytes>,
    /// The scheme of a credential that git gave in the header form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authtype: Option<Bytes>,
    /// Seconds since 1970, UTC, as git gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_expiry_utc: Option<u64>,
    /// Data Center: the path below which the instance lies, with a slash before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) context: String,
    /// Whether the host takes the secret as Bearer only: `login` found Basic refused, or the token has no user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) bearer: bool,
    /// Whether the host refused it as a password, as whoever knows no Bearer sends it: that says nothing about Bearer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) bearer_only: bool,
    /// That a server refused the secret: it is set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rejected: Option<Rejection>,
    /// Of kind `oauth`: where new access tokens come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) oauth: Option<Grant>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub(crate) other: BTreeMap<String, Value>,
}

/// A grant of OAuth 2.0: all but its secrets, and how the last renewal of its access token went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The key of the consumer.
    pub(crate) client_id: String,
    pub(crate) flow: Flow,
    /// Since when the refresh token is on its way to Bitbucket. Written before it is sent, and gone with the answer: what
    /// is left behind by a dead process says that the token may have been used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<Timestamp>,
    /// It was sent a second time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sent_again: bool,
    /// Nothing more is to be had of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Ended>,
    /// When a renewal last failed for a reason that may pass: whoever waited for it meanwhile takes its word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<Timestamp>,
    /// The entry into which a renewal puts the new tokens, and after it the one of the old tokens. Written before there
    /// is anything in it, so that what a dead process left in the store is found again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spare: Option<String>,
}

impl Grant {
    pub(crate) fn new(client_id: String, flow: Flow) -> Self {
        Self {
            client_id,
            flow,
            sent: None,
            sent_again: false,
            ended: None,
            failed: None,
            spare: None,
        }
    }

    /// The same as if nothing had been asked with it yet.
    pub(crate) fn rested(&self) -> Self {
        Self {
            sent: None,
            sent_again: false,
            ended: None,
            failed: None,
            ..self.clone()
        }
    }
}

/// How access tokens are come by (RFC 6749).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flow {
    /// Somebody signed in with a browser; the refresh token does the rest.
    AuthorizationCode,
    /// The consumer acts for itself; there is no refresh token.
    ClientCredentials,
}

/// Why a grant gives no more tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// `invalid_grant`
    Grant,
    /// `unauthorized_client`, `invalid_client`
    Client,
    /// The answer with the new refresh token was lost.
    Lost,
}

impl Ended {
    /// The same in half a sentence.
    pub(crate) fn reason(self, flow: Flow) -> &'static str {
        match (self, flow) {
            (Self::Grant, Flow::AuthorizationCode) => {
                "Bitbucket has ended the grant (invalid_grant): it was revoked, or not used for three months"
            }
            (Self::Grant, Flow::ClientCredentials) => {
                "Bitbucket gives the OAuth consumer no token (invalid_grant): it is not marked 'private'"
            }
            (Self::Client, Flow::AuthorizationCode) => {
                "Bitbucket refuses the OAuth consumer (unauthorized_client): its key or secret has changed, or the \
                 refresh token was used elsewhere"
            }
            (Self::Client, Flow::ClientCredentials) => {
                "Bitbucket refuses the OAuth consumer (unauthorized_client): its key or secret has changed"
            }
            (Self::Lost, _) => "the last renewal broke off, and the new refresh token is lost",
        }
    }
}

/// Who brought the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Git,
    Login,
}

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
    is_back: bool,
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
const REST: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
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
            Some(before) if before.holds(now) => before,
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

    /// Whether the secret must not be answered now: one stray refusal is forgiven after ten minutes, a second is not.
    pub(crate) fn holds(self, now: Timestamp) -> bool {
        !self.is_back && (self.times > 1 || now.duration_since(self.at) < REST)
    }

    /// Whether Bitbucket is to be asked: not all the time, and not for ever.
    pub(crate) fn may_ask(self, now: Timestamp) -> bool {
        let is_recent = |time: Timestamp| now.duration_since(time) < REST;
        let is_worn_out = self.returns >= MOST_RETURNS && self.since.is_some_and(is_recent);
        self.holds(now) && !is_worn_out && !self.asked.is_some_and(is_recent)
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

impl Account {
    pub(crate) fn new(name: String, host: Host, origin: Origin) -> Self {
        Self {
            name,
            host,
            kind: None,
            username: None,
            email: None,
            scopes: Vec::new(),
            store: store::Name::File,
            entry: String::new(),
            expires: None,
            origin,
            path: None,
            authtype: None,
            password_expiry_utc: None,
            context: String::new(),
            bearer: false,
            bearer_only: false,
            rejected: None,
            oauth: None,
            other: BTreeMap::new(),
        }
    }

    /// Gives the account a new entry, so that a secret in the store is never overwritten, only succeeded.
    pub(crate) fn renew_entry(&mut self) -> Result<()> {
        let number = getrandom::u32().context("cannot get a random number from the system")?;
        self.entry = format!("{}@{}#{number:08x}", self.name, self.host);
        Ok(())
    }

    /// Whether a server refused its secret, and nothing good has been heard of it since.
    pub(crate) fn is_rejected(&self) -> bool {
        self.rejected.is_some_and(|rejection| !rejection.is_back) || self.has_ended()
    }

    /// Whether it is a grant that gives no more tokens.
    pub(crate) fn has_ended(&self) -> bool {
        self.oauth
            .as_ref()
            .is_some_and(|grant| grant.ended.is_some())
    }

    /// Whether its secret is good for so much longer, as far as the server said.
    pub(crate) fn is_good_for(&self, seconds: i64, now: Timestamp) -> bool {
        let end = self
            .password_expiry_utc
            .and_then(|end| i64::try_from(end).ok());
        end.is_none_or(|end| end.saturating_sub(seconds) > now.as_second())
    }

    /// Whether its secret must not be answered now. Of a grant that has ended nothing else is to be had.
    pub(crate) fn is_set_aside(&self, now: Timestamp) -> bool {
        self.rejected
            .is_some_and(|rejection| rejection.holds(now) || self.has_ended() && !rejection.is_back)
    }

    /// Whether the entry was made for the account's host: somebody may have edited the file.
    pub(crate) fn entry_is_for_its_host(&self) -> bool {
        let named = self
            .entry
            .rsplit_once('#')
            .and_then(|(named, _)| named.rsplit_once('@'));
        named.is_some_and(|(_, host)| host == self.host.as_str())
    }

    /// The user name git is given, when there is one.
    pub(crate) fn git_username(&self) -> Option<&[u8]> {
        let own = self.username.as_ref().map(Bytes::as_slice);
        match self.kind {
            Some(kind) => kind.git_username(own),
            None => own,
        }
    }

    /// Whether Bitbucket has done away with its kind.
    pub(crate) fn is_retired(&self) -> bool {
        self.kind.is_some_and(|kind| kind.is_retired_on(&self.host))
    }

    /// Whether a user name in a URL means this account.
    pub(crate) fn is_called(&self, username: &[u8]) -> bool {
        let own = self
            .username
            .as_ref()
            .is_some_and(|own| own.as_slice() == username);
        let email = self
            .email
            .as_ref()
            .is_some_and(|email| email.as_bytes().eq_ignore_ascii_case(username));
        own || email || self.git_username() == Some(username)
    }
}

/// The day it is, UTC.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// What of an account lies in its store.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The token, password, or what follows the scheme in the header form.
    pub(crate) secret: Secret,
    /// Of kind `oauth`, and what git gave with a secret.
    pub(crate) oauth_refresh_token: Option<Secret>,
    /// Of kind `oauth`: the secret of the consumer.
    pub(crate) client_secret: Option<Secret>,
}

impl Kept {
    pub(crate) fn only(secret: Secret) -> Self {
        Self {
            secret,
            oauth_refresh_token: None,
            client_secret: None,
        }
    }

    /// As it goes into the store: the bare secret where it is all there is, so that other tools can read the entry;
    /// lines for a grant, and where git may have given more.
    pub(crate) fn to_entry(&self, account: &Account) -> Option<Secret> {
        let Self {
            secret,
            oauth_refresh_token,
            client_secret,
        } = self;
        if is_bare(account) {
            return Some(secret.clone());
        }
        let mut lines = vec![("secret", secret.expose())];
        let more = [
            ("oauth_refresh_token", oauth_refresh_token),
            ("client_secret", client_secret),
        ];
        lines.extend(
            more.iter()
                .filter_map(|(key, value)| Some((*key, value.as_ref()?.expose()))),
        );
        protocol::to_lines(&lines).map(|text| Secret::new(text.to_vec()))
    }

    /// The reverse of [`Kept::to_entry`].
    pub(crate) fn of_entry(account: &Account, entry: Secret) -> Option<Self> {
        if is_bare(account) {
            return Some(Self::only(entry));
        }
        let value = |key: &str| {
            let mut lines = entry.expose().split(|&byte| byte == b'\n');
            let value =
                lines.find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))?;
            Some(Secret::new(value.to_vec()))
        };
        Some(Self {
            secret: value("secret")?,
            oauth_refresh_token: value("oauth_refresh_token"),
            client_secret: value("client_secret"),
        })
    }
}

/// Whether the secret is all that lies in the account's entry. What there is of a grant says more than the kind: that may
/// have been edited, and then all of the entry would pass for the secret.
fn is_bare(account: &Account) -> bool {
    account.oauth.is_none() && account.kind.is_some_and(|kind| kind != Kind::Oauth)
}

/// Bytes in a text file: what is not plain UTF-8, and the percent sign, is percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
        match std::str::from_utf8(&self.0) {
            Ok(text)
                if !text.contains(|character: char| character.is_control() || character == '%') =>
            {
                f.write_str(text)
            }
            _ => percent_encode(&self.0, ENCODED).fmt(f),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(percent_decode_str(&text).collect()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Account, Asked, Bytes, Kept, Origin, Rejection};
    use crate::bitbucket::{Kind, cloud};
    use crate::secret::Secret;

    fn account(name: &str) -> Account {
        Account::new(name.to_owned(), cloud(), Origin::Git)
    }

    #[test]
    fn bytes_come_back_whatever_they_are() {
        for bytes in [
            &b"ada"[..],
            b"j\xfcrgen",
            "jürgen".as_bytes(),
            b"50%",
            b"%ff",
            b"a\x1b[2J",
            b"a b@c",
        ] {
            let text = toml::Value::try_from(Bytes(bytes.to_vec())).expect("a value");
            assert_eq!(text.try_into::<Bytes>().expect("bytes").as_slice(), bytes);
        }
    }

    #[test]
    fn a_refusal_is_forgiven_once_after_ten_minutes() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let first = Rejection::again(None, start);
        assert!(first.holds(after(9)) && !first.holds(after(10)));
        assert_eq!(
            Rejection::again(Some(first), after(1)),
            first,
            "parallel processes count once"
        );
        let second = Rejection::again(Some(first), after(11));
        assert!(second.holds(after(9999)));
    }

    #[test]
    fn bitbucket_is_asked_at_times_and_believed_five_times_in_ten_minutes() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let after = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let mut rejection = Rejection::again(None, start);
        for _ in 0..5 {
            assert!(rejection.may_ask(after(1)));
            rejection = rejection.after(Asked::Known, after(1));
            assert!(!rejection.holds(after(1)) && !rejection.may_ask(after(1)));
            rejection = Rejection::again(Some(rejection), after(2));
            assert!(rejection.holds(after(2)));
        }
        assert!(!rejection.may_ask(after(9)), "five times is enough");
        assert!(
            !rejection.holds(after(12)),
            "then it has its one more chance"
        );
        let refused = Rejection::again(Some(rejection), after(13));
        assert!(refused.may_ask(after(13)), "ten minutes are over");

        let refused = refused.after(Asked::Unknown, after(13));
        assert!(
            refused.holds(after(9999)),
            "it waits until Bitbucket knows it"
        );
        assert!(!refused.may_ask(after(22)) && refused.may_ask(after(23)));
        let nobody = Rejection::again(None, start).after(Asked::Nobody, after(1));
        assert!(!nobody.may_ask(after(2)) && nobody.holds(after(2)) && !nobody.holds(after(10)));
    }

    #[test]
    fn a_known_kind_is_kept_as_the_bare_secret_and_the_rest_as_lines() {
        let mut account = account("a");
        let kept = Kept {
            secret: Secret::new(b"s=1".to_vec()),
            oauth_refresh_token: Some(Secret::new(b"r".to_vec())),
            client_secret: None,
        };
        let entry = kept.to_entry(&account).expect("an entry");
        let back = Kept::of_entry(&account, entry).expect("what was kept");
        assert_eq!(
            (back.secret, back.oauth_refresh_token),
            (kept.secret.clone(), kept.oauth_refresh_token)
        );

        account.kind = Some(Kind::ApiToken);
        let entry = Kept::only(kept.secret.clone())
            .to_entry(&account)
            .expect("an entry");
        assert_eq!(entry, kept.secret);
    }
}
