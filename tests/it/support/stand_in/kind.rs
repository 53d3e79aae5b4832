//! The rules of each kind of credential: in what form it is shown, and what it may do.

use super::credential::{Credential, Kind};
use super::request::Authorization;

impl Credential {
    /// Whether it is one of a Data Center's kinds.
    pub(super) fn is_of_data_center(&self) -> bool {
        matches!(
            self.kind,
            Kind::HttpAccessToken | Kind::OauthOfDataCenter | Kind::Password
        )
    }

    /// Whether git (or git-lfs) shows this credential in the form its kind demands.
    ///
    /// Atlassian, "Using API tokens" and "Using access tokens": an API token goes with the user
    /// name or a fixed name, never with the e-mail address; access tokens go with a fixed name of
    /// their own. Cloud advertises nothing but Basic.
    pub(super) fn shown_to_git(&self, shown: &Authorization, x_token_auth: bool) -> bool {
        match (self.kind, shown) {
            (Kind::ApiToken, Authorization::Basic { user, .. }) => {
                *user == self.user || user == "x-bitbucket-api-token-auth"
            }
            (Kind::AccessToken | Kind::OauthAccessToken, Authorization::Basic { user, .. }) => {
                user == "x-token-auth"
            }
            (Kind::AppPassword, Authorization::Basic { user, .. }) => *user == self.user,
            // With the token as password any name works (git-credential-manager).
            (Kind::OauthOfDataCenter, Authorization::Basic { user, .. }) => !user.is_empty(),
            _ => self.shown_to_data_center(shown, x_token_auth),
        }
    }

    /// Whether a REST request shows this credential in the form its kind demands.
    ///
    /// Bitbucket Cloud REST, "Authentication methods": Basic with the e-mail address for API
    /// tokens, else Bearer.
    pub(super) fn shown_to_rest(&self, shown: &Authorization, x_token_auth: bool) -> bool {
        match (self.kind, shown) {
            (Kind::ApiToken, Authorization::Basic { user, .. }) => *user == self.email,
            (Kind::AccessToken | Kind::OauthAccessToken, Authorization::Bearer(_)) => true,
            _ => self.shown_to_data_center(shown, x_token_auth),
        }
    }

    fn shown_to_data_center(&self, shown: &Authorization, x_token_auth: bool) -> bool {
        match (self.kind, shown) {
            (Kind::HttpAccessToken | Kind::OauthOfDataCenter, Authorization::Bearer(_)) => true,
            (Kind::HttpAccessToken, Authorization::Basic { user, .. }) => {
                (!user.is_empty() && *user == self.user) || (x_token_auth && user == "x-token-auth")
            }
            (Kind::Password, Authorization::Basic { user, .. }) => *user == self.user,
            _ => false,
        }
    }

    /// Whether the repository `name`, or the workspace, is within what this credential was limited
    /// to.
    pub(super) fn can_see(&self, name: &str) -> bool {
        self.sees.is_empty() || self.sees.iter().any(|place| is_within(name, place))
    }

    /// Whether the repository `name` answers 401 to it.
    pub(super) fn is_refused_by(&self, name: &str) -> bool {
        self.refused_by.iter().any(|place| is_within(name, place))
    }

    /// Whether any of what it was limited to lies within this workspace.
    pub(super) fn can_see_within(&self, workspace: &str) -> bool {
        self.sees
            .iter()
            .any(|place| place.split('/').next() == Some(workspace))
    }

    /// Whether it was given this scope, or another which implies it.
    pub(super) fn holds(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| implies(granted, scope))
    }

    /// The scopes needed to fetch from or push to a repository with this kind of credential.
    ///
    /// Writing with an API token takes both, as its scopes imply nothing.
    pub(super) fn repository_scopes(&self, write: bool) -> &'static [&'static str] {
        match (self.kind, write) {
            (Kind::Password, _) => &[],
            (Kind::HttpAccessToken | Kind::OauthOfDataCenter, false) => &["REPO_READ"],
            (Kind::HttpAccessToken | Kind::OauthOfDataCenter, true) => &["REPO_WRITE"],
            (Kind::ApiToken | Kind::UnscopedApiToken, false) => &["read:repository:bitbucket"],
            (Kind::ApiToken | Kind::UnscopedApiToken, true) => {
                &["read:repository:bitbucket", "write:repository:bitbucket"]
            }
            (Kind::AccessToken | Kind::OauthAccessToken | Kind::AppPassword, false) => {
                &["repository"]
            }
            (Kind::AccessToken | Kind::OauthAccessToken | Kind::AppPassword, true) => {
                &["repository:write"]
            }
        }
    }

    /// The value of the `X-Credential-Type` header.
    pub(super) fn credential_type(&self) -> &str {
        if let Some(name) = &self.reported_as {
            return name;
        }
        match self.kind {
            Kind::ApiToken | Kind::UnscopedApiToken => "api_token",
            Kind::AccessToken if self.sees.iter().any(|place| place.contains('/')) => {
                "repo_access_token"
            }
            Kind::AccessToken => "workspace_access_token",
            // Nobody has published what Bitbucket says for OAuth.
            Kind::OauthAccessToken => "oauth2",
            Kind::AppPassword => "apppassword",
            Kind::HttpAccessToken | Kind::OauthOfDataCenter | Kind::Password => "",
        }
    }
}

fn is_within(name: &str, place: &str) -> bool {
    let rest = name.strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Bitbucket's classic scopes and Data Center's permissions imply one another; those of API tokens
/// do not.
fn implies(granted: &str, wanted: &str) -> bool {
    let weaker = match granted {
        "repository:write" | "project" | "pullrequest" => "repository",
        "pullrequest:write" => "repository:write",
        "REPO_ADMIN" | "PROJECT_WRITE" => "REPO_WRITE",
        "REPO_WRITE" | "PROJECT_READ" => "REPO_READ",
        "PROJECT_ADMIN" => "REPO_ADMIN",
        _ => return granted == wanted,
    };
    granted == wanted || implies(weaker, wanted)
}
