//! Asks Bitbucket whether a secret works, and finds the mistake when it does not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::account::inquiry::Inquiry;
use crate::account::sign_in::Scheme;
pub(crate) use crate::account::verdict::{Meaning, Verdict};
use crate::account::verdict::{
    good, lacks, limited, misplaced, page, refusal, refused, server, unanswered, unchecked,
    undecided, wrong_kind,
};
use crate::bitbucket::authorization::Identity;
use crate::bitbucket::reach::Reach;
use crate::bitbucket::{self, Forbidden, Kind, Service};
use crate::git::url::Url;
use crate::git::username::Username;
use crate::git::{self, Setting};
use crate::sys::http::{self, Answer};
use crate::sys::parallel::in_parallel;
use crate::sys::secret::Secret;

/// The time limit for one answer of Bitbucket while a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until the deadline. Notes in the account whether a Data Center wants Bearer, and whose token it is.
pub(crate) fn check(account: &mut Account, secret: &Secret, deadline: Instant) -> Verdict {
    if account.is_retired() {
        // Bitbucket refuses all of them.
        return unchecked("Bitbucket accepts no app passwords any more");
    }
    let checked = if bitbucket::is_cloud(&account.host) {
        cloud(&about(account, secret, deadline))
    } else {
        data_center(account, secret, deadline)
    };
    checked.unwrap_or_else(|error| unanswered(account, &error))
}

/// Asks several secrets at a time. `answered` gets each answer when it comes, one after the other; they are returned in
/// the order of the secrets, each with the account as [`check`] left it.
pub(crate) fn check_all(
    asked: &[(&Account, &Secret)],
    deadline: Instant,
    answered: impl Fn(&Account, &Verdict) + Sync,
) -> Vec<(Account, Verdict)> {
    let one_at_a_time = Mutex::new(());
    in_parallel(asked, |&(account, secret)| {
        let mut account = account.clone();
        let verdict = check(&mut account, secret, deadline);
        let _one = one_at_a_time.lock();
        answered(&account, &verdict);
        (account, verdict)
    })
}

/// Asks a repository as git would whether the account can fetch or push there. None if it is no repository, or git
/// could not sign in.
pub(crate) fn access(
    account: &Account,
    secret: &Secret,
    place: &Reach,
    service: Service,
    deadline: Instant,
) -> Option<Verdict> {
    let answer = about(account, secret, deadline).refs(place, service)?;
    Some(match answer {
        Ok(answer) => of_service(account, place, service, &answer),
        Err(error) => unanswered(account, &error),
    })
}

/// Asks whether Bitbucket Cloud calls an access token one of a whole workspace.
pub(crate) fn is_for_a_workspace(account: &Account, secret: &Secret, deadline: Instant) -> bool {
    let identity = Identity::Bearer(secret.clone());
    let answer = about(account, secret, deadline).who_is(&identity);
    answer.is_ok_and(|answer| bitbucket::is_workspace_token(&answer))
}

/// Asks whether Bitbucket Cloud misses a workspace that the account is for. Any other answer decides nothing.
pub(crate) fn missing_workspace(
    account: &Account,
    secret: &Secret,
    deadline: Instant,
) -> Option<Verdict> {
    let inquiry = about(account, secret, deadline);
    let identity = Identity::for_rest(account, secret.clone()).ok();
    let identity = identity.filter(|_| bitbucket::is_cloud(&account.host))?;
    let is_missing = |place: &&Reach| {
        let answer = inquiry.get(
            &bitbucket::api_host(),
            &bitbucket::workspace_url(&place.workspace),
            &identity,
        );
        answer.is_ok_and(|answer| bitbucket::has_no_workspace(&answer))
    };
    let is_workspace = |place: &&Reach| place.repository.is_none();
    let mut workspaces = account.reach.iter().filter(is_workspace);
    workspaces
        .find(is_missing)
        .map(|place| misplaced(account, place))
}

fn about<'a>(account: &'a Account, secret: &'a Secret, deadline: Instant) -> Inquiry<'a> {
    Inquiry {
        account,
        secret,
        patience: PATIENCE,
        deadline,
    }
}

fn cloud(inquiry: &Inquiry<'_>) -> Result<Verdict, http::Error> {
    let Inquiry {
        account, secret, ..
    } = inquiry;
    let Ok(identity) = Identity::for_rest(account, (*secret).clone()) else {
        return without_email(inquiry);
    };
    let answer = inquiry.who_is(&identity)?;
    match answer.status {
        _ if bitbucket::knows_the_secret(&answer) => {}
        401 => return explain_refusal(inquiry),
        status => return Ok(undecided(account, status)),
    }
    Ok(
        match (
            refs(inquiry, &account.reach)?,
            lacking_scope(account, &answer),
        ) {
            (Some(verdict), _) if verdict.meaning == Meaning::Misplaced => verdict,
            (_, Some(limited)) => limited,
            // Bitbucket knows the secret: only the repository refuses it.
            (Some(verdict), None) if verdict.meaning == Meaning::Refused => {
                unchecked("Bitbucket knows the secret, but a repository of '--for' refuses it")
            }
            (Some(verdict), None) if !verdict.is_good() => verdict,
            _ => good(account, display_name(&answer).as_deref()),
        },
    )
}

/// REST takes an API token only with the e-mail. git's address takes it without, and REST may take it as Bearer, of which
/// only a yes counts.
fn without_email(inquiry: &Inquiry<'_>) -> Result<Verdict, http::Error> {
    if let Some(of_git) = refs(inquiry, &inquiry.account.reach)? {
        return Ok(of_git);
    }
    let answer = inquiry.who_is(&Identity::Bearer(inquiry.secret.clone()))?;
    if bitbucket::is_api_token(&answer) {
        let good = || good(inquiry.account, display_name(&answer).as_deref());
        return Ok(lacking_scope(inquiry.account, &answer).unwrap_or_else(good));
    }
    Ok(refs_here(inquiry)?.unwrap_or_else(|| {
        unchecked("Bitbucket can only be asked with '--email' or '--for WORKSPACE/REPOSITORY'")
    }))
}

fn display_name(answer: &Answer) -> Option<String> {
    Some(answer.json()?.get("display_name")?.as_str()?.to_owned())
}

fn data_center(
    account: &mut Account,
    secret: &Secret,
    deadline: Instant,
) -> Result<Verdict, http::Error> {
    let answer = work_out_scheme(account, secret, deadline)?;
    if answer.status != 200 {
        return Ok(failure_of_data_center(account, &answer));
    }
    // This address also answers without a sign-in; the header names the user only after one.
    let who = bitbucket::signed_in_users(&answer).into_iter().next();
    let mut said = refs(&about(account, secret, deadline), &account.reach)?;
    // An administrator can close git alone to Basic.
    if said.as_ref().is_some_and(|said| !said.is_good()) && account.is_http_access_token() {
        let mut other = account.clone();
        set_scheme(&mut other, Scheme::Bearer);
        let as_bearer = refs(&about(&other, secret, deadline), &other.reach)?;
        if as_bearer.as_ref().is_some_and(Verdict::is_good) {
            (*account, said) = (other, as_bearer);
        }
    }
    let inquiry = about(account, secret, deadline);
    Ok(match said {
        None if who.is_none() => refs_here(&inquiry)?.unwrap_or_else(|| {
            unchecked(format!("{} does not say whose token it is", account.host))
        }),
        Some(verdict) if !verdict.is_good() => verdict,
        _ => good(account, who.as_deref()),
    })
}

/// Finds out how a Data Center takes the secret, and whose it is, and notes both. Returns the answer that decided.
///
/// A user's token goes as Basic with the user's name where that works: some gits lose the header of Bearer on large pushes,
/// and git-lfs before 3.6 knows no Bearer.
fn work_out_scheme(
    account: &mut Account,
    secret: &Secret,
    deadline: Instant,
) -> Result<Answer, http::Error> {
    let ask = |account: &Account| {
        let identity = Identity::for_git(account, secret.clone());
        let identity = identity.unwrap_or_else(|_| Identity::Bearer(secret.clone()));
        about(account, secret, deadline).who_is(&identity)
    };
    let is_refused = |answer: &Answer| matches!(answer.status, 401 | 403);
    let bearer = match account.scheme() {
        Scheme::BearerOnly => Scheme::BearerOnly,
        Scheme::Basic | Scheme::Bearer => Scheme::Bearer,
    };
    let mut by_name = None;
    if account.username().is_some() || !account.is_http_access_token() {
        set_scheme(account, Scheme::Basic);
        let answer = ask(account)?;
        if !is_refused(&answer) || !account.is_http_access_token() {
            return Ok(answer);
        }
        by_name = Some(answer);
    }
    set_scheme(account, bearer);
    let as_bearer = ask(account)?;
    if as_bearer.status != 200 {
        // Only of a name that was taken for wrong there is more to say.
        let first = by_name.filter(|first| first.status == 401 && is_refused(&as_bearer));
        return Ok(first.unwrap_or(as_bearer));
    }
    let names = bitbucket::signed_in_users(&as_bearer);
    let names: Vec<_> = names.into_iter().filter_map(Username::new).collect();
    if names.iter().any(|name| Some(name) == account.username()) {
        return Ok(as_bearer);
    }
    for name in &names {
        let mut other = account.clone();
        set_scheme(&mut other, Scheme::Basic);
        other.owner.username = Some(name.clone());
        let answer = ask(&other)?;
        if answer.status == 200 {
            *account = other;
            return Ok(answer);
        }
    }
    if let Some(name) = names.into_iter().next() {
        account.owner.username = Some(name);
    }
    Ok(as_bearer)
}

fn set_scheme(account: &mut Account, scheme: Scheme) {
    if let Some(known) = account.known_mut() {
        known.scheme = scheme;
    }
}

/// What an answer of a Data Center says that is not a good one.
fn failure_of_data_center(account: &Account, answer: &Answer) -> Verdict {
    let (host, base_path) = (&account.host, account.base_path());
    match answer.status {
        401 if bitbucket::wants_a_captcha(answer) => refusal(
            format!("{host} wants a CAPTCHA solved after too many wrong attempts"),
            format!("sign in once with the browser: https://{host}{base_path}"),
        ),
        401 => refused(account),
        403 => refusal(
            format!("{host} has disabled Basic authentication, and takes no passwords"),
            format!(
                "give an HTTP access token: {}",
                Kind::HttpAccessToken.page(host, base_path, &[])
            ),
        ),
        404 => refusal(
            format!("there is no Bitbucket at {host}{base_path}"),
            "if Bitbucket lies below a path, say '--host HOST/PATH'; '--no-verify' stores it unchecked",
        ),
        status => undecided(account, status),
    }
}

/// Asks for the account's repositories, and for nothing else.
pub(crate) fn check_repositories(
    account: &Account,
    secret: &Secret,
    deadline: Instant,
) -> Result<Option<Verdict>, http::Error> {
    refs(&about(account, secret, deadline), &account.reach)
}

/// Asks for the repository of the current folder's remote.
fn refs_here(inquiry: &Inquiry<'_>) -> Result<Option<Verdict>, http::Error> {
    let account = inquiry.account;
    let of_remote = |setting: &Setting| {
        let remote = setting.key.strip_prefix("remote.")?;
        remote.strip_suffix(".url")?;
        let url = Url::parse(&setting.value)?;
        let host = url.host().filter(|host| *host == account.host)?;
        Reach::of_path(&host, &url.path()?)
    };
    let settings = git::settings().unwrap_or_default();
    let here: Vec<Reach> = settings.iter().find_map(of_remote).into_iter().collect();
    Ok(match refs(inquiry, &here)? {
        // Nobody said that the account is for it.
        Some(verdict) if verdict.meaning == Meaning::Misplaced => Some(Verdict {
            meaning: Meaning::Limited,
            ..verdict
        }),
        verdict => verdict,
    })
}

/// Asks for repositories as git would, up to one that is not good. None if there is none to ask for.
fn refs(inquiry: &Inquiry<'_>, places: &[Reach]) -> Result<Option<Verdict>, http::Error> {
    let account = inquiry.account;
    let mut verdict = None;
    for place in places {
        let Some(answer) = inquiry.refs(place, Service::Fetch) else {
            continue;
        };
        let said = of_service(account, place, Service::Fetch, &answer?);
        let is_good = said.is_good();
        verdict = Some(said);
        if !is_good {
            break;
        }
    }
    Ok(verdict)
}

/// What a repository's answer to git says.
fn of_service(account: &Account, place: &Reach, service: Service, answer: &Answer) -> Verdict {
    let kind = answer.header("content-type").unwrap_or_default();
    match answer.status {
        // A proxy in between may answer with a page of its own.
        200 if kind.starts_with("application/x-git-") => good(account, None),
        200 => unchecked(format!(
            "{} did not answer as a git server does",
            server(account)
        )),
        401 => refused(account),
        403 => forbidden(account, place, service, answer),
        404 => misplaced(account, place),
        status => undecided(account, status),
    }
}

/// What a 403 of git's address says; only one of its reasons is a scope.
fn forbidden(account: &Account, place: &Reach, service: Service, answer: &Answer) -> Verdict {
    let workspace = &place.workspace;
    let scopes = account.kind().and_then(Kind::git_scopes);
    match bitbucket::why_forbidden(answer) {
        Forbidden::Scope => {
            let scope = scopes.map(|(read, write)| match service {
                Service::Fetch => read,
                Service::Push => write,
            });
            lacks(account, service, scope)
        }
        Forbidden::Address => limited(
            format!("the IP list of the workspace '{workspace}' does not have your address"),
            "use your company's network or VPN, or ask an administrator of the workspace to add the address",
        ),
        Forbidden::TwoStep => limited(
            format!("the workspace '{workspace}' demands two-step verification of the owner"),
            format!("turn it on: {}", bitbucket::TWO_STEP_PAGE),
        ),
        Forbidden::Access => limited(
            format!("the token works, but is not allowed to {service} '{place}'"),
            format!(
                "ask an administrator of '{workspace}' for access, or make another token: {}",
                page(account)
            ),
        ),
    }
}

/// The scope that git needs and the token lacks, if Bitbucket lists the token's scopes.
fn lacking_scope(account: &Account, answer: &Answer) -> Option<Verdict> {
    let (read, write) = account.kind()?.git_scopes()?;
    let granted = bitbucket::granted_scopes(answer)?;
    if !bitbucket::grants(&granted, read) {
        return Some(lacks(account, Service::Fetch, Some(read)));
    }
    (!bitbucket::grants(&granted, write)).then(|| lacks(account, Service::Push, Some(write)))
}

/// Bitbucket said 401: find which of the known mistakes it is.
fn explain_refusal(inquiry: &Inquiry<'_>) -> Result<Verdict, http::Error> {
    let Inquiry {
        account, secret, ..
    } = inquiry;
    let knows = |identity: &Identity| -> Result<bool, http::Error> {
        Ok(bitbucket::knows_the_secret(&inquiry.who_is(identity)?))
    };
    match (account.kind(), account.email()) {
        (Some(Kind::ApiToken), _) if knows(&Identity::Bearer((*secret).clone()))? => {
            return Ok(wrong_kind(Kind::AccessToken, Kind::ApiToken));
        }
        (Some(Kind::AccessToken), Some(email)) => {
            let identity = Identity::Basic {
                username: email.into(),
                password: (*secret).clone(),
            };
            if knows(&identity)? {
                return Ok(wrong_kind(Kind::ApiToken, Kind::AccessToken));
            }
        }
        (Some(Kind::ApiToken), Some(email))
            // git's address ignores the e-mail: if it accepts the token, the e-mail is wrong.
            if refs(inquiry, &account.reach)?.is_some_and(|it| it.meaning != Meaning::Refused) => {
                return Ok(refusal(
                    format!("Bitbucket knows the token, but it does not belong to '{email}'"),
                    "give the e-mail of the Atlassian account that made it, or leave '--email' out",
                ));
            }
        _ => {}
    }
    Ok(refused(account))
}
