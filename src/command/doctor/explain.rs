//! `doctor URL`: which account answers for it, and why the others do not.

use anyhow::Result;
use jiff::Timestamp;

use super::check::Check;
use super::{Surroundings, accounts, chain};
use crate::account::{Account, Origin, today};
use crate::bitbucket::{self, API_HOST};
use crate::bytes::Bytes;
use crate::context::Host;
use crate::elsewhere;
use crate::environment;
use crate::error::{Hinted, Usage, printable};
use crate::git;
use crate::identity::{Identity, Missing};
use crate::import::in_url;
use crate::lookup::Found;
use crate::matching::{self, Verdict, Wanted};
use crate::remote::Url;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::state::{self, State};

/// The findings for one URL, the answer first, then each account that does not answer.
///
/// # Errors
/// When it is no URL.
pub(super) fn checks(surroundings: &Surroundings<'_>, text: &str) -> Result<Vec<Check>> {
    // The URL itself is not shown: it may hold a secret.
    let no_url = || {
        let message = "the argument is not a URL";
        let hint = "name one such as 'https://bitbucket.org/acme/site.git'";
        anyhow::Error::from(Usage(message.to_owned())).context(Hinted::new(message, hint))
    };
    let url = Url::parse(text).ok_or_else(no_url)?;
    let host = url.host().ok_or_else(no_url)?;
    if let Some(check) = not_for_us(surroundings, &url, &host) {
        return Ok(vec![check]);
    }
    let mut checks = Vec::new();
    if in_url(&url).is_some() {
        checks.push(Check::fail(
            "url",
            "the URL holds a secret, and with one git asks no helper",
            format!("use '{}', and revoke the secret", url.bare()),
        ));
    }
    if let Some(git) = &surroundings.git {
        checks.push(chain::of_host(git, &host));
    }
    let (path, check) = path(surroundings, &url, &host);
    checks.push(check);
    let username = url
        .username()
        .map(|name| name.expose().to_vec())
        .or_else(|| git::setting("credential.username", &host).map(String::into_bytes));
    let wanted = Wanted {
        scope: path.as_deref().and_then(|path| Scope::of_path(&host, path)),
        host,
        path: path.as_deref(),
        username: username.as_deref(),
    };
    checks.extend(answers(surroundings, &wanted));
    Ok(checks)
}

/// Why git asks no helper at all for the URL, or why we have nothing to do with it.
fn not_for_us(surroundings: &Surroundings<'_>, url: &Url<'_>, host: &Host) -> Option<Check> {
    if url.scheme == "http" {
        return Some(Check::fail(
            "url",
            "this helper does not answer over http, where the secret would travel in clear",
            format!("use '{}'", url.bare().replacen("http:", "https:", 1)),
        ));
    }
    if url.scheme != "https" {
        return Some(Check::skip("url", "git asks this helper over https only"));
    }
    (!surroundings.hosts.contains(host)).then(|| {
        Check::skip(
            "url",
            format!(
                "this helper does not answer for {host}, but for bitbucket.org and the hosts that an account or config.toml names"
            ),
        )
    })
}

/// The path as git sends it, if it does.
fn path(surroundings: &Surroundings<'_>, url: &Url<'_>, host: &Host) -> (Option<Vec<u8>>, Check) {
    let id = "path";
    let Some(path) = url.path() else {
        return (
            None,
            Check::pass(id, "the URL has no path, so git names no repository"),
        );
    };
    if surroundings.git.is_none() {
        let check = Check::skip(
            id,
            "git could not be asked whether it sends the path; it is judged as if it did",
        );
        return (Some(path), check);
    }
    if git::is_true("credential.useHttpPath", &url.bare()) {
        let shown = printable(&String::from_utf8_lossy(&path));
        let about = match Scope::of_path(host, &path) {
            Some(scope) => format!("git sends '{shown}', which is about {scope}"),
            None => format!("git sends '{shown}', which is about no repository"),
        };
        return (Some(path), Check::pass(id, about));
    }
    let message = "git does not send the path (credential.useHttpPath is not set), so the URL is judged without it";
    let home = bitbucket::home_of(host);
    let mut own = surroundings
        .accounts
        .iter()
        .filter(|account| account.host == home);
    // Where no account is for a workspace and no store has a place for each, nothing would be different with it.
    let check = if surroundings.is_looked_up() || own.any(|account| !account.scopes.is_empty()) {
        Check::warn(id, message, "'git credential-bitbucket setup'")
    } else {
        Check::pass(id, message)
    };
    (None, check)
}

fn answers(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>) -> Vec<Check> {
    let lookup = surroundings.lookup;
    // Then nobody answers, whoever fits.
    if let Err(error) = lookup.policy() {
        return vec![Check::failed("answer", &error)];
    }
    let forbidden = |account: &Account| lookup.objection(account).ok().flatten();
    let mut passed_over = None;
    match environment::account(&wanted.host) {
        Ok(None) => {}
        Ok(Some((own, kept))) => match forbidden(&own) {
            None => return of_environment(surroundings, wanted, &own, &kept.secret),
            Some(objection) => {
                let check =
                    Check::warn("environment", objection.notice(&own), objection.mend(&own));
                passed_over = Some(check);
            }
        },
        Err(error) => return vec![Check::failed("answer", &error)],
    }
    if !surroundings.knows_accounts {
        return vec![Check::skip("answer", "the accounts cannot be read")];
    }
    let accounts = &surroundings.accounts;
    let verdicts = matching::verdicts(accounts, wanted, |account| lookup.is_out(account));
    let of = |wanted: Verdict| {
        let mut verdicts = verdicts.iter();
        verdicts.find_map(move |(account, verdict)| (*verdict == wanted).then_some(*account))
    };
    let mut checks = vec![match (of(Verdict::Answers), of(Verdict::Ambiguous)) {
        (Some(account), _) => answer(surroundings, wanted, account),
        (None, Some(_)) => tie(surroundings, wanted),
        (None, None) => {
            elsewhere(surroundings, wanted).unwrap_or_else(|| match of(Verdict::SetAside) {
                Some(account) => match forbidden(account) {
                    Some(objection) => {
                        Check::fail("answer", objection.notice(account), objection.mend(account))
                    }
                    None => set_aside(account),
                },
                None => nobody(wanted, of(Verdict::NoPath)),
            })
        }
    }];
    checks.extend(passed_over);
    checks.extend(of(Verdict::Answers).and_then(|account| refused_before_asking(wanted, account)));
    let others = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict != Verdict::Answers);
    checks.extend(others.map(|(account, verdict)| {
        let message = match forbidden(account) {
            Some(objection) if *verdict == Verdict::SetAside => objection.notice(account),
            _ => format!("'{}' {}", account.name, reason(account, *verdict)),
        };
        let mut check = Check::skip(accounts::id(account), message);
        // Said once, where nobody answers.
        let is_said = of(Verdict::Answers).is_none() && of(Verdict::Ambiguous).is_none();
        check.hint =
            (*verdict == Verdict::SetAside && !is_said).then(|| match forbidden(account) {
                Some(objection) => objection.mend(account),
                None => state::mend(account),
            });
        check
    }));
    checks
}

/// What becomes of the environment's account, ahead of all others.
fn of_environment(
    surroundings: &Surroundings<'_>,
    wanted: &Wanted<'_>,
    own: &Account,
    secret: &Secret,
) -> Vec<Check> {
    let id = "answer";
    let name = &own.name;
    let answer = if own.is_retired() {
        let hint = "unset it, or set BITBUCKET_API_TOKEN";
        Check::fail(id, environment::retired_notice(own), hint)
    } else if let Err(missing) = identity(wanted, own) {
        let message =
            format!("{name} is meant, which is set in the environment, but lacks {missing}");
        let hint = "set BITBUCKET_EMAIL to the e-mail of the Atlassian account";
        Check::fail(id, message, hint)
    } else if surroundings.lookup.is_refused(secret, Timestamp::now()) {
        let message =
            format!("{name} is meant, which is set in the environment, but it was refused");
        Check::fail(id, message, "give it another value")
    } else {
        Check::pass(
            id,
            format!("{name} answers, which is set in the environment"),
        )
    };
    let others = surroundings.accounts.iter().map(|account| {
        let message = format!("'{}' does not answer while {name} is set", account.name);
        Check::skip(accounts::id(account), message)
    });
    std::iter::once(answer).chain(others).collect()
}

/// The account that answers, if it has a secret and what else it takes.
fn answer(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>, account: &Account) -> Check {
    let id = "answer";
    let identity = account.kind.map(|_| identity(wanted, account));
    let presented = match identity {
        Some(Ok(Identity::Basic { username, .. })) => {
            format!("with the user name '{}'", Bytes::from(username))
        }
        Some(Ok(Identity::Bearer(_))) => "as Bearer".to_owned(),
        Some(Err(missing)) => {
            let message = format!("'{}' is meant, but lacks {missing}", account.name);
            return Check::fail(id, message, accounts::complete(account, missing));
        }
        Some(Ok(Identity::Header { .. })) | None => "as git gave it".to_owned(),
    };
    let state = match surroundings.lookup.secret_of(account) {
        Ok(Some(_)) => State::of(account, today()),
        Ok(None) => State::Missing,
        Err(error) => {
            let meant = format!("'{}' is meant, but its store does not answer", account.name);
            return Check::failed(id, &error.context(meant));
        }
    };
    match state.complaint(account) {
        Some(complaint) if matches!(state, State::Missing | State::Retired) => {
            let name = format!("'{}' ", account.name);
            let what = complaint.strip_prefix(&name).unwrap_or(&complaint);
            let message = format!("{name}is meant, but it {what}");
            Check::fail(id, message, state::mend(account))
        }
        complaint => {
            let mut message = format!(
                "'{}' answers {presented}: {}",
                account.name,
                why(wanted, account)
            );
            match complaint {
                // Or else it would not answer.
                Some(_) if state == State::Rejected => {
                    message += "; it was refused once, and gets one more chance";
                    Check::warn(id, message, state::mend(account))
                }
                Some(complaint) => {
                    Check::warn(id, format!("{message}; {complaint}"), state::mend(account))
                }
                None => Check::pass(id, message),
            }
        }
    }
}

/// As whom an account presents itself there; the secret makes no difference to that.
fn identity(wanted: &Wanted<'_>, account: &Account) -> Result<Identity, Missing> {
    if wanted.host.as_str() == API_HOST {
        Identity::for_rest(account, Secret::default())
    } else {
        Identity::for_git(account, Secret::default())
    }
}

/// Why just this account: scope, user name, origin.
fn why(wanted: &Wanted<'_>, account: &Account) -> String {
    let scope = match &wanted.scope {
        Some(scope) => account.scopes.iter().find(|own| own.contains(scope)),
        None => None,
    };
    let mut reasons = vec![match scope {
        Some(scope) => format!("it is for {scope}"),
        None if account.scopes.is_empty() => format!("it is for all of {}", account.host),
        None => "it is the only account of its host".to_owned(),
    }];
    if wanted
        .username
        .is_some_and(|username| account.is_called(username))
    {
        reasons.push("the user name means it".to_owned());
    }
    reasons.push(match account.origin {
        Origin::Git => "git gave it".to_owned(),
        Origin::Login => "it comes from login".to_owned(),
    });
    reasons.join(", ")
}

/// The error that `get` would end with.
fn tie(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>) -> Check {
    let mut fitting = matching::fitting(&surroundings.accounts, wanted);
    fitting.retain(|(_, account)| !surroundings.lookup.is_out(account));
    match matching::choose(&fitting, wanted) {
        Err(error) => Check::failed("answer", &error),
        Ok(_) => nobody(wanted, None),
    }
}

fn nobody(wanted: &Wanted<'_>, lacks_path: Option<&Account>) -> Check {
    let message = "no account answers: git asks its next helper, or you";
    let home = bitbucket::home_of(&wanted.host);
    let hint = match lacks_path {
        Some(_) if wanted.path.is_none() => {
            "'git credential-bitbucket setup' makes git say which repository it wants".to_owned()
        }
        _ if bitbucket::is_cloud(&home) => {
            "'git credential-bitbucket login' adds an account".to_owned()
        }
        _ => format!("'git credential-bitbucket login --host {home}' adds an account"),
    };
    Check::fail("answer", message, hint)
}

/// What the stores have that are only looked into; nothing when they have nothing.
fn elsewhere(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>) -> Option<Check> {
    let id = "answer";
    let (account, kept) = match elsewhere::find(surroundings.lookup, wanted) {
        Ok((Some(Found { account, kept }), _)) => (account, kept),
        Ok((None, forbidden)) => return Some(Check::failed(id, &forbidden?)),
        Err(error) => return Some(Check::failed(id, &error)),
    };
    let Account { name, store, .. } = &account;
    let presented = match identity(wanted, &account) {
        Ok(Identity::Basic { username, .. }) => {
            format!("with the user name '{}'", Bytes::from(username))
        }
        Ok(_) => "as Bearer".to_owned(),
        Err(missing) => {
            let message = format!("'{name}' of the store '{store}' is meant, but lacks {missing}");
            return Some(Check::fail(id, message, "put it there beside the password"));
        }
    };
    let is_refused = surroundings
        .lookup
        .is_refused(&kept.secret, Timestamp::now());
    Some(if account.is_retired() {
        let hint = "put an API token there";
        Check::fail(id, elsewhere::retired_notice(&account), hint)
    } else if is_refused {
        let hint = "put another secret there";
        Check::fail(id, elsewhere::refused_notice(&account), hint)
    } else {
        let message = format!("'{name}' of the store '{store}' answers {presented}");
        Check::pass(id, message)
    })
}

/// The one that would answer was refused, and nothing else fits.
fn set_aside(account: &Account) -> Check {
    let Account { name, host, .. } = account;
    let message = format!("'{name}' is meant, but {host} refused it and it is set aside");
    Check::fail("answer", message, state::mend(account))
}

/// libcurl answers a Basic challenge with the URL's user name by itself; an instance that refuses Basic says 403 to
/// that, and git never comes to ask a helper.
fn refused_before_asking(wanted: &Wanted<'_>, account: &Account) -> Option<Check> {
    let has_name = wanted.username.is_some_and(|name| !name.is_empty());
    (account.bearer && has_name).then(|| {
        Check::warn(
            "url",
            format!("'{}' goes as Bearer, and where Basic is refused a user name in the URL is answered 403", account.name),
            format!("take the name out of the remote: 'https://{}/…'", wanted.host),
        )
    })
}

/// What follows the name of an account that does not answer.
fn reason(account: &Account, verdict: Verdict) -> String {
    let Account { host, scopes, .. } = account;
    match verdict {
        Verdict::Answers => "answers".to_owned(),
        Verdict::Ambiguous => "fits as well as another one".to_owned(),
        Verdict::OtherHost => format!("is for {host}"),
        Verdict::NoSuchKind => match account.kind {
            Some(kind) => format!("is {}, which does not exist on {host}", kind.noun()),
            None => format!("does not exist on {host}"),
        },
        Verdict::OtherScope => format!("is for {} only", accounts::listed(scopes)),
        Verdict::NoPath => format!(
            "is for {} only, and git names no repository",
            accounts::listed(scopes)
        ),
        Verdict::OtherAttributes => "was given by git for another path or user name".to_owned(),
        Verdict::SetAside => format!("would fit, but {host} refused it and it is set aside"),
        Verdict::Retired => {
            "would fit, but is an app password, which Bitbucket has removed".to_owned()
        }
        Verdict::LessExact => "fits, but not as exactly as another one".to_owned(),
        Verdict::OtherName => "fits, but the user name means another one".to_owned(),
        Verdict::GivenByGit => "fits, but one from login comes before what git gave".to_owned(),
        Verdict::Older => "fits, but git gave another one later".to_owned(),
    }
}
