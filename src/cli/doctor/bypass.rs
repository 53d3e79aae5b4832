//! Ways past us in git's configuration: settings that git uses before it asks a helper, and secrets.

use std::path::Path;

use super::finding::{Check, or_pass};
use super::surroundings::Surroundings;
use crate::cli::takeover::in_url;
use crate::git::{self, Host, Url, url};
use crate::sys::shell_quoted;

/// Whether git refuses URLs that hold a password (git-config(1), `transfer.credentialsInUrl`).
pub(super) fn credentials_in_url(surroundings: &Surroundings<'_>) -> Check {
    let id = "credentials-in-url";
    if surroundings.setting("transfer.credentialsinurl") == Some("die") {
        return Check::pass(id, "git refuses a URL that holds a password");
    }
    let message = "git accepts a URL that holds a password, and keeps it in plain text";
    Check::warn(id, message, "'git credential-bitbucket setup --guard'")
}

/// The secrets in all URLs of git's configuration: remotes, `insteadOf` and others.
pub(super) fn secrets_in_urls(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "secret-in-url";
    let check = |key: &str, value: &str, origin: &str| {
        let in_value = || secret_host(surroundings, &Url::parse(value)?);
        let in_key = || {
            let (_, rest) = key.split_once('.')?;
            secret_host(surroundings, &Url::parse(rest.rsplit_once('.')?.0)?)
        };
        let host = in_value().or_else(in_key)?;
        let key = url::masked(key);
        let message = format!("'{key}' in '{origin}' holds a secret for {host}");
        let hint = format!("{}, and revoke the secret", scrub(origin));
        Some(Check::fail(id, message, hint))
    };
    let fine = "no URL in git's configuration holds a secret for Bitbucket";
    each_setting(surroundings, check, id, fine)
}

/// The command that removes a secret from one of git's configuration files.
fn scrub(origin: &str) -> String {
    let path = Path::new(origin);
    let files = git::global_config_files().unwrap_or_default();
    if files.iter().any(|file| file == path) {
        "'git credential-bitbucket scrub --global'".to_owned()
    } else if path.is_relative() {
        "'git credential-bitbucket scrub'".to_owned()
    } else {
        format!("take it out of '{origin}'")
    }
}

fn secret_host(surroundings: &Surroundings<'_>, url: &Url<'_>) -> Option<Host> {
    let host = url.host().filter(|_| url.is_http())?;
    (surroundings.hosts.contains(&host) && in_url(url).is_some()).then_some(host)
}

/// `http.extraHeader` with an `Authorization`: git then asks no helper.
pub(super) fn extra_headers(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "extra-header";
    let check = |key: &str, value: &str, origin: &str| {
        let pattern = key.strip_prefix("http.")?.strip_suffix("extraheader")?;
        let (name, _) = value.split_once(':')?;
        if !name.trim().eq_ignore_ascii_case("authorization") {
            return None;
        }
        let what = format!(
            "'{}' in '{origin}' sends an Authorization header to",
            url::masked(key)
        );
        let hint = format!("once an account answers, {}", scrub(origin));
        let Some(pattern) = pattern.strip_suffix('.') else {
            return Some(Check::fail(id, format!("{what} every host"), hint));
        };
        let mut hosts = surroundings.hosts.iter();
        let host = hosts.find(|host| git::matches_host(pattern, host))?;
        let message = format!("{what} {host}, so git asks no helper");
        Some(Check::warn(id, message, hint))
    };
    let fine = "no git setting sends an Authorization header";
    each_setting(surroundings, check, id, fine)
}

/// Whether git-lfs is set to use anything but Basic for our hosts.
pub(super) fn lfs_access(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "lfs-access";
    let check = |key: &str, value: &str, origin: &str| {
        let url = Url::parse(key.strip_prefix("lfs.")?.strip_suffix(".access")?)?;
        let host = url
            .host()
            .filter(|host| surroundings.hosts.contains(host))?;
        if value == "basic" {
            return None;
        }
        let option = if Path::new(origin).is_relative() {
            ""
        } else {
            " --global"
        };
        let hint = if key == format!("lfs.{}.access", url.bare()) {
            format!("'git config{option} {} basic'", shell_quoted(key))
        } else {
            format!("take it out of '{origin}'")
        };
        let key = url::masked(key);
        let message = format!("'{key}' in '{origin}' is not 'basic', and {host} takes only that");
        Some(Check::warn(id, message, hint))
    };
    each_setting(
        surroundings,
        check,
        id,
        "git-lfs sends its credentials as Basic",
    )
}

/// What is found in git's settings, by key, value and origin.
fn each_setting(
    surroundings: &Surroundings<'_>,
    check: impl Fn(&str, &str, &str) -> Option<Check>,
    id: &str,
    fine: &str,
) -> Vec<Check> {
    let settings = surroundings.settings.iter();
    let checks = settings.filter_map(|it| check(&it.key, &it.value, &it.origin));
    or_pass(checks.collect(), id, fine)
}
