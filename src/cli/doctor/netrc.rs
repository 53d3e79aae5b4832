//! The netrc file: curl, and so git, reads it before git asks a helper.

use std::fs;

use zeroize::Zeroizing;

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::cli::takeover::netrc::{Machine, Netrc};

pub(super) fn check(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "netrc";
    let Some(home) = dirs::home_dir() else {
        return vec![Check::skip(id, "there is no home folder")];
    };
    let names = [".netrc", "_netrc"];
    let names = if cfg!(windows) {
        &names[..]
    } else {
        &names[..1]
    };
    let mut checks = Vec::new();
    for path in names.iter().map(|name| home.join(name)) {
        let shown = path.display();
        if !path.is_file() {
            continue;
        }
        let Ok(text) = fs::read(&path).map(Zeroizing::new) else {
            checks.push(Check::skip(id, format!("cannot read '{shown}'")));
            continue;
        };
        for Machine { name, line, .. } in Netrc::parse(&text).machines {
            let is_ours = |name: &String| {
                let mut hosts = surroundings.hosts.iter();
                hosts.any(|host| host.name().eq_ignore_ascii_case(name))
            };
            let (what, hint) = match name {
                Some(name) if is_ours(&name) => (
                    format!("an entry for {name}"),
                    "'git credential-bitbucket import netrc --remove' moves it into the store",
                ),
                Some(_) => continue,
                None => (
                    "a 'default' entry for every host".to_owned(),
                    "remove the entry once an account answers: 'git credential-bitbucket login'",
                ),
            };
            let message =
                format!("'{shown}' has {what} in line {line}; git uses it and asks no helper");
            checks.push(Check::warn(id, message, hint));
        }
    }
    super::bypass::or_pass(checks, id, "no netrc file has an entry for Bitbucket")
}
