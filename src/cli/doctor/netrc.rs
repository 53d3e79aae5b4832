//! The netrc file: curl, and so git, reads it before git asks a helper.

use std::fs;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::cli::takeover::netrc::{Machine, Netrc};

pub(super) fn check(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let id = "netrc";
    let Some(home) = dirs::home_dir() else {
        return vec![Check::skip(id, "there is no home folder")];
    };
    let names: &[&str] = if cfg!(windows) {
        &[".netrc", "_netrc"]
    } else {
        &[".netrc"]
    };
    let paths = names.iter().map(|name| home.join(name));
    let paths: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    let mut checks = Vec::new();
    for path in paths {
        let Ok(text) = fs::read(&path).map(Zeroizing::new) else {
            checks.push(Check::skip(id, format!("cannot read '{}'", path.display())));
            continue;
        };
        for Machine { name, line, .. } in Netrc::parse(&text).machines {
            let is_ours = |name: &String| {
                let mut hosts = surroundings.hosts.iter();
                hosts.any(|host| host.name().eq_ignore_ascii_case(name))
            };
            let what = match &name {
                Some(name) if is_ours(name) => format!("an entry for {name}"),
                Some(_) => continue,
                None => "a 'default' entry for every host".to_owned(),
            };
            checks.push(Check::warn(
                id,
                format!(
                    "'{}' has {what} in line {line}; git uses it and asks no helper",
                    path.display()
                ),
                if name.is_some() {
                    "'git credential-bitbucket import netrc --remove' moves it into the store"
                } else {
                    "remove the entry once an account answers: 'git credential-bitbucket login'"
                },
            ));
        }
    }
    super::bypass::or_pass(checks, id, "no netrc file has an entry for Bitbucket")
}
