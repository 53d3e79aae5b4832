//! An account: everything but its secret, and what its store holds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::account::owner::Owner;
use crate::account::rejection::{Rejection, Standing};
use crate::account::sign_in::{Grant, Known, Opaque, Scheme, SignIn};
use crate::bitbucket::oauth::Flow;
use crate::bitbucket::{Kind, Reach};
use crate::git::{Host, Username, protocol};
use crate::store;
use crate::sys::{Secret, shell_quoted};

/// One account, without its secret, as `accounts.toml` has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) host: Host,
    #[serde(flatten)]
    pub(crate) owner: Owner,
    #[serde(flatten)]
    pub(crate) sign_in: SignIn,
    /// The workspaces and repositories it is for; none means the whole host.
    #[serde(rename = "for", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reach: Vec<Reach>,
    /// git gave it without a path: it answers for this user name alone, and never for REST.
    #[serde(default, deserialize_with = "Username::read")]
    pub(crate) only_username: Option<Username>,
    pub(crate) store: store::Name,
    /// Where in the store its secret lies; a new secret gets a new entry.
    pub(crate) entry: String,
    /// The last day, UTC, on which the secret works, as the user said.
    pub(crate) expires: Option<Date>,
    pub(crate) origin: Origin,
    /// When it came into `accounts.toml`, but for those of version 0.1.
    pub(crate) added: Option<Timestamp>,
    /// When the secret ends, in seconds since 1970, UTC, as git or the server said.
    pub(crate) password_expiry_utc: Option<u64>,
    /// `login` kept the secret unchecked, and no server has judged it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unchecked: bool,
    /// Set once a server has refused the secret.
    pub(crate) rejected: Option<Rejection>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub(crate) other: BTreeMap<String, Value>,
}

/// Where the account comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Git,
    Login,
    // Those below are made for one answer, and never stored.
    /// This variable of the environment.
    #[serde(skip)]
    Variable(VariableName),
    /// This store, in which somebody else keeps the secrets.
    #[serde(skip)]
    Source(store::Name),
}

type VariableName = &'static str;

impl Account {
    pub(crate) fn new(
        name: String,
        host: Host,
        origin: Origin,
        sign_in: impl Into<SignIn>,
    ) -> Self {
        Self {
            name,
            host,
            sign_in: sign_in.into(),
            owner: Owner::default(),
            reach: Vec::new(),
            only_username: None,
            store: match origin {
                Origin::Git | Origin::Login => store::Name::File,
                Origin::Variable(_) => store::Name::Env,
                Origin::Source(store) => store,
            },
            entry: String::new(),
            expires: None,
            origin,
            added: None,
            password_expiry_utc: None,
            unchecked: false,
            rejected: None,
            other: BTreeMap::new(),
        }
    }

    /// Whether its secret lies in no store of ours: in the environment, or in a store that is only looked into.
    pub(crate) fn lies_elsewhere(&self) -> bool {
        matches!(self.origin, Origin::Variable(_) | Origin::Source(_))
    }

    pub(crate) fn is_of_the_environment(&self) -> bool {
        matches!(self.origin, Origin::Variable(_))
    }

    /// As messages name it.
    pub(crate) fn shown(&self) -> String {
        match self.origin {
            Origin::Variable(name) => name.to_owned(),
            _ => format!("'{}'", self.name),
        }
    }

    /// None for an opaque account.
    pub(crate) fn kind(&self) -> Option<Kind> {
        Some(self.known()?.kind)
    }

    /// The user's own name. git may present another one.
    pub(crate) fn username(&self) -> Option<&Username> {
        self.owner.username.as_ref()
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.owner.email.as_deref()
    }

    fn known(&self) -> Option<&Known> {
        match &self.sign_in {
            SignIn::Known(known) => Some(known),
            SignIn::Opaque(_) => None,
        }
    }

    pub(crate) fn known_mut(&mut self) -> Option<&mut Known> {
        match &mut self.sign_in {
            SignIn::Known(known) => Some(known),
            SignIn::Opaque(_) => None,
        }
    }

    pub(crate) fn grant(&self) -> Option<&Grant> {
        self.known()?.grant.as_ref()
    }

    pub(crate) fn grant_mut(&mut self) -> Option<&mut Grant> {
        self.known_mut()?.grant.as_mut()
    }

    /// What git gave, where nobody knows the kind.
    pub(crate) fn opaque(&self) -> Option<&Opaque> {
        match &self.sign_in {
            SignIn::Opaque(opaque) => Some(opaque),
            SignIn::Known(_) => None,
        }
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.known().map_or(Scheme::Basic, |known| known.scheme)
    }

    pub(crate) fn set_scheme(&mut self, scheme: Scheme) {
        if let Some(known) = self.known_mut() {
            known.scheme = scheme;
        }
    }

    /// Data Center: the path below which the instance lies.
    pub(crate) fn base_path(&self) -> &str {
        self.known().map_or("", |known| &known.base_path)
    }

    /// Gives the account a new entry: a secret in the store is never overwritten.
    pub(crate) fn renew_entry(&mut self) -> Result<()> {
        let number = getrandom::u32().context("cannot get a random number from the system")?;
        self.entry = format!("{}@{}#{number:08x}", self.name, self.host);
        Ok(())
    }

    /// Whether it may answer now. The settings add what the policy says.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let by_servers = match self.rejected.as_ref().map(|it| it.standing(now)) {
            // An ended grant yields no new token, so a refused token gets no second chance.
            Some(Standing::Resting | Standing::OneMoreChance) if self.has_ended() => {
                Standing::Refused
            }
            standing => standing.unwrap_or(Standing::InService),
        };
        match by_servers {
            out if !out.may_answer() => out,
            // An access token of a grant is renewed.
            _ if self.grant().is_none() && !self.is_good_for(0, now) => Standing::Expired,
            _ if self.has_ended() => Standing::Ended,
            standing => standing,
        }
    }

    /// Whether it may answer now where this is wanted.
    pub(crate) fn standing_at(&self, place: Option<&Reach>, now: Timestamp) -> Standing {
        let standing = self.standing(now);
        let is_closed = |rejection: &Rejection| rejection.is_closed(place, now);
        if standing.may_answer() && self.rejected.as_ref().is_some_and(is_closed) {
            Standing::RefusedThere
        } else {
            standing
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.grant().is_some_and(|grant| grant.ended.is_some())
    }

    /// Whether its secret works for that many seconds more, if the server said when it ends.
    pub(crate) fn is_good_for(&self, seconds: i64, now: Timestamp) -> bool {
        let end = self
            .password_expiry_utc
            .and_then(|end| i64::try_from(end).ok());
        end.is_none_or(|end| end.saturating_sub(seconds) > now.as_second())
    }

    /// Whether the entry was made for the account's host. Somebody may have edited the file.
    pub(crate) fn entry_is_for_its_host(&self) -> bool {
        let named = self.entry.rsplit_once('#').map(|(named, _)| named);
        let host = named.and_then(|named| named.rsplit_once('@'));
        host.is_some_and(|(_, host)| host == self.host.as_str())
    }

    /// The name as a word of a command to copy.
    pub(crate) fn argument(&self) -> Cow<'_, str> {
        shell_quoted(&self.name)
    }

    pub(crate) fn git_username(&self) -> Option<&[u8]> {
        let own = self.username().map(Username::as_slice);
        match self.kind() {
            Some(kind) => kind.git_username(&self.host, own),
            None => own,
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.kind()
            .is_some_and(|kind| kind.is_retired_on(&self.host))
    }

    /// The user name, else the first place, else the host. None reads as a place: `token acme/site` is about the place.
    pub(crate) fn usual_name(&self) -> String {
        let name = self.username().map(ToString::to_string);
        let name = name.or_else(|| self.reach.first().map(ToString::to_string));
        name.unwrap_or_else(|| self.host.to_string())
            .replace('/', "-")
    }

    pub(crate) fn is_for_its_host(&self) -> bool {
        self.reach.is_empty() && self.only_username.is_none() && self.opaque().is_none()
    }

    /// Adds a place, unless it lies in another one.
    pub(crate) fn add_reach(&mut self, place: Reach) {
        if !self.reach.iter().any(|known| known.contains(&place)) {
            self.reach.push(place);
        }
    }

    /// Whether both are for the same workspaces and repositories of the same instance.
    pub(crate) fn is_for_the_place_of(&self, other: &Self) -> bool {
        let holds = |all: &[Reach], some: &[Reach]| some.iter().all(|it| all.contains(it));
        self.host == other.host
            && self.base_path() == other.base_path()
            && holds(&self.reach, &other.reach)
            && holds(&other.reach, &self.reach)
    }

    /// Whether both are known to have the same owner. A workspace, project or repository owns its token; a consumer that
    /// acts for itself owns its grant.
    pub(crate) fn has_the_owner_of(&self, other: &Self) -> bool {
        let is_of_a_place = |account: &Self| match account.kind() {
            Some(Kind::AccessToken) => true,
            // Bitbucket was asked, and named no user.
            Some(Kind::HttpAccessToken) => account.username().is_none() && !account.unchecked,
            _ => false,
        };
        let consumer = |account: &Self| match account.grant() {
            Some(grant) if grant.flow == Flow::ClientCredentials => Some(grant.client_id.clone()),
            _ => None,
        };
        // With another e-mail than its owner's Bitbucket refuses an API token.
        let accepted = |account: &Self| {
            let email = account.owner.email.as_ref();
            let email = email.filter(|_| account.kind() == Some(Kind::ApiToken));
            email.map(|email| email.to_lowercase())
        };
        match (&self.owner.confirmed, &other.owner.confirmed) {
            (Some(own), Some(its)) => {
                own == its || accepted(self).is_some() && accepted(self) == accepted(other)
            }
            (None, None) if is_of_a_place(self) && is_of_a_place(other) => {
                !self.reach.is_empty() && self.is_for_the_place_of(other)
            }
            (None, None) => consumer(self).is_some() && consumer(self) == consumer(other),
            _ => false,
        }
    }

    /// Whether a user name in a URL means this account.
    pub(crate) fn is_called(&self, username: &[u8]) -> bool {
        let is_email = |email: &str| email.as_bytes().eq_ignore_ascii_case(username);
        self.name.as_bytes() == username
            || self.username().map(Username::as_slice) == Some(username)
            || self.email().is_some_and(is_email)
            || self.git_username() == Some(username)
    }
}

pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The token, password, or what follows the scheme in the header form.
    pub(crate) secret: Secret,
    /// Of a grant, or given by git together with a secret.
    pub(crate) oauth_refresh_token: Option<Secret>,
    /// Of a grant: the client's secret.
    pub(crate) client_secret: Option<Secret>,
}

impl Kept {
    pub(crate) fn only(secret: Secret) -> Self {
        Self {
            secret,
            ..Self::default()
        }
    }

    /// What goes into the store. A secret alone stands there as it is, so that other tools can read it; else one line each.
    pub(crate) fn to_entry(&self, account: &Account) -> Option<Secret> {
        if is_bare(account) {
            return Some(self.secret.clone());
        }
        let lines = [
            ("secret", Some(&self.secret)),
            ("oauth_refresh_token", self.oauth_refresh_token.as_ref()),
            ("client_secret", self.client_secret.as_ref()),
        ];
        let lines = lines.map(|(key, value)| (key, value.map(Secret::expose)));
        let text = protocol::to_lines(&lines)?;
        // Some programs of the store `exec` drop a final newline.
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

/// Whether the account's entry holds the secret alone.
fn is_bare(account: &Account) -> bool {
    account.kind().is_some_and(|kind| kind != Kind::Oauth)
}

#[cfg(test)]
mod tests {
    use super::{Account, Kept, Origin};
    use crate::account::sign_in::{Known, Opaque, SignIn};
    use crate::bitbucket::{Kind, cloud};
    use crate::sys::secret::Secret;

    #[test]
    fn a_known_kind_is_kept_as_the_bare_secret_and_the_rest_as_lines() {
        let mut account = Account::new(
            "a".to_owned(),
            cloud(),
            Origin::Git,
            SignIn::Opaque(Opaque::default()),
        );
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

        account.sign_in = Known::new(Kind::ApiToken).into();
        let entry = Kept::only(kept.secret.clone())
            .to_entry(&account)
            .expect("an entry");
        assert_eq!(entry, kept.secret);
    }
}
