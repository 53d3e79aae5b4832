//! Large pushes of Bearer accounts: git 2.46 to 2.53 loses the header on what is larger than `http.postBuffer`.

use std::collections::BTreeSet;

use crate::account::{Account, Scheme};
use crate::git::{self, GitVersion, Host};
use crate::sys::error::one_line;
use crate::sys::{message, terminal};

/// git's default of `http.postBuffer` in bytes (git-config(1)): smaller pushes keep their headers.
const USUAL: u64 = 1 << 20;
/// What we recommend: git reserves so much, and uses what it needs.
const ENOUGH: &str = "524288000";

/// Whether this git drops the header when a push is larger than `http.postBuffer`.
pub(super) fn is_needed(version: GitVersion) -> bool {
    (git::AUTHTYPE..(2, 54, 0)).contains(&version)
}

/// The hosts whose accounts git sends in the header form.
pub(super) fn hosts<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> BTreeSet<&'a Host> {
    let has_header_form = |account: &&Account| {
        let opaque = account.opaque();
        let has_authtype = opaque.is_some_and(|opaque| opaque.authtype.is_some());
        account.scheme() != Scheme::Basic || has_authtype
    };
    let accounts = accounts.into_iter().filter(has_header_form);
    accounts.map(|account| &account.host).collect()
}

/// Whether large pushes to a host of theirs keep the header with this git: in words, an error where they do not.
pub(super) fn judge(version: &str, host: &Host) -> Result<String, String> {
    if !is_needed(git::version_of(version)) {
        return Ok("this git keeps the Authorization of large pushes".to_owned());
    }
    let url = format!("https://{host}/");
    let size = git::setting("--type=int", "http.postBuffer", &url);
    match size.and_then(|size| size.parse().ok()).unwrap_or(USUAL) {
        size if size > USUAL => Ok(format!(
            "pushes of up to {size} bytes keep their Authorization"
        )),
        size => Err(format!(
            "git 2.46 to 2.53 drops the Authorization of a Bearer account in pushes larger than http.postBuffer ({size} bytes)"
        )),
    }
}

pub(super) fn command(host: &Host) -> String {
    let key = key(host);
    format!("git config --global {key} {ENOUGH}")
}

fn key(host: &Host) -> String {
    format!("http.https://{host}.postBuffer")
}

/// Says what large pushes need, and offers to set it.
pub(super) fn offer<'a>(accounts: impl IntoIterator<Item = &'a Account>, asks: bool) {
    for host in hosts(accounts) {
        let version = git::version().unwrap_or_default();
        let Err(fault) = judge(&version, host) else {
            continue;
        };
        message::warn(format_args!("{host}: {fault}"));
        let question = format!("Set http.postBuffer for {host} to {ENOUGH} bytes? [Y/n] ");
        let is_agreed = |answer: String| matches!(&*answer.to_ascii_lowercase(), "" | "y" | "yes");
        let is_set = asks && terminal::ask_line(&question).is_ok_and(is_agreed);
        match is_set.then(|| git::set_global(&key(host), ENOUGH)) {
            Some(Ok(())) => message::tell(&format!(
                "git now keeps the header of pushes to {host} up to {ENOUGH} bytes"
            )),
            Some(Err(error)) => message::warn(one_line(&error)),
            None => message::hint(command(host)),
        }
    }
}
