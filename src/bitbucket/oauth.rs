//! OAuth 2.0 of Bitbucket (RFC 6749, RFC 7636): requests, and what the answers mean.
//!
//! Cloud: <https://support.atlassian.com/bitbucket-cloud/docs/use-oauth-on-bitbucket-cloud/>. Data Center:
//! <https://confluence.atlassian.com/display/BITBUCKETSERVER091/Bitbucket+OAuth+2.0+provider+API>.

use std::io;
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use jiff::SignedDuration;
use percent_encoding::percent_encode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::bitbucket::site::OauthClient;
use crate::git::{Identity, route};
use crate::sys::bytes::UNRESERVED;
use crate::sys::http::{Answer, Client};
use crate::sys::limit::limit;
use crate::sys::{Secret, SecretBuffer, Waiting, http};

/// Where refresh tokens rotate, a used one still works for ten minutes (git-credential-manager, pull request 2433, by an
/// engineer of Atlassian's, 2026-09-02); one less for clock skew.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_mins(9);
/// `unauthorized_client` may pass: a used refresh token is seen to lock a client out for minutes, with its good tokens
/// (gocov, observed 2026-08-09).
pub(crate) const LATER: SignedDuration = SignedDuration::from_mins(5);
const CONNECT: Duration = Duration::from_secs(5);
/// Time limit for an answer. It is long: the answer holds the only copy of the new refresh token.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// The grant type (RFC 6749).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flow {
    /// A user signed in with a browser; there is a refresh token.
    #[default]
    AuthorizationCode,
    /// The client acts for itself; there is no refresh token.
    ClientCredentials,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// `invalid_grant`
    Grant,
    /// `unauthorized_client`, `invalid_client`
    Client,
    /// The answer with the new refresh token was lost.
    Lost,
}

impl Ended {
    /// Half a sentence.
    pub(crate) fn reason(self, flow: Flow) -> &'static str {
        match (self, flow) {
            (Self::Grant, Flow::AuthorizationCode) => {
                "perhaps revoked, or not used for three months (invalid_grant)"
            }
            (Self::Grant, Flow::ClientCredentials) => {
                "no token (invalid_grant): is 'Client credentials' ticked?"
            }
            (Self::Client, _) => "its client is refused again (unauthorized_client)",
            (Self::Lost, _) => "a renewal broke off, and the new refresh token is lost",
        }
    }
}

#[derive(Debug)]
pub(crate) enum Proof<'a> {
    /// The authorization code from the browser, and the attempt that it answers.
    Code(&'a Secret, &'a Attempt),
    RefreshToken(&'a Secret),
    /// Only the client's ID and secret.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access: Secret,
    /// None for a client that acts for itself.
    pub(crate) refresh: Option<Secret>,
    pub(crate) lifetime: Duration,
}

#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The server's error code (RFC 6749, 5.2).
    #[error("Bitbucket gives no token: {0}")]
    Refused(String),
    #[error("Bitbucket has had too many questions (429)")]
    TooMany,
    /// The server fails, or a proxy answered.
    #[error("the answer is neither a token nor a refusal (status {0})")]
    Strange(u16),
    #[error("Bitbucket's answer holds no token that can be read")]
    Garbled,
}

impl Error {
    /// Why the grant has ended, if it has.
    pub(crate) fn end(&self) -> Option<Ended> {
        let Self::Refused(code) = self else {
            return None;
        };
        match code.as_str() {
            "invalid_grant" => Some(Ended::Grant),
            "unauthorized_client" | "invalid_client" => Some(Ended::Client),
            _ => None,
        }
    }

    /// Whether the same question may be answered later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Refused(code) if code == "unauthorized_client")
    }

    /// Whether the server may have issued a token that never arrived.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Garbled | Self::Http(http::Error::Unanswered(_)))
    }
}

pub(crate) fn tokens(client: &OauthClient, proof: &Proof<'_>) -> Result<Tokens, Error> {
    let (host, has_secret) = (client.site.host.clone(), client.secret.is_some());
    let (connect, answer) = (limit(CONNECT), limit(ANSWER));
    let deadline = Instant::now() + connect + answer;
    let http = Client::new(route::to(&host, connect / 2, deadline))?;
    let _line = Waiting::on(move || format!("asking {host}…"));
    let ask = |in_form: bool| {
        let secret = client.secret.clone().filter(|_| !in_form);
        let basic = secret.map(|it| Identity::basic(client.id.as_bytes(), it).authorization());
        let (url, form) = (client.site.token_url(), form(client, proof, in_form));
        read(client, &http.post_form(&url, basic.as_ref(), &form)?)
    };
    // Data Center's documentation has the secret in the form. RFC 6749 (2.3.1) wants every server to take Basic.
    let in_form = !has_secret || !client.site.is_cloud();
    match ask(in_form) {
        Err(refusal) if in_form && has_secret && refusal.end() == Some(Ended::Client) => ask(false)
            .map_err(|second| match second {
                Error::Strange(_) => refusal,
                second => second,
            }),
        first => first,
    }
}

fn read(client: &OauthClient, answer: &Answer) -> Result<Tokens, Error> {
    let usual = client.site.usual_lifetime();
    match (answer.status, answer.json()) {
        (200, Some(json)) => parse(&json, usual).ok_or(Error::Garbled),
        (429, _) => Err(Error::TooMany),
        (400 | 401 | 403, Some(json)) => {
            Err(code(&json).map_or(Error::Strange(answer.status), Error::Refused))
        }
        (status, _) => Err(Error::Strange(status)),
    }
}

/// The tokens in an answer. Its scopes are called `scopes` or, since CHANGE-3052, `scope`; the client has them from its
/// page, so that they are not looked at.
pub(crate) fn parse(json: &Value, usual_lifetime: Duration) -> Option<Tokens> {
    /// git's limit for a line.
    const LONGEST: usize = 65_000;
    let token = |key: &str| {
        let text = json.get(key)?.as_str()?;
        let is_one = !text.is_empty()
            && text.len() <= LONGEST
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Secret::new(text.as_bytes().to_vec()))
    };
    let is_bearer = json.get("token_type").is_none_or(|scheme| {
        let scheme = scheme.as_str().unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer")
    });
    let refresh = match json.get("refresh_token") {
        None | Some(Value::Null) => None,
        // A malformed refresh token is an error: the old one is already used up.
        Some(_) => Some(token("refresh_token")?),
    };
    Some(Tokens {
        access: token("access_token").filter(|_| is_bearer)?,
        refresh,
        lifetime: lifetime(json).unwrap_or(usual_lifetime),
    })
}

/// A malformed lifetime must not lose the refresh token beside it. If the guess is wrong, a refusal triggers a renewal.
fn lifetime(json: &Value) -> Option<Duration> {
    /// A year: what is longer is a slip, and must not overflow any clock.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    let seconds: Option<f64> = match json.get("expires_in") {
        Some(Value::String(text)) => text.parse().ok(),
        other => other.and_then(Value::as_f64),
    };
    let lifetime = Duration::try_from_secs_f64(seconds?.max(0.0));
    Some(lifetime.map_or(LONGEST, |lifetime| lifetime.min(LONGEST)))
}

/// The error code. The description may hold anything and is not shown.
pub(crate) fn code(json: &Value) -> Option<String> {
    const LONGEST: usize = 40;
    let code = json.get("error")?.as_str()?;
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let is_name = (1..=LONGEST).contains(&code.len()) && code.bytes().all(is_part);
    is_name.then(|| code.to_owned())
}

/// Fields, as a form and a query have them.
fn encoded(fields: &[(&str, &[u8])]) -> Secret {
    let mut text = SecretBuffer::default();
    for (key, value) in fields {
        if !text.is_empty() {
            text.push(b'&');
        }
        text.extend(key.as_bytes());
        text.push(b'=');
        for part in percent_encode(value, UNRESERVED) {
            text.extend(part.as_bytes());
        }
    }
    text.into()
}

/// The proof, and the client where no header names it.
fn form(client: &OauthClient, proof: &Proof<'_>, names_client: bool) -> Secret {
    let mut fields: Vec<(&str, &[u8])> = match proof {
        Proof::Code(code, attempt) => vec![
            ("grant_type", b"authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", attempt.redirect.as_bytes()),
            ("code_verifier", attempt.verifier.expose()),
        ],
        Proof::RefreshToken(token) => vec![
            ("grant_type", b"refresh_token"),
            ("refresh_token", token.expose()),
        ],
        Proof::Nothing => {
            let scopes = client.site.scopes().map(|scopes| ("scope", scopes));
            let grant_type: (_, &[u8]) = ("grant_type", b"client_credentials");
            [grant_type].into_iter().chain(scopes).collect()
        }
    };
    if names_client {
        fields.push(("client_id", client.id.as_bytes()));
        let secret = client.secret.as_ref();
        fields.extend(secret.map(|secret| ("client_secret", secret.expose())));
    }
    encoded(&fields)
}

/// One attempt to sign in with a browser.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The `state`, which ties the answer to our request (RFC 6749, 10.12).
    pub(crate) state: Secret,
    /// The PKCE verifier (RFC 7636).
    pub(crate) verifier: Secret,
    pub(crate) redirect: String,
}

impl Attempt {
    /// One with a callback that the site allows. An instance of Data Center may want https ("OAuth 2.0 provider system
    /// properties"); one that says nothing about it is taken to allow http.
    pub(crate) fn at(client: &OauthClient, port: u16) -> io::Result<Self> {
        // With an attempt that nothing comes of: the trace shows the URL.
        let is_refused = |scheme| {
            let attempt = Self::new(redirect(scheme, port)).ok()?;
            let (patience, now) = (limit(CONNECT), Instant::now());
            let route = route::to(&client.site.host, patience, now + patience);
            let http = Client::new(route).ok()?;
            Some(http.get(&attempt.url(client), None).ok()?.status == 400)
        };
        let wants_https = !client.site.is_cloud()
            && is_refused("http") == Some(true)
            && is_refused("https") == Some(false);
        Self::new(redirect(if wants_https { "https" } else { "http" }, port))
    }

    /// Whether the browser comes back without TLS, so that we can answer it.
    pub(crate) fn is_plain(&self) -> bool {
        self.redirect.starts_with("http:")
    }

    fn new(redirect: String) -> io::Result<Self> {
        Ok(Self {
            state: Secret::random()?,
            verifier: Secret::random()?,
            redirect,
        })
    }

    /// The URL for the browser.
    ///
    /// Bitbucket does not document PKCE for Cloud. We send it, and the client's secret too where there is one.
    pub(crate) fn url(&self, client: &OauthClient) -> String {
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(self.verifier.expose()));
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("response_type", b"code"),
            ("client_id", client.id.as_bytes()),
            ("redirect_uri", self.redirect.as_bytes()),
            ("state", self.state.expose()),
            ("code_challenge", challenge.as_bytes()),
            ("code_challenge_method", b"S256"),
        ];
        fields.extend(client.site.scopes().map(|scopes| ("scope", scopes)));
        let (page, query) = (client.site.authorize_url(), encoded(&fields));
        format!("{page}?{}", String::from_utf8_lossy(query.expose()))
    }
}

/// The callback URL to register (RFC 8252, 7.3).
pub(crate) fn redirect(scheme: &str, port: u16) -> String {
    format!("{scheme}://127.0.0.1:{port}/callback")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{Attempt, Proof, code, form, parse};
    use crate::bitbucket::site::{OauthClient, Site};
    use crate::sys::secret::Secret;

    fn client(host: &str, base_path: &str) -> OauthClient {
        OauthClient {
            site: Site {
                host: host.parse().expect("a host"),
                base_path: base_path.to_owned(),
            },
            id: "k/1".to_owned(),
            secret: Some(Secret::new(b"s+1".to_vec())),
        }
    }

    #[test]
    fn tokens_are_read_as_both_texts_of_the_documentation_have_them() {
        let long = "t".repeat(5000);
        for (answer, seconds) in [
            (
                json!({"access_token": long, "refresh_token": "r", "expires_in": 7200, "scopes": "account"}),
                7200,
            ),
            (
                json!({"access_token": long, "refresh_token": "r", "expires_in": "60", "scope": "account", "token_type": "bearer"}),
                60,
            ),
            (json!({"access_token": long, "refresh_token": "r"}), 7200),
            (
                json!({"access_token": long, "refresh_token": "r", "expires_in": u64::MAX}),
                31_536_000,
            ),
        ] {
            let tokens = parse(&answer, Duration::from_secs(7200)).expect("tokens");
            assert_eq!(tokens.access.expose(), long.as_bytes());
            assert_eq!(tokens.refresh, Some(Secret::new(b"r".to_vec())));
            assert_eq!(tokens.lifetime, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        for answer in [
            json!({}),
            json!([]),
            json!({"access_token": ""}),
            json!({"access_token": "a b"}),
            json!({"access_token": "a\nb"}),
            json!({"access_token": 1}),
            json!({"access_token": "a", "token_type": "mac"}),
            json!({"access_token": "a", "refresh_token": "a b"}),
        ] {
            assert!(
                parse(&answer, Duration::from_secs(7200)).is_none(),
                "{answer}"
            );
        }
        assert_eq!(
            code(&json!({"error": "invalid_grant"})).as_deref(),
            Some("invalid_grant")
        );
        assert_eq!(code(&json!({"error": "<b>oops</b>"})), None);
    }

    #[test]
    fn the_url_shows_neither_verifier_nor_secret() {
        let attempt = Attempt {
            state: Secret::new(b"st".to_vec()),
            // RFC 7636, appendix B
            verifier: Secret::new(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_vec()),
            redirect: super::redirect("http", 1),
        };
        let query = "response_type=code&client_id=k%2F1\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&state=st\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert_eq!(
            attempt.url(&client("bitbucket.org", "")),
            format!("https://bitbucket.org/site/oauth2/authorize?{query}")
        );
        assert_eq!(
            attempt.url(&client("git.corp.example", "/bitbucket")),
            format!(
                "https://git.corp.example/bitbucket/rest/oauth2/latest/authorize?{query}&scope=REPO_READ%20REPO_WRITE"
            )
        );
    }

    #[test]
    fn a_form_carries_any_value() {
        let token = Secret::new(b"a+b&c=d/e".to_vec());
        let proof = Proof::RefreshToken(&token);
        let mut client = client("git.corp.example", "");
        let fields = "grant_type=refresh_token&refresh_token=a%2Bb%26c%3Dd%2Fe";
        let text = |client: &OauthClient, names_client| {
            String::from_utf8_lossy(form(client, &proof, names_client).expose()).into_owned()
        };
        assert_eq!(text(&client, false), fields);
        let named = format!("{fields}&client_id=k%2F1");
        assert_eq!(text(&client, true), format!("{named}&client_secret=s%2B1"));
        client.secret = None;
        assert_eq!(text(&client, true), named);
    }
}
