//! What setup should write for which hosts.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::block::Section;
use crate::account::file::Accounts;
use crate::git;
use crate::git::context::Host;
use crate::settings::config::Config;
use crate::settings::hosts::known_hosts;
use crate::settings::session::Session;
use crate::sys::error::Hinted;

/// What the sections depend on.
pub(super) struct Wishes {
    pub(super) hosts: Vec<Host>,
}

impl Wishes {
    pub(super) fn of_the_user(session: &Session) -> Result<Self> {
        Self::of(session, session.config()?, &session.accounts()?)
    }

    pub(super) fn of_the_machine(session: &Session) -> Result<Self> {
        let config = Config::read(session.machine()?, None)?;
        Self::of(session, &config, &Accounts::default())
    }

    fn of(session: &Session, config: &Config, accounts: &Accounts) -> Result<Self> {
        let policy = session.policy()?;
        let mut hosts = known_hosts(accounts.iter(), &config.hosts);
        // No account answers for a forbidden host: leave it to other helpers.
        hosts.retain(|host| policy.allows_host(host));
        if hosts.is_empty() {
            bail!(Hinted::new(
                "the policy of this machine allows none of the hosts",
                "name one that it allows in 'hosts' of config.toml",
            ));
        }
        Ok(Self { hosts })
    }
}

/// The sections that make git ask only us. The empty helper cuts the chain (gitcredentials(7)): git gives a working
/// credential to every helper, and `store` would write it to a plain file.
pub(super) fn sections(wishes: &Wishes, with_guard: bool) -> Result<Vec<Section>> {
    let value = git::quoted(&helper_value()?);
    // Without the path nobody knows for which repository or instance git asks.
    let section = |host: &Host| Section {
        header: format!("[credential \"https://{host}\"]"),
        lines: vec![
            "\thelper =".to_owned(),
            format!("\thelper = {value}"),
            "\tuseHttpPath = true".to_owned(),
        ],
    };
    let guard = with_guard.then(Section::guard);
    Ok(wishes.hosts.iter().map(section).chain(guard).collect())
}

pub(super) fn program_path() -> Result<PathBuf> {
    env::current_exe().context("cannot find the path of this program")
}

pub(super) fn helper_value() -> Result<String> {
    git::helper_value(&program_path()?)
}
