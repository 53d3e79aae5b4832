//! A Data Center instance, as `--host` names it.

use std::str::FromStr;

use crate::bitbucket::site::Site;
use crate::bitbucket::{self, API_HOST, Reach};
use crate::git::Host;
use crate::sys::Hinted;

/// `git.corp.example:7990/bitbucket`
impl FromStr for Site {
    type Err = Hinted;

    fn from_str(text: &str) -> Result<Self, Hinted> {
        let without_scheme = text.split_once("://").map(|(_, rest)| rest);
        let rest = without_scheme.unwrap_or(text);
        let (user, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        // git-clone(1), "GIT URLS": `git@HOST:acme/site.git`
        let is_ssh = without_scheme.is_none() && !user.is_empty();
        let end = if is_ssh { ':' } else { '/' };
        let (host, path) = rest.split_once(end).unwrap_or((rest, ""));
        let host: Host = bitbucket::of_ssh(host).parse().map_err(|error| {
            let message = format!("the value of '--host' is {error}");
            Hinted::new(
                message,
                "name the host of a Data Center, or leave '--host' out",
            )
        })?;
        let path = path.trim_matches('/');
        let is_cloud = bitbucket::is_cloud(&host);
        if host.as_str() == API_HOST {
            return Err(Hinted::new(
                format!("{API_HOST} is for REST alone, and accounts are for bitbucket.org"),
                "leave '--host' out",
            ));
        }
        let is_url = without_scheme.is_some() || is_ssh;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let is_place = is_cloud && !path.is_empty() || bitbucket::is_below_the_context(path);
        if is_url || is_place || !path.bytes().all(is_plain) {
            return Err(instead(&host, path));
        }
        let slash = if path.is_empty() { "" } else { "/" };
        Ok(Self {
            host: bitbucket::home_of(&host),
            base_path: format!("{slash}{path}"),
        })
    }
}

/// What to say in place of a URL. It is not shown: it may hold a secret.
fn instead(host: &Host, path: &str) -> Hinted {
    let place = Reach::of_path(host, path.as_bytes());
    let limit = place.map(|place| format!("--for {place}"));
    if bitbucket::is_cloud(host) {
        let limit = limit.map(|limit| format!(", and limit the account with '{limit}'"));
        return Hinted::new(
            format!("'--host' takes a host alone, and {host} is the default"),
            format!("leave '--host' out{}", limit.unwrap_or_default()),
        );
    }
    let context = bitbucket::context_of(path.as_bytes());
    let limit = limit.filter(|_| bitbucket::is_below_the_context(path));
    let limit = limit.map(|limit| format!(" {limit}")).unwrap_or_default();
    Hinted::new(
        "'--host' takes a host, with its port and context path, and no URL",
        format!("say '--host {host}{context}{limit}'"),
    )
}
