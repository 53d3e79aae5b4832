//! What the administrators of a machine allow: `[policy]` of its own `config.toml`, which no user can override.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::account::Account;
use crate::bitbucket::{self, Kind};
use crate::config;
use crate::context::Host;
use crate::file;
use crate::store::Name;

/// The rules; what is not said is allowed. A key that is not known is refused: it may forbid something.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    stores: Option<Vec<Name>>,
    kinds: Option<Vec<Kind>>,
    /// Whether each secret has to have an end that is known.
    require_expiry: bool,
    hosts: Option<Vec<Host>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SystemFile {
    policy: Policy,
}

impl Policy {
    /// # Errors
    /// When the file cannot be read or understood: then nothing is allowed.
    pub(crate) fn read(system: &Path) -> Result<Self> {
        match file::read_trusted(system)? {
            Some(content) => Self::parse(system, &content),
            None => Ok(Self::default()),
        }
    }

    /// What a file of this name says.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub(crate) fn parse(path: &Path, content: &[u8]) -> Result<Self> {
        Ok(config::parse::<SystemFile>(path, content)?.policy)
    }

    pub(crate) fn allows_store(&self, store: Name) -> bool {
        allows(self.stores.as_ref(), &store)
    }

    pub(crate) fn allows_host(&self, host: &Host) -> bool {
        allows(self.hosts.as_ref(), &bitbucket::home_of(host))
    }

    /// What of an account is not allowed, in half a sentence.
    pub(crate) fn objection(&self, account: &Account) -> Option<String> {
        let Account {
            host, kind, store, ..
        } = account;
        if !self.allows_host(host) {
            return Some(format!("the host {host}"));
        }
        if !self.allows_store(*store) {
            return Some(format!("the store '{store}'"));
        }
        match kind {
            Some(kind) if !allows(self.kinds.as_ref(), kind) => {
                return Some(format!("the kind '{kind}'"));
            }
            None if self.kinds.is_some() => {
                return Some("a credential whose kind is not known".to_owned());
            }
            _ => {}
        }
        let has_end = account.expires.is_some()
            || account.password_expiry_utc.is_some()
            || account.oauth.is_some();
        (self.require_expiry && !has_end)
            .then(|| "a secret without a day on which it expires ('--expires')".to_owned())
    }

    /// The rules in a line, if there are any.
    pub(crate) fn describe(&self) -> Option<String> {
        let mut rules = String::new();
        let mut add = |what: &str, names: Option<Vec<String>>| {
            if let Some(names) = names {
                let separator = if rules.is_empty() { "" } else { "; " };
                // Writing to a string does not fail.
                let _ = write!(rules, "{separator}{what} {}", names.join(", "));
            }
        };
        add("stores", names(self.stores.as_ref()));
        add("kinds", names(self.kinds.as_ref()));
        add("hosts", names(self.hosts.as_ref()));
        add(
            "an expiry",
            self.require_expiry.then(|| vec!["date".to_owned()]),
        );
        (!rules.is_empty()).then_some(rules)
    }
}

fn allows<T: PartialEq>(allowed: Option<&Vec<T>>, one: &T) -> bool {
    allowed.is_none_or(|allowed| allowed.contains(one))
}

fn names<T: ToString>(allowed: Option<&Vec<T>>) -> Option<Vec<String>> {
    Some(allowed?.iter().map(ToString::to_string).collect())
}
