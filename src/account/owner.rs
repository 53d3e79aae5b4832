//! Whose a secret is, and the names with which it is presented.

use serde::{Deserialize, Serialize};

use crate::bitbucket::{self, Kind, static_usernames};
use crate::git::Username;
use crate::sys::http::Answer;

/// Who signs in: git wants the user name, the REST API the e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    #[serde(default, deserialize_with = "Username::read")]
    pub(crate) username: Option<Username>,
    pub(crate) email: Option<String>,
    /// Whom Bitbucket names: by user name or display name, else by the e-mail that it accepted.
    #[serde(rename = "owner")]
    pub(crate) confirmed: Option<String>,
}

impl Owner {
    /// From what stands beside a secret of this kind. A static user name is nobody's, and people give the e-mail of an API
    /// token as its user name.
    pub(crate) fn of_kind(kind: Kind, username: Option<Username>, email: Option<String>) -> Self {
        let is_static = |name: &Username| static_usernames().contains(&name.as_slice());
        let username = username.filter(|name| !is_static(name));
        let as_email = username
            .as_ref()
            .and_then(|name| std::str::from_utf8(name.as_slice()).ok())
            .filter(|name| kind == Kind::ApiToken && name.contains('@'))
            .map(str::to_owned);
        Self {
            username: username.filter(|_| as_email.is_none()),
            email: email.or(as_email),
            confirmed: None,
        }
    }

    /// Notes whom Bitbucket Cloud names in its answer to who signs in, else the e-mail with which it let them in.
    pub(crate) fn note(&mut self, answer: &Answer, is_by_email: bool) {
        let username = bitbucket::username(answer);
        let known = username.clone().or_else(|| bitbucket::display_name(answer));
        self.confirmed = known.or_else(|| self.email.clone().filter(|_| is_by_email));
        self.username = self.username.take().or(username.and_then(Username::new));
    }
}

#[cfg(test)]
mod tests {
    use super::Owner;
    use crate::bitbucket::{Kind, cloud};
    use crate::git::username::Username;
    use crate::sys::secret::Secret;

    #[test]
    fn secret_and_user_name_tell_kind_user_name_and_e_mail() {
        let host = cloud();
        for (secret, name, kind, username, email) in [
            ("ATATTx", "ada", Kind::ApiToken, Some("ada"), None),
            (
                "ATATTx",
                "a@b.example",
                Kind::ApiToken,
                None,
                Some("a@b.example"),
            ),
            (
                "ATATTx",
                "x-bitbucket-api-token-auth",
                Kind::ApiToken,
                None,
                None,
            ),
            ("ATCTTx", "x-token-auth", Kind::AccessToken, None, None),
            ("plain", "x-token-auth", Kind::AccessToken, None, None),
            ("plain", "", Kind::AccessToken, None, None),
            ("plain", "ada", Kind::AppPassword, Some("ada"), None),
        ] {
            let given = Username::new(name);
            let secret = Secret::new(secret.as_bytes().to_vec());
            assert_eq!(
                Kind::of_pair(&secret, given.as_ref(), &host),
                kind,
                "{name}"
            );
            let owner = Owner {
                username: username.and_then(Username::new),
                email: email.map(str::to_owned),
                confirmed: None,
            };
            assert_eq!(Owner::of_kind(kind, given, None), owner, "{name}");
        }
    }
}
