//! Our place in git's chain of helpers.

use std::env;
use std::path::Path;

use super::accounts;
use super::finding::Check;
use super::surroundings::{Git, Surroundings};
use crate::bitbucket::{self, API_HOST};
use crate::git::context::Host;
use crate::git::{self, Helper};
use crate::sys::error;

const SETUP: &str = "'git credential-bitbucket setup'";

/// For each host of ours, whether git asks us, who else is asked, and whether it says for which repository.
pub(super) fn checks(surroundings: &Surroundings<'_>, git: &Git) -> Vec<Check> {
    let mut checks = Vec::new();
    for host in &surroundings.hosts {
        checks.push(of_host(git, host));
        checks.extend(use_http_path(surroundings, host));
    }
    checks
}

/// Whether git asks us for a host, whom it asks before us, and who is handed what worked.
pub(super) fn of_host(git: &Git, host: &Host) -> Check {
    let id = format!("chain.{host}");
    let chain = git::chain(&git.settings, host);
    let Some(position) = chain.iter().position(Helper::is_ours) else {
        let others: Vec<String> = chain.iter().map(named).collect();
        let message = if others.is_empty() {
            "git does not ask this helper".to_owned()
        } else {
            format!("git does not ask this helper, but {}", others.join(", "))
        };
        return Check::fail(id, message, SETUP);
    };
    if let Some(check) = wrong_program(&id, &chain[position]) {
        return check;
    }
    let foreign = |helpers: &[Helper]| -> Vec<Helper> {
        let foreign = helpers.iter().filter(|helper| !helper.is_ours());
        foreign.cloned().collect()
    };
    let (before, behind) = (foreign(&chain[..position]), foreign(&chain[position..]));
    let list = |helpers: &[Helper]| helpers.iter().map(named).collect::<Vec<_>>().join(", ");
    let message = match (before.is_empty(), behind.is_empty()) {
        (true, true) => return Check::pass(id, "git asks this helper, and no other"),
        (false, true) => format!(
            "git asks {} before this helper, and gives it your credentials",
            list(&before)
        ),
        (true, false) => format!(
            "git asks this helper, and gives your credentials to {} too",
            list(&behind)
        ),
        (false, false) => format!(
            "git asks {} before this helper, and gives your credentials to {} too",
            list(&before),
            list(&behind)
        ),
    };
    Check::warn(id, message, fix(before.iter().chain(&behind)))
}

/// That git starts something else than this program, or nothing at all.
fn wrong_program(id: &str, helper: &Helper) -> Option<Check> {
    let path = helper.program()?;
    if !path.exists() {
        return Some(Check::fail(
            id,
            format!(
                "git is set to start '{}', which does not exist",
                path.display()
            ),
            SETUP,
        ));
    }
    let is_own = |path: &Path| {
        let own = env::current_exe().and_then(dunce::canonicalize);
        own.is_ok_and(|own| dunce::canonicalize(path).is_ok_and(|path| path == own))
    };
    (!is_own(&path)).then(|| {
        Check::warn(
            id,
            format!("git starts another program, '{}'", path.display()),
            format!("to use this one: {SETUP}"),
        )
    })
}

fn named(helper: &Helper) -> String {
    error::printable(&format!("'{}' ('{}')", helper.shown(), helper.origin))
}

/// `setup` writes to the user's file; what git reads after it stands behind us all the same.
fn fix<'a>(mut helpers: impl Iterator<Item = &'a Helper>) -> String {
    let is_read_later = |helper: &&Helper| {
        let origin = Path::new(&helper.origin);
        origin.is_relative() || origin.components().any(|part| part.as_os_str() == ".git")
    };
    match helpers.find(is_read_later) {
        Some(helper) => format!("take '{}' out of '{}'", helper.shown(), helper.origin),
        None => SETUP.to_owned(),
    }
}

/// Whether git names the repository, where an account is for one, or a store has a place for each.
fn use_http_path(surroundings: &Surroundings<'_>, host: &Host) -> Option<Check> {
    let home = bitbucket::home_of(host);
    let mut known = surroundings.accounts.iter();
    let account = known.find(|account| account.host == home && !account.reach.is_empty());
    let who_needs_it = match account {
        Some(account) => format!(
            "'{}' is for {} only",
            account.name,
            accounts::listed(&account.reach)
        ),
        None if surroundings.is_looked_up() => {
            "the stores of 'lookup' have one entry for each".to_owned()
        }
        None => return None,
    };
    let id = format!("use-http-path.{host}");
    if git::is_true("credential.useHttpPath", &format!("https://{host}/")) {
        return Some(Check::pass(id, "git names the repository"));
    }
    let message = format!("git does not name the repository, but {who_needs_it}");
    // git itself asks for nothing there.
    Some(if host.as_str() == API_HOST {
        Check::warn(id, message, SETUP)
    } else {
        Check::fail(id, message, SETUP)
    })
}
