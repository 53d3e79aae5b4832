//! Which hosts are ours: those of Bitbucket Cloud, those of the accounts, and `hosts` in config.toml. The policy can
//! forbid each of them.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::account::Account;
use crate::account::file::Accounts;
use crate::bitbucket;
use crate::git::context::Host;
use crate::settings::policy::Policy;
use crate::settings::session::Session;

impl Session {
    /// Whether we answer for this host and keep its credentials.
    pub(crate) fn is_ours(&self, host: &Host, accounts: &Accounts) -> Result<bool> {
        let is_known = bitbucket::is_cloud(host) || self.is_named(host, accounts)?;
        Ok(is_known && self.policy()?.allows_host(host))
    }

    /// Whether this is one of our hosts, even if the policy forbids it. Bitbucket Cloud is, also where the accounts cannot
    /// be read.
    pub(crate) fn knows_host(&self, host: &Host) -> Result<bool> {
        Ok(bitbucket::is_cloud(host) || self.is_named(host, &self.accounts()?)?)
    }

    fn is_named(&self, host: &Host, accounts: &Accounts) -> Result<bool> {
        let has_account = accounts.iter().any(|account| account.host == *host);
        Ok(has_account || self.config()?.hosts.contains(host))
    }
}

/// All our hosts, with those that the policy forbids: `import` and `scrub` report what they find for these.
pub(crate) fn known<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
    configured: &'a [Host],
) -> Vec<Host> {
    let of_accounts = accounts.into_iter().map(|account| &account.host);
    let named: BTreeSet<&Host> = of_accounts.chain(configured).collect();
    let others = named.into_iter().filter(|host| !bitbucket::is_cloud(host));
    let mut hosts = bitbucket::hosts_asked_for(&bitbucket::cloud());
    hosts.extend(others.cloned());
    hosts
}

/// The hosts for which we answer.
pub(crate) fn allowed<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
    configured: &'a [Host],
    policy: &Policy,
) -> Vec<Host> {
    let mut hosts = known(accounts, configured);
    hosts.retain(|host| policy.allows_host(host));
    hosts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{allowed, known};
    use crate::account::sign_in::{Known, SignIn};
    use crate::account::{Account, Origin};
    use crate::bitbucket::Kind;
    use crate::git::context::Host;
    use crate::settings::policy::Policy;

    fn host(text: &str) -> Host {
        text.parse().expect("a host")
    }

    fn account(name: &str) -> Account {
        let sign_in: SignIn = Known::new(Kind::HttpAccessToken).into();
        Account::new("work".to_owned(), host(name), Origin::Login, sign_in)
    }

    #[test]
    fn each_host_is_listed_once_and_the_policy_takes_some_away() {
        let accounts = ["git.b.example:7990", "bitbucket.org", "git.a.example"].map(account);
        let configured = ["git.c.example", "git.a.example", "api.bitbucket.org"].map(host);
        let names =
            |hosts: Vec<Host>| -> Vec<String> { hosts.iter().map(ToString::to_string).collect() };
        assert_eq!(
            names(known(&accounts, &configured)),
            [
                "bitbucket.org",
                "api.bitbucket.org",
                "git.a.example",
                "git.b.example:7990",
                "git.c.example"
            ]
        );
        let rules = b"[policy]\nhosts = ['git.c.example', 'git.b.example']\n";
        let policy = Policy::parse(Path::new("config.toml"), rules).expect("a policy");
        assert_eq!(
            names(allowed(&accounts, &configured, &policy)),
            ["git.c.example"]
        );
    }
}
