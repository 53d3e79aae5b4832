//! The netrc file, which curl, and so git, looks into before any helper is asked.

use std::fs;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::Surroundings;
use super::check::Check;
use crate::context::Host;

/// The entries for our hosts.
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
        for Machine { name, line } in machines(&String::from_utf8_lossy(&text)) {
            let is_ours = |name: &String| {
                let mut hosts = surroundings.hosts.iter();
                hosts.any(|host| without_port(host).eq_ignore_ascii_case(name))
            };
            let what = match &name {
                Some(name) if is_ours(name) => format!("an entry for {name}"),
                Some(_) => continue,
                None => "a 'default' entry for every host".to_owned(),
            };
            checks.push(Check::warn(
                id,
                format!(
                    "'{}' has {what} in line {line}, which git uses before it asks a helper",
                    path.display()
                ),
                "take the entry out once an account answers: 'git credential-bitbucket login'",
            ));
        }
    }
    super::bypass::or_pass(checks, id, "no netrc file has an entry for our hosts")
}

fn without_port(host: &Host) -> &str {
    let host = host.as_str();
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name)
}

/// An entry of a netrc file.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    /// None for `default`.
    name: Option<String>,
    line: usize,
}

/// The entries of a netrc file, as curl reads it (netrc(5)).
fn machines(text: &str) -> Vec<Machine> {
    let mut machines = Vec::new();
    let mut is_macro = false;
    // A value may stand in the line after its word.
    let mut before = None;
    for (number, line) in text.lines().enumerate() {
        if is_macro {
            is_macro = !line.trim().is_empty();
            continue;
        }
        for token in line.split_whitespace() {
            match before.take() {
                Some("machine") => machines.push(Machine {
                    name: Some(token.trim_matches('"').to_owned()),
                    line: number + 1,
                }),
                Some("macdef") => is_macro = true,
                None if token.starts_with('#') => break,
                None if token == "default" => machines.push(Machine {
                    name: None,
                    line: number + 1,
                }),
                None if VALUED.contains(&token) => before = Some(token),
                // The value of `login`, `password` or `account`; or no word of the format's.
                _ => {}
            }
        }
    }
    machines
}

/// The words after which a value comes.
const VALUED: [&str; 5] = ["machine", "login", "password", "account", "macdef"];

#[cfg(test)]
mod tests {
    use super::{Machine, machines};

    #[test]
    fn a_netrc_file_is_read_as_curl_reads_it() {
        let text = "# machine comment.example\nmachine bitbucket.org login ada password machine\n\
                    machine\n  two.example login default\n  password default\n\
                    macdef init\nmachine macro.example\n\nmachine \"three.example\" account machine\ndefault login x\n";
        let machine = |name: Option<&str>, line| Machine {
            name: name.map(str::to_owned),
            line,
        };
        assert_eq!(
            machines(text),
            [
                machine(Some("bitbucket.org"), 2),
                machine(Some("two.example"), 4),
                machine(Some("three.example"), 9),
                machine(None, 10),
            ]
        );
    }
}
