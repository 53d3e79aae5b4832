//! A Data Center instance, as `--host` names it.

use std::str::FromStr;

use crate::git::Host;
use crate::git::context::NotAHost;

/// `git.corp.example:7990/bitbucket`
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) host: Host,
    /// With a leading slash, or empty.
    pub(crate) context: String,
}

impl FromStr for Instance {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let (host, context) = text.split_once('/').unwrap_or((text, ""));
        let context = context.trim_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !context.bytes().all(is_plain) {
            return Err(NotAHost);
        }
        let slash = if context.is_empty() { "" } else { "/" };
        Ok(Self {
            host: host.parse()?,
            context: format!("{slash}{context}"),
        })
    }
}
