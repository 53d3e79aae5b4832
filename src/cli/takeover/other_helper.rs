//! Another helper of git's: what it has for our hosts, asked through git itself.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;

use super::Credential;
use crate::bitbucket;
use crate::git;
use crate::git::context::Host;
use crate::git::protocol::Request;
use crate::git::username::Username;
use crate::sys::secret::SecretBuffer;

/// How long a helper may take: somebody may be typing at its unlock prompt.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the helper has for the hosts. A helper tells one credential for a host and a user name and does not list them:
/// so it is asked without a name, and for each that is known.
pub(crate) fn credentials(
    helper: &str,
    hosts: &[Host],
    usernames: &[Username],
) -> Result<Vec<Credential>> {
    let mut found: Vec<Credential> = Vec::new();
    for host in hosts {
        let names = usernames
            .iter()
            .map(Username::as_slice)
            .chain(bitbucket::static_usernames())
            .map(Some);
        for username in [None].into_iter().chain(names) {
            let Some(credential) = ask(helper, host, username)? else {
                continue;
            };
            let is_known = found
                .iter()
                .any(|known| known.is_same(&credential) && known.username == credential.username);
            if !is_known {
                found.push(credential);
            }
        }
    }
    Ok(found)
}

/// Makes the helper forget just this credential.
pub(crate) fn forget(helper: &str, credential: &Credential) -> Result<()> {
    let username = credential.username.as_ref().map(Username::as_slice);
    let mut attributes = attributes(&credential.host, username);
    attributes.extend(b"password=");
    attributes.extend(credential.secret.expose());
    attributes.push(b'\n');
    git::credential("reject", helper, &attributes, PATIENCE)?;
    Ok(())
}

fn ask(helper: &str, host: &Host, username: Option<&[u8]>) -> Result<Option<Credential>> {
    let Some(answer) = git::credential("fill", helper, &attributes(host, username), PATIENCE)?
    else {
        return Ok(None);
    };
    let Ok(request) = Request::read(&mut &answer[..]) else {
        return Ok(None);
    };
    let secret = request.password.filter(|secret| !secret.is_empty());
    let username = request.context.username.and_then(Username::new);
    Ok(secret.map(|secret| Credential::new(host, username, secret)))
}

fn attributes(host: &Host, username: Option<&[u8]>) -> SecretBuffer {
    let mut attributes = SecretBuffer::default();
    // Writing to memory does not fail.
    let _ = writeln!(attributes, "protocol=https\nhost={host}");
    if let Some(username) = username {
        attributes.extend(b"username=");
        attributes.extend(username);
        attributes.push(b'\n');
    }
    attributes
}
