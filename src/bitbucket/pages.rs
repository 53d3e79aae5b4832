//! The pages where a secret is created and revoked, the scopes to tick there, and what scopes imply.

use crate::bitbucket::host::is_cloud;
use crate::bitbucket::kind::Kind;
use crate::bitbucket::reach::Reach;
use crate::git::context::Host;

/// Where API tokens are created and revoked: <https://support.atlassian.com/bitbucket-cloud/docs/create-an-api-token/>.
pub(crate) const API_TOKEN_PAGE: &str =
    "https://id.atlassian.com/manage-profile/security/api-tokens";
/// Where users find their user name: <https://support.atlassian.com/bitbucket-cloud/docs/update-your-username/>.
pub(crate) const PROFILE_PAGE: &str = "https://bitbucket.org/account/settings/";
/// Where users revoke an OAuth grant.
const GRANTS_PAGE: &str = "https://bitbucket.org/account/settings/app-authorizations/";
impl Kind {
    /// The page where this kind is created and revoked; `context` is the base path of a Data Center instance.
    pub(crate) fn page(self, host: &Host, context: &str, reach: &[Reach]) -> String {
        match (self, reach) {
            (Self::ApiToken | Self::AppPassword, _) if is_cloud(host) => API_TOKEN_PAGE.to_owned(),
            (Self::Oauth, _) => GRANTS_PAGE.to_owned(),
            (
                Self::AccessToken,
                [
                    Reach {
                        workspace,
                        repository: Some(repository),
                    },
                    ..,
                ],
            ) => {
                format!("https://{host}/{workspace}/{repository}/admin/access-tokens")
            }
            (
                Self::AccessToken,
                [
                    Reach {
                        workspace,
                        repository: None,
                    },
                    ..,
                ],
            ) => {
                format!("https://{host}/{workspace}/workspace/settings/access-tokens")
            }
            (Self::AccessToken, []) => {
                format!("https://{host}/WORKSPACE/REPOSITORY/admin/access-tokens")
            }
            // Data Center, "HTTP access tokens": <https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html>.
            (Self::ApiToken | Self::AppPassword | Self::HttpAccessToken, _) => {
                format!("https://{host}{context}/plugins/servlet/access-tokens/manage")
            }
        }
    }

    /// The scopes to tick for fetch and push, by the page's names. API token scopes do not imply one another.
    pub(crate) fn scopes_to_tick(self) -> Option<&'static str> {
        match self {
            Self::ApiToken => Some("read:repository:bitbucket and write:repository:bitbucket"),
            Self::AccessToken => Some("repository:write"),
            Self::HttpAccessToken => Some("Repository write"),
            Self::Oauth => Some("Account: Read, and Repositories: Write"),
            Self::AppPassword => None,
        }
    }
}

/// Where to create a secret and what to tick, one line each, shown before the prompt.
pub(crate) fn how_to_make(kind: Kind, host: &Host, context: &str, reach: &[Reach]) -> Vec<String> {
    let page = kind.page(host, context, reach);
    let make = match kind {
        Kind::ApiToken => "Make an API token with 'Create API token with scopes', app Bitbucket:",
        Kind::AccessToken => "Make an access token:",
        Kind::HttpAccessToken => "Make an HTTP access token:",
        Kind::AppPassword | Kind::Oauth => return Vec::new(),
    };
    // The URL has its own line: a terminal that wraps it breaks the link.
    let tick = kind.scopes_to_tick().map(|scopes| format!("Tick {scopes}"));
    [make.to_owned(), page].into_iter().chain(tick).collect()
}

/// The scopes that git needs; pushing needs both.
pub(crate) struct GitScopes {
    pub(crate) read: &'static str,
    pub(crate) write: &'static str,
}

impl Kind {
    /// What git needs of a kind on Bitbucket Cloud:
    /// <https://support.atlassian.com/bitbucket-cloud/docs/api-token-permissions/>,
    /// <https://support.atlassian.com/bitbucket-cloud/docs/repository-access-token-permissions/>.
    pub(crate) fn git_scopes(self) -> Option<GitScopes> {
        match self {
            Self::ApiToken => Some(GitScopes {
                read: "read:repository:bitbucket",
                write: "write:repository:bitbucket",
            }),
            Self::AccessToken | Self::Oauth => Some(GitScopes {
                read: "repository",
                write: "repository:write",
            }),
            Self::AppPassword | Self::HttpAccessToken => None,
        }
    }
}

/// Whether one of the granted scopes is, or implies, the wanted one.
///
/// The scopes of API tokens imply nothing; of the classic ones `repository:write`, `project` and `pullrequest` imply
/// `repository`, and `pullrequest:write` implies `repository:write`.
pub(crate) fn grants(granted: &[&str], wanted: &str) -> bool {
    let implied: &[&str] = match wanted {
        "repository" => &[
            "repository:write",
            "project",
            "pullrequest",
            "pullrequest:write",
        ],
        "repository:write" => &["pullrequest:write"],
        _ => &[],
    };
    granted
        .iter()
        .any(|scope| *scope == wanted || implied.contains(scope))
}
