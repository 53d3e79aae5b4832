//! An account: all that is known of it but its secret, and what of it lies in a store.

pub(crate) mod file;
pub(crate) mod grant;
pub(crate) mod present;
pub(crate) mod probe;
pub(crate) mod refusals;
pub(crate) mod rejection;
pub(crate) mod standing;
pub(crate) mod state;
pub(crate) mod verify;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::account::grant::Grant;
use crate::account::rejection::Rejection;
use crate::account::standing::Standing;
use crate::bitbucket::Kind;
use crate::bitbucket::reach::Reach;
use crate::git::context::Host;
use crate::git::protocol;
use crate::store;
use crate::sys::bytes::Bytes;
use crate::sys::secret::Secret;

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
    pub(crate) reach: Vec<Reach>,
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

/// Who brought the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Git,
    Login,
}

impl Account {
    pub(crate) fn new(name: String, host: Host, origin: Origin) -> Self {
        Self {
            name,
            host,
            kind: None,
            username: None,
            email: None,
            reach: Vec::new(),
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

    /// Whether it may answer now, as far as the account tells: what the policy says of it the settings know.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let by_servers = match self.rejected.map(|rejection| rejection.standing(now)) {
            // An ended grant yields no new token: its last one, once refused, gets no chance.
            Some(Standing::Resting { .. } | Standing::OneMoreChance) if self.has_ended() => {
                Standing::Refused
            }
            standing => standing.unwrap_or(Standing::InService),
        };
        match by_servers {
            out if !out.may_answer() => out,
            // An access token that has ended is renewed.
            _ if self.oauth.is_none() && !self.is_good_for(0, now) => Standing::Expired,
            _ if self.is_retired() => Standing::Retired,
            _ if self.has_ended() => Standing::Ended,
            standing => standing,
        }
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
        let text = protocol::to_lines(&lines)?;
        // Some programs of the store `exec` drop a newline at the end.
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        Some(Secret::new(text.to_vec()))
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

#[cfg(test)]
mod tests {
    use super::{Account, Kept, Origin};
    use crate::bitbucket::{Kind, cloud};
    use crate::sys::secret::Secret;

    fn account(name: &str) -> Account {
        Account::new(name.to_owned(), cloud(), Origin::Git)
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
