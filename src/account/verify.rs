//! Asking Bitbucket whether a secret works, and telling which mistake it is when it does not.

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

/// How long Bitbucket may take for one answer while somebody waits at `login`.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Bitbucket says of a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It works; who it is, where Bitbucket says so.
    Good { who: Option<String> },
    /// Bitbucket knows it, but it will not do for what it is wanted: it is kept, and this is said.
    Limited { message: String, hint: String },
    /// Bitbucket does not know it: it is not kept.
    Refused { message: String, hint: String },
    /// Nobody could be asked: it is kept, and this is said.
    Unchecked {
        reason: String,
        hint: Option<String>,
    },
}

/// Asks about an account's secret. What the answer tells about the account (that a Data Center wants Bearer, or whose
/// token it is) is noted in it.
///
/// All questions together are answered by the deadline, or it could not be asked.
pub(crate) fn check(account: &mut Account, secret: &Secret, deadline: Instant) -> Verdict {
    let is_cloud = bitbucket::is_cloud(&account.host);
    let checked = if is_cloud {
        if account.is_retired() {
            // Bitbucket refuses them all, whether right or wrong.
            return unchecked("Bitbucket accepts no app passwords any more");
        }
        cloud(account, secret, deadline)
    } else {
        data_center(account, secret, deadline)
    };
    checked.unwrap_or_else(|error| Verdict::Unchecked {
        reason: if is_cloud {
            // Of its two hosts it may have been either.
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
        // Without the e-mail only git can be asked.
        return Ok(match refs(account, secret, deadline)? {
            Some(verdict) => verdict,
            None => unchecked(
                "without '--email' or '--for WORKSPACE/REPOSITORY' there is nothing to ask Bitbucket",
            ),
        });
    };
    let answer = who_is(&rest, account, &identity)?;
    match answer.status {
        200 | 403 if bitbucket::is_of_bitbucket(&answer) => {}
        401 => return explain_refusal(account, secret, &rest, deadline),
        429 => return Ok(unchecked("Bitbucket has had too many questions (429)")),
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
    // A token without a user name is a project's or a repository's, or it will tell whose it is.
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
    match answer.status {
        200 => {}
        401 => return Ok(refused_by_data_center(account, &answer)),
        403 => {
            return Ok(Verdict::Refused {
                message: format!(
                    "{} has disabled Basic authentication, and takes no passwords",
                    account.host
                ),
                hint: format!(
                    "give an HTTP access token: {}",
                    Kind::HttpAccessToken.page(&account.host, account.base_path(), &[])
                ),
            });
        }
        404 => {
            return Ok(Verdict::Refused {
                message: format!("there is no Bitbucket at {}{}", account.host, account.base_path()),
                hint: "a context path goes behind the host, '--host HOST/PATH'; '--no-verify' stores it unchecked".to_owned(),
            });
        }
        429 => {
            return Ok(unchecked(&format!(
                "{} has had too many questions (429)",
                account.host
            )));
        }
        status => {
            return Ok(unchecked(&format!("{} answered {status}", account.host)));
        }
    }
    // This address answers strangers as well; the header names only who is signed in.
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

fn who_is(client: &Client, account: &Account, identity: &Identity) -> Result<Answer, http::Error> {
    let url = bitbucket::whoami_url(&account.host, account.base_path());
    client.get(&url, Some(&identity.authorization()))
}

/// Asks as git would for the repositories that the account is for; nothing when it is for none in particular.
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
                    message: format!("the secret works, but there is no '{scope}' that it may see"),
                    hint: format!("look for a slip in '--for', or give it access: {page}"),
                }));
            }
            429 => {
                return Ok(Some(unchecked(
                    "Bitbucket has had too many questions (429)",
                )));
            }
            status => unchecked(&format!("{} answered {status}", account.host)),
        });
    }
    Ok(verdict)
}

/// Which scope that git needs the token was made without, if Bitbucket lists its scopes.
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
        "if it should, make one that can ({}) and sign in again: {}",
        to_tick(account),
        page(account)
    );
    Verdict::Limited { message, hint }
}

/// Bitbucket has said 401: which of the well-known mistakes is it?
fn explain_refusal(
    account: &Account,
    secret: &Secret,
    rest: &Client,
    deadline: Instant,
) -> Result<Verdict, http::Error> {
    let knows = |identity: &Identity| -> Result<bool, http::Error> {
        {
            let answer = who_is(rest, account, identity)?;
            Ok(matches!(answer.status, 200 | 403) && bitbucket::is_of_bitbucket(&answer))
        }
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
            // git does not look at the e-mail: if it takes the token, the e-mail is the mistake.
            if !matches!(refs(account, secret, deadline)?, None | Some(Verdict::Refused { .. })) => {
                return Ok(Verdict::Refused {
                    message: format!("Bitbucket knows the token, but not as that of '{email}'"),
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
        .map(|email| format!(", or '{email}' did not make it"))
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
            "see whether '{username}' is the user name (not the e-mail), or make a new one: {}",
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
        // What it may do stands at the consumer.
        return bitbucket::oauth::consumers_page(&account.reach);
    }
    kind.page(&account.host, account.base_path(), &account.reach)
}
