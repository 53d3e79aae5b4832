//! Which account is meant: by workspace and repository, then by user name, then by who brought it.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::account::file::Accounts;
use crate::account::{Account, Origin};
use crate::bitbucket;
use crate::bitbucket::reach::Reach;
use crate::git::context::{Context, Host};
use crate::git::username::Username;
use crate::sys::bytes::Bytes;
use crate::sys::error::{Hinted, printable};

/// What a request is about, once it is clear that it is for one of our hosts.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: Host,
    pub(crate) path: Option<&'a [u8]>,
    pub(crate) username: Option<&'a [u8]>,
    /// Workspace and repository, where the path tells them.
    pub(crate) reach: Option<Reach>,
}

impl<'a> Wanted<'a> {
    /// What the context wants, when it wants something of a host over https at all.
    pub(crate) fn of(context: &'a Context) -> Option<Self> {
        let host = context.https_host()?;
        let path = context.path.as_deref().filter(|path| !path.is_empty());
        let reach = path.and_then(|path| Reach::of_path(&host, path));
        Some(Self {
            host,
            path,
            username: context.username.as_deref(),
            reach,
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

    /// How exactly an account fits, the more the better; or why it does not.
    fn fit(&self, account: &Account, is_only: bool) -> Result<u8, Verdict> {
        let Some(kind) = account.kind() else {
            // What git gave us is matched as git's own helpers do: each attribute of the request has to be equal.
            let equal = |wanted: Option<&[u8]>, own: Option<&[u8]>| {
                wanted.is_none_or(|wanted| own == Some(wanted))
            };
            if account.host != self.host {
                return Err(Verdict::OtherHost);
            }
            let path = account.opaque().and_then(|opaque| opaque.path.as_ref());
            let fits = equal(self.username, account.username().map(Username::as_slice))
                && equal(self.path, path.map(Bytes::as_slice));
            return fits.then_some(0).ok_or(Verdict::OtherAttributes);
        };
        if account.host != bitbucket::home_of(&self.host) {
            return Err(Verdict::OtherHost);
        }
        if !kind.exists_on(&account.host) {
            return Err(Verdict::NoSuchKind);
        }
        match &self.reach {
            _ if account.reach.is_empty() => Ok(0),
            // A path that tells no repository is not the same as no path, unless REST has it for everybody.
            None => (is_only
                && self
                    .path
                    .is_none_or(|path| bitbucket::is_general_rest(&self.host, path)))
            .then_some(0)
            .ok_or(Verdict::NoPath),
            Some(wanted) => {
                let exactness = |reach: &Reach| if reach.repository.is_some() { 2 } else { 1 };
                account
                    .reach
                    .iter()
                    .filter(|reach| reach.contains(wanted))
                    .map(exactness)
                    .max()
                    .ok_or(Verdict::OtherReach)
            }
        }
    }
}

/// Why an account answers, or why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Answers,
    /// Another one from `login` fits equally: neither answers.
    Ambiguous,
    // Those below do not fit.
    OtherHost,
    /// Its kind does not exist on its host.
    NoSuchKind,
    /// It is for another workspace or repository.
    OtherReach,
    /// It is for a workspace or repository, and the request tells none.
    NoPath,
    /// git gave it for another path or user name.
    OtherAttributes,
    // Those below fit.
    /// A server refused it.
    SetAside,
    Retired,
    /// Another one is for just this workspace or repository.
    LessExact,
    /// The request's user name means another one.
    OtherName,
    /// One from `login` comes before it.
    GivenByGit,
    /// git gave another one later.
    Older,
}

/// The accounts that fit, each with how exactly, in the order in which they came.
pub(crate) fn fitting<'a>(accounts: &'a Accounts, wanted: &Wanted<'_>) -> Vec<(u8, &'a Account)> {
    fits(accounts, wanted)
        .filter_map(|(account, fit)| Some((fit.ok()?, account)))
        .collect()
}

/// What becomes of each account, in the order in which they came.
pub(crate) fn verdicts<'a>(
    accounts: &'a Accounts,
    wanted: &Wanted<'_>,
    is_aside: impl Fn(&Account) -> bool,
) -> Vec<(&'a Account, Verdict)> {
    let (aside, fitting): (Vec<_>, Vec<_>) = fitting(accounts, wanted)
        .into_iter()
        .partition(|(_, account)| is_aside(account));
    let aside = aside
        .into_iter()
        .map(|(_, account)| (account, Verdict::SetAside));
    let decided: Vec<_> = Contest::of(&fitting, wanted)
        .verdicts()
        .into_iter()
        .chain(aside)
        .collect();
    let verdict = |account: &'a Account| {
        let known = decided
            .iter()
            .find(|(decided, _)| std::ptr::eq(*decided, account));
        known.map(|(_, verdict)| *verdict)
    };
    fits(accounts, wanted)
        .filter_map(|(account, fit)| Some((account, fit.err().or_else(|| verdict(account))?)))
        .collect()
}

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
    pub(crate) fn mend(&self) -> String {
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
            "say what one is for: git credential-bitbucket token '{name}' | git credential-bitbucket login '{name}' --with-token --for {place}"
        )
    }
}

/// All ties there are among those accounts that are not set aside, each set of accounts once.
pub(crate) fn ties<'a>(
    accounts: &'a Accounts,
    is_aside: &dyn Fn(&Account) -> bool,
) -> Vec<Tie<'a>> {
    let hosts: BTreeSet<&Host> = accounts.iter().map(|account| &account.host).collect();
    let mut ties: Vec<Tie<'a>> = Vec::new();
    for host in hosts {
        let own = accounts.iter().filter(|account| account.host == *host);
        for reach in own
            .flat_map(|account| &account.reach)
            .map(Some)
            .chain([None])
        {
            let wanted = Wanted {
                host: host.clone(),
                path: None,
                username: None,
                reach: reach.cloned(),
            };
            let verdicts = verdicts(accounts, &wanted, is_aside);
            let equal = verdicts
                .into_iter()
                .filter(|(_, verdict)| *verdict == Verdict::Ambiguous);
            let equal: Vec<&Account> = equal
                .map(|(account, _)| account)
                .filter(|account| account.origin == Origin::Login)
                .collect();
            let names = |accounts: &[&Account]| {
                accounts
                    .iter()
                    .map(|account| account.name.clone())
                    .collect::<Vec<_>>()
            };
            let is_known = ties.iter().any(|tie| names(&tie.accounts) == names(&equal));
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

fn fits<'a>(
    accounts: &'a Accounts,
    wanted: &Wanted<'_>,
) -> impl Iterator<Item = (&'a Account, Result<u8, Verdict>)> {
    let home = bitbucket::home_of(&wanted.host);
    let is_only = accounts
        .iter()
        .filter(|account| account.host == home)
        .count()
        == 1;
    accounts
        .iter()
        .map(move |account| (account, wanted.fit(account, is_only)))
}

/// Whether there are accounts for the host which only do not fit because no path tells the workspace.
pub(crate) fn only_lacks_a_path(accounts: &Accounts, wanted: &Wanted<'_>) -> bool {
    let home = bitbucket::home_of(&wanted.host);
    accounts
        .iter()
        .any(|account| account.host == home && !account.reach.is_empty())
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
    match Contest::of(fitting, wanted).left.as_slice() {
        [(_, first), (_, second), ..] if first.origin == Origin::Login => {
            Err(ambiguous(wanted, first, second))
        }
        accounts => Ok(accounts.last().map(|(_, account)| *account)),
    }
}

/// Who of the fitting accounts is left, and why the others are not.
struct Contest<'a> {
    left: Vec<(u8, &'a Account)>,
    out: Vec<(&'a Account, Verdict)>,
}

impl<'a> Contest<'a> {
    fn of(fitting: &[(u8, &'a Account)], wanted: &Wanted<'_>) -> Self {
        let mut contest = Self {
            left: fitting.to_vec(),
            out: Vec::new(),
        };
        contest.prefer(Verdict::Retired, |(_, account)| !account.is_retired());
        let most = contest.left.iter().map(|(exactness, _)| *exactness).max();
        contest.prefer(Verdict::LessExact, |(exactness, _)| {
            Some(*exactness) == most
        });
        contest.prefer(Verdict::OtherName, |(_, account)| {
            wanted
                .username
                .is_some_and(|username| account.is_called(username))
        });
        contest.prefer(Verdict::GivenByGit, |(_, account)| {
            account.origin == Origin::Login
        });
        contest
    }

    /// Keeps only those that are better, unless none is.
    fn prefer(&mut self, verdict: Verdict, is_better: impl Fn(&(u8, &'a Account)) -> bool) {
        if self.left.iter().any(&is_better) {
            let (better, others) = self.left.drain(..).partition(is_better);
            self.left = better;
            let others: Vec<(u8, &'a Account)> = others;
            self.out
                .extend(others.into_iter().map(|(_, account)| (account, verdict)));
        }
    }

    fn verdicts(self) -> Vec<(&'a Account, Verdict)> {
        let last = self.left.len().saturating_sub(1);
        let is_tie = last > 0 && self.left[0].1.origin == Origin::Login;
        let verdict = |position: usize| match position {
            _ if is_tie => Verdict::Ambiguous,
            position if position == last => Verdict::Answers,
            _ => Verdict::Older,
        };
        let left = self.left.iter().enumerate();
        left.map(|(position, (_, account))| (*account, verdict(position)))
            .chain(self.out)
            .collect()
    }
}

fn ambiguous(wanted: &Wanted<'_>, first: &Account, second: &Account) -> anyhow::Error {
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
            .mend()
        }
    };
    Hinted::new(message, hint).into()
}

#[cfg(test)]
mod tests {
    use super::{Verdict, Wanted, choose, fitting, verdicts};
    use crate::account::file::Accounts;
    use crate::account::sign_in::{Known, Opaque, SignIn};
    use crate::account::{Account, Origin};
    use crate::bitbucket::{Kind, cloud};
    use crate::git::context::Context;
    use crate::git::username::Username;
    use crate::sys::bytes::Bytes;

    fn account(name: &str, reach: &[&str]) -> Account {
        let token = Known::new(Kind::AccessToken);
        let mut account = Account::new(name.to_owned(), cloud(), Origin::Login, token);
        account.reach = reach
            .iter()
            .map(|reach| reach.parse().expect("a reach"))
            .collect();
        account
    }

    fn from_git(name: &str) -> Account {
        Account {
            sign_in: Known::new(Kind::ApiToken).into(),
            origin: Origin::Git,
            ..account(name, &[])
        }
    }

    fn with_username(kind: Kind, name: &str) -> Account {
        let mut known = Known::new(kind);
        known.owner.username = Username::new(name);
        Account {
            sign_in: known.into(),
            ..account(name, &[])
        }
    }

    fn opaque(name: &str, path: Option<&str>) -> Account {
        Account {
            sign_in: SignIn::Opaque(Opaque {
                username: Username::new(name),
                path: path.map(|path| Bytes::from(path.as_bytes().to_vec())),
                authtype: None,
            }),
            ..from_git(name)
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
        let verdicts = verdicts(&all, &wanted, |_| false);
        assert_eq!(verdicts.len(), accounts.len(), "each has its verdict");
        let explained = verdicts
            .iter()
            .find(|(_, verdict)| *verdict == Verdict::Answers)
            .map(|(account, _)| account.name.as_str());
        let answering = chosen.as_ref().ok().copied().flatten();
        assert_eq!(
            explained,
            answering.map(|account| account.name.as_str()),
            "the explanation is that of the choice"
        );
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
        let accounts = [with_username(Kind::AccessToken, "ada"), account("bob", &[])];
        assert_eq!(answer(&accounts, "acme/app", "ada"), is("ada"));
        assert_eq!(answer(&accounts[..1], "acme/app", "old-name"), is("ada"));
        assert!(answer(&accounts, "acme/app", "old-name").is_err());
    }

    #[test]
    fn a_static_user_name_selects_its_kind() {
        let token = Account {
            sign_in: Known::new(Kind::ApiToken).into(),
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
            reach: vec!["acme".parse().expect("a reach")],
            ..with_username(Kind::AppPassword, "ada")
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
        let accounts = [opaque("ada", None), opaque("bob", Some("acme/app.git"))];
        assert_eq!(answer(&accounts, "", "ada"), is("ada"));
        assert_eq!(answer(&accounts, "", "eve"), Ok(None));
        assert_eq!(answer(&accounts, "acme/app.git", ""), is("bob"));
        assert_eq!(answer(&accounts, "acme/app", ""), Ok(None));
        assert_eq!(answer(&accounts, "acme/app.git", "ada"), Ok(None));
        assert_eq!(answer(&accounts, "", ""), is("bob"));
    }

    #[test]
    fn each_account_is_told_why_it_does_not_answer() {
        let at = |name: &str, host: &str| Account {
            host: host.parse().expect("a host"),
            ..account(name, &[])
        };
        let retired = with_username(Kind::AppPassword, "retired");
        let given = opaque("eve", None);
        let rows = [
            (at("elsewhere", "git.corp.example"), Verdict::OtherHost),
            (account("beta", &["beta"]), Verdict::OtherReach),
            (account("whole", &[]), Verdict::LessExact),
            (account("aside", &["acme/app"]), Verdict::SetAside),
            (retired, Verdict::Retired),
            (given, Verdict::OtherAttributes),
            (account("work", &["acme"]), Verdict::Answers),
            (
                Account {
                    reach: vec!["acme".parse().expect("a reach")],
                    ..from_git("given")
                },
                Verdict::OtherName,
            ),
        ];
        let mut all = Accounts::default();
        for (account, _) in &rows {
            all.add(account.clone());
        }
        let context = |path: Option<&str>, host: &str| Context {
            protocol: Some(b"https".to_vec()),
            host: Some(host.as_bytes().to_vec()),
            path: path.map(|path| path.as_bytes().to_vec()),
            username: Some(b"x-token-auth".to_vec()),
        };
        let cloud = context(Some("acme/app"), "bitbucket.org");
        let wanted = Wanted::of(&cloud).expect("something of ours");
        let told = verdicts(&all, &wanted, |account| account.name == "aside");
        let told: Vec<Verdict> = told.into_iter().map(|(_, verdict)| verdict).collect();
        let expected: Vec<Verdict> = rows.iter().map(|(_, verdict)| *verdict).collect();
        assert_eq!(told, expected);

        let without_path = context(None, "bitbucket.org");
        let wanted = Wanted::of(&without_path).expect("something of ours");
        let told = verdicts(&all, &wanted, |_| false);
        assert_eq!(told[6].1, Verdict::NoPath);
        let elsewhere = context(None, "git.corp.example");
        let wanted = Wanted::of(&elsewhere).expect("something of ours");
        assert_eq!(verdicts(&all, &wanted, |_| false)[0].1, Verdict::NoSuchKind);
    }

    #[test]
    fn of_two_that_fit_equally_neither_answers_and_of_those_git_gave_the_older_does_not() {
        let context = Context {
            protocol: Some(b"https".to_vec()),
            host: Some(b"bitbucket.org".to_vec()),
            ..Context::default()
        };
        let wanted = Wanted::of(&context).expect("something of ours");
        let told = |accounts: &[Account]| {
            let mut all = Accounts::default();
            for account in accounts {
                all.add(account.clone());
            }
            let told = verdicts(&all, &wanted, |_| false);
            told.into_iter()
                .map(|(_, verdict)| verdict)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(&[account("a", &[]), account("b", &[]), from_git("c")]),
            [Verdict::Ambiguous, Verdict::Ambiguous, Verdict::GivenByGit]
        );
        assert_eq!(
            told(&[from_git("a"), from_git("b")]),
            [Verdict::Older, Verdict::Answers]
        );
    }
}
