//! Requests to servers over https. No other file opens a connection to a server.

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use ureq::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, Proxy, ProxyProtocol, SendBody};
use zeroize::Zeroizing;

use crate::sys::secret::{Secret, SecretBuffer};
use crate::sys::trace;

#[derive(Debug)]
pub(crate) struct Route {
    /// The proxy's address, as `HTTPS_PROXY` has it.
    pub(crate) proxy: Option<String>,
    /// PEM certificates of the authorities to trust, in place of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Our own certificate and its key, PEM.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
    /// Plain http is allowed, on the loopback interface only: who can listen there can also read our memory.
    pub(crate) is_plain_enough: bool,
    /// Any certificate is accepted: the user has asked for it.
    pub(crate) is_careless: bool,
    /// The time for one request and its answer.
    pub(crate) patience: Duration,
    /// The end of the time for all requests.
    pub(crate) deadline: Instant,
}

/// Why there was no answer. It holds nothing that we sent, and no password of a proxy.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("cannot read the certificates in '{}': {reason}", path.display())]
    Certificates { path: PathBuf, reason: String },
    #[error("cannot get through the proxy: {0}")]
    Proxy(String),
    #[error("no answer within {} seconds", .0.as_secs_f64().ceil())]
    Silent(Duration),
    /// The request may have had its effect.
    #[error("the request was sent, and no answer came: {0}")]
    Unanswered(String),
    #[error("the server's certificate is not trusted: {0}")]
    Tls(String),
    #[error("cannot connect: {0}")]
    Unreachable(String),
}

impl Error {
    /// What the user can do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Certificates { .. } => {
                "see 'git config http.sslCAInfo', GIT_SSL_CAINFO and SSL_CERT_FILE"
            }
            Self::Proxy(_) => "see 'git config http.proxy' and HTTPS_PROXY",
            Self::Silent(_) | Self::Unanswered(_) | Self::Unreachable(_) => {
                "see whether a proxy is needed: 'git config http.proxy', HTTPS_PROXY"
            }
            Self::Tls(_) => {
                "name your company's certificates in 'git config http.sslCAInfo' or SSL_CERT_FILE"
            }
        }
    }
}

/// A server's answer. The body may hold a secret: there is no `Debug`, and it is wiped.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: SecretBuffer,
}

impl Answer {
    fn new(response: &Response<Body>, body: SecretBuffer) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where a redirect leads.
    pub(crate) fn moved_to(&self) -> Option<&str> {
        let is_redirect = matches!(self.status, 301 | 302 | 307 | 308);
        self.header("location").filter(|_| is_redirect)
    }

    pub(crate) fn begins_with(&self, words: &str) -> bool {
        self.body.starts_with(words.as_bytes())
    }

    /// Whether the body has these words, in whatever case.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        let mut places = self.body.windows(words.len());
        places.any(|place| place.eq_ignore_ascii_case(words.as_bytes()))
    }

    /// The body, if it is JSON. Any other body is never shown.
    pub(crate) fn json(&self) -> Option<Json> {
        Json::parse(&self.body)
    }
}

/// A JSON document. Its texts may be tokens and are wiped when it is dropped.
pub(crate) struct Json(serde_json::Value);

impl Json {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }
}

impl Deref for Json {
    type Target = serde_json::Value;

    fn deref(&self) -> &serde_json::Value {
        &self.0
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => drop(Zeroizing::new(std::mem::take(text))),
        serde_json::Value::Array(values) => values.iter_mut().for_each(wipe),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(wipe),
        _ => {}
    }
}

const USER_AGENT: &str = concat!("git-credential-bitbucket/", env!("CARGO_PKG_VERSION"));

/// More than any answer that we need.
const LONGEST_BODY: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    route: Route,
}

impl Client {
    pub(crate) fn new(route: Route) -> Result<Self, Error> {
        let roots = match &route.ca {
            Some(path) => RootCerts::new_with_certs(&certificates(path)?),
            None => RootCerts::PlatformVerifier,
        };
        let proxy = route.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|_| Error::Proxy("its address is not a URL".to_owned()))?;
        // git supports SOCKS. We do not: the library is too large for one request at login.
        let is_http =
            |proxy: &Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
        if !proxy.as_ref().is_none_or(is_http) {
            let reason = "only an http proxy can be asked through, not SOCKS";
            return Err(Error::Proxy(reason.to_owned()));
        }
        let own = route.own.as_ref().map(client_certificate);
        let tls = TlsConfig::builder()
            .root_certs(roots)
            .client_cert(own.transpose()?)
            .disable_verification(route.is_careless)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .https_only(!route.is_plain_enough)
            .http_status_as_error(false)
            // A redirect could take the secret to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .tls_config(tls)
            .user_agent(USER_AGENT)
            .timeout_resolve(Some(route.patience))
            .timeout_connect(Some(route.patience))
            .build();
        let agent = config.into();
        Ok(Self { agent, route })
    }

    /// Gets a URL, with this value of the `Authorization` header.
    /// An answer of any status is no error.
    pub(crate) fn get(&self, url: &str, authorization: Option<&Secret>) -> Result<Answer, Error> {
        let header = authorization.map(|value| ("Authorization", value));
        self.ask(url, header.as_slice(), None)
    }

    /// Gets a URL with these headers, or posts a JSON document to it.
    pub(crate) fn ask(
        &self,
        url: &str,
        headers: &[(&str, &Secret)],
        document: Option<&Secret>,
    ) -> Result<Answer, Error> {
        let patience = self.route.patience.min(self.left());
        if patience.is_zero() {
            return Err(Error::Silent(self.route.patience));
        }
        let mut body = document.map(|document| Posted::new("application/json", document));
        let outcome = self.send(url, headers, body.as_mut(), patience);
        let mut response = traced(outcome.map_err(|error| self.explain(error)))?;
        match read(&mut response) {
            Err(error @ ureq::Error::Timeout(_)) => Err(self.explain(error)),
            // We only read JSON, and a body that is too long or breaks off is none.
            body => Ok(Answer::new(&response, body.unwrap_or_default())),
        }
    }

    /// Posts a form, once, with this value of the `Authorization` header if there is one. The name and the connection may
    /// take the time for one request each, the answer all that is left.
    /// [`Error::Unanswered`] means that the form may have been sent.
    pub(crate) fn post_form(
        &self,
        url: &str,
        authorization: Option<&Secret>,
        form: &Secret,
    ) -> Result<Answer, Error> {
        let header = authorization.map(|value| ("Authorization", value));
        let mut body = Posted::new("application/x-www-form-urlencoded", form);
        let outcome = self.send(url, header.as_slice(), Some(&mut body), self.left());
        let mut response = traced(outcome.map_err(|error| {
            let unanswered = body.is_wanted.then(|| Error::Unanswered(error.to_string()));
            unanswered.unwrap_or_else(|| self.explain(error))
        }))?;
        let body = read(&mut response).map_err(|error| Error::Unanswered(error.to_string()))?;
        Ok(Answer::new(&response, body))
    }

    fn left(&self) -> Duration {
        self.route
            .deadline
            .saturating_duration_since(Instant::now())
    }

    fn send(
        &self,
        url: &str,
        headers: &[(&str, &Secret)],
        body: Option<&mut Posted<'_>>,
        patience: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let method = if body.is_some() { "POST" } else { "GET" };
        trace::say(|| format!("http: {method} {url}"));
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.expose());
            let mut value = value.map_err(ureq::http::Error::from)?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        let Some(body) = body else {
            return self.run(request.body(()), patience);
        };
        let request = request
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, body.media_type)
            .header(CONTENT_LENGTH, body.rest.len());
        self.run(request.body(SendBody::from_reader(body)), patience)
    }

    fn run(
        &self,
        request: ureq::http::Result<Request<impl AsSendBody>>,
        patience: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request?);
        let request = request.timeout_global(Some(patience));
        self.agent.run(request.build())
    }

    fn explain(&self, error: ureq::Error) -> Error {
        match error {
            ureq::Error::Timeout(_) => Error::Silent(self.route.patience),
            ureq::Error::ConnectProxyFailed(reason) => Error::Proxy(reason),
            ureq::Error::Tls(reason) => Error::Tls(reason.to_owned()),
            ureq::Error::Rustls(error) => Error::Tls(error.to_string()),
            ureq::Error::HostNotFound => Error::Unreachable("there is no such host".to_owned()),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Error::Tls(error.to_string())
            }
            ureq::Error::Io(error) if self.route.proxy.is_some() => Error::Proxy(error.to_string()),
            ureq::Error::Io(error) => Error::Unreachable(error.to_string()),
            other => Error::Unreachable(other.to_string()),
        }
    }
}

fn traced(outcome: Result<Response<Body>, Error>) -> Result<Response<Body>, Error> {
    trace::say(|| match &outcome {
        Ok(response) => format!("http: answered {}", response.status()),
        Err(error) => format!("http: {error}"),
    });
    outcome
}

fn read(response: &mut Response<Body>) -> Result<SecretBuffer, ureq::Error> {
    let body = response.body_mut().with_config().limit(LONGEST_BODY as u64);
    Ok(SecretBuffer::read(body.reader(), LONGEST_BODY)?)
}

fn client_certificate((path, key): &(PathBuf, PathBuf)) -> Result<ClientCert, Error> {
    let chain = certificates(path)?;
    let pem = fs::read(key).map(Zeroizing::new);
    let pem = pem.map_err(|error| broken(key, &error))?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| broken(key, &error))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// The body of a request. It notices when it is read: before that the server can have done nothing.
struct Posted<'a> {
    media_type: &'static str,
    rest: &'a [u8],
    is_wanted: bool,
}

impl<'a> Posted<'a> {
    fn new(media_type: &'static str, body: &'a Secret) -> Self {
        Self {
            media_type,
            rest: body.expose(),
            is_wanted: false,
        }
    }
}

impl io::Read for Posted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_wanted = true;
        self.rest.read(buffer)
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let pem = fs::read(path).map_err(|error| broken(path, &error))?;
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| broken(path, &error))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(broken(path, &"there are none"));
    }
    Ok(certificates)
}

fn broken(path: &Path, reason: &dyn ToString) -> Error {
    Error::Certificates {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
