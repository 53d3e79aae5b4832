//! Vault and OpenBao: the secrets of a fleet in a KV engine, read anew each time
//! (<https://openbao.org/api-docs/secret/kv/>).

mod lease;
mod own_token;
pub(crate) mod reply;
mod server;
mod session;
mod ticket;

use anyhow::{Context as _, Result, bail};

use self::server::{Server, encoded};
use self::session::{ITSELF, VaultSession};
use crate::answer::source::record::Fields;
use crate::bitbucket::Reach;
use crate::git::Host;
use crate::settings::Session;
use crate::settings::config::{VaultSection, is_for};
use crate::sys::{Hinted, message, terminal, trace};

/// Where a secret is looked for when the settings do not say: the repository's own, then its workspace's.
const PATHS: [&str; 2] = [
    "bitbucket/{workspace}/{repository}",
    "bitbucket/{workspace}/_default",
];

/// Of a version of the KV engine: what stands before a path in an address, and where an answer has the secret.
type Layout = (&'static str, &'static str);
const ONE: Layout = ("", "/data");
const TWO: Layout = ("data/", "/data/data");

/// The first secret there is for the reach, and where it lies.
pub(crate) fn find(
    session: &Session,
    host: &Host,
    reach: Option<&Reach>,
) -> Result<Option<(String, Fields)>> {
    let settings = &session.config()?.store.vault;
    let mut templates = match &settings.path {
        Some(templates) => templates.iter().map(String::as_str).collect(),
        None => PATHS.to_vec(),
    };
    let is_for = is_for(settings.host.as_ref(), host);
    templates.retain(|template| is_for || template.contains("{host}"));
    let paths = paths(&templates, host, reach)?;
    if paths.is_empty() {
        return Ok(None);
    }
    let layout = match settings.version {
        // Assume version 2; ask only if nothing is found.
        None | Some(2) => TWO,
        Some(1) => ONE,
        Some(_) => bail!(Hinted::new(
            "'version' of [store.vault] in config.toml is neither 1 nor 2",
            "take it out: the server is asked which version it is",
        )),
    };
    let server = Server::of(settings, session.policy()?, session.deadline())?;
    if server.is_careless && terminal::is_watched() {
        message::warn(format_args!(
            "the certificate of Vault at '{}' is not checked, as VAULT_SKIP_VERIFY is set",
            server.address
        ));
    }
    let mut session = VaultSession::begin(session, server)?;
    let mut look = session.first(&paths, layout)?;
    if look.0.is_none() && settings.version.is_none() && session.is_of_version_one()? {
        look = session.first(&paths, ONE)?;
    }
    match look {
        (None, Some(forbidden)) => Err(forbidden),
        (found, _) => Ok(found),
    }
}

/// Whether the server lets us in, and as what; for somebody who wants to know.
pub(crate) fn knock(session: &Session) -> Result<String> {
    let settings = &session.config()?.store.vault;
    let server = Server::of(settings, session.policy()?, session.deadline())?;
    let mut session = VaultSession::begin(session, server)?;
    let status = session.get(ITSELF)?.status;
    // A login that was not refused is as good as an answer.
    if status != 200 && !session.is_renewed()? && session.ticket.is_none() {
        return Err(session.server.error(
            &format!("does not take our token (status {status})"),
            "sign in to it again ('bao login' or 'vault login'), or see 'auth' of [store.vault] in config.toml",
        ));
    }
    let VaultSession { server, auth, .. } = session;
    let warning = if server.is_careless {
        "; its certificate is not checked, as VAULT_SKIP_VERIFY is set"
    } else {
        ""
    };
    Ok(format!(
        "'{}' lets us in with {auth}{warning}",
        server.address
    ))
}

/// A template without a fixed part before what a URL says.
pub(crate) fn unbounded(settings: &VaultSection) -> Option<&str> {
    let is_unbounded = |template: &&String| {
        let first = template.trim_matches('/').split('/').next();
        first.is_some_and(|first| matches!(first, "{workspace}" | "{repository}"))
    };
    let templates = settings.path.as_deref().unwrap_or_default();
    templates.iter().find(is_unbounded).map(String::as_str)
}

/// The templates with their names replaced, but for those whose names have no value.
fn paths(templates: &[&str], host: &Host, reach: Option<&Reach>) -> Result<Vec<String>> {
    let filled = |template: &&str| filled(template.trim_matches('/'), host, reach).transpose();
    templates.iter().filter_map(filled).collect()
}

/// What was put in is not looked at again: a workspace may be called `{repository}`, in a URL at least.
fn filled(template: &str, host: &Host, reach: Option<&Reach>) -> Result<Option<String>> {
    let wrong = || {
        Hinted::new(
            "'path' of [store.vault] in config.toml has a template that cannot be understood",
            "it may hold {workspace}, {repository} and {host}, each as often as you like",
        )
    };
    let count = |brace| template.matches(brace).count();
    if template.is_empty() || count('{') != count('}') {
        bail!(wrong());
    }
    let mut parts = template.split('{');
    let mut path = parts.next().map(str::to_owned);
    for part in parts {
        let (name, after) = part.split_once('}').ok_or_else(wrong)?;
        let value = match name {
            "workspace" => reach.map(|reach| reach.workspace.as_str()),
            "repository" => reach.and_then(|reach| reach.repository.as_deref()),
            "host" => Some(host.as_str()),
            _ => bail!(wrong()),
        };
        path = path.zip(value).map(|(path, value)| path + value + after);
    }
    Ok(path)
}

/// What lies at the first path at which something lies; else why the first of those that may not be read is not.
type Look = (Option<(String, Fields)>, Option<anyhow::Error>);

/// The engine, once we are in.
impl VaultSession {
    /// Looks again with another token, if the one we had is over.
    fn first(&mut self, paths: &[String], layout: Layout) -> Result<Look> {
        loop {
            match self.look(paths, layout)? {
                // Of the new one it is asked as well, so that it is known if it may not ask about itself.
                (None, Some(_)) if self.is_renewed()? => {}
                look => return Ok(look),
            }
        }
    }

    /// One path that must not be read may be none of ours: the next is tried before that is an error.
    fn look(&self, paths: &[String], (between, pointer): Layout) -> Result<Look> {
        let mut forbidden = None;
        for path in paths {
            let address = format!("{}/{between}{}", encoded(&self.mount), encoded(path));
            let reply = self.get(&address)?;
            match (reply.status, reply.fields(pointer)) {
                (200, Some(fields)) => {
                    let place = format!("vault:{}/{path}", self.mount);
                    let fields = fields.with_context(|| format!("'{place}' cannot be used"))?;
                    if let Some(fields) = fields {
                        return Ok((Some((place, fields)), None));
                    }
                }
                (403, _) => {
                    let named = format!("{}/{between}{path}", self.mount);
                    forbidden.get_or_insert_with(|| self.may_not_read(&named));
                }
                _ if reply.is_absence() => {}
                _ => return Err(self.server.unexpected(&reply)),
            }
        }
        Ok((None, forbidden))
    }

    /// Without permission to ask, assume version 2.
    fn is_of_version_one(&self) -> Result<bool> {
        let address = format!("sys/internal/ui/mounts/{}", encoded(&self.mount));
        let reply = self.get(&address)?;
        let is_one = reply.status == 200 && reply.tells_of_version_one();
        trace::say(|| format!("vault: '{}' is of version 1: {is_one}", self.mount));
        Ok(is_one)
    }
}

#[cfg(test)]
mod tests {
    use super::server::encoded;
    use super::{PATHS, paths};
    use crate::bitbucket::cloud;
    use crate::bitbucket::reach::Reach;

    #[test]
    fn a_template_is_passed_over_that_asks_for_what_is_not_told() {
        let of = |reach: &str| {
            let reach: Option<Reach> = reach.parse().ok();
            paths(&PATHS, &cloud(), reach.as_ref()).expect("paths")
        };
        assert_eq!(
            of("Acme/Site"),
            ["bitbucket/acme/site", "bitbucket/acme/_default"]
        );
        assert_eq!(of("acme"), ["bitbucket/acme/_default"]);
        assert!(of("").is_empty());
        let fixed = paths(&["/git/{host}/x/"], &cloud(), None).expect("paths");
        assert_eq!(fixed, ["git/bitbucket.org/x"]);
    }

    #[test]
    fn a_template_with_another_name_in_braces_is_a_mistake() {
        for template in [
            "bitbucket/{workspce}",
            "bitbucket/{workspace",
            "x}",
            "x}{host}",
            "{host}{",
            "",
            "/",
        ] {
            assert!(paths(&[template], &cloud(), None).is_err(), "{template}");
        }
    }

    #[test]
    fn a_workspace_whose_name_is_that_of_a_part_is_no_other_workspace() {
        let reach = Reach {
            workspace: "{repository}".to_owned(),
            repository: Some("acme".to_owned()),
        };
        let paths = paths(&PATHS, &cloud(), Some(&reach)).expect("paths");
        assert_eq!(
            paths,
            [
                "bitbucket/{repository}/acme",
                "bitbucket/{repository}/_default"
            ]
        );
    }

    #[test]
    fn nothing_in_a_path_leads_to_another_address() {
        assert_eq!(encoded("a b/c?d#e%2f"), "a%20b/c%3Fd%23e%252f");
    }
}
