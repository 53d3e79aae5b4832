//! Which hosts are ours: the one rule.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::account::file::Accounts;
use crate::bitbucket;
use crate::git::context::Host;
use crate::settings::session::Session;

impl Session {
    /// Bitbucket Cloud, and the hosts that accounts or the configuration name.
    pub(crate) fn known_hosts(&self, accounts: &Accounts) -> Result<Vec<Host>> {
        Ok(known_hosts(accounts, &self.config()?.hosts))
    }

    /// Of these the ones that the policy allows: for the others nothing ever answers.
    pub(crate) fn our_hosts(&self, accounts: &Accounts) -> Result<Vec<Host>> {
        let policy = self.policy()?;
        let mut hosts = self.known_hosts(accounts)?;
        hosts.retain(|host| policy.allows_host(host));
        Ok(hosts)
    }

    /// Whether credentials for this host are ours to keep.
    pub(crate) fn is_ours(&self, host: &Host, accounts: &Accounts) -> Result<bool> {
        Ok(self.our_hosts(accounts)?.contains(host))
    }
}

/// Bitbucket Cloud first, then the others in their order.
pub(crate) fn known_hosts(accounts: &Accounts, configured: &[Host]) -> Vec<Host> {
    let mut hosts = bitbucket::hosts_asked_for(&bitbucket::cloud());
    let named = accounts.iter().map(|account| &account.host);
    let named: BTreeSet<&Host> = named.chain(configured).collect();
    let others = named.into_iter().filter(|host| !bitbucket::is_cloud(host));
    hosts.extend(others.cloned());
    hosts
}
