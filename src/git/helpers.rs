//! The helpers that git asks for a host, and how to write one into git's configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::git::context::Host;
use crate::git::judge::{Starts, judge, names_us, words};
use crate::git::program::{Scope, Setting};
use crate::sys::shell_quoted;

/// A helper that git asks, and where it is configured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Helper {
    /// As configured: `store`, `/usr/bin/x`, `!command`.
    pub(crate) value: String,
    /// The whole key, such as `credential.https://bitbucket.org.helper`.
    pub(crate) key: String,
    /// The file, or git's name for another origin.
    pub(crate) origin: String,
    pub(crate) scope: Scope,
    starts: Starts,
}

impl Helper {
    /// Whether git starts this program by it, and no other that could read along.
    pub(crate) fn is_ours(&self) -> bool {
        self.starts == Starts::Ours
    }

    /// Whether it has our name, but git starts another program by it, or none.
    pub(crate) fn is_namesake(&self) -> bool {
        self.starts == Starts::Namesake
    }

    /// The value without what may be a secret: a shell command, and options.
    pub(crate) fn shown(&self) -> &str {
        shown(&self.value)
    }

    /// The argument for `import`. It has options only where they are known to hold no secret.
    pub(crate) fn name(&self) -> Option<String> {
        let value = self.value.trim();
        let mut options = value.split_whitespace().skip(1);
        let known = ["--file", "--timeout", "--socket"];
        let is_known = |word: &str| known.iter().any(|option| word.starts_with(option));
        let is_plain = !value.starts_with('!') && !value.contains(['\'', '@']);
        (is_plain && options.next().is_none_or(is_known)).then(|| format!("helper:{value}"))
    }

    /// The program that git starts, if the value names it by its path.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        let command = self.value.strip_prefix('!').unwrap_or(&self.value);
        let path = PathBuf::from(words(command)?.first()?);
        Some(path).filter(|path| path.is_absolute())
    }

    /// The account that alone may answer: `bitbucket --account work`.
    pub(crate) fn account(&self) -> Option<String> {
        let command = self.value.strip_prefix('!').unwrap_or(&self.value);
        let mut words = words(&command.replace(" --account=", " --account "))?.into_iter();
        words.find(|word| word == "--account")?;
        words.next()
    }

    /// Whether it is configured for this host, rather than for all hosts.
    pub(crate) fn is_for_host(&self) -> bool {
        self.key != "credential.helper"
    }
}

/// A helper's value without what may be a secret: a shell command, and options.
pub(crate) fn shown(value: &str) -> &str {
    if value.starts_with('!') {
        return "a shell command";
    }
    value.split_whitespace().next().unwrap_or_default()
}

/// The helpers among the settings, in the order in which git asks them for each host. Each value is started once at most.
pub(crate) fn chains(settings: &[Setting], hosts: &[Host]) -> Vec<(Host, Vec<Helper>)> {
    let mut judged = BTreeMap::new();
    let chain = |host: &Host| {
        let mut asked = Vec::new();
        for (mut helper, cleared_by) in set_for(settings, host) {
            if cleared_by.is_none() {
                let known = judged.entry((helper.value.clone(), helper.scope == Scope::Local));
                helper.starts = *known.or_insert_with(|| judge(&helper.value, helper.scope));
                asked.push(helper);
            }
        }
        (host.clone(), asked)
    };
    hosts.iter().map(chain).collect()
}

/// The helpers of our name that an empty helper cleared, each with the empty one.
pub(crate) fn cleared(settings: &[Setting], host: &Host) -> Vec<(Helper, Helper)> {
    let all = set_for(settings, host).into_iter();
    all.filter(|(helper, _)| names_us(&helper.value))
        .filter_map(|(helper, by)| Some((helper, by?)))
        .collect()
}

/// The helpers that are set for a host, not judged yet, each with the empty helper that clears it.
fn set_for(settings: &[Setting], host: &Host) -> Vec<(Helper, Option<Helper>)> {
    let mut all: Vec<(Helper, Option<Helper>)> = Vec::new();
    let fits = |setting: &&Setting| {
        helper_pattern(&setting.key).is_some_and(|pattern| matches_host(pattern, host))
    };
    for setting in settings.iter().filter(fits) {
        let helper = Helper {
            value: setting.value.clone(),
            key: setting.key.clone(),
            origin: setting.origin.clone(),
            scope: setting.scope,
            starts: Starts::Foreign,
        };
        // gitcredentials(7): an empty value clears all helpers before it.
        if helper.value.is_empty() {
            for (_, cleared_by) in &mut all {
                cleared_by.get_or_insert_with(|| helper.clone());
            }
        } else {
            all.push((helper, None));
        }
    }
    all
}

/// The pattern of `credential.PATTERN.helper`; that of `credential.helper` is empty, and matches every host.
fn helper_pattern(key: &str) -> Option<&str> {
    match key.strip_prefix("credential.")?.strip_suffix("helper")? {
        "" => Some(""),
        pattern => pattern.strip_suffix('.'),
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
    let name = authority.rsplit('@').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    if name.is_empty() {
        return true;
    }
    let (name, host) = (name.strip_suffix(":443").unwrap_or(&name), host.as_str());
    let labels: Vec<&str> = name.split('.').collect();
    let wanted: Vec<&str> = host.split('.').collect();
    // git-config(1), http.<url>.*: an asterisk stands for one label, or for a part of one.
    let fits = |(label, wanted): (&&str, &&str)| match label.split_once('*') {
        Some((start, end)) => {
            let rest = wanted.strip_prefix(start);
            rest.is_some_and(|rest| rest.ends_with(end))
        }
        None => label == wanted,
    };
    labels.len() == wanted.len() && labels.iter().zip(&wanted).all(fits)
}

/// The helper's value that starts the program at this path. git gives it to a shell, and takes it for a command only
/// when it is an unquoted absolute path or starts with `!` (gitcredentials(7), "CUSTOM HELPERS").
pub(crate) fn helper_value(program: &Path) -> Result<String> {
    let not_text = || format!("the path '{}' is not UTF-8", program.display());
    let path = program.to_str().with_context(not_text)?;
    let path = if cfg!(windows) {
        path.trim_start_matches(r"\\?\").replace('\\', "/")
    } else {
        path.to_owned()
    };
    let word = shell_quoted(&path);
    Ok(if word == path {
        path
    } else {
        format!("!{word}")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Helper, Starts, chains, cleared, helper_value, matches_host};
    use crate::bitbucket::cloud;
    use crate::git::program::{Scope, Setting};

    fn settings(list: &str) -> Vec<Setting> {
        let setting = |line: &str| {
            let (key, value) = line.split_once('=').expect("a setting");
            Setting {
                key: key.to_owned(),
                value: value.to_owned(),
                origin: "x".to_owned(),
                scope: Scope::Local,
            }
        };
        list.lines().map(setting).collect()
    }

    #[test]
    fn an_empty_helper_clears_what_came_before() {
        let settings = settings(
            "credential.helper=store\ncredential.helper=bitbucket\ncredential.https://bitbucket.org.helper=\n\
             credential.https://bitbucket.org.helper=/x/git-credential-bitbucket\n\
             credential.https://github.com.helper=\ncredential.helper=cache\n\
             credential.https://bitbucket.org.usehttppath=true",
        );
        let (_, helpers) = chains(&settings, &[cloud()]).remove(0);
        let values: Vec<&str> = helpers.iter().map(|helper| helper.value.as_str()).collect();
        assert_eq!(values, ["/x/git-credential-bitbucket", "cache"]);
        assert!(helpers[0].is_namesake() && !helpers[0].is_ours() && !helpers[1].is_namesake());
        let cleared = cleared(&settings, &cloud());
        assert_eq!(cleared.len(), 1);
        assert_eq!(cleared[0].0.value, "bitbucket");
        assert_eq!(cleared[0].1.key, "credential.https://bitbucket.org.helper");
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
            scope: Scope::Global,
            starts: Starts::Foreign,
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
