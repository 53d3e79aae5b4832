//! How an account presents its secret: git and the REST API want different names.

use thiserror::Error;

use crate::account::record::{Account, Origin};
use crate::account::sign_in::Scheme;
use crate::bitbucket::site::Site;
use crate::git::Identity;
use crate::sys::Secret;

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Missing {
    #[error("the e-mail of the Atlassian account")]
    Email,
    #[error("a user name")]
    Username,
}

impl Missing {
    /// How to add it.
    pub(crate) fn fix(self, account: &Account) -> String {
        let option = match (account.origin, self) {
            (Origin::Variable(_), _) => {
                return "set BITBUCKET_EMAIL to the e-mail of the Atlassian account".to_owned();
            }
            // What lies elsewhere is no account that one signs in to.
            (Origin::Source(_), _) => return "add it there beside the password".to_owned(),
            (_, Self::Email) => "--email ADDRESS",
            (_, Self::Username) => "--username NAME",
        };
        let name = account.argument();
        format!("add it: 'git credential-bitbucket edit {name} {option}'")
    }
}

impl Identity {
    /// For git and LFS. Fails when the account lacks a user name.
    pub(crate) fn for_git(account: &Account, secret: Secret) -> Result<Self, Missing> {
        // As git gave it in the header form.
        if let Some(authtype) = account.opaque().and_then(|it| it.authtype.as_ref()) {
            return Ok(Self::header(authtype.as_slice(), secret));
        }
        if account.scheme() != Scheme::Basic {
            return Ok(Self::bearer(secret));
        }
        let username = account.git_username().ok_or(Missing::Username)?;
        Ok(Self::basic(username, secret))
    }

    /// For the REST API of the account's host. Fails when the account lacks the name that its kind needs there.
    pub(crate) fn for_rest(account: &Account, secret: Secret) -> Result<Self, Missing> {
        let username = match account.kind() {
            None => return Self::for_git(account, secret),
            Some(kind) if kind.is_bearer_at_rest() => return Ok(Self::bearer(secret)),
            Some(kind) if kind.goes_by_email() => account.email().ok_or(Missing::Email)?.as_bytes(),
            Some(_) => account.username().ok_or(Missing::Username)?.as_slice(),
        };
        Ok(Self::basic(username, secret))
    }
}

impl Account {
    /// Where its OAuth client is registered.
    pub(crate) fn oauth_site(&self) -> Site {
        Site {
            host: self.host.clone(),
            base_path: self.base_path().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Missing;
    use crate::account::owner::Owner;
    use crate::account::sign_in::Known;
    use crate::account::{Account, Origin};
    use crate::bitbucket::{Kind, cloud};
    use crate::git::identity::Identity;
    use crate::git::username::Username;
    use crate::sys::secret::Secret;

    fn account(kind: Kind) -> Account {
        Account::new("a".to_owned(), cloud(), Origin::Login, Known::new(kind))
    }

    fn secret() -> Secret {
        Secret::new(b"t".to_vec())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
    fn basic(username: &str) -> Result<Identity, Missing> {
        Ok(Identity::basic(username.as_bytes(), secret()))
    }

    #[test]
    fn each_kind_has_its_names_at_git_and_at_rest() {
        let with = |kind: Kind| {
            let mut named = account(kind);
            let email = Some("ada@example.com".to_owned());
            named.owner = Owner::of_kind(kind, Username::new("ada"), email);
            named
        };
        let bearer = || Ok(Identity::bearer(secret()));
        let rows = [
            (
                Kind::ApiToken,
                basic("x-bitbucket-api-token-auth"),
                basic("ada@example.com"),
            ),
            (Kind::AccessToken, basic("x-token-auth"), bearer()),
            (Kind::AppPassword, basic("ada"), basic("ada")),
            (Kind::HttpAccessToken, basic("ada"), bearer()),
        ];
        for (kind, git, rest) in rows {
            assert_eq!(Identity::for_git(&with(kind), secret()), git, "{kind}");
            assert_eq!(Identity::for_rest(&with(kind), secret()), rest, "{kind}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            Identity::for_rest(&account(Kind::ApiToken), secret()),
            Err(Missing::Email)
        );
        assert_eq!(
            Identity::for_git(&account(Kind::AppPassword), secret()),
            Err(Missing::Username)
        );
    }
}
