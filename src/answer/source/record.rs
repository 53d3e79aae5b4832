//! A secret with the fields beside it, as a source has it.

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::account::{Account, Kept, Known, Origin, Owner};
use crate::bitbucket::{self, Kind};
use crate::git::{Host, Username};
use crate::store;
use crate::sys::{Hinted, Secret};

/// The fields by their names. An empty field counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) username: Option<Username>,
    pub(crate) password: Option<Secret>,
    pub(crate) kind: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) expires: Option<String>,
}

impl Fields {
    pub(crate) const NAMES: [&str; 5] = ["username", "password", "kind", "email", "expires"];

    pub(crate) fn read(value: impl Fn(&str) -> Result<Option<Secret>>) -> Result<Self> {
        let filled = |name| anyhow::Ok(value(name)?.filter(|value| !value.is_empty()));
        let text = |name| {
            let line = |value: Secret| {
                let text = std::str::from_utf8(value.expose()).ok();
                let text = text.filter(|text| !text.chars().any(char::is_control));
                text.map(str::to_owned)
                    .with_context(|| format!("the field '{name}' is not a line of text"))
            };
            filled(name)?.map(line).transpose()
        };
        Ok(Self {
            username: text("username")?.and_then(Username::new),
            password: filled("password")?,
            kind: text("kind")?,
            email: text("email")?,
            expires: text("expires")?,
        })
    }

    /// The account that the fields make. Its name is the place where they were found.
    pub(crate) fn into_account(
        mut self,
        place: &str,
        store: store::Name,
        host: &Host,
    ) -> Result<(Account, Kept)> {
        let wrong = |what: &str| {
            Hinted::new(
                format!("'{place}' {what}"),
                "the fields are username, password, kind, email and expires; only password is needed",
            )
        };
        let Some(mut secret) = self.password else {
            bail!(wrong("has no field 'password'"));
        };
        if store == store::Name::Folder {
            // People write these files.
            let (found, name) = bitbucket::understood(&secret, host)
                .map_err(|other| wrong(&format!("has a URL of {other}")))?;
            secret = found;
            self.username = self.username.or(name);
        }
        if secret.expose().iter().any(u8::is_ascii_control) {
            bail!(wrong(
                "has a password with a line break or another control character"
            ));
        }
        // A mounted folder, for example, does not say which host its secret is for.
        if let Some(kind) = Kind::of_another_host(&secret, host) {
            let what = kind.noun();
            bail!(Hinted::new(
                format!("'{place}' has {what}, and {host} is another host"),
                "move it to the place for its own host, or name that host as 'host' of the store in config.toml",
            ));
        }
        let name = self.username.as_ref().map_or(&b""[..], Username::as_slice);
        if String::from_utf8_lossy(name).chars().any(char::is_control) {
            bail!(wrong(
                "has a user name with a line break or another control character"
            ));
        }
        let kind = match self.kind {
            Some(name) => (name.parse().ok())
                .filter(|kind: &Kind| kind.exists_on(host))
                .ok_or_else(|| wrong(&format!("has a kind that does not exist for {host}")))?,
            None => Kind::of_pair(&secret, self.username.as_ref(), host),
        };
        let expires = self.expires.map(|text| {
            day(&text).ok_or_else(|| wrong("has an expiry that is not a date such as 2027-01-31"))
        });
        let owner = Owner::of_kind(kind, self.username, self.email);
        if kind.needs_username() && owner.username.is_none() {
            bail!(wrong("has an app password and no field 'username'"));
        }
        let origin = Origin::Source(store);
        let mut account = Account::new(place.to_owned(), host.clone(), origin, Known::new(kind));
        account.owner = owner;
        account.expires = expires.transpose()?;
        Ok((account, Kept::only(secret)))
    }
}

/// A date, or the date of a time, UTC.
fn day(text: &str) -> Option<Date> {
    let of_moment = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).date();
    let day = text.parse().ok();
    day.or_else(|| text.parse().ok().map(of_moment))
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::bitbucket::{Kind, cloud};
    use crate::store::Name;
    use crate::sys::Secret;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let value = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| Secret::new(value.as_bytes().to_vec())))
        };
        Fields::read(value).expect("fields")
    }

    #[test]
    fn the_kind_is_told_from_the_secret_unless_it_is_said() {
        for (pairs, kind) in [
            (&[("password", "ATATTx")][..], Kind::ApiToken),
            (
                &[("password", "ATCTTx"), ("username", "ada")],
                Kind::AccessToken,
            ),
            (
                &[("password", "plain"), ("username", "x-token-auth")],
                Kind::AccessToken,
            ),
            (&[("password", "plain"), ("kind", "oauth")], Kind::Oauth),
            (
                &[("password", "plain"), ("username", "ada")],
                Kind::AppPassword,
            ),
        ] {
            let account = fields(pairs).into_account("p", Name::Vault, &cloud());
            assert_eq!(
                account.expect("an account").0.kind(),
                Some(kind),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn an_e_mail_as_user_name_of_an_api_token_is_its_e_mail() {
        let pairs = [
            ("password", "ATATTx"),
            ("username", "ada@example.com"),
            ("expires", "2027-01-31T10:00:00Z"),
        ];
        let (account, _) = fields(&pairs)
            .into_account("p", Name::Vault, &cloud())
            .expect("an account");
        assert_eq!(account.email(), Some("ada@example.com"));
        assert!(account.username().is_none());
        assert_eq!(account.expires, "2027-01-31".parse().ok());
    }

    #[test]
    fn what_cannot_be_is_named_and_no_value_is_shown() {
        for pairs in [
            &[("username", "canary")][..],
            &[("password", "canary\nhost=evil.example")],
            &[("password", "canary"), ("kind", "canary")],
            &[("password", "canary"), ("kind", "http-access-token")],
            &[("password", "canary"), ("expires", "canary")],
            &[("password", "canary"), ("kind", "app-password")],
            &[("password", "BBDC-canary"), ("username", "ada")],
        ] {
            let outcome = fields(pairs).into_account("place", Name::Folder, &cloud());
            let error = format!("{:#}", outcome.expect_err("no account"));
            assert!(
                error.contains("'place'") && !error.contains("canary"),
                "{error}"
            );
        }
    }
}
