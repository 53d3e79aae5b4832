//! The route to a host: git's own proxy and certificates. The configuration of a repository is ignored: a hostile clone
//! could send our requests through its own proxy.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::git::context::Host;
use crate::git::program::own_setting;
use crate::sys::http::Route;
use crate::sys::variables;

/// The route to a host, from git's configuration and the environment. Each request may take `patience`, all together
/// until `deadline`.
pub(crate) fn to(host: &Host, patience: Duration, deadline: Instant) -> Route {
    let left = || deadline.saturating_duration_since(Instant::now());
    Route {
        proxy: proxy(host, left()),
        ca: ca(host, left()),
        own: None,
        is_plain_enough: false,
        is_careless: false,
        patience,
        deadline,
    }
}

/// The proxy to a host. git-config(1), `http.proxy`: it overrides the environment, and empty means none.
pub(crate) fn proxy(host: &Host, limit: Duration) -> Option<String> {
    let configured = own_setting("http.proxy", &format!("https://{host}/"), limit);
    let proxy = configured.or_else(|| of_environment("https_proxy"))?;
    (!proxy.is_empty() && !is_excepted_by_environment(host)).then_some(proxy)
}

/// The proxy to another server, from the environment. The loopback interface needs none.
pub(crate) fn proxy_to_service(host: &Host, is_tls: bool) -> Option<String> {
    let proxy = of_environment(if is_tls { "https_proxy" } else { "http_proxy" })?;
    (!is_loopback(host) && !is_excepted_by_environment(host)).then_some(proxy)
}

pub(crate) fn is_loopback(host: &Host) -> bool {
    let name = host.name();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn is_excepted_by_environment(host: &Host) -> bool {
    is_excepted(host, &variable("no_proxy").unwrap_or_default())
}

/// git-config(1), `http.sslCAInfo`: the environment overrides it.
fn ca(host: &Host, limit: Duration) -> Option<PathBuf> {
    let path = variables::text("GIT_SSL_CAINFO")
        .or_else(|| own_setting("http.sslCAInfo", &format!("https://{host}/"), limit))
        .or_else(|| variables::text("SSL_CERT_FILE"));
    path.filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn of_environment(proxy: &str) -> Option<String> {
    variable(proxy).or_else(|| variable("all_proxy"))
}

/// A variable in lower case, else in upper case.
fn variable(name: &str) -> Option<String> {
    variables::text(name).or_else(|| variables::text(&name.to_ascii_uppercase()))
}

/// Whether `NO_PROXY` names the host, a domain above it, or all hosts by an asterisk (curl(1), `--noproxy`).
fn is_excepted(host: &Host, list: &str) -> bool {
    let name = host.name();
    let names = |entry: &str| {
        let entry = entry.trim_start_matches('.').to_ascii_lowercase();
        let below = name.strip_suffix(&entry).filter(|_| !entry.is_empty());
        let is_below = below.is_some_and(|rest| rest.ends_with('.'));
        is_below || ["*", host.as_str(), name].contains(&entry.as_str())
    };
    list.split([',', ' ']).any(names)
}

#[cfg(test)]
mod tests {
    use super::is_excepted;

    #[test]
    fn no_proxy_names_hosts_and_the_domains_above_them() {
        let host = "git.corp.example:7990".parse().expect("a host");
        for list in [
            "*",
            "git.corp.example",
            ".corp.example",
            "corp.example",
            "x, Git.Corp.Example",
            "git.corp.example:7990",
        ] {
            assert!(is_excepted(&host, list), "{list}");
        }
        for list in [
            "",
            "it.corp.example",
            "evilgit.corp.example",
            "git.corp.example.evil",
            ".",
            "other,,",
        ] {
            assert!(!is_excepted(&host, list), "{list}");
        }
    }
}
