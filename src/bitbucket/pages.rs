//! The pages where a secret is created and revoked, the scopes to tick there, and what scopes imply.

use crate::bitbucket::host::is_cloud;
use crate::bitbucket::kind::Kind;
use crate::bitbucket::reach::Reach;
use crate::bitbucket::rest::Service;
use crate::git::Host;

/// Where API tokens are created and revoked: <https://support.atlassian.com/bitbucket-cloud/docs/create-an-api-token/>.
pub(crate) const API_TOKEN_PAGE: &str =
    "https://id.atlassian.com/manage-profile/security/api-tokens";
/// Where users find their user name: <https://support.atlassian.com/bitbucket-cloud/docs/update-your-username/>.
pub(crate) const PROFILE_PAGE: &str = "https://bitbucket.org/account/settings/";
const GRANTS_PAGE: &str = "https://bitbucket.org/account/settings/app-authorizations/";

impl Kind {
    /// The page where this kind is created and revoked; `context` is the base path of a Data Center instance.
    pub(crate) fn page(self, host: &Host, context: &str, reach: &[Reach]) -> String {
        match self {
            Self::ApiToken | Self::AppPassword if is_cloud(host) => API_TOKEN_PAGE.to_owned(),
            Self::Oauth if is_cloud(host) => GRANTS_PAGE.to_owned(),
            // Data Center, "Authorized applications" of the user's account.
            Self::Oauth => {
                format!("https://{host}{context}/plugins/servlet/oauth/users/access-tokens")
            }
            Self::AccessToken => {
                let place = match reach.first() {
                    None => "WORKSPACE/REPOSITORY/admin".to_owned(),
                    Some(reach) if reach.repository.is_some() => format!("{reach}/admin"),
                    Some(workspace) => format!("{workspace}/workspace/settings"),
                };
                format!("https://{host}/{place}/access-tokens")
            }
            // Data Center, "HTTP access tokens": <https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html>.
            Self::ApiToken | Self::AppPassword | Self::HttpAccessToken => {
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
    // Whose the token is, `/2.0/user` says with this scope alone.
    let also = "Tick read:user:bitbucket too: it tells whose token it is";
    let also = (kind == Kind::ApiToken).then(|| also.to_owned());
    let lines = [make.to_owned(), page].into_iter();
    lines.chain(tick).chain(also).collect()
}

impl Kind {
    /// The scope that git needs for this on Bitbucket Cloud; pushing needs both:
    /// <https://support.atlassian.com/bitbucket-cloud/docs/api-token-permissions/>,
    /// <https://support.atlassian.com/bitbucket-cloud/docs/repository-access-token-permissions/>.
    pub(crate) fn git_scope(self, service: Service) -> Option<&'static str> {
        let (read, write) = match self {
            Self::ApiToken => ("read:repository:bitbucket", "write:repository:bitbucket"),
            Self::AccessToken | Self::Oauth => ("repository", "repository:write"),
            Self::AppPassword | Self::HttpAccessToken => return None,
        };
        Some(match service {
            Service::Fetch => read,
            Service::Push => write,
        })
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
    let is_enough = |scope: &&str| *scope == wanted || implied.contains(scope);
    granted.iter().any(is_enough)
}
