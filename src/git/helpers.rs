//! The helpers that git asks for a host, and how to write one into git's configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::git::context::Host;
use crate::git::program::{Setting, settings};

/// A helper that git asks, and where it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Helper {
    /// As configured: `store`, `/usr/bin/x`, `!command`.
    pub(crate) value: String,
    /// The whole key, such as `credential.https://bitbucket.org.helper`.
    pub(crate) key: String,
    /// The file, or git's name for another origin.
    pub(crate) origin: String,
}

impl Helper {
    /// Whether this is our program alone. In a shell pipeline other programs could read along.
    pub(crate) fn is_ours(&self) -> bool {
        let (command, is_shell) = match self.value.strip_prefix('!') {
            Some(command) => (command.trim(), true),
            None => (self.value.trim(), false),
        };
        let quote = command
            .chars()
            .next()
            .filter(|first| matches!(first, '\'' | '"'));
        let (program, rest) = match quote {
            Some(quote) => command[1..].rsplit_once(quote).unwrap_or((command, "")),
            None => command
                .split_once(char::is_whitespace)
                .unwrap_or((command, "")),
        };
        // Our name, after a path or without one; git's own forms of it stand below.
        let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
        let is_path = matches!(
            name,
            "git-credential-bitbucket" | "git-credential-bitbucket.exe"
        );
        let is_bare = !is_shell && program == "bitbucket";
        let is_through_git = is_shell && program == "git" && rest.trim() == "credential-bitbucket";
        (is_path || is_bare) && rest.trim().is_empty() || is_through_git
    }

    /// The value without what may be a secret: a shell command, and options.
    pub(crate) fn shown(&self) -> &str {
        if self.value.starts_with('!') {
            return "a shell command";
        }
        self.value.split_whitespace().next().unwrap_or_default()
    }

    /// The argument for `import`. It has options only where they are known to hold no secret.
    pub(crate) fn name(&self) -> Option<String> {
        let mut words = self.value.split_whitespace();
        let program = words.next().filter(|word| !word.starts_with('!'))?;
        let options: Vec<&str> = words.collect();
        let is_known = |word: &&str| {
            let known = ["--file", "--timeout", "--socket"];
            known.iter().any(|option| word.starts_with(option))
        };
        let is_plain = |word: &&str| !word.contains(['\'', '@']);
        match options.as_slice() {
            [] if is_plain(&program) => Some(format!("helper:{program}")),
            [first, ..] if is_known(first) && options.iter().all(is_plain) => {
                Some(format!("\"helper:{}\"", self.value.trim()))
            }
            _ => None,
        }
    }

    /// The program that git starts, if the value names it by its path as [`helper_value`] does.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        let command = self.value.strip_prefix('!').unwrap_or(&self.value);
        let path = match command.strip_prefix('\'') {
            Some(quoted) => quoted
                .replace(r"'\''", "\0")
                .split('\'')
                .next()?
                .replace('\0', "'"),
            None => match command.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next()?.to_owned(),
                None => command.split_whitespace().next()?.to_owned(),
            },
        };
        Some(PathBuf::from(path)).filter(|path| path.is_absolute())
    }

    /// Whether it is configured for this host, rather than for all hosts.
    pub(crate) fn is_for_host(&self) -> bool {
        self.key != "credential.helper"
    }
}

/// The helpers that git asks for a host in the current folder, in git's order.
pub(crate) fn helpers(host: &Host) -> Result<Vec<Helper>> {
    Ok(chain(&settings()?, host))
}

/// The helpers among the settings, in the order in which git asks them for a host.
pub(crate) fn chain(settings: &[Setting], host: &Host) -> Vec<Helper> {
    let mut helpers = Vec::new();
    for Setting { key, value, origin } in settings {
        let Some(pattern) = helper_pattern(key) else {
            continue;
        };
        if !pattern.is_none_or(|pattern| matches_host(pattern, host)) {
            continue;
        }
        // gitcredentials(7): an empty value clears all helpers before it.
        if value.is_empty() {
            helpers.clear();
        } else {
            helpers.push(Helper {
                value: value.clone(),
                key: key.clone(),
                origin: origin.clone(),
            });
        }
    }
    helpers
}

/// The pattern of `credential.PATTERN.helper`: an inner None for `credential.helper`, an outer one for any other key.
#[expect(
    clippy::option_option,
    reason = "two questions: is it a helper's key, and has it a pattern"
)]
fn helper_pattern(key: &str) -> Option<Option<&str>> {
    let rest = key.strip_prefix("credential.")?.strip_suffix("helper")?;
    match rest {
        "" => Some(None),
        pattern => Some(Some(pattern.strip_suffix('.')?)),
    }
}

/// Whether a credential pattern can match a URL of the host. A pattern with a path or a user name matches some URLs.
pub(crate) fn matches_host(pattern: &str, host: &Host) -> bool {
    let rest = match pattern.split_once("://") {
        Some(("https", rest)) => rest,
        Some(_) => return false,
        None => pattern,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = authority
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if name.is_empty() {
        return true;
    }
    let (name, host) = (name.strip_suffix(":443").unwrap_or(&name), host.as_str());
    let (labels, wanted): (Vec<&str>, Vec<&str>) =
        (name.split('.').collect(), host.split('.').collect());
    // git-config(1), http.<url>.*: an asterisk stands for one label, or for a part of one.
    let fits = |(label, wanted): (&&str, &&str)| match label.split_once('*') {
        Some((start, end)) => {
            wanted.len() >= start.len() + end.len()
                && wanted.starts_with(start)
                && wanted.ends_with(end)
        }
        None => label == wanted,
    };
    labels.len() == wanted.len() && labels.iter().zip(&wanted).all(fits)
}

/// The helper's value that starts the program at this path. git gives it to a shell, and takes it for a command only
/// when it is an unquoted absolute path or starts with `!` (gitcredentials(7), "CUSTOM HELPERS").
pub(crate) fn helper_value(program: &Path) -> Result<String> {
    let path = program
        .to_str()
        .with_context(|| format!("the path '{}' is not UTF-8", program.display()))?;
    let path = if cfg!(windows) {
        path.trim_start_matches(r"\\?\").replace('\\', "/")
    } else {
        path.to_owned()
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%:,=".contains(&byte);
    Ok(if path.bytes().all(plain) {
        path
    } else {
        format!("!'{}'", path.replace('\'', r"'\''"))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Helper, chain, helper_value, matches_host};
    use crate::bitbucket::cloud;
    use crate::git::program::parsed;

    #[test]
    fn an_empty_helper_clears_what_came_before() {
        let list = "file:a\0credential.helper\nstore\0file:a\0credential.https://bitbucket.org.helper\n\0\
                    file:b\0credential.https://bitbucket.org.helper\n/x/git-credential-bitbucket\0\
                    file:b\0credential.https://github.com.helper\n\0file:c\0credential.helper\ncache\0\
                    file:c\0credential.https://bitbucket.org.usehttppath\ntrue\0";
        let helpers = chain(&parsed(list), &cloud());
        let values: Vec<&str> = helpers.iter().map(|helper| helper.value.as_str()).collect();
        assert_eq!(values, ["/x/git-credential-bitbucket", "cache"]);
        assert!(helpers[0].is_ours() && !helpers[1].is_ours());
        assert_eq!(helpers[1].origin, "c");
    }

    #[test]
    fn only_our_program_alone_is_ours() {
        let is_ours = |value: &str| {
            let helper = Helper {
                value: value.to_owned(),
                key: String::new(),
                origin: String::new(),
            };
            helper.is_ours()
        };
        for value in [
            "bitbucket",
            "/usr/bin/git-credential-bitbucket",
            "!'/a b/git-credential-bitbucket'",
            "!git credential-bitbucket",
            "C:/x/git-credential-bitbucket.exe",
            "!git-credential-bitbucket",
        ] {
            assert!(is_ours(value), "{value}");
        }
        for value in [
            "/opt/evil/git-credential-bitbucket-logger",
            "!tee /tmp/x | git-credential-bitbucket",
            "store",
            "store --file=/x/git-credential-bitbucket",
            "!git-credential-bitbucket | tee x",
            "!bitbucket",
            "bitbucket2",
        ] {
            assert!(!is_ours(value), "{value}");
        }
    }

    #[test]
    fn patterns_match_as_git_matches_them() {
        for pattern in [
            "https://bitbucket.org",
            "https://BitBucket.org:443",
            "bitbucket.org",
            "https://",
            "https://*.org",
            "https://ada@bitbucket.org",
            "https://bitbucket.org/acme",
            "https://bit*.org",
        ] {
            assert!(matches_host(pattern, &cloud()), "{pattern}");
        }
        for pattern in [
            "http://bitbucket.org",
            "https://*.bitbucket.org",
            "https://bitbucket.org.evil.example",
            "https://evilbitbucket.org",
            "https://bitbucket.org:8443",
            "api.bitbucket.org",
        ] {
            assert!(!matches_host(pattern, &cloud()), "{pattern}");
        }
    }

    #[test]
    fn a_path_with_blanks_and_quotes_reaches_the_shell_whole() {
        assert_eq!(
            helper_value(Path::new("/usr/bin/x")).expect("a value"),
            "/usr/bin/x"
        );
        assert_eq!(
            helper_value(Path::new("/a b/it's")).expect("a value"),
            r"!'/a b/it'\''s'"
        );
    }

    #[cfg(windows)]
    #[test]
    fn a_path_of_windows_reaches_git_with_slashes_and_quoted_where_it_must_be() {
        for (path, value) in [
            (r"C:\Users\ada\x.exe", "C:/Users/ada/x.exe"),
            (r"\\?\C:\Users\ada\x.exe", "C:/Users/ada/x.exe"),
            (r"C:\Program Files\x.exe", "!'C:/Program Files/x.exe'"),
        ] {
            assert_eq!(helper_value(Path::new(path)).expect("a value"), value);
        }
    }

    #[test]
    fn the_program_of_a_helper_is_told_where_a_path_names_it() {
        let helper = |value: &str| Helper {
            value: value.to_owned(),
            key: String::new(),
            origin: String::new(),
        };
        let disk = if cfg!(windows) { "C:" } else { "" };
        let path = format!("{disk}/a b/it's");
        let value = helper_value(Path::new(&path)).expect("a value");
        assert_eq!(helper(&value).program(), Some(path.into()));
        let path = format!("{disk}/usr/bin/x");
        for value in [
            format!("{path} --y"),
            format!("!{path}"),
            format!("!\"{path}\" --y"),
        ] {
            assert_eq!(helper(&value).program().as_deref(), Some(Path::new(&path)));
        }
        assert_eq!(helper("bitbucket").program(), None);
        assert_eq!(helper("!git credential-bitbucket").program(), None);
    }
}
