//! The one maker of what accounts sign in with: from a secret, its host and the names beside it.

use crate::account::sign_in::{Known, Owner};
use crate::bitbucket::{Kind, static_usernames};
use crate::git::context::Host;
use crate::git::username::Username;
use crate::sys::secret::Secret;

impl Known {
    /// The kind is the one that somebody said, else the one that secret and user name tell.
    pub(crate) fn of_secret(
        secret: &Secret,
        host: &Host,
        said: Option<Kind>,
        owner: Owner,
    ) -> Self {
        let username = owner.username.as_ref();
        let kind = said.unwrap_or_else(|| Kind::of_pair(secret, username, host));
        Self::of_kind(kind, owner)
    }

    /// A static user name stands for a kind, and is nobody's. People give the e-mail of an API token as its user name.
    pub(crate) fn of_kind(kind: Kind, owner: Owner) -> Self {
        let is_static = |name: &Username| static_usernames().contains(&name.as_slice());
        let username = owner.username.filter(|name| !is_static(name));
        let as_email = username
            .as_ref()
            .and_then(|name| std::str::from_utf8(name.as_slice()).ok())
            .filter(|name| kind == Kind::ApiToken && name.contains('@'))
            .map(str::to_owned);
        Self {
            owner: Owner {
                username: username.filter(|_| as_email.is_none()),
                email: owner.email.or(as_email),
            },
            ..Self::new(kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::account::sign_in::{Known, Owner};
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
            let owner = Owner {
                username: Username::new(name),
                email: None,
            };
            let secret = Secret::new(secret.as_bytes().to_vec());
            let known = Known::of_secret(&secret, &host, None, owner);
            assert_eq!(known.kind, kind, "{name}");
            let owner = Owner {
                username: username.and_then(Username::new),
                email: email.map(str::to_owned),
            };
            assert_eq!(known.owner, owner, "{name}");
        }
    }
}
