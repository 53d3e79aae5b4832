//! Asks Bitbucket whether a secret works, and finds the mistake when it does not.

use std::time::Instant;

use crate::account::data_center::{failure, work_out_scheme};
use crate::account::inquiry::Inquiry;
pub(crate) use crate::account::inquiry::about;
use crate::account::record::Account;
use crate::account::sign_in::Scheme;
pub(crate) use crate::account::verdict::{Meaning, Verdict, of_a_service_account};
use crate::account::verdict::{
    good, lacks, misplaced, moved, page, refused, server, unanswered, unchecked, undecided,
    wrong_kind,
};
use crate::bitbucket::{self, Kind, Reach, Service};
use crate::git::{self, Identity, Setting, Url};
use crate::sys::http::Answer;
use crate::sys::{Secret, http};

/// Asks until the deadline. Notes in the account whose the secret is, and whether a Data Center wants Bearer.
pub(crate) fn check(account: &mut Account, secret: &Secret, deadline: Instant) -> Verdict {
    if let Some(refusal) = of_a_service_account(secret) {
        return refusal;
    }
    if account.is_retired() {
        // Bitbucket refuses all of them.
        return unchecked("Bitbucket accepts no app passwords any more");
    }
    let mut inquiry = about(account, secret, deadline);
    let checked = if bitbucket::is_cloud(&account.host) {
        cloud(&mut inquiry)
    } else {
        data_center(&mut inquiry)
    };
    *account = inquiry.account;
    checked.unwrap_or_else(|error| unanswered(account, &error))
}

impl Inquiry<'_> {
    /// Asks a repository as git would whether the account can fetch or push there. A workspace that was renamed leads to
    /// its new name, as it leads git. None if it is no repository, or git could not sign in.
    pub(crate) fn access(&self, place: &Reach, service: Service) -> Option<Verdict> {
        let account = &self.account;
        let (now, answer) = match self.refs(place, service)? {
            Ok(answered) => answered,
            Err(error) => return Some(unanswered(account, &error)),
        };
        let is_for = |reach: &Reach| reach.contains(&now);
        if now == *place {
            return Some(of_service(account, place, service, &answer));
        } else if !account.reach.is_empty() && !account.reach.iter().any(is_for) {
            return Some(moved(account, place, &now));
        }
        let mut said = of_service(account, &now, service, &answer);
        let change = || format!("'{place}' was renamed to '{now}': change the remote");
        said.hint.get_or_insert_with(change);
        Some(said)
    }

    /// Asks whether Bitbucket Cloud calls an access token one of a whole workspace.
    pub(crate) fn is_for_a_workspace(&self) -> bool {
        let answer = self.who_is(&self.as_bearer());
        answer.is_ok_and(|answer| bitbucket::is_workspace_token(&answer))
    }

    /// Asks whether Bitbucket Cloud misses a workspace that the account is for. Any other answer decides nothing.
    pub(crate) fn missing_workspace(&self) -> Option<Verdict> {
        let account = &self.account;
        let identity = self.for_rest().ok();
        let identity = identity.filter(|_| bitbucket::is_cloud(&account.host))?;
        let is_missing = |place: &&Reach| {
            let url = bitbucket::workspace_url(&place.workspace);
            let answer = self.get(&url, &identity);
            answer.is_ok_and(|answer| bitbucket::has_no_workspace(&answer))
        };
        let is_workspace = |place: &&Reach| place.repository.is_none();
        let mut workspaces = account.reach.iter().filter(is_workspace);
        let missing = workspaces.find(is_missing)?;
        Some(misplaced(account, missing))
    }

    /// Asks for these repositories, and for nothing else, up to one whose answer is not good. None if there is none to ask
    /// for.
    pub(crate) fn check_repositories(&self, places: &[Reach]) -> Option<Verdict> {
        let ask = |place| self.access(place, Service::Fetch);
        let mut last = None;
        for said in places.iter().filter_map(ask) {
            if !said.is_good() {
                return Some(said);
            }
            last = Some(said);
        }
        last
    }
}

fn cloud(inquiry: &mut Inquiry<'_>) -> Result<Verdict, http::Error> {
    let Ok(identity) = inquiry.for_rest() else {
        return without_email(inquiry);
    };
    let answer = inquiry.who_is(&identity)?;
    let is_known = bitbucket::knows_the_secret(&answer);
    if is_known {
        let is_by_email = matches!(identity, Identity::Basic { .. });
        inquiry.account.owner.note(&answer, is_by_email);
    }
    let account = &inquiry.account;
    match answer.status {
        _ if is_known => {}
        _ if bitbucket::lacks_all_scopes(&answer) => return Ok(refused(account, &answer)),
        401 => return explain_refusal(inquiry, &answer),
        // What is not Bitbucket's yes is none, but it may say why.
        403 => {
            let said = forbidden(account, None, Service::Fetch, &answer);
            return Ok(said.but(Meaning::Unchecked));
        }
        status => return Ok(undecided(account, status)),
    }
    let of_git = inquiry.check_repositories(&inquiry.account.reach);
    let meaning = of_git.as_ref().map(|said| said.meaning);
    Ok(match (of_git, lacking_scope(account, &answer)) {
        (Some(misplaced), _) if meaning == Some(Meaning::Misplaced) => misplaced,
        (_, Some(limited)) => limited,
        // Bitbucket knows the secret: only the repository refuses it.
        _ if meaning == Some(Meaning::Refused) => {
            unchecked("Bitbucket knows the secret, but a repository of '--for' refuses it")
        }
        (Some(said), _) if !said.is_good() => said,
        _ => good(account, bitbucket::display_name(&answer)),
    })
}

/// REST takes an API token only with the e-mail. git's address takes it without, and REST may take it as Bearer, of which
/// only a yes counts.
fn without_email(inquiry: &mut Inquiry<'_>) -> Result<Verdict, http::Error> {
    if let Some(of_git) = inquiry.check_repositories(&inquiry.account.reach) {
        return Ok(of_git);
    }
    let answer = inquiry.who_is(&inquiry.as_bearer())?;
    let account = &mut inquiry.account;
    if bitbucket::lacks_all_scopes(&answer) {
        return Ok(refused(account, &answer));
    }
    if bitbucket::is_api_token(&answer) {
        account.owner.note(&answer, false);
        let good = || good(account, bitbucket::display_name(&answer));
        return Ok(lacking_scope(account, &answer).unwrap_or_else(good));
    }
    Ok(refs_here(inquiry).unwrap_or_else(|| {
        unchecked("Bitbucket can only be asked with '--email' or '--for WORKSPACE/REPOSITORY'")
    }))
}

fn data_center(inquiry: &mut Inquiry<'_>) -> Result<Verdict, http::Error> {
    let answer = work_out_scheme(inquiry)?;
    if answer.status != 200 {
        return Ok(failure(&inquiry.account, &answer));
    }
    // This address also answers without a sign-in; the header names the user only after one.
    let who = bitbucket::signed_in_users(&answer);
    let who = who.first().map(ToString::to_string);
    let mut said = inquiry.check_repositories(&inquiry.account.reach);
    let is_token = matches!(
        inquiry.account.kind(),
        Some(Kind::HttpAccessToken | Kind::Oauth)
    );
    // An administrator can close git alone to Basic.
    if is_token && said.as_ref().is_some_and(|said| !said.is_good()) {
        let other = inquiry.with_scheme(Scheme::Bearer);
        let as_bearer = other.check_repositories(&other.account.reach);
        if as_bearer.as_ref().is_some_and(Verdict::is_good) {
            (*inquiry, said) = (other, as_bearer);
        }
    }
    inquiry.account.owner.confirmed.clone_from(&who);
    Ok(match said {
        None if who.is_none() => refs_here(inquiry).unwrap_or_else(|| {
            let host = &inquiry.account.host;
            unchecked(format!("{host} does not say whose token it is"))
        }),
        // REST knows it: only git's address refuses it.
        Some(said) if said.meaning == Meaning::Refused && who.is_some() => {
            said.but(Meaning::Mistaken)
        }
        Some(said) if !said.is_good() => said,
        _ => good(&inquiry.account, who),
    })
}

/// Asks for the repository of the current folder's remote.
fn refs_here(inquiry: &Inquiry<'_>) -> Option<Verdict> {
    let account = &inquiry.account;
    let of_remote = |setting: &Setting| {
        let remote = setting.key.strip_prefix("remote.")?;
        remote.strip_suffix(".url")?;
        let url = Url::parse(&setting.value)?;
        let host = url.host().filter(|host| *host == account.host)?;
        Reach::of_path(&host, &url.path()?)
    };
    let settings = git::settings(git::PATIENCE).unwrap_or_default();
    let here: Vec<Reach> = settings.iter().find_map(of_remote).into_iter().collect();
    inquiry
        .check_repositories(&here)
        .map(|said| match said.meaning {
            // Nobody said that the account is for it.
            Meaning::Misplaced => said.but(Meaning::Limited),
            _ => said,
        })
}

/// What a repository's answer to git says.
fn of_service(account: &Account, place: &Reach, service: Service, answer: &Answer) -> Verdict {
    match answer.status {
        // A proxy in between may answer with a page of its own.
        200 if bitbucket::is_of_a_git_server(answer) => good(account, None),
        200 => unchecked(format!(
            "{} did not answer as a git server does",
            server(account)
        )),
        401 => refused(account, answer),
        403 if bitbucket::lacks_all_scopes(answer) => refused(account, answer),
        403 => forbidden(account, Some(place), service, answer),
        404 => misplaced(account, place),
        status => undecided(account, status),
    }
}

/// What a 403 says; only one of its reasons is a scope.
fn forbidden(
    account: &Account,
    place: Option<&Reach>,
    service: Service,
    answer: &Answer,
) -> Verdict {
    let named = place.or(account.reach.first());
    let workspace = named.map_or("WORKSPACE", |place| &place.workspace);
    if bitbucket::lacks_a_scope(answer) {
        return lacks(account, service);
    }
    if let Some(reason) = bitbucket::why_forbidden(answer) {
        let [message, hint] = <[_; 2]>::from(reason).map(|it| it.replace("WORKSPACE", workspace));
        return Meaning::Limited.says(message, hint);
    }
    // A page is a proxy's.
    let kind = answer.header("content-type").unwrap_or_default();
    let Some(place) = place.filter(|_| !kind.starts_with("text/html")) else {
        return undecided(account, 403);
    };
    Meaning::Limited.says(
        format!("the token works, but is not allowed to {service} '{place}'"),
        format!(
            "ask an administrator of '{workspace}' for access, or make another token: {}",
            page(account)
        ),
    )
}

/// The scope that git needs and the token lacks, if Bitbucket lists the token's scopes.
fn lacking_scope(account: &Account, answer: &Answer) -> Option<Verdict> {
    let kind = account.kind()?;
    let granted = bitbucket::granted_scopes(answer)?;
    let is_lacking = |service: &Service| {
        let scope = kind.git_scope(*service);
        scope.is_some_and(|scope| !bitbucket::grants(&granted, scope))
    };
    let lacking = Service::ALL.into_iter().find(is_lacking)?;
    Some(lacks(account, lacking))
}

/// Bitbucket said 401: find which of the known mistakes it is.
fn explain_refusal(inquiry: &Inquiry<'_>, answer: &Answer) -> Result<Verdict, http::Error> {
    let account = &inquiry.account;
    match (account.kind(), account.email()) {
        (Some(Kind::ApiToken), Some(email)) => {
            let as_bearer = inquiry.who_is(&inquiry.as_bearer())?;
            let is_known = bitbucket::knows_the_secret(&as_bearer);
            let is_api_token = bitbucket::is_api_token(&as_bearer)
                || Kind::of_secret(inquiry.secret, &account.host) == Some(Kind::ApiToken);
            if is_known && !is_api_token {
                return Ok(wrong_kind(Kind::AccessToken, Kind::ApiToken));
            }
            // git's address ignores the e-mail: if it accepts the token, the e-mail is wrong.
            let of_git = inquiry.check_repositories(&inquiry.account.reach);
            let of_git = of_git.or_else(|| refs_here(inquiry));
            let meaning = of_git.as_ref().map(|said| said.meaning);
            if is_known || meaning.is_some_and(Meaning::is_known) {
                return Ok(Meaning::Mistaken.says(
                    format!("Bitbucket knows the token, but it does not belong to '{email}'"),
                    "give the e-mail of the Atlassian account that made it, or leave '--email' out",
                ));
            }
            // The 401 may be due to the e-mail alone.
            if let Some(said) = of_git.filter(|_| meaning == Some(Meaning::Unchecked)) {
                return Ok(said);
            }
        }
        (Some(Kind::AccessToken), Some(email)) => {
            let identity = Identity::basic(email.as_bytes(), inquiry.secret.clone());
            if bitbucket::knows_the_secret(&inquiry.who_is(&identity)?) {
                return Ok(wrong_kind(Kind::ApiToken, Kind::AccessToken));
            }
        }
        _ => {}
    }
    Ok(refused(account, answer))
}
