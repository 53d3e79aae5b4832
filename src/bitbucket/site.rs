//! OAuth clients: where they are registered, and how.

use std::time::Duration;

use crate::bitbucket::host::is_cloud;
use crate::bitbucket::reach::Reach;
use crate::git::Host;
use crate::sys::Secret;

/// The client that whoever built the program has registered at Bitbucket Cloud, and its secret.
pub(crate) const BUILT_IN: (Option<&str>, Option<&str>) = (
    option_env!("GIT_CREDENTIAL_BITBUCKET_CLIENT_ID"),
    option_env!("GIT_CREDENTIAL_BITBUCKET_CLIENT_SECRET"),
);

/// What the user lets act for them. Bitbucket Cloud called it a consumer, and its ID a key.
#[derive(Clone, Debug)]
pub(crate) struct OauthClient {
    pub(crate) site: Site,
    pub(crate) id: String,
    /// None where PKCE alone is taken.
    pub(crate) secret: Option<Secret>,
}

/// Where OAuth clients are registered: Bitbucket Cloud, or an instance of Data Center below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) host: Host,
    pub(crate) base_path: String,
}

impl Site {
    pub(crate) fn is_cloud(&self) -> bool {
        is_cloud(&self.host)
    }

    fn at(&self, on_cloud: &str, on_data_center: &str) -> String {
        let Self { host, base_path } = self;
        if self.is_cloud() {
            format!("https://{host}/{on_cloud}")
        } else {
            format!("https://{host}{base_path}/{on_data_center}")
        }
    }

    /// The page where a user grants a client access.
    pub(super) fn authorize_url(&self) -> String {
        self.at("site/oauth2/authorize", "rest/oauth2/latest/authorize")
    }

    pub(super) fn token_url(&self) -> String {
        self.at("site/oauth2/access_token", "rest/oauth2/latest/token")
    }

    /// The page where clients are registered. On Cloud it was `settings/api` until mid-2026, as others report.
    pub(crate) fn clients_page(&self, reach: &[Reach]) -> String {
        let named = reach.first().map(|reach| reach.workspace.as_str());
        let workspace = named.unwrap_or("WORKSPACE");
        self.at(
            &format!("{workspace}/workspace/settings/oauth-clients"),
            "plugins/servlet/applinks/listApplicationLinks",
        )
    }

    /// How to register a client, in the words of today's pages and in the older ones.
    pub(crate) fn how_to_register(
        &self,
        reach: &[Reach],
        acts_for_itself: bool,
        callback: &str,
    ) -> [String; 3] {
        let make = if self.is_cloud() {
            "For a Client ID (older: key) and a Secret: 'OAuth clients' (older: 'OAuth consumers'), 'Create OAuth client':"
        } else {
            "For a Client ID and a Secret, an administrator makes a link ('Create link', 'External application', 'Incoming'):"
        };
        let tick = match (self.is_cloud(), acts_for_itself) {
            (false, _) => "https where http is refused; tick Repositories: Read and Write",
            (true, false) => {
                "tick 'Authorization code', 'Refresh token', Account: Read, and Repositories: Write"
            }
            (true, true) => {
                "tick 'Client credentials' (older: 'This is a private consumer'), Account: Read, and Repositories: Write"
            }
        };
        [
            make.to_owned(),
            self.clients_page(reach),
            // Cloud requires the callback even without a browser.
            format!("Callback URL: {callback}; {tick}"),
        ]
    }

    /// How long an access token works if the answer does not say it (on Data Center: "OAuth 2.0 provider system
    /// properties").
    pub(super) fn usual_lifetime(&self) -> Duration {
        Duration::from_secs(if self.is_cloud() { 7200 } else { 3600 })
    }

    /// The scopes to ask for; on Cloud the client has them.
    pub(super) fn scopes(&self) -> Option<&'static [u8]> {
        (!self.is_cloud()).then_some(b"REPO_READ REPO_WRITE")
    }
}
