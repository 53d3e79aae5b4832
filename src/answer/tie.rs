//! Accounts that fit equally, so that none of them answers; and what tells them apart.

use std::collections::BTreeSet;

use crate::account::Account;
use crate::account::file::Accounts;
use crate::answer::matching::Wanted;
use crate::answer::ruling::{Rank, Ruling, rule};
use crate::bitbucket;
use crate::bitbucket::reach::Reach;
use crate::git::context::Host;
use crate::git::username::Username;
use crate::sys::error::Hinted;

/// Accounts from `login` that fit a place equally, so that none of them answers.
pub(crate) struct Tie<'a> {
    pub(crate) host: Host,
    /// The workspace or repository; none is the whole host.
    pub(crate) reach: Option<Reach>,
    pub(crate) accounts: Vec<&'a Account>,
}

impl Tie<'_> {
    /// What it means, for a person.
    pub(crate) fn message(&self) -> String {
        let names: Vec<String> = self
            .accounts
            .iter()
            .map(|account| format!("'{}'", account.name))
            .collect();
        let place = match &self.reach {
            Some(reach) => format!("{reach} on {}", self.host),
            None => self.host.to_string(),
        };
        format!(
            "{} fit {place} equally, so none of them answers",
            names.join(" and ")
        )
    }

    /// Whether a user name in the URL could tell them apart.
    pub(crate) fn has_user_names(&self) -> bool {
        let own = self.accounts.iter().map(|account| account.username());
        let mut names: Vec<Option<&[u8]>> = own.map(|name| name.map(Username::as_slice)).collect();
        names.sort_unstable();
        names.dedup();
        names.len() == self.accounts.len() && !names.contains(&None)
    }

    /// The act that tells them apart for good.
    pub(crate) fn fix(&self) -> String {
        let name = &self.accounts[0].name;
        let place = match &self.reach {
            Some(Reach {
                repository: Some(_),
                ..
            }) => {
                return format!("keep one of them: 'git credential-bitbucket logout {name}'");
            }
            Some(Reach { workspace, .. }) => format!("{workspace}/REPOSITORY"),
            None => "WORKSPACE".to_owned(),
        };
        format!(
            "limit one to a workspace: git credential-bitbucket token '{name}' | git credential-bitbucket login '{name}' --with-token --for {place}"
        )
    }
}

/// All ties there are, each set of accounts once. `hindrance` is that of [`rule`].
pub(crate) fn ties<'a>(
    accounts: &'a Accounts,
    hindrance: &dyn Fn(&Account) -> Option<Ruling>,
) -> Vec<Tie<'a>> {
    let hosts: BTreeSet<&Host> = accounts.iter().map(|account| &account.host).collect();
    let mut ties: Vec<Tie<'a>> = Vec::new();
    for host in hosts {
        let own = accounts.iter().filter(|account| account.host == *host);
        let places = own.flat_map(|account| &account.reach).map(Some);
        for reach in places.chain([None]) {
            let wanted = Wanted {
                host: host.clone(),
                path: None,
                username: None,
                reach: reach.cloned(),
            };
            let rulings = rule(accounts, &wanted, hindrance).into_iter();
            let equal: Vec<&Account> = rulings
                .filter(|(_, ruling)| *ruling == Ruling::Outranked(Rank::Tie))
                .map(|(account, _)| account)
                .collect();
            let is_known = ties.iter().any(|tie| {
                let names = |account: &&Account| account.name.clone();
                tie.accounts.iter().map(names).eq(equal.iter().map(names))
            });
            if !equal.is_empty() && !is_known {
                ties.push(Tie {
                    host: wanted.host,
                    reach: wanted.reach,
                    accounts: equal,
                });
            }
        }
    }
    ties
}

/// The error of a request that two accounts fit equally.
pub(crate) fn ambiguous(wanted: &Wanted<'_>, first: &Account, second: &Account) -> anyhow::Error {
    let message = format!(
        "two accounts fit '{}': '{}' and '{}'",
        wanted.url(),
        first.name,
        second.name
    );
    let is_remote = wanted
        .path
        .is_some_and(|path| !bitbucket::is_rest(&wanted.host, path));
    let name = |account: &Account| account.username().map(ToString::to_string);
    let hint = match (name(first), name(second)) {
        (Some(one), Some(other)) if one != other && is_remote => {
            let url = wanted
                .url()
                .replacen("https://", &format!("https://{one}@"), 1);
            format!("name one in the remote: 'git remote set-url origin {url}'")
        }
        _ => {
            let shared = first
                .reach
                .iter()
                .find(|reach| second.reach.contains(reach));
            Tie {
                host: wanted.host.clone(),
                reach: shared.cloned(),
                accounts: vec![first, second],
            }
            .fix()
        }
    };
    Hinted::new(message, hint).into()
}
