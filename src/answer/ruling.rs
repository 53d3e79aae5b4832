//! What becomes of each account: the one order in which accounts come. It asks no store and nobody else.

use jiff::Timestamp;

use crate::account::probe::Access;
use crate::account::{Account, Accounts, Origin, Standing};
use crate::answer::matching;
use crate::answer::matching::{Exactness, Misfit, Wanted};
use crate::settings::Session;
use crate::settings::policy::Objection;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    Answers,
    /// It is the one that is meant, but its store has no secret for it.
    NoSecret,
    /// It is the one that is meant, but what it has cannot be had.
    Fails,
    Misfit(Misfit),
    /// `--account` names another one.
    NotNamed,
    Forbidden(Objection),
    /// It fits, but it is out of service: refused, or expired.
    Out(Standing),
    Outranked(Rank),
}

/// By what another candidate comes first. The order of the variants is the order of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// This variable of the environment answers.
    Variable(&'static str),
    /// Bitbucket has removed its kind: it answers only when nothing else fits.
    Retired,
    /// One from `login` comes before what git or a file gave, however exact that is.
    GivenByGit,
    /// Another one is for just this workspace or repository.
    LessExact,
    /// The request's user name means another one.
    OtherName,
    /// Bitbucket lets another one do more in this repository.
    Access(Option<Access>),
    /// git gave another one later.
    Older,
    /// Another one from `login` stands before it in `accounts.toml`.
    Later,
}

impl Ruling {
    /// Whether it fits as well as the one that answers, and only stands behind it.
    pub(super) fn is_equal(&self) -> bool {
        matches!(
            self,
            Self::Answers | Self::Outranked(Rank::Later | Rank::Older)
        )
    }

    /// Whether git may have the account's secret from us: it fits, and the policy allows it.
    pub(crate) fn may_have_answered(&self) -> bool {
        !matches!(self, Self::Misfit(_) | Self::Forbidden(_) | Self::Fails)
    }
}

/// What keeps an account that fits from answering.
pub(crate) fn hindrance(
    session: &Session,
    account: &Account,
    wanted: &Wanted<'_>,
) -> Option<Ruling> {
    if !session.lets_answer(account) {
        return Some(Ruling::NotNamed);
    }
    match session.objection(account) {
        Ok(Some(objection)) => Some(Ruling::Forbidden(objection)),
        // Whoever decides has read the policy before.
        Err(_) => Some(Ruling::Fails),
        Ok(None) => {
            let standing = account.standing_at(wanted.reach.as_ref(), Timestamp::now());
            (!standing.may_answer()).then_some(Ruling::Out(standing))
        }
    }
}

/// Rules on every account, in the order in which they came. `hindrance` says what keeps one that fits from answering.
pub(crate) fn rule<'a>(
    accounts: &'a Accounts,
    wanted: &Wanted<'_>,
    hindrance: impl Fn(&Account) -> Option<Ruling>,
) -> Vec<(&'a Account, Ruling)> {
    let mut rulings: Vec<(&Account, Ruling)> = Vec::new();
    // Those that fit, and that nothing keeps from answering.
    let mut contest = Vec::new();
    for (position, (account, fit)) in matching::fits(accounts, wanted).enumerate() {
        let ruling = match fit {
            Err(misfit) => Ruling::Misfit(misfit),
            Ok(exactness) => hindrance(account).unwrap_or_else(|| {
                contest.push((position, merits(account, position, exactness, wanted)));
                Ruling::Answers
            }),
        };
        rulings.push((account, ruling));
    }
    let best = contest.iter().map(|(_, merits)| merits);
    let best = best.max_by_key(|merits| merits.each_ref().map(|(_, merit)| *merit));
    for (position, merits) in &contest {
        let mut pairs = merits.iter().zip(best.into_iter().flatten());
        if let Some(((rank, _), _)) = pairs.find(|(own, best)| own.1 != best.1) {
            rulings[*position].1 = Ruling::Outranked(*rank);
        }
    }
    rulings
}

/// What counts for an account, in the order of the rules: the greater number wins, at the first difference.
fn merits(
    account: &Account,
    position: usize,
    exactness: Exactness,
    wanted: &Wanted<'_>,
) -> [(Rank, usize); 5] {
    let is_of_login = account.origin == Origin::Login;
    let is_called = |name| account.is_called(name);
    [
        (Rank::Retired, usize::from(!account.is_retired())),
        // What git or a file gave may have been planted: a public URL can hold any token.
        (Rank::GivenByGit, usize::from(is_of_login)),
        (Rank::LessExact, exactness as usize),
        (
            Rank::OtherName,
            usize::from(wanted.username.is_some_and(is_called)),
        ),
        if is_of_login {
            (Rank::Later, usize::MAX - position)
        } else {
            (Rank::Older, position)
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::{Rank, Ruling, rule};
    use crate::account::file::Accounts;
    use crate::account::rejection::Standing;
    use crate::account::sign_in::{Known, Opaque, SignIn};
    use crate::account::{Account, Origin};
    use crate::answer::matching::{Misfit, Wanted};
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
        let mut account = Account {
            sign_in: Known::new(kind).into(),
            ..account(name, &[])
        };
        account.owner.username = Username::new(name);
        account
    }

    fn opaque(name: &str, path: Option<&str>) -> Account {
        let mut account = Account {
            sign_in: SignIn::Opaque(Opaque {
                path: path.map(|path| Bytes::from(path.as_bytes().to_vec())),
                authtype: None,
            }),
            ..from_git(name)
        };
        account.owner.username = Username::new(name);
        account
    }

    fn all(accounts: &[Account]) -> Accounts {
        let mut all = Accounts::default();
        for account in accounts {
            all.add(account.clone());
        }
        all
    }

    /// Who answers.
    fn answer(accounts: &[Account], path: &str, username: &str) -> Option<String> {
        let all = all(accounts);
        let some = |text: &str| Some(text.as_bytes().to_vec()).filter(|bytes| !bytes.is_empty());
        let context = Context {
            protocol: some("https"),
            host: some("bitbucket.org"),
            path: some(path),
            username: some(username),
        };
        let wanted = Wanted::of(&context).expect("something of ours");
        let rulings = rule(&all, &wanted, |_| None);
        assert_eq!(rulings.len(), accounts.len(), "each has its ruling");
        let mut answering = rulings.iter().filter(|(_, it)| *it == Ruling::Answers);
        let name = answering.next().map(|(account, _)| account.name.clone());
        assert!(answering.next().is_none(), "one answers");
        name
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
    fn is(name: &str) -> Option<String> {
        Some(name.to_owned())
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
    fn without_a_path_an_account_with_a_reach_answers_only_when_it_is_alone() {
        let (one, other) = (account("one", &["acme"]), account("other", &["beta"]));
        assert_eq!(answer(std::slice::from_ref(&one), "", ""), is("one"));
        // A server may read such a path as one of another workspace.
        for path in ["beta/app", "acme/../beta/app", "acme%2fapp"] {
            assert_eq!(answer(std::slice::from_ref(&one), path, ""), None, "{path}");
        }
        assert_eq!(answer(&[one, other], "", ""), None);
    }

    #[test]
    fn a_user_name_selects_but_does_not_veto() {
        let accounts = [with_username(Kind::AccessToken, "ada"), account("bob", &[])];
        assert_eq!(answer(&accounts, "acme/app", "ada"), is("ada"));
        assert_eq!(answer(&accounts[..1], "acme/app", "old-name"), is("ada"));
        assert_eq!(answer(&accounts, "acme/app", "old-name"), is("ada"));
        assert_eq!(answer(&accounts, "acme/app", "x-token-auth"), is("ada"));
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
        assert_eq!(answer(&accounts, "", "eve"), None);
        assert_eq!(answer(&accounts, "acme/app.git", ""), is("bob"));
        assert_eq!(answer(&accounts, "acme/app", ""), None);
        assert_eq!(answer(&accounts, "acme/app.git", "ada"), None);
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
            (
                at("elsewhere", "git.corp.example"),
                Ruling::Misfit(Misfit::OtherHost),
            ),
            (
                account("beta", &["beta"]),
                Ruling::Misfit(Misfit::OtherReach),
            ),
            (account("whole", &[]), Ruling::Outranked(Rank::LessExact)),
            (
                account("aside", &["acme/app"]),
                Ruling::Out(Standing::Refused),
            ),
            (retired, Ruling::Outranked(Rank::Retired)),
            (given, Ruling::Misfit(Misfit::OtherAttributes)),
            (account("work", &["acme"]), Ruling::Answers),
            (
                Account {
                    reach: vec!["acme/app".parse().expect("a reach")],
                    ..from_git("given")
                },
                Ruling::Outranked(Rank::GivenByGit),
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
        let told = rule(&all, &wanted, |account| {
            (account.name == "aside").then_some(Ruling::Out(Standing::Refused))
        });
        let told: Vec<Ruling> = told.into_iter().map(|(_, ruling)| ruling).collect();
        let expected: Vec<Ruling> = rows.into_iter().map(|(_, ruling)| ruling).collect();
        assert_eq!(told, expected);

        let without_path = context(None, "bitbucket.org");
        let wanted = Wanted::of(&without_path).expect("something of ours");
        let told = rule(&all, &wanted, |_| None);
        assert_eq!(told[6].1, Ruling::Misfit(Misfit::NoPath));
        let elsewhere = context(None, "git.corp.example");
        let wanted = Wanted::of(&elsewhere).expect("something of ours");
        assert_eq!(
            rule(&all, &wanted, |_| None)[0].1,
            Ruling::Misfit(Misfit::NoSuchKind)
        );
    }

    #[test]
    fn of_two_that_fit_equally_the_first_answers_and_of_those_git_gave_the_newest() {
        let context = Context {
            protocol: Some(b"https".to_vec()),
            host: Some(b"bitbucket.org".to_vec()),
            ..Context::default()
        };
        let wanted = Wanted::of(&context).expect("something of ours");
        let told = |accounts: &[Account]| {
            let all = all(accounts);
            let told = rule(&all, &wanted, |_| None);
            told.into_iter()
                .map(|(_, ruling)| ruling)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(&[account("a", &[]), account("b", &[]), from_git("c")]),
            [
                Ruling::Answers,
                Ruling::Outranked(Rank::Later),
                Ruling::Outranked(Rank::GivenByGit)
            ]
        );
        assert_eq!(
            told(&[from_git("a"), from_git("b")]),
            [Ruling::Outranked(Rank::Older), Ruling::Answers]
        );
    }
}
