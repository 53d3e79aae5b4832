//! Asks Bitbucket whether a secret works, and finds the mistake when it does not.

use std::time::{Duration, Instant};

use crate::account::Account;
use crate::account::sign_in::Scheme;
use crate::bitbucket::authorization::Identity;
use crate::bitbucket::reach::Reach;
use crate::bitbucket::{self, Kind};
use crate::git::route;
use crate::git::username::Username;
use crate::sys::http::{self, Answer, Client};
use crate::sys::secret::Secret;

/// The time limit for one answer of Bitbucket while a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Bitbucket says about a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It works. `who` is the user, where Bitbucket says so.
    Good { who: Option<String> },
    /// Bitbucket knows it, but git cannot do everything with it. It is stored, with a warning.
    Limited { message: String, hint: String },
    /// Bitbucket does not know it: it is not stored.
    Refused { message: String, hint: String },
    /// Bitbucket could not be asked. It is stored, with a warning.
    Unchecked {
        reason: String,
        hint: Option<String>,
    },
}

/// Asks about an account's secret. Notes in the account what the answer tells: whether a Data Center wants Bearer, and
/// whose token it is.
///
/// All questions together end by the deadline.
pub(crate) fn check(account: &mut Account, secret: &Secret, deadline: Instant) -> Verdict {
    let is_cloud = bitbucket::is_cloud(&account.host);
    let checked = if is_cloud {
        if account.is_retired() {
            // Bitbucket refuses all of them.
            return unchecked("Bitbucket accepts no app passwords any more");
        }
        cloud(account, secret, deadline)
    } else {
        data_center(account, secret, deadline)
    };
    checked.unwrap_or_else(|error| Verdict::Unchecked {
        reason: if is_cloud {
            // Either of its two hosts may have failed.
            format!("cannot ask Bitbucket: {error}")
        } else {
            format!("cannot ask {}: {error}", account.host)
        },
        hint: Some(error.hint().to_owned()),
    })
}

fn cloud(account: &Account, secret: &Secret, deadline: Instant) -> Result<Verdict, http::Error> {
    let api = bitbucket::api_host();
    let rest = Client::new(&route::to(&api, PATIENCE, deadline))?;
    let Ok(identity) = Identity::for_rest(account, secret.clone()) else {
        // Without the e-mail REST cannot be asked, only git's address.
        return Ok(match refs(account, secret, deadline)? {
            Some(verdict) => verdict,
            None => unchecked(
                "Bitbucket can only be asked with '--email' or '--for WORKSPACE/REPOSITORY'",
            ),
        });
    };
    let answer = who_is(&rest, account, &identity)?;
    match answer.status {
        _ if bitbucket::knows_the_secret(&answer) => {}
        401 => return explain_refusal(account, secret, &rest, deadline),
        429 => return Ok(unchecked("Bitbucket limits our requests (429)")),
        status => return Ok(unchecked(&format!("Bitbucket answered {status}"))),
    }
    if let Some(limited) = lacking_scope(account, &answer) {
        return Ok(limited);
    }
    let who = answer
        .json()
        .and_then(|json| Some(json.get("display_name")?.as_str()?.to_owned()));
    match refs(account, secret, deadline)? {
        None | Some(Verdict::Good { .. }) => Ok(Verdict::Good { who }),
        Some(verdict) => Ok(verdict),
    }
}

fn data_center(
    account: &mut Account,
    secret: &Secret,
    deadline: Instant,
) -> Result<Verdict, http::Error> {
    let client = Client::new(&route::to(&account.host, PATIENCE, deadline))?;
    let bearer = Identity::Bearer(secret.clone());
    let is_token = account.kind() == Some(Kind::HttpAccessToken);
    // A token without a user name belongs to a project or repository, or the server will name its user.
    let is_nobodys = account.username().is_none();
    let set_scheme = |account: &mut Account, is_bearer: bool| {
        if let Some(known) = account.known_mut() {
            known.scheme = if is_bearer {
                Scheme::Bearer
            } else {
                Scheme::Basic
            };
        }
    };
    set_scheme(account, is_token && is_nobodys);
    let identity =
        Identity::for_git(account, secret.clone()).unwrap_or(Identity::Bearer(secret.clone()));
    let mut answer = who_is(&client, account, &identity)?;
    if answer.status == 403 && is_token && !is_nobodys {
        // "Basic Authentication has been disabled on this instance."
        let again = who_is(&client, account, &bearer)?;
        set_scheme(account, again.status == 200);
        answer = again;
    }
    if let Some(verdict) = failure_of_data_center(account, &answer) {
        return Ok(verdict);
    }
    // This address also answers without a sign-in; the header names the user only after one.
    let who = bitbucket::signed_in_user(&answer).filter(|name| !name.contains(':'));
    let who = who.map(str::to_owned);
    if let (true, Some(who), Some(known)) = (is_token && is_nobodys, &who, account.known_mut()) {
        known.owner.username = Username::new(who.clone());
    }
    match refs(account, secret, deadline)? {
        None if who.is_none() => Ok(unchecked(&format!(
            "{} does not say whose token it is",
            account.host
        ))),
        None | Some(Verdict::Good { .. }) => Ok(Verdict::Good { who }),
        Some(verdict) => Ok(verdict),
    }
}

/// What an answer of a Data Center says, unless it is a good one.
fn failure_of_data_center(account: &Account, answer: &Answer) -> Option<Verdict> {
    Some(match answer.status {
        200 => return None,
        401 => refused_by_data_center(account, answer),
        403 => Verdict::Refused {
            message: format!(
                "{} has disabled Basic authentication, and takes no passwords",
                account.host
            ),
            hint: format!(
                "give an HTTP access token: {}",
                Kind::HttpAccessToken.page(&account.host, account.base_path(), &[])
            ),
        },
        404 => Verdict::Refused {
            message: format!("there is no Bitbucket at {}{}", account.host, account.base_path()),
            hint: "if Bitbucket lies below a path, say '--host HOST/PATH'; '--no-verify' stores it unchecked".to_owned(),
        },
        429 => unchecked(&format!("{} limits our requests (429)", account.host)),
        status => unchecked(&format!("{} answered {status}", account.host)),
    })
}

fn who_is(client: &Client, account: &Account, identity: &Identity) -> Result<Answer, http::Error> {
    let url = bitbucket::whoami_url(&account.host, account.base_path());
    client.get(&url, Some(&identity.authorization()))
}

/// Asks for the account's repositories as git would. None if the account is for no repository in particular.
fn refs(
    account: &Account,
    secret: &Secret,
    deadline: Instant,
) -> Result<Option<Verdict>, http::Error> {
    let Ok(identity) = Identity::for_git(account, secret.clone()) else {
        return Ok(None);
    };
    let authorization = identity.authorization();
    let client = Client::new(&route::to(&account.host, PATIENCE, deadline))?;
    let mut verdict = None;
    for scope in &account.reach {
        let Reach {
            workspace,
            repository: Some(repository),
        } = scope
        else {
            continue;
        };
        let url = bitbucket::refs_url(&account.host, account.base_path(), workspace, repository);
        let page = page(account);
        verdict = Some(match client.get(&url, Some(&authorization))?.status {
            200 => Verdict::Good { who: None },
            401 => return Ok(Some(refused(account))),
            403 => {
                return Ok(Some(lacks(
                    account,
                    "read",
                    account
                        .kind()
                        .and_then(Kind::git_scopes)
                        .map(|scopes| scopes.read),
                )));
            }
            404 => {
                return Ok(Some(Verdict::Limited {
                    message: format!("the secret works, but it cannot see '{scope}'"),
                    hint: format!("correct '--for', or give it access: {page}"),
                }));
            }
            429 => {
                return Ok(Some(unchecked("Bitbucket limits our requests (429)")));
            }
            status => unchecked(&format!("{} answered {status}", account.host)),
        });
    }
    Ok(verdict)
}

/// The scope that git needs and the token lacks, if Bitbucket lists the token's scopes.
fn lacking_scope(account: &Account, answer: &Answer) -> Option<Verdict> {
    let needed = account.kind()?.git_scopes()?;
    let granted = bitbucket::granted_scopes(answer)?;
    if !bitbucket::grants(&granted, needed.read) {
        return Some(lacks(account, "fetch", Some(needed.read)));
    }
    (!bitbucket::grants(&granted, needed.write)).then(|| lacks(account, "push", Some(needed.write)))
}

fn lacks(account: &Account, what: &str, scope: Option<&str>) -> Verdict {
    let message = match scope {
        Some(scope) => format!("the token works, but cannot {what}: it lacks the scope '{scope}'"),
        None => format!("the token works, but is not allowed to {what}"),
    };
    let hint = format!(
        "if it should, make a new one ({}) and sign in again: {}",
        to_tick(account),
        page(account)
    );
    Verdict::Limited { message, hint }
}

/// Bitbucket said 401: find which of the known mistakes it is.
fn explain_refusal(
    account: &Account,
    secret: &Secret,
    rest: &Client,
    deadline: Instant,
) -> Result<Verdict, http::Error> {
    let knows = |identity: &Identity| -> Result<bool, http::Error> {
        Ok(bitbucket::knows_the_secret(&who_is(
            rest, account, identity,
        )?))
    };
    match (account.kind(), account.email()) {
        (Some(Kind::ApiToken), _) if knows(&Identity::Bearer(secret.clone()))? => {
            return Ok(wrong_kind(Kind::AccessToken, Kind::ApiToken));
        }
        (Some(Kind::AccessToken), Some(email)) => {
            let identity = Identity::Basic {
                username: email.into(),
                password: secret.clone(),
            };
            if knows(&identity)? {
                return Ok(wrong_kind(Kind::ApiToken, Kind::AccessToken));
            }
        }
        (Some(Kind::ApiToken), Some(email))
            // git's address ignores the e-mail: if it accepts the token, the e-mail is wrong.
            if !matches!(refs(account, secret, deadline)?, None | Some(Verdict::Refused { .. })) => {
                return Ok(Verdict::Refused {
                    message: format!("Bitbucket knows the token, but it does not belong to '{email}'"),
                    hint: "give the e-mail of the Atlassian account that made it, or leave '--email' out".to_owned(),
                });
            }
        _ => {}
    }
    Ok(refused(account))
}

fn wrong_kind(is: Kind, said: Kind) -> Verdict {
    Verdict::Refused {
        message: format!("that is {}, not {}", is.noun(), said.noun()),
        hint: format!("sign in with '--kind {is}'"),
    }
}

fn refused(account: &Account) -> Verdict {
    let email = account
        .email()
        .map(|email| format!(", or it does not belong to '{email}'"))
        .unwrap_or_default();
    let message = match account.kind() {
        Some(Kind::ApiToken) => {
            format!(
                "Bitbucket refuses the API token: it was made without scopes, has expired or was revoked{email}"
            )
        }
        Some(Kind::AccessToken) => {
            "Bitbucket refuses the access token: it has expired or was revoked".to_owned()
        }
        Some(Kind::Oauth) => "Bitbucket refuses the access token of the OAuth grant".to_owned(),
        _ => format!("{} refuses the user name and the secret", account.host),
    };
    if let (Some(username), false) = (account.username(), bitbucket::is_cloud(&account.host)) {
        let hint = format!(
            "check that '{username}' is the user name (not the e-mail), or make a new one: {}",
            page(account)
        );
        return Verdict::Refused { message, hint };
    }
    let doubt = if account.email().is_some() {
        "if the e-mail is right, "
    } else {
        ""
    };
    Verdict::Refused {
        message,
        hint: format!(
            "{doubt}make a new one ({}): {}",
            to_tick(account),
            page(account)
        ),
    }
}

fn refused_by_data_center(account: &Account, answer: &Answer) -> Verdict {
    if bitbucket::wants_a_captcha(answer) {
        return Verdict::Refused {
            message: format!(
                "{} wants a CAPTCHA solved after too many wrong attempts",
                account.host
            ),
            hint: format!(
                "sign in once with the browser: https://{}{}",
                account.host,
                account.base_path()
            ),
        };
    }
    refused(account)
}

fn unchecked(reason: &str) -> Verdict {
    Verdict::Unchecked {
        reason: reason.to_owned(),
        hint: None,
    }
}

fn to_tick(account: &Account) -> &'static str {
    account
        .kind()
        .and_then(Kind::scopes_to_tick)
        .unwrap_or("with access to the repositories")
}

fn page(account: &Account) -> String {
    let kind = account.kind().unwrap_or(Kind::ApiToken);
    if kind == Kind::Oauth {
        // The consumer's page shows what the grant may do.
        return bitbucket::oauth::consumers_page(&account.reach);
    }
    kind.page(&account.host, account.base_path(), &account.reach)
}
