//! OAuth 2.0 with Bitbucket's own rules: consumers, codes, and refresh tokens that are used once.
//!
//! Data Center takes ID and secret in the form, wants the scopes in the request, and may want callbacks over https.
//!
//! From Atlassian's "Use OAuth on Bitbucket Cloud", CHANGE-3052, and what others saw: a used refresh token is taken for
//! ten more minutes, and after that its reuse is answered `unauthorized_client` and locks the consumer out for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::credential::Credential;
use super::message::Response;
use super::request::Authorization;
use super::routing::Question;
use super::server::CLOUD;

/// A consumer the stand-in knows, and how it treats it.
#[derive(Clone)]
pub(crate) struct Consumer(Arc<Mutex<State>>);

struct State {
    place: String,
    id: String,
    secret: String,
    private: bool,
    /// The callbacks it takes.
    callbacks: &'static [&'static str],
    user: String,
    lifetime: u64,
    grace: Duration,
    token_length: usize,
    denies: bool,
    refused_by: Option<String>,
    rotates: bool,
    locked_out: usize,
    fails: Option<u16>,
    says: Vec<(&'static str, Value)>,
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Refresh>,
    issued: usize,
    punished: usize,
}

struct Code {
    redirect: String,
    challenge: Option<String>,
}

#[derive(Default)]
struct Refresh {
    used: Option<Instant>,
    revoked: bool,
}

impl Consumer {
    pub(super) fn new(place: &str, id: &str, secret: &str) -> Self {
        let is_cloud = place == CLOUD;
        Self(Arc::new(Mutex::new(State {
            place: place.to_owned(),
            id: id.to_owned(),
            secret: secret.to_owned(),
            private: false,
            callbacks: if is_cloud {
                &["http://127.0.0.1:"]
            } else {
                &["http://127.0.0.1:", "https://127.0.0.1:"]
            },
            user: "ada".to_owned(),
            lifetime: if is_cloud { 7200 } else { 3600 },
            grace: Duration::from_secs(600),
            token_length: 60,
            denies: false,
            refused_by: None,
            rotates: true,
            locked_out: 0,
            fails: None,
            says: Vec::new(),
            codes: HashMap::new(),
            refresh: HashMap::new(),
            issued: 0,
            punished: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread panics with a consumer")
    }

    pub(super) fn is_called(&self, place: &str, id: &str) -> bool {
        let state = self.state();
        state.place == place && state.id == id
    }

    /// The instance takes no callback over plain http.
    pub(crate) fn wants_https(&self) -> &Self {
        self.state().callbacks = &["https://127.0.0.1:"];
        self
    }

    /// Who is signed in in the browser.
    pub(crate) fn user(&self, user: &str) -> &Self {
        user.clone_into(&mut self.state().user);
        self
    }

    /// "This is a private consumer" is ticked.
    pub(crate) fn private(&self) -> &Self {
        self.state().private = true;
        self
    }

    /// How many seconds the next access tokens live.
    pub(crate) fn lifetime(&self, seconds: u64) -> &Self {
        self.state().lifetime = seconds;
        self
    }

    /// Its refresh tokens go on working, and no answer brings a new one.
    pub(crate) fn keeps_refresh_tokens(&self) -> &Self {
        self.state().rotates = false;
        self
    }

    /// Answers the next requests for tokens with `unauthorized_client`, whatever they bring.
    pub(crate) fn lock_out(&self, requests: usize) -> &Self {
        self.state().locked_out = requests;
        self
    }

    /// How long a used refresh token is still taken.
    pub(crate) fn grace(&self, grace: Duration) -> &Self {
        self.state().grace = grace;
        self
    }

    /// How long the next access tokens are.
    pub(crate) fn token_length(&self, length: usize) -> &Self {
        self.state().token_length = length;
        self
    }

    /// Whoever is asked in the browser says no.
    pub(crate) fn denies(&self) -> &Self {
        self.state().denies = true;
        self
    }

    /// The next access tokens get a 401 from the repositories of this workspace, although everybody else knows them.
    pub(crate) fn refused_by(&self, workspace: &str) -> &Self {
        self.state().refused_by = Some(workspace.to_owned());
        self
    }

    /// Answers this status and a page to whoever asks for tokens, or does so no more.
    pub(crate) fn fails(&self, status: Option<u16>) -> &Self {
        self.state().fails = status;
        self
    }

    /// Has the next answers with tokens say this in place of what is true.
    pub(crate) fn says(&self, fields: &[(&'static str, Value)]) -> &Self {
        self.state().says = fields.to_vec();
        self
    }

    /// Gives the consumer another secret.
    pub(crate) fn change_secret(&self) {
        self.state().secret.push('2');
    }

    /// The user takes back what was granted.
    pub(crate) fn revoke(&self) {
        for token in self.state().refresh.values_mut() {
            token.revoked = true;
        }
    }

    /// How often tokens were given.
    pub(crate) fn issued(&self) -> usize {
        self.state().issued
    }

    /// How often a refresh token was used again when its grace was over.
    pub(crate) fn punished(&self) -> usize {
        self.state().punished
    }
}

/// Answers what lies below `/site/oauth2`, or on Data Center below `/rest/oauth2/latest`.
pub(super) fn answer(mut question: Question<'_>, rest: &[&str]) -> Response {
    let is_cloud = question.host.place() == CLOUD;
    match (question.incoming.method.as_str(), rest) {
        ("GET", ["authorize"]) => authorize(&question),
        ("POST", ["access_token"]) if is_cloud => access_token(&mut question),
        ("POST", ["token"]) if !is_cloud => access_token(&mut question),
        _ => Response::text(404, "Not found\n"),
    }
}

/// Somebody is signed in and presses the button at once.
fn authorize(question: &Question<'_>) -> Response {
    let asked = fields(question.incoming.query());
    let value = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let place = question.host.place();
    let Some(consumer) = question.server.consumer(place, &value("client_id")) else {
        return Response::text(400, "Invalid client_id\n");
    };
    let mut state = consumer.state();
    let redirect = value("redirect_uri");
    let mut callbacks = state.callbacks.iter();
    let is_allowed = callbacks.any(|callback| redirect.starts_with(callback));
    if !is_allowed || value("response_type") != "code" {
        return Response::text(400, "Invalid redirect_uri\n");
    }
    // Data Center gives what is asked for, and Cloud what the consumer has.
    if place != CLOUD && value("scope") != "REPO_READ REPO_WRITE" {
        return Response::text(400, "Invalid scope\n");
    }
    let answer = if state.denies {
        "error=access_denied".to_owned()
    } else {
        let code = format!("code-{}", state.codes.len());
        let challenge = asked.get("code_challenge").cloned();
        let kept = Code {
            redirect: redirect.clone(),
            challenge,
        };
        state.codes.insert(code.clone(), kept);
        format!("code={code}")
    };
    let location = format!("{redirect}?{answer}&state={}", value("state"));
    Response::text(302, "").with("Location", &location)
}

fn access_token(question: &mut Question<'_>) -> Response {
    let place = question.host.place().to_owned();
    let form = question
        .incoming
        .header("Content-Type")
        .is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    let asked = fields(&question.incoming.text());
    let value = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let (user, secret) = match question.shown.cloned() {
        Some(Authorization::Basic { user, secret }) if place == CLOUD => (user, secret),
        // Data Center takes it for the name and password of a user.
        Some(_) => return Response::text(401, "Authentication failed\n"),
        None if place != CLOUD || value("client_secret").is_empty() => {
            (value("client_id"), value("client_secret"))
        }
        None => return refuse("unauthorized_client", "Client credentials missing"),
    };
    let Some(consumer) = question.server.consumer(&place, &user) else {
        return refuse("unauthorized_client", "Invalid OAuth client credentials");
    };
    let mut state = consumer.state();
    if let Some(status) = state.fails {
        return Response::text(status, "<html>something went wrong</html>");
    }
    if state.locked_out > 0 {
        state.locked_out -= 1;
        return refuse("unauthorized_client", "Invalid OAuth client credentials");
    }
    if state.secret != secret {
        return refuse("unauthorized_client", "Invalid OAuth client credentials");
    }
    let refreshes = match value("grant_type").as_str() {
        "authorization_code" if form => {
            let Some(code) = state.codes.remove(&value("code")) else {
                return refuse("invalid_grant", "The specified code is not valid");
            };
            let digest = Sha256::digest(value("code_verifier"));
            let shown = Base64UrlUnpadded::encode_string(&digest);
            let proven = code.challenge.is_none_or(|challenge| challenge == shown);
            if code.redirect != value("redirect_uri") || !proven {
                return refuse("invalid_grant", "The specified code is not valid");
            }
            true
        }
        "refresh_token" if form => {
            let (grace, rotates) = (state.grace, state.rotates);
            let Some(token) = state.refresh.get_mut(&value("refresh_token")) else {
                return refuse("invalid_grant", "Invalid refresh_token");
            };
            if token.revoked {
                return refuse("invalid_grant", "Invalid refresh_token");
            }
            let before = token.used.replace(token.used.unwrap_or_else(Instant::now));
            if rotates && before.is_some_and(|used| used.elapsed() > grace) {
                state.punished += 1;
                return refuse("unauthorized_client", "Invalid OAuth client credentials");
            }
            rotates
        }
        "client_credentials" if form && state.private => false,
        other => return refuse("invalid_grant", &format!("Unsupported grant type: {other}")),
    };
    state.issued += 1;
    let number = state.issued;
    let mut access = format!("eyJ{}.{number}.", state.id);
    while access.len() < state.token_length {
        access.push('x');
    }
    let mut credential = if place == CLOUD {
        Credential::oauth(&access)
    } else {
        Credential::oauth_of_data_center(&access).scopes(["REPO_READ", "REPO_WRITE"])
    };
    credential.user.clone_from(&state.user);
    credential.refused_by.extend(state.refused_by.clone());
    credential.ends = Some(Instant::now() + Duration::from_secs(state.lifetime));
    question.server.allow(&place, credential);
    // Both names of it are in use.
    let scopes = if number.is_multiple_of(2) {
        "scope"
    } else {
        "scopes"
    };
    let mut body = json!({
        "access_token": access, "expires_in": state.lifetime, "token_type": "bearer",
        scopes: "account repository:write",
    });
    if refreshes {
        let token = format!("refresh/{}+{number}=", state.id);
        body["refresh_token"] = json!(token);
        state.refresh.insert(token, Refresh::default());
    }
    for (name, value) in &state.says {
        body[*name] = value.clone();
    }
    Response::json(200, &body)
}

fn refuse(error: &str, description: &str) -> Response {
    Response::json(
        400,
        &json!({ "error": error, "error_description": description }),
    )
}

fn fields(text: &str) -> HashMap<String, String> {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    text.split('&')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}
