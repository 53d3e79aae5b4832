//! A Vault or OpenBao server: where it is, how it is reached, and what its answers mean.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::reply::Reply;
use crate::answer::source::environment::vault_variable;
use crate::git::{Host, Url, route};
use crate::settings::config::{Auth, VaultSection};
use crate::settings::policy::Policy;
use crate::sys::bytes::UNRESERVED;
use crate::sys::http::{Client, Route};
use crate::sys::{Hinted, Secret, Waiting, http};

/// A server, or an agent in front of it.
pub(super) struct Server {
    /// As it was given, without a slash at its end.
    pub(super) address: String,
    pub(super) namespace: Option<String>,
    /// Whether any certificate will do, since somebody has said so.
    pub(super) is_careless: bool,
    client: Client,
}

impl Server {
    /// The server of the settings, else of the variables that its own command line tool reads.
    pub(super) fn of(settings: &VaultSection, policy: &Policy, deadline: Instant) -> Result<Self> {
        let is_agent = settings.auth == Auth::Agent;
        let agent = || vault_variable("AGENT_ADDR").filter(|_| is_agent);
        let address = settings.address.clone().or_else(agent);
        let address = address.or_else(|| vault_variable("ADDR")).ok_or_else(|| {
            Hinted::new(
                "no address of Vault is named",
                "set 'address' of [store.vault] in config.toml, BAO_ADDR or VAULT_ADDR",
            )
        })?;
        let (host, is_tls) = examine(&address)?;
        let own = vault_variable("CLIENT_CERT").zip(vault_variable("CLIENT_KEY"));
        let ca = vault_variable("CACERT").map(PathBuf::from);
        let skips = vault_variable("SKIP_VERIFY").unwrap_or_default();
        // What Go's `strconv.ParseBool` takes for true, as Vault's own tools do.
        let is_careless = matches!(&*skips, "1" | "t" | "T" | "true" | "TRUE" | "True");
        if is_careless && policy.skip_verify == Some(false) {
            bail!(Hinted::new(
                "the policy of this machine does not allow VAULT_SKIP_VERIFY",
                "unset it and BAO_SKIP_VERIFY; 'ca' of [store.vault] in config.toml names the certificate of its authority",
            ));
        }
        let route = Route {
            proxy: route::proxy_to_service(&host, is_tls),
            ca: settings.ca.clone().or(ca),
            own: own.map(|(certificate, key)| (certificate.into(), key.into())),
            is_plain_enough: !is_tls,
            is_careless,
            patience: deadline.saturating_duration_since(Instant::now()),
            deadline,
        };
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self {
            client: Client::new(route).map_err(|error| out_of_reach(&address, &error))?,
            namespace: (settings.namespace.clone()).or_else(|| vault_variable("NAMESPACE")),
            is_careless,
            address,
        })
    }

    /// Gets a path of the API, or posts a document to it. Nobody may see the `secrets` of what is sent.
    pub(super) fn ask(
        &self,
        path: &str,
        token: Option<&Secret>,
        document: Option<&Secret>,
        secrets: &[&Secret],
    ) -> Result<Reply> {
        // An agent may be told to take no request without it, so that no page in a browser can make one.
        let is_meant = Secret::new(b"true".to_vec());
        let namespace = self.namespace.as_ref();
        let namespace = namespace.map(|name| Secret::new(name.as_bytes().to_vec()));
        let mut headers = vec![("X-Vault-Request", &is_meant)];
        headers.extend(namespace.as_ref().map(|name| ("X-Vault-Namespace", name)));
        headers.extend(token.map(|token| ("X-Vault-Token", token)));
        let url = format!("{}/v1/{path}", self.address);
        let _line = Waiting::on(|| "asking Vault…".to_owned());
        let answer = self.client.ask(&url, &headers, document);
        let answer = answer.map_err(|error| out_of_reach(&self.address, &error))?;
        let reply = Reply::new(answer.status, answer.json(), secrets);
        match reply.status {
            429 | 300..=399 | 500..=599 => Err(self.unexpected(&reply)),
            _ => Ok(reply),
        }
    }

    pub(super) fn unexpected(&self, reply: &Reply) -> anyhow::Error {
        let (what, hint) = match reply.status {
            429 => (
                "has had too many requests (429)",
                "try again later; where it happens often, run an agent near those who ask",
            ),
            // Never followed: a token is for one server alone.
            300..=399 => (
                "redirects",
                "name the address of the active server, or of a load balancer before it",
            ),
            503 => (
                "is sealed or under maintenance (503)",
                "have it unsealed: 'bao operator unseal' or 'vault operator unseal'",
            ),
            404 => (
                "has nothing of that kind (404)",
                "see 'mount' and 'namespace' of [store.vault] in config.toml",
            ),
            200 => (
                "gives an answer that is unknown here",
                "see whether 'address' and 'mount' of [store.vault] in config.toml name a KV engine",
            ),
            _ => (
                "fails",
                "read its log, or ask 'bao status' or 'vault status'",
            ),
        };
        let status = match reply.status {
            429 | 503 | 404 | 200 => String::new(),
            status => format!(" (status {status})"),
        };
        self.error(&format!("{what}{status}{}", reply.said), hint)
    }

    /// What the server does, and what to do about it.
    pub(super) fn error(&self, what: &str, hint: &str) -> anyhow::Error {
        Hinted::new(format!("Vault at '{}' {what}", self.address), hint).into()
    }
}

/// The host of an address, and whether it is reached by TLS.
fn examine(address: &str) -> Result<(Host, bool)> {
    let no_address = || {
        Hinted::new(
            "the address of Vault cannot be understood",
            "name one such as 'https://vault.corp.example:8200'; a socket of Unix cannot be used",
        )
    };
    let url = Url::parse(address).filter(|_| !address.contains(['?', '#']));
    let url = url.ok_or_else(no_address)?;
    let host = url.host().ok_or_else(no_address)?;
    if url.username().is_some() || url.password().is_some() {
        bail!(Hinted::new(
            "the address of Vault holds a user name or a password",
            "take them out: Vault wants its token alone",
        ));
    }
    match url.scheme {
        "https" => Ok((host, true)),
        // A token travels in clear. Who can listen on the loopback interface can also read our memory.
        "http" if route::is_loopback(&host) => Ok((host, false)),
        "http" => bail!(Hinted::new(
            format!("Vault at '{address}' has no https: secrets would go in clear text"),
            "use https, or an agent on this machine",
        )),
        _ => Err(no_address().into()),
    }
}

fn out_of_reach(address: &str, error: &http::Error) -> anyhow::Error {
    let hint = match error {
        http::Error::Certificates { .. } => {
            "see 'ca' of [store.vault] in config.toml, VAULT_CACERT, VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
        }
        http::Error::Tls(_) => {
            "name the certificate of its authority as 'ca' of [store.vault] in config.toml, or in VAULT_CACERT"
        }
        http::Error::Proxy(_) => "see HTTPS_PROXY, and name the server in NO_PROXY",
        http::Error::Silent(_) | http::Error::Unanswered(_) | http::Error::Unreachable(_) => {
            "see whether it runs, and 'address' of [store.vault] in config.toml"
        }
    };
    let message = match error {
        http::Error::Certificates { .. } => error.to_string(),
        _ => format!("cannot ask Vault at '{address}': {error}"),
    };
    Hinted::new(message, hint).into()
}

/// A path as part of a URL (RFC 3986, 3.3).
pub(super) fn encoded(path: &str) -> String {
    const ENCODED: &AsciiSet = &UNRESERVED.remove(b'/');
    utf8_percent_encode(path, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::examine;

    #[test]
    fn http_is_for_the_loopback_interface_alone() {
        for address in [
            "https://vault.corp.example:8200",
            "http://127.0.0.1:8200",
            "http://localhost:8100/",
            "http://[::1]:8200",
        ] {
            assert!(examine(address).is_ok(), "{address}");
        }
        for address in [
            "http://vault.corp.example:8200",
            "http://127.0.0.1.evil.example",
            "https://user:pass@vault.corp.example",
            "https://pass@vault.corp.example",
            "https://:pass@vault.corp.example",
            "unix:///run/agent.sock",
            "vault.corp.example:8200",
            "https://",
            "https://vault.corp.example/?a",
            "https://vault.corp.example#a",
            "",
        ] {
            let error = format!("{:#}", examine(address).expect_err(address));
            assert!(!error.contains("pass@"), "{error}");
        }
    }
}
