//! What a request wants, and whether an account fits it: by host, kind, workspace and repository.

use crate::account::{Account, Accounts, Origin};
use crate::bitbucket::reach::is_segment;
use crate::bitbucket::{self, API_HOST, Reach};
use crate::git::context::Context;
use crate::git::{Host, Username};
use crate::sys::{Bytes, shell_quoted};

/// What a request is about, once it is clear that it is for one of our hosts.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: Host,
    pub(crate) path: Option<&'a [u8]>,
    pub(crate) username: Option<&'a [u8]>,
    /// Workspace and repository, where the path tells them.
    pub(crate) reach: Option<Reach>,
}

/// How exactly an account fits: the more the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exactness {
    Host,
    Workspace,
    Repository,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    OtherHost,
    NoSuchKind,
    OtherReach,
    OtherBasePath,
    /// It is for a workspace, a repository or an instance, and the request tells none.
    NoPath,
    /// git gave it for another path or user name.
    OtherAttributes,
}

impl<'a> Wanted<'a> {
    /// What the context wants, when it wants something of a host over https at all.
    pub(crate) fn of(context: &'a Context) -> Option<Self> {
        let host = context.https_host()?;
        let path = context.path.as_deref().filter(|path| !path.is_empty());
        Some(Self::at(host, path, context.username.as_deref()))
    }

    /// What a URL of this host, path and user name wants.
    pub(crate) fn at(host: Host, path: Option<&'a [u8]>, username: Option<&'a [u8]>) -> Self {
        let host = bitbucket::without_alias(host);
        let reach = path.and_then(|path| Reach::of_path(&host, path));
        Self {
            host,
            path,
            username,
            reach,
        }
    }

    /// The command that signs in to the host, and for a place.
    pub(crate) fn login(&self, place: Option<&Reach>) -> String {
        let home = bitbucket::home_of(&self.host);
        let mut login = "git credential-bitbucket login".to_owned();
        if !bitbucket::is_cloud(&home) {
            login.extend([" --host ", home.as_str()]);
        }
        if let Some(place) = place {
            login.extend([" --for ", &shell_quoted(&place.to_string())]);
        }
        login
    }

    /// `instances` has the base path of each account of the host.
    fn fit(&self, account: &Account, instances: &[&str]) -> Result<Exactness, Misfit> {
        let Some(kind) = account.kind() else {
            return self.fit_as_git_does(account);
        };
        if account.host != bitbucket::home_of(&self.host) {
            return Err(Misfit::OtherHost);
        }
        if !kind.exists_on(&account.host) {
            return Err(Misfit::NoSuchKind);
        }
        self.fit_base_path(account, instances)?;
        let is_only = instances.len() == 1;
        if let Some(only) = &account.only_username
            && (self.username != Some(only.as_slice()) || self.host.as_str() == API_HOST)
        {
            return Err(Misfit::OtherAttributes);
        }
        if account.reach.is_empty() {
            return Ok(Exactness::Host);
        }
        match &self.reach {
            Some(wanted) => exactness(&account.reach, wanted).ok_or(Misfit::OtherReach),
            None if is_only && account.origin == Origin::Login && self.is_about_the_host() => {
                Ok(Exactness::Host)
            }
            None => Err(Misfit::NoPath),
        }
    }

    /// Several programs may lie on one host, each below a path of its own: an account is for those of its instance.
    fn fit_base_path(&self, account: &Account, instances: &[&str]) -> Result<(), Misfit> {
        if instances.iter().all(|base| base.is_empty()) {
            return Ok(());
        }
        let Some(path) = self.path else {
            return (instances.len() == 1).then_some(()).ok_or(Misfit::NoPath);
        };
        let path = std::str::from_utf8(path).map_err(|_| Misfit::OtherBasePath)?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        // A path that a server might read in another way is below none.
        if !segments.iter().all(|segment| is_segment(segment)) {
            return Err(Misfit::OtherBasePath);
        }
        let is_below = |base: &&str| {
            let base = base.trim_matches('/').split('/');
            segments.starts_with(&base.collect::<Vec<_>>())
        };
        let nearest = instances.iter().copied().filter(is_below);
        let nearest = nearest.max_by_key(|base| base.len());
        (nearest.unwrap_or_default() == account.base_path())
            .then_some(())
            .ok_or(Misfit::OtherBasePath)
    }

    /// gitcredentials(7): each attribute of the request has to be equal. For accounts of unknown kind.
    fn fit_as_git_does(&self, account: &Account) -> Result<Exactness, Misfit> {
        let equal = |wanted: Option<&[u8]>, own: Option<&[u8]>| {
            wanted.is_none_or(|wanted| own == Some(wanted))
        };
        if account.host != self.host {
            return Err(Misfit::OtherHost);
        }
        let username = account.username().map(Username::as_slice);
        let path = account.opaque().and_then(|opaque| opaque.path.as_ref());
        if equal(self.username, username) && equal(self.path, path.map(Bytes::as_slice)) {
            Ok(Exactness::Host)
        } else {
            Err(Misfit::OtherAttributes)
        }
    }

    /// Whether the request names no repository. A path such as `a/../b` is different: nobody knows what it names.
    fn is_about_the_host(&self) -> bool {
        self.path
            .is_none_or(|path| bitbucket::is_general_rest(&self.host, path))
    }
}

fn exactness(reach: &[Reach], wanted: &Reach) -> Option<Exactness> {
    let fitting = reach.iter().filter(|own| own.contains(wanted));
    let exactness = fitting.map(|own| match own.repository {
        Some(_) => Exactness::Repository,
        None => Exactness::Workspace,
    });
    exactness.max()
}

/// How each account fits, in the order in which they came.
pub(crate) fn fits<'a>(
    accounts: &'a Accounts,
    wanted: &Wanted<'_>,
) -> impl Iterator<Item = (&'a Account, Result<Exactness, Misfit>)> {
    let home = bitbucket::home_of(&wanted.host);
    let own = accounts.iter().filter(|account| account.host == home);
    let instances: Vec<&str> = own.map(Account::base_path).collect();
    accounts
        .iter()
        .map(move |account| (account, wanted.fit(account, &instances)))
}

pub(crate) fn fitting<'a>(
    accounts: &'a Accounts,
    wanted: &Wanted<'_>,
) -> impl Iterator<Item = &'a Account> {
    fits(accounts, wanted).filter_map(|(account, fit)| fit.is_ok().then_some(account))
}
