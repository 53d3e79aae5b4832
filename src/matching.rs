//! Which account is meant: by workspace and repository, then by user name, then by who brought it.

use anyhow::Result;

use crate::account::{Account, Bytes, Origin};
use crate::accounts::Accounts;
use crate::bitbucket::{self, Scope};
use crate::context::{Context, Host};
use crate::error::{Hinted, printable};

/// What a request is about, once it is clear that it is for one of our hosts.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: Host,
    pub(crate) path: Option<&'a [u8]>,
    pub(crate) username: Option<&'a [u8]>,
    /// Workspace and repository, where the path tells them.
    pub(crate) scope: Option<Scope>,
}

impl<'a> Wanted<'a> {
    /// What the context wants, when it wants something of a host over https at all.
    pub(crate) fn of(context: &'a Context) -> Option<Self> {
        let host = context.https_host()?;
        let path = context.path.as_deref().filter(|path| !path.is_empty());
        let scope = path.and_then(|path| Scope::of_path(&host, path));
        Some(Self {
            host,
            path,
            username: context.username.as_deref(),
            scope,
        })
    }

    /// How a message names it.
    fn url(&self) -> String {
        let path = self
            .path
            .map(|path| format!("/{}", String::from_utf8_lossy(path)))
            .unwrap_or_default();
        printable(&format!("https://{}{path}", self.host))
    }

    /// How exactly an account fits, the more the better; nothing when it does not.
    fn fit(&self, account: &Account, is_only: bool) -> Option<u8> {
        let Some(kind) = account.kind else {
            // What git gave us is matched as git's own helpers do: each attribute of the request has to be equal.
            let equal = |wanted: Option<&[u8]>, own: &Option<Bytes>| {
                wanted.is_none_or(|wanted| own.as_ref().is_some_and(|own| own.as_slice() == wanted))
            };
            let fits = account.host == self.host
                && equal(self.username, &account.username)
                && equal(self.path, &account.path);
            return fits.then_some(0);
        };
        if account.host != bitbucket::home_of(&self.host) || !kind.exists_on(&account.host) {
            return None;
        }
        match &self.scope {
            _ if account.scopes.is_empty() => Some(0),
            // A path that tells no repository is not the same as no path.
            None => (is_only && self.path.is_none()).then_some(0),
            Some(wanted) => {
                let exactness = |scope: &Scope| if scope.repository.is_some() { 2 } else { 1 };
                account
                    .scopes
                    .iter()
                    .filter(|scope| scope.contains(wanted))
                    .map(exactness)
                    .max()
            }
        }
    }
}

/// The accounts that fit, each with how exactly, in the order in which they came.
pub(crate) fn fitting<'a>(accounts: &'a Accounts, wanted: &Wanted<'_>) -> Vec<(u8, &'a Account)> {
    let home = bitbucket::home_of(&wanted.host);
    let is_only = accounts
        .iter()
        .filter(|account| account.host == home)
        .count()
        == 1;
    let fit = |account: &'a Account| {
        wanted
            .fit(account, is_only)
            .map(|exactness| (exactness, account))
    };
    accounts.iter().filter_map(fit).collect()
}

/// Whether there are accounts for the host which only do not fit because no path tells the workspace.
pub(crate) fn only_lacks_a_path(accounts: &Accounts, wanted: &Wanted<'_>) -> bool {
    let home = bitbucket::home_of(&wanted.host);
    accounts
        .iter()
        .any(|account| account.host == home && !account.scopes.is_empty())
}

/// The one that answers: the most exact, then the one the user name means, then one from `login`, then the newest.
///
/// A retired one answers only when nothing else fits: Bitbucket refuses it.
///
/// # Errors
/// When two from `login` fit equally.
pub(crate) fn choose<'a>(
    fitting: &[(u8, &'a Account)],
    wanted: &Wanted<'_>,
) -> Result<Option<&'a Account>> {
    let mut left = fitting.to_vec();
    prefer(&mut left, |(_, account)| !account.is_retired());
    let most = left.iter().map(|(exactness, _)| *exactness).max();
    prefer(&mut left, |(exactness, _)| Some(*exactness) == most);
    prefer(&mut left, |(_, account)| {
        wanted
            .username
            .is_some_and(|username| account.is_called(username))
    });
    prefer(&mut left, |(_, account)| account.origin == Origin::Login);
    match left.as_slice() {
        [(_, first), (_, second), ..] if first.origin == Origin::Login => {
            Err(ambiguous(wanted, first, second))
        }
        accounts => Ok(accounts.last().map(|(_, account)| *account)),
    }
}

/// Keeps only those that are better, unless none is.
fn prefer<'a>(
    accounts: &mut Vec<(u8, &'a Account)>,
    is_better: impl Fn(&(u8, &'a Account)) -> bool,
) {
    if accounts.iter().any(&is_better) {
        accounts.retain(is_better);
    }
}

fn ambiguous(wanted: &Wanted<'_>, first: &Account, second: &Account) -> anyhow::Error {
    let message = format!(
        "two accounts fit '{}': '{}' and '{}'",
        wanted.url(),
        first.name,
        second.name
    );
    let name = |account: &Account| account.username.as_ref().map(ToString::to_string);
    let hint = match (name(first), name(second)) {
        (Some(one), Some(other)) if one != other && wanted.path.is_some() => {
            let url = wanted
                .url()
                .replacen("https://", &format!("https://{one}@"), 1);
            format!("name one in the remote: 'git remote set-url origin {url}'")
        }
        _ => format!(
            "say what one is for: git credential-bitbucket token '{0}' | git credential-bitbucket login '{0}' --with-token --for WORKSPACE",
            first.name
        ),
    };
    Hinted::new(message, hint).into()
}

#[cfg(test)]
mod tests {
    use super::{Wanted, choose, fitting};
    use crate::account::{Account, Bytes, Origin};
    use crate::accounts::Accounts;
    use crate::bitbucket::{Kind, cloud};
    use crate::context::Context;

    fn account(name: &str, scopes: &[&str]) -> Account {
        let mut account = Account::new(name.to_owned(), cloud(), Origin::Login);
        account.kind = Some(Kind::AccessToken);
        account.scopes = scopes
            .iter()
            .map(|scope| scope.parse().expect("a scope"))
            .collect();
        account
    }

    fn from_git(name: &str) -> Account {
        Account {
            kind: Some(Kind::ApiToken),
            origin: Origin::Git,
            ..account(name, &[])
        }
    }

    fn with_username(name: &str) -> Account {
        Account {
            username: Some(Bytes::from(name.as_bytes().to_vec())),
            ..account(name, &[])
        }
    }

    fn answer(accounts: &[Account], path: &str, username: &str) -> Result<Option<String>, String> {
        let mut all = Accounts::default();
        for account in accounts {
            all.add(account.clone());
        }
        let some = |text: &str| Some(text.as_bytes().to_vec()).filter(|bytes| !bytes.is_empty());
        let context = Context {
            protocol: some("https"),
            host: some("bitbucket.org"),
            path: some(path),
            username: some(username),
        };
        let wanted = Wanted::of(&context).expect("something of ours");
        let chosen = choose(&fitting(&all, &wanted), &wanted);
        chosen
            .map(|account| account.map(|account| account.name.clone()))
            .map_err(|error| error.to_string())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
    fn is(name: &str) -> Result<Option<String>, String> {
        Ok(Some(name.to_owned()))
    }

    #[test]
    fn the_repository_beats_the_workspace_and_that_the_host() {
        let accounts = [
            account("host", &[]),
            account("ws", &["acme"]),
            account("repo", &["acme/app"]),
        ];
        assert_eq!(answer(&accounts, "acme/app.git", ""), is("repo"));
        assert_eq!(answer(&accounts, "acme/site.git", ""), is("ws"));
        assert_eq!(answer(&accounts, "other/app.git", ""), is("host"));
        assert_eq!(answer(&accounts, "acme-old/app.git", ""), is("host"));
        assert_eq!(answer(&accounts, "", ""), is("host"));
    }

    #[test]
    fn without_a_path_an_account_with_a_scope_answers_only_when_it_is_alone() {
        let (one, other) = (account("one", &["acme"]), account("other", &["beta"]));
        assert_eq!(answer(std::slice::from_ref(&one), "", ""), is("one"));
        assert_eq!(answer(std::slice::from_ref(&one), "beta/app", ""), Ok(None));
        assert_eq!(answer(&[one, other], "", ""), Ok(None));
    }

    #[test]
    fn a_user_name_selects_but_does_not_veto() {
        let accounts = [with_username("ada"), account("bob", &[])];
        assert_eq!(answer(&accounts, "acme/app", "ada"), is("ada"));
        assert_eq!(answer(&accounts[..1], "acme/app", "old-name"), is("ada"));
        assert!(answer(&accounts, "acme/app", "old-name").is_err());
    }

    #[test]
    fn a_static_user_name_selects_its_kind() {
        let token = Account {
            kind: Some(Kind::ApiToken),
            ..account("api", &[])
        };
        let accounts = [token, account("access", &[])];
        assert_eq!(answer(&accounts, "", "x-token-auth"), is("access"));
        assert_eq!(
            answer(&accounts, "", "x-bitbucket-api-token-auth"),
            is("api")
        );
    }

    #[test]
    fn two_accounts_that_fit_equally_are_both_named() {
        let error = answer(
            &[account("work", &[]), account("private", &[])],
            "acme/site",
            "",
        )
        .expect_err("two");
        assert_eq!(
            error,
            "two accounts fit 'https://bitbucket.org/acme/site': 'work' and 'private'"
        );
    }

    #[test]
    fn a_retired_app_password_answers_only_when_nothing_else_fits() {
        let retired = Account {
            kind: Some(Kind::AppPassword),
            scopes: vec!["acme".parse().expect("a scope")],
            ..with_username("ada")
        };
        assert_eq!(
            answer(&[retired.clone(), account("good", &[])], "acme/app", "ada"),
            is("good")
        );
        assert_eq!(answer(&[retired], "acme/app", ""), is("ada"));
    }

    #[test]
    fn login_comes_before_git_and_of_git_the_newest() {
        assert_eq!(
            answer(
                &[from_git("old"), account("mine", &[]), from_git("new")],
                "",
                ""
            ),
            is("mine")
        );
        assert_eq!(
            answer(&[from_git("old"), from_git("new")], "", ""),
            is("new")
        );
    }

    #[test]
    fn what_git_gave_is_matched_as_git_does_it() {
        let unknown = |name: &str, path: Option<&str>| Account {
            kind: None,
            origin: Origin::Git,
            path: path.map(|path| Bytes::from(path.as_bytes().to_vec())),
            ..with_username(name)
        };
        let accounts = [unknown("ada", None), unknown("bob", Some("acme/app.git"))];
        assert_eq!(answer(&accounts, "", "ada"), is("ada"));
        assert_eq!(answer(&accounts, "", "eve"), Ok(None));
        assert_eq!(answer(&accounts, "acme/app.git", ""), is("bob"));
        assert_eq!(answer(&accounts, "acme/app", ""), Ok(None));
        assert_eq!(answer(&accounts, "acme/app.git", "ada"), Ok(None));
        assert_eq!(answer(&accounts, "", ""), is("bob"));
    }
}
