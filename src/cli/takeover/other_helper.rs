//! The credentials that another helper has for our hosts, asked through git.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Credential;
use crate::bitbucket;
use crate::git::{self, Host, Request, Username, protocol};
use crate::sys::{Secret, SecretBuffer};

/// How long a helper may take: the user may be typing at its unlock prompt.
const PATIENCE: Duration = Duration::from_secs(60);

/// The helper's credentials for the hosts. A helper cannot list: it is asked without a user name, then for each known one.
pub(crate) fn credentials(
    helper: &str,
    hosts: &[Host],
    usernames: &[&[u8]],
) -> Result<Vec<Credential>> {
    let mut names: Vec<Option<&[u8]>> = vec![None];
    names.extend(usernames.iter().copied().map(Some));
    names.extend(bitbucket::static_usernames().into_iter().map(Some));
    let mut found: Vec<Credential> = Vec::new();
    for host in hosts {
        for username in &names {
            let new = ask(helper, host, *username)?;
            found.extend(new.filter(|new| !found.iter().any(|known| known.is_twin(new))));
        }
    }
    Ok(found)
}

/// Makes the helper forget just this credential.
pub(crate) fn forget(helper: &str, credential: &Credential) -> Result<()> {
    let username = credential.username.as_ref().map(Username::as_slice);
    let attributes = attributes(&credential.host, username, Some(&credential.secret));
    let attributes = attributes.context("git cannot name its credential")?;
    git::credential("reject", helper, &attributes, PATIENCE)?;
    Ok(())
}

fn ask(helper: &str, host: &Host, username: Option<&[u8]>) -> Result<Option<Credential>> {
    let Some(attributes) = attributes(host, username, None) else {
        return Ok(None);
    };
    let answer = git::credential("fill", helper, &attributes, PATIENCE)?;
    let answer = answer.and_then(|answer| Request::read(&mut &answer[..]).ok());
    Ok(answer.and_then(|answer| {
        let secret = answer.password.filter(|secret| !secret.is_empty())?;
        let username = answer.context.username.and_then(Username::new);
        Some(Credential::new(host, username, secret))
    }))
}

/// None where a value holds what git's protocol cannot say, such as a line break.
fn attributes(
    host: &Host,
    username: Option<&[u8]>,
    password: Option<&Secret>,
) -> Option<SecretBuffer> {
    protocol::to_lines(&[
        ("protocol", Some(b"https")),
        ("host", Some(host.as_str().as_bytes())),
        ("username", username),
        ("password", password.map(Secret::expose)),
    ])
}
