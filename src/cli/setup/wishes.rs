//! What setup is to write: for which hosts, and what about each.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::block::Section;
use crate::account::file::Accounts;
use crate::bitbucket;
use crate::git;
use crate::git::context::Host;
use crate::settings::config::Config;
use crate::settings::hosts::known_hosts;
use crate::settings::session::Session;
use crate::sys::error::Hinted;

/// What the sections depend on.
pub(super) struct Wishes {
    /// The hosts for which git should ask us.
    pub(super) hosts: Vec<Host>,
    accounts: Accounts,
    /// The stores that are looked into have a place for each repository.
    is_looked_up: bool,
}

impl Wishes {
    pub(super) fn of_the_user(session: &Session) -> Result<Self> {
        Self::of(session, session.config()?, session.accounts()?)
    }

    pub(super) fn of_the_machine(session: &Session) -> Result<Self> {
        let config = Config::read(session.machine()?, None)?;
        Self::of(session, &config, Accounts::default())
    }

    fn of(session: &Session, config: &Config, accounts: Accounts) -> Result<Self> {
        let policy = session.policy()?;
        let mut hosts = known_hosts(accounts.iter(), &config.hosts);
        // For a host that is not allowed nothing ever answers: others may.
        hosts.retain(|host| policy.allows_host(host));
        if hosts.is_empty() {
            bail!(Hinted::new(
                "the policy of this machine allows none of the hosts",
                "name one that it allows in 'hosts' of config.toml",
            ));
        }
        Ok(Self {
            hosts,
            accounts,
            is_looked_up: !config.lookup.is_empty(),
        })
    }
}

/// The sections that make git ask us, and nobody else: the empty helper cuts the chain (gitcredentials(7)), since git
/// hands what worked to every helper of the chain, and `store` would write it to a plain file.
pub(super) fn sections(wishes: &Wishes, with_guard: bool) -> Result<Vec<Section>> {
    let Wishes {
        hosts,
        accounts,
        is_looked_up,
    } = wishes;
    let value = git::quoted(&helper_value()?);
    let section = |host: &Host| {
        let home = bitbucket::home_of(host);
        let has_scopes = accounts
            .iter()
            .any(|account| account.host == home && !account.reach.is_empty());
        let mut lines = vec!["\thelper =".to_owned(), format!("\thelper = {value}")];
        if *host == bitbucket::cloud() || has_scopes || *is_looked_up {
            lines.push("\tuseHttpPath = true".to_owned());
        }
        Section {
            header: format!("[credential \"https://{host}\"]"),
            lines,
        }
    };
    let guard = with_guard.then(Section::guard);
    Ok(hosts.iter().map(section).chain(guard).collect())
}

pub(super) fn program_path() -> Result<PathBuf> {
    env::current_exe().context("cannot find the path of this program")
}

pub(super) fn helper_value() -> Result<String> {
    git::helper_value(&program_path()?)
}
