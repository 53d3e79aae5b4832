//! The kinds of credential, and how git and REST take each.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::bitbucket::host::is_cloud;
use crate::git::Host;
use crate::sys::words::words;

/// The day on which Bitbucket Cloud removed app passwords (changelog, CHANGE-3222).
const APP_PASSWORDS_REMOVED: Date = jiff::civil::date(2026, 7, 28);

/// Says that Bitbucket Cloud removed app passwords. `what` is the sentence's subject.
pub(crate) fn removed(what: &str) -> String {
    format!("Bitbucket removed {what} on {APP_PASSWORDS_REMOVED} (git shows error 410)")
}

/// The static git user name of an API token: <https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/>.
const API_TOKEN_USERNAME: &str = "x-bitbucket-api-token-auth";
/// The static git user name of an access token: <https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/>.
const ACCESS_TOKEN_USERNAME: &str = "x-token-auth";
/// The git user name of an OAuth token on Data Center, where any works (git-credential-manager, `BitbucketConstants`).
const OAUTH_USERNAME: &str = "OAUTH_USERNAME";

words! {
    /// The kinds of credential, by Atlassian's own names, the usual ones first.
    pub(crate) enum Kind {
        /// A user's API token with scopes, Bitbucket Cloud.
        ApiToken = "api-token",
        /// A repository, project or workspace access token of Bitbucket Cloud.
        AccessToken = "access-token",
        /// A grant of OAuth 2.0: its secret is an access token of an hour or two, which we renew.
        Oauth = "oauth",
        /// User name and app password; Bitbucket Cloud has removed them, to Data Center they are a plain password.
        AppPassword = "app-password",
        /// An HTTP access token of Bitbucket Data Center.
        HttpAccessToken = "http-access-token",
    }
}

impl Kind {
    /// As one says it in a sentence.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::AccessToken => "an access token",
            Self::ApiToken => "an API token",
            Self::AppPassword => "an app password",
            Self::HttpAccessToken => "an HTTP access token",
            Self::Oauth => "an OAuth grant",
        }
    }

    /// Whether this kind exists on the host at all.
    pub(crate) fn exists_on(self, host: &Host) -> bool {
        match self {
            Self::AccessToken | Self::ApiToken => is_cloud(host),
            Self::HttpAccessToken => !is_cloud(host),
            Self::AppPassword | Self::Oauth => true,
        }
    }

    /// The user name with which git presents this kind to the host, given the account's own.
    ///
    /// An API token also works with its owner's user name, but not with an e-mail; the static name always works.
    /// A Data Center token without a user name takes the static name of recent versions.
    pub(crate) fn git_username<'a>(self, host: &Host, own: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self {
            Self::AppPassword | Self::HttpAccessToken => own.or(self.static_username()),
            Self::Oauth if !is_cloud(host) => Some(OAUTH_USERNAME.as_bytes()),
            Self::AccessToken | Self::ApiToken | Self::Oauth => self.static_username(),
        }
    }

    /// The user name that stands for this kind and for no user.
    pub(super) fn static_username(self) -> Option<&'static [u8]> {
        match self {
            Self::ApiToken => Some(API_TOKEN_USERNAME.as_bytes()),
            Self::AppPassword => None,
            // Of OAuth too: "the literal string is required" (Atlassian, "Use OAuth on Bitbucket Cloud").
            Self::AccessToken | Self::HttpAccessToken | Self::Oauth => {
                Some(ACCESS_TOKEN_USERNAME.as_bytes())
            }
        }
    }

    /// Whether REST takes this kind as Bearer, and not as Basic: <https://developer.atlassian.com/cloud/bitbucket/rest/intro/>.
    pub(crate) fn is_bearer_at_rest(self) -> bool {
        matches!(
            self,
            Self::AccessToken | Self::HttpAccessToken | Self::Oauth
        )
    }

    /// Whether REST takes this kind with the e-mail of the Atlassian account, and not with the user name.
    pub(crate) fn goes_by_email(self) -> bool {
        self == Self::ApiToken
    }

    /// Whether each secret of this kind expires: an API token after a year at most.
    pub(crate) fn always_expires(self) -> bool {
        self == Self::ApiToken
    }

    pub(crate) fn needs_username(self) -> bool {
        self == Self::AppPassword
    }

    /// Bitbucket Cloud answers app passwords with 410 since [`APP_PASSWORDS_REMOVED`]; git does not erase upon that.
    pub(crate) fn is_retired_on(self, host: &Host) -> bool {
        self == Self::AppPassword && is_cloud(host)
    }
}

/// The user names that stand for a kind and for no user, each once.
pub(crate) fn static_usernames() -> BTreeSet<&'static [u8]> {
    let kinds = Kind::ALL.into_iter();
    kinds.filter_map(Kind::static_username).collect()
}
