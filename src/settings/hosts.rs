//! Which hosts are ours: Bitbucket Cloud's, those of the accounts, and those in `hosts` of config.toml. The policy can
//! forbid each of them.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::account::{Account, Accounts};
use crate::bitbucket;
use crate::git::Host;
use crate::settings::session::Session;

impl Session {
    /// Our hosts, with those that the policy forbids: `import` and `scrub` report what they find for these.
    pub(crate) fn known_hosts(&self, accounts: &Accounts) -> Result<Vec<Host>> {
        Ok(known_hosts(accounts.iter(), &self.config()?.hosts))
    }

    /// Whether we answer for this host and keep its credentials.
    pub(crate) fn is_ours(&self, host: &Host) -> Result<bool> {
        Ok(self.is_known(host)? && self.policy()?.allows_host(host))
    }

    /// Whether this is one of [`Session::known_hosts`]. Bitbucket Cloud is, even if the accounts cannot be read.
    pub(crate) fn is_known(&self, host: &Host) -> Result<bool> {
        Ok(bitbucket::is_cloud(host)
            || self.accounts()?.iter().any(|it| it.host == *host)
            || self.config()?.hosts.contains(host))
    }
}

/// Bitbucket Cloud first, then the others in their order.
pub(crate) fn known_hosts<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
    configured: &'a [Host],
) -> Vec<Host> {
    let mut hosts = bitbucket::hosts_asked_for(&bitbucket::cloud());
    let of_accounts = accounts.into_iter().map(|account| &account.host);
    let named: BTreeSet<&Host> = of_accounts.chain(configured).collect();
    let others = named.into_iter().filter(|host| !bitbucket::is_cloud(host));
    hosts.extend(others.cloned());
    hosts
}

#[cfg(test)]
mod tests {
    use super::known_hosts;
    use crate::account::sign_in::Known;
    use crate::account::{Account, Origin};
    use crate::bitbucket::Kind;
    use crate::git::Host;

    #[test]
    fn each_host_is_listed_once_and_cloud_always() {
        let host = |text: &str| -> Host { text.parse().expect("a host") };
        let accounts = ["git.b.example:7990", "bitbucket.org", "git.a.example"].map(|name| {
            let token = Known::new(Kind::HttpAccessToken);
            Account::new("work".to_owned(), host(name), Origin::Login, token)
        });
        let configured = ["git.c.example", "git.a.example", "api.bitbucket.org"].map(host);
        let known = known_hosts(&accounts, &configured);
        let names: Vec<&str> = known.iter().map(Host::as_str).collect();
        assert_eq!(
            names,
            [
                "bitbucket.org",
                "www.bitbucket.org",
                "api.bitbucket.org",
                "git.a.example",
                "git.b.example:7990",
                "git.c.example"
            ]
        );
    }
}
