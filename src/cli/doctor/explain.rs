//! `doctor URL`: which account answers for it, and why the others do not.

use anyhow::Result;
use jiff::Timestamp;

use super::finding::Check;
use super::{Surroundings, accounts, answer, chain};
use crate::account::Account;
use crate::account::standing::Standing;
use crate::account::state;
use crate::answer::matching::{self, Verdict, Wanted};
use crate::answer::source::environment;
use crate::bitbucket;
use crate::bitbucket::reach::Reach;
use crate::cli::takeover::in_url;
use crate::git;
use crate::git::context::Host;
use crate::git::url::Url;
use crate::sys::error::{Hinted, Usage, printable};

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
        reach: path.as_deref().and_then(|path| Reach::of_path(&host, path)),
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
        let about = match Reach::of_path(host, &path) {
            Some(reach) => format!("git sends '{shown}', which is about {reach}"),
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
    let check = if surroundings.is_looked_up() || own.any(|account| !account.reach.is_empty()) {
        Check::warn(id, message, "'git credential-bitbucket setup'")
    } else {
        Check::pass(id, message)
    };
    (None, check)
}

fn answers(surroundings: &Surroundings<'_>, wanted: &Wanted<'_>) -> Vec<Check> {
    let session = surroundings.session;
    // Then nobody answers, whoever fits.
    if let Err(error) = session.policy() {
        return vec![Check::failed("answer", &error)];
    }
    let forbidden = |account: &Account| session.objection(account).ok().flatten();
    let mut passed_over = None;
    match environment::account(&wanted.host) {
        Ok(None) => {}
        Ok(Some((own, kept))) => match forbidden(&own) {
            None => return answer::of_environment(surroundings, wanted, &own, &kept.secret),
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
    let now = Timestamp::now();
    let verdicts = matching::verdicts(accounts, wanted, |account| {
        !session.standing(account, now).may_answer()
    });
    let of = |wanted: Verdict| {
        let mut verdicts = verdicts.iter();
        verdicts.find_map(move |(account, verdict)| (*verdict == wanted).then_some(*account))
    };
    let mut checks = vec![match (of(Verdict::Answers), of(Verdict::Ambiguous)) {
        (Some(account), _) => answer::of_account(surroundings, wanted, account),
        (None, Some(_)) => answer::tie(surroundings, wanted),
        (None, None) => {
            answer::of_store(surroundings, wanted).unwrap_or_else(|| match of(Verdict::SetAside) {
                Some(account) => match forbidden(account) {
                    Some(objection) => {
                        Check::fail("answer", objection.notice(account), objection.mend(account))
                    }
                    None => answer::set_aside(account),
                },
                None => answer::nobody(surroundings, wanted, of(Verdict::NoPath)),
            })
        }
    }];
    checks.extend(passed_over);
    checks.extend(
        of(Verdict::Answers).and_then(|account| answer::refused_before_asking(wanted, account)),
    );
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

/// What follows the name of an account that does not answer.
fn reason(account: &Account, verdict: Verdict) -> String {
    let Account { host, reach, .. } = account;
    match verdict {
        Verdict::Answers => "answers".to_owned(),
        Verdict::Ambiguous => "fits as well as another one".to_owned(),
        Verdict::OtherHost => format!("is for {host}"),
        Verdict::NoSuchKind => match account.kind() {
            Some(kind) => format!("is {}, which does not exist on {host}", kind.noun()),
            None => format!("does not exist on {host}"),
        },
        Verdict::OtherReach => format!("is for {} only", accounts::listed(reach)),
        Verdict::NoPath => format!(
            "is for {} only, and git names no repository",
            accounts::listed(reach)
        ),
        Verdict::OtherAttributes => "was given by git for another path or user name".to_owned(),
        Verdict::SetAside if account.standing(Timestamp::now()) == Standing::Expired => {
            "would fit, but has expired".to_owned()
        }
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
