//! An account as `status` shows it.

use jiff::Timestamp;
use serde::Serialize;

use crate::account::{Account, Origin, State, state};
use crate::bitbucket;

/// An account as `--json` shows it: the names are a contract.
#[derive(Serialize)]
pub(super) struct StatusRow {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) kind: Option<&'static str>,
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) r#for: Vec<String>,
    pub(super) owner: Option<String>,
    pub(super) default: bool,
    pub(super) store: String,
    pub(super) expires: Option<String>,
    pub(super) origin: Origin,
    pub(super) added: Option<Timestamp>,
    pub(super) state: State,
}

impl StatusRow {
    pub(super) fn of(account: &Account, default: bool, state: State) -> Self {
        let expires = account.expires.map(|day| day.to_string());
        Self {
            name: account.name.clone(),
            host: account.host.to_string(),
            kind: account.kind().map(bitbucket::Kind::as_str),
            username: account.username().map(ToString::to_string),
            email: account.email().map(str::to_owned),
            r#for: account.reach.iter().map(ToString::to_string).collect(),
            owner: account.owner.confirmed.clone(),
            default,
            store: account.store.to_string(),
            expires: expires.or_else(|| Some(state::expiry(account)?.to_string())),
            origin: account.origin,
            added: account.added,
            state,
        }
    }
}
