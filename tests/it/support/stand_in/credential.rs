//! The credentials the stand-in knows: what a test says of them, and their state.

use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A credential; everything not said has a default that makes it as useful as its kind allows.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(super) kind: Kind,
    pub(super) secret: String,
    pub(super) user: String,
    pub(super) email: String,
    pub(super) scopes: Vec<String>,
    pub(super) sees: Vec<String>,
    /// Repositories that answer 401 to it, as if it were unknown.
    pub(super) refused_by: Vec<String>,
    pub(super) reported_as: Option<String>,
    pub(super) state: State,
    pub(super) ends: Option<Instant>,
}

impl Credential {
    /// An API token with scopes; reads, writes and names its user `ada` (`ada@example.com`) unless
    /// told otherwise.
    pub(crate) fn api_token(secret: &str) -> Self {
        let scopes = [
            "read:repository:bitbucket",
            "write:repository:bitbucket",
            "read:user:bitbucket",
        ];
        Self::new(Kind::ApiToken, secret).scopes(scopes)
    }

    /// An Atlassian API token made without scopes, which Bitbucket accepts nowhere.
    pub(crate) fn unscoped_api_token(secret: &str) -> Self {
        Self::new(Kind::UnscopedApiToken, secret)
    }

    /// A repository's, project's or workspace's access token; which of them follows from what it
    /// [sees](Self::sees).
    pub(crate) fn access_token(secret: &str) -> Self {
        Self::new(Kind::AccessToken, secret).scopes(["repository:write"])
    }

    /// An OAuth 2.0 access token.
    pub(crate) fn oauth(secret: &str) -> Self {
        Self::new(Kind::OauthAccessToken, secret).scopes(["repository:write", "account", "email"])
    }

    /// An OAuth 2.0 access token of a Data Center.
    pub(crate) fn oauth_of_data_center(secret: &str) -> Self {
        Self::new(Kind::OauthOfDataCenter, secret)
    }

    /// An app password, which is recognised and refused everywhere.
    pub(crate) fn app_password(secret: &str) -> Self {
        Self::new(Kind::AppPassword, secret)
    }

    /// A Data Center HTTP access token of a user (`ada` unless told otherwise).
    pub(crate) fn http_access_token(secret: &str) -> Self {
        Self::new(Kind::HttpAccessToken, secret).scopes(["REPO_WRITE"])
    }

    /// A Data Center HTTP access token of a project or repository, which has no user.
    pub(crate) fn project_http_access_token(secret: &str) -> Self {
        Self::new(Kind::HttpAccessToken, secret)
            .scopes(["REPO_WRITE"])
            .user("")
    }

    /// A Data Center user's password.
    pub(crate) fn password(secret: &str) -> Self {
        Self::new(Kind::Password, secret)
    }

    /// The Bitbucket user name.
    pub(crate) fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// The e-mail address of the Atlassian account.
    pub(crate) fn email(mut self, email: &str) -> Self {
        email.clone_into(&mut self.email);
        self
    }

    /// The scopes by their real names, in place of the default ones; on Data Center `REPO_READ`,
    /// `REPO_WRITE`, ….
    pub(crate) fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = scopes.into_iter().map(str::to_owned).collect();
        self
    }

    /// One more workspace (`acme`) or repository (`acme/app`) it may see; without any it sees them
    /// all.
    pub(crate) fn sees(mut self, place: &str) -> Self {
        self.sees.push(place.to_owned());
        self
    }

    /// One more workspace or repository whose repositories answer 401 to it, although everybody else knows it.
    pub(crate) fn refused_by(mut self, place: &str) -> Self {
        self.refused_by.push(place.to_owned());
        self
    }

    /// The `X-Credential-Type` to report in place of the one which follows from the kind.
    pub(crate) fn reported_as(mut self, credential_type: &str) -> Self {
        self.reported_as = Some(credential_type.to_owned());
        self
    }

    fn new(kind: Kind, secret: &str) -> Self {
        Self {
            kind,
            secret: secret.to_owned(),
            user: "ada".to_owned(),
            email: "ada@example.com".to_owned(),
            scopes: Vec::new(),
            sees: Vec::new(),
            refused_by: Vec::new(),
            reported_as: None,
            state: State::Valid,
            ends: None,
        }
    }
}

/// A credential the stand-in knows, whose state may change while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Mutex<Credential>>);

impl Handle {
    pub(super) fn new(credential: Credential) -> Self {
        Self(Arc::new(Mutex::new(credential)))
    }

    /// From now on 401, as if its owner had revoked it.
    pub(crate) fn revoke(&self) {
        self.change(|credential| credential.state = State::Revoked);
    }

    /// From now on 401, as if its time were over.
    pub(crate) fn expire(&self) {
        self.change(|credential| credential.state = State::Expired);
    }

    /// From now on 429.
    pub(crate) fn limit_rate(&self) {
        self.change(|credential| credential.state = State::RateLimited);
    }

    /// Good again.
    pub(crate) fn restore(&self) {
        self.change(|credential| credential.state = State::Valid);
    }

    /// Other scopes in place of those it has.
    pub(crate) fn set_scopes<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) {
        self.change(|credential| *credential = credential.clone().scopes(scopes));
    }

    pub(super) fn current(&self) -> Credential {
        self.0
            .lock()
            .expect("no thread panics with a credential")
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Credential)) {
        change(&mut self.0.lock().expect("no thread panics with a credential"));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ApiToken,
    UnscopedApiToken,
    AccessToken,
    OauthAccessToken,
    OauthOfDataCenter,
    AppPassword,
    HttpAccessToken,
    Password,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Valid,
    Revoked,
    Expired,
    RateLimited,
}
