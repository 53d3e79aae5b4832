//! What the checks look at.

use super::finding::Check;
use crate::account::Accounts;
use crate::git::{self, Helper, Host, Setting};
use crate::settings::Session;
use crate::settings::hosts::known_hosts;

pub(super) struct Surroundings<'a> {
    pub(super) session: &'a Session,
    pub(super) accounts: Accounts,
    /// Whether the accounts could be read.
    pub(super) knows_accounts: bool,
    /// The hosts for which we answer.
    pub(super) hosts: Vec<Host>,
    /// git's version; none where git could not be asked.
    pub(super) git: Option<String>,
    pub(super) settings: Vec<Setting>,
    /// The helpers that git asks for each host.
    pub(super) chains: Vec<(Host, Vec<Helper>)>,
}

impl<'a> Surroundings<'a> {
    /// Reads everything; what cannot be read is a finding.
    pub(super) fn look(session: &'a Session, checks: &mut Vec<Check>) -> Self {
        let git = git::version().and_then(|version| Ok((version, git::settings(git::PATIENCE)?)));
        let git = git.map_err(|error| checks.push(Check::failed("git", &error)));
        let (git, settings) = git.ok().unzip();
        let settings = settings.unwrap_or_default();
        let accounts = session
            .accounts()
            .inspect_err(|error| checks.push(Check::failed("accounts", error)));
        let knows_accounts = accounts.is_ok();
        let accounts = accounts.unwrap_or_default();
        // Other checks report unreadable settings, and an unreadable policy.
        let configured = session.config().map_or(&[][..], |config| &config.hosts);
        let mut hosts = known_hosts(accounts.iter(), configured);
        if let Ok(policy) = session.policy() {
            hosts.retain(|host| policy.allows_host(host));
        }
        let chains = match &git {
            Some(_) => git::chains(&settings, &hosts),
            None => Vec::new(),
        };
        Self {
            session,
            accounts,
            knows_accounts,
            hosts,
            git,
            settings,
            chains,
        }
    }

    /// What git takes for a key: the last value.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        let setting = self.settings.iter().rfind(|setting| setting.key == key);
        setting.map(|setting| setting.value.as_str())
    }
}
