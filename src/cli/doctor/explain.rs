//! `doctor URL`: which account answers for it and what it can do there, and why the others do not answer.

use anyhow::Result;

use super::finding::Check;
use super::surroundings::Surroundings;
use super::{answer, chain, environment, live};
use crate::account::Account;
use crate::answer::choice::Candidate;
use crate::answer::{Effort, Wanted, choice, decide};
use crate::bitbucket::{self, API_HOST, Reach};
use crate::cli::takeover::in_url;
use crate::git::{self, Helper, Host, Url, url};
use crate::settings::Session;
use crate::sys::Usage;

/// Checks one URL: the answer, what it can do, then each account that does not answer.
pub(super) fn checks(
    surroundings: &Surroundings<'_>,
    text: &str,
    is_offline: bool,
) -> Result<Vec<Check>> {
    // The URL itself is not shown: it may hold a secret.
    let no_url = || {
        let message = "the argument is not a URL";
        let hint = "name one such as 'https://bitbucket.org/acme/site.git', or 'acme/site'";
        Usage::hinted(message, hint)
    };
    let mut checks = Vec::new();
    let holds_secret = Url::parse(text).is_some_and(|url| in_url(&url).is_some());
    let instead = if holds_secret {
        None
    } else {
        git::instead_of(text)
    };
    let text = instead.as_deref().unwrap_or(text);
    let over_https = https_of(surroundings, text);
    if let Some((url, true)) = &over_https {
        let instead = instead.as_deref().map(url::masked);
        let git = instead.map(|url| format!("git goes to '{url}' instead, and"));
        let message = format!(
            "{} asks this helper over https only; what follows is about '{url}'",
            git.as_deref().unwrap_or("git")
        );
        checks.push(Check::skip("url", message));
    }
    let text = over_https.as_ref().map_or(text, |(url, _)| url);
    let url = Url::parse(text).ok_or_else(no_url)?;
    let host = url.host().ok_or_else(no_url)?;
    if let Some(check) = not_for_us(surroundings, &url, &host) {
        return Ok(vec![check]);
    }
    if in_url(&url).is_some() {
        checks.push(Check::fail(
            "url",
            "the URL holds a secret, so git asks no helper",
            format!("use '{}', and revoke the secret", url.bare()),
        ));
    }
    let mut chains = surroundings.chains.iter();
    let chain = chains.find(|(it, _)| *it == host).map(|(_, chain)| chain);
    checks.extend(chain.map(|chain| chain::of_host(surroundings, &host, chain)));
    let (path, check) = path(surroundings, &url, &host);
    checks.push(check);
    let username = url
        .username()
        .map(|name| name.expose().to_vec())
        .or_else(|| {
            let url = format!("https://{host}/");
            Some(git::setting("--no-type", "credential.username", &url)?.into_bytes())
        });
    let place = url.path().and_then(|path| Reach::of_path(&host, &path));
    let place = place.filter(|_| !is_offline && host.as_str() != API_HOST);
    let proxy = environment::proxy(&host);
    let wanted = Wanted::at(host, path.as_deref(), username.as_deref());
    let effort = Effort::Explain { is_offline };
    let session = only_of_git(surroundings.session, chain);
    let found = session.and_then(|it| answers(&it, &url, &wanted, place.as_ref(), effort));
    let failed = |error| {
        if surroundings.knows_accounts {
            Check::failed("answer", &error)
        } else {
            Check::skip("answer", "the accounts cannot be read")
        }
    };
    checks.extend(found.unwrap_or_else(|error| vec![failed(error)]));
    checks.extend([environment::prompts(surroundings), proxy]);
    Ok(checks)
}

/// Where git's configuration names the account that alone may answer, only that one may here.
fn only_of_git(session: &Session, chain: Option<&Vec<Helper>>) -> Result<Session> {
    let session = session.clone();
    if session.only().is_some() {
        return Ok(session);
    }
    let asked = chain.into_iter().flatten().find(|helper| helper.is_ours());
    session.with_only(asked.and_then(Helper::account).as_deref())
}

/// The https URL of what is named without one: `ssh://git@HOST/…`, `git@HOST:…` or WORKSPACE/REPOSITORY; and whether
/// git goes there over SSH.
fn https_of(surroundings: &Surroundings<'_>, text: &str) -> Option<(String, bool)> {
    let over_ssh = match text.split_once("://") {
        Some(("ssh" | "git+ssh" | "ssh+git", rest)) => Some(rest.split_once('/')?),
        Some(_) => return None,
        // git-clone(1), "GIT URLS": no slash stands before the colon.
        None => text.split_once(':').filter(|(host, _)| !host.contains('/')),
    };
    let (host, path) = match over_ssh {
        None => (bitbucket::cloud(), text),
        Some((authority, path)) => {
            let name = authority.rsplit('@').next()?.split(':').next()?;
            let name = bitbucket::of_ssh(name);
            let mut hosts = surroundings.hosts.iter();
            (hosts.find(|host| host.name() == name)?.clone(), path)
        }
    };
    let place: Reach = path.trim_matches('/').parse().ok()?;
    let mut accounts = surroundings.accounts.iter();
    let account = accounts.find(|account| account.host == host);
    let base_path = account.map_or("", Account::base_path);
    let url = bitbucket::clone_url(&host, base_path, &place)?;
    Some((url, over_ssh.is_some()))
}

/// Why git asks no helper for the URL, or why we do not answer for it.
fn not_for_us(surroundings: &Surroundings<'_>, url: &Url<'_>, host: &Host) -> Option<Check> {
    let id = "url";
    if url.scheme == "http" {
        let message =
            "this helper does not answer over http: it would send the secret in clear text";
        let hint = format!("use '{}'", url.bare().replacen("http:", "https:", 1));
        return Some(Check::fail(id, message, hint));
    }
    if url.scheme != "https" {
        return Some(Check::skip(id, "git asks this helper over https only"));
    }
    if surroundings.hosts.contains(host) {
        return None;
    }
    let message = format!(
        "this helper does not answer for {host}, only for bitbucket.org and the hosts of your accounts and config.toml"
    );
    Some(Check::skip(id, message))
}

/// The path, if git sends it.
fn path(surroundings: &Surroundings<'_>, url: &Url<'_>, host: &Host) -> (Option<Vec<u8>>, Check) {
    let id = "path";
    let Some(path) = url.path() else {
        let message = "the URL has no path, so git names no repository";
        return (None, Check::pass(id, message));
    };
    if surroundings.git.is_none() {
        let message = "git did not say whether it sends the path; assuming that it does";
        return (Some(path), Check::skip(id, message));
    }
    if git::uses_http_path(&url.bare()) {
        let shown = String::from_utf8_lossy(&path);
        let reach = Reach::of_path(host, &path).map(|reach| reach.to_string());
        let reach = reach.unwrap_or_else(|| "no repository".to_owned());
        let message = format!("git sends '{shown}', which is about {reach}");
        return (Some(path), Check::pass(id, message));
    }
    let message = "git does not send the path (credential.useHttpPath is not set), so the path does not count";
    let check = match chain::who_needs_the_path(surroundings, host) {
        Some(_) => Check::warn(id, message, chain::setup("")),
        None => Check::pass(id, message),
    };
    (None, check)
}

/// Who answers, then a line for each candidate that does not.
fn answers(
    session: &Session,
    url: &Url<'_>,
    wanted: &Wanted<'_>,
    place: Option<&Reach>,
    effort: Effort,
) -> Result<Vec<Check>> {
    let decision = decide(session, wanted, effort)?;
    let mut checks = vec![answer::of(session, wanted, &decision)];
    let answering = decision.answering();
    if let Some(Candidate { account, kept, .. }) = answering {
        if let (Some(kept), Some(place)) = (kept, place) {
            let way_in = || choice::left_out(session, wanted);
            checks.extend(live::access(account, &kept.secret, place, way_in));
        }
        checks.extend(answer::refused_before_asking(url, account));
    }
    // If no account answers, the first line has the fix.
    let other = |candidate| answer::of_other(candidate, answering.is_none());
    checks.extend(decision.candidates.iter().filter_map(other));
    Ok(checks)
}
