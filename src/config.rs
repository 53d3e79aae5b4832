//! What the user has set up: `config.toml`, written by hand, and where the program's own files lie.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::de::{DeTable, DeValue};

use crate::account::Account;
use crate::accounts::describe;
use crate::bitbucket;
use crate::context::Host;
use crate::error::Hinted;
use crate::file;
use crate::store;

/// The folder in which configuration, accounts and secrets lie, all in one; for tests and containers.
const HOME_VARIABLE: &str = "GIT_CREDENTIAL_BITBUCKET_HOME";
/// A Go program of the same name keeps files in a data folder of the same name: ours have names of their own.
const FOLDER: &str = "git-credential-bitbucket";

/// Where the program's files lie.
#[derive(Debug)]
pub(crate) struct Locations {
    config: PathBuf,
    data: PathBuf,
}

impl Locations {
    /// Asks the environment.
    ///
    /// # Errors
    /// When there is no home folder to put anything into.
    pub(crate) fn of_environment() -> Result<Self> {
        if let Some(home) = env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
            let home = std::path::absolute(home)?;
            return Ok(Self {
                config: home.clone(),
                data: home,
            });
        }
        let no_home = || {
            Hinted::new(
                "there is no home folder to keep accounts in",
                format!("set HOME, or {HOME_VARIABLE} to a folder of your choice"),
            )
        };
        Ok(Self {
            config: dirs::config_dir().ok_or_else(no_home)?.join(FOLDER),
            data: dirs::data_dir().ok_or_else(no_home)?.join(FOLDER),
        })
    }

    /// The user's own settings.
    pub(crate) fn config(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The accounts, without their secrets.
    pub(crate) fn accounts(&self) -> PathBuf {
        self.data.join("accounts.toml")
    }

    /// The secrets of the store `file`, sealed.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.data.join("secrets")
    }

    /// The key of [`Locations::secrets`].
    pub(crate) fn key(&self) -> PathBuf {
        self.data.join("secrets.key")
    }

    /// Which secrets from elsewhere (the environment) a server refused.
    pub(crate) fn refusals(&self) -> PathBuf {
        self.data.join("refusals.toml")
    }

    /// Held by whoever asks Bitbucket about a refused secret.
    pub(crate) fn probe_lock(&self) -> PathBuf {
        self.data.join("probe.lock")
    }

    /// Held by whoever renews the access token of this account.
    pub(crate) fn renewal_lock(&self, account: &Account) -> PathBuf {
        // Any name is a file name that way.
        let digest = Sha256::digest(format!("{}@{}", account.name, account.host));
        let name = Base64UrlUnpadded::encode_string(&digest[..9]);
        self.data.join(format!("oauth-{name}.lock"))
    }

    /// That somebody is being asked for a first token, or just was.
    pub(crate) fn first_contact(&self) -> PathBuf {
        self.data.join("first-contact")
    }

    /// What `setup` wrote into git's configuration.
    pub(crate) fn setup(&self) -> PathBuf {
        self.data.join("setup.toml")
    }
}

/// The settings. Every key is optional; one we do not know is ignored here and reported by [`unknown_keys`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// Hosts, besides those of accounts, whose credentials are kept.
    pub(crate) hosts: Vec<Host>,
    pub(crate) store: StoreSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoreSection {
    pub(crate) default: StoreChoice,
    pub(crate) file: FileSection,
}

/// Where new secrets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreChoice {
    /// The keyring if it answers, else the file.
    #[default]
    Auto,
    File,
    Keyring,
}

impl From<store::Name> for StoreChoice {
    fn from(name: store::Name) -> Self {
        match name {
            store::Name::File => Self::File,
            store::Name::Keyring => Self::Keyring,
        }
    }
}

impl StoreChoice {
    pub(crate) const NAMES: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("keyring", Self::Keyring),
        ("file", Self::File),
    ];
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FileSection {
    /// The file of sealed secrets.
    pub(crate) path: Option<PathBuf>,
    /// "file", "kernel", or the path of a key file.
    pub(crate) key: Option<String>,
}

/// The keys this version knows; a table ends with a dot.
const KNOWN: [&str; 6] = [
    "hosts",
    "store.",
    "store.default",
    "store.file.",
    "store.file.path",
    "store.file.key",
];

impl Config {
    /// Reads the user's settings; no file means the defaults.
    ///
    /// # Errors
    /// When others could have changed the file, or it does not say what it should.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let Some(content) = file::read_trusted(path)? else {
            return Ok(Self::default());
        };
        Self::parse(path, &content)
    }

    /// What a file of this name says.
    pub(crate) fn parse(path: &Path, content: &[u8]) -> Result<Self> {
        let text = text(path, content)?;
        syntax(path, text)?;
        toml::from_str(text).map_err(|error| {
            // serde's own message would show the value, and somebody may have put a token there.
            let line = error.span().map_or(0, |span| line_at(text, span.start));
            broken(
                path,
                &format!("line {line}: the key cannot have this value"),
            )
        })
    }
}

/// The keys in the user's settings that this version does not know, each as `FILE:LINE: 'KEY'`; never a value.
///
/// # Errors
/// As [`Config::read`].
pub(crate) fn unknown_keys(path: &Path) -> Result<Vec<String>> {
    let Some(content) = file::read_trusted(path)? else {
        return Ok(Vec::new());
    };
    let text = text(path, &content)?;
    let table = syntax(path, text)?;
    let mut unknown = Vec::new();
    collect_unknown(&table, "", &mut |start, key| {
        // Somebody may have pasted a token where a key belongs.
        let is_secret = key.split('.').any(bitbucket::looks_like_a_secret);
        let key = if is_secret { "(a secret)" } else { key };
        unknown.push(format!(
            "{}:{}: '{key}'",
            path.display(),
            line_at(text, start)
        ));
    });
    Ok(unknown)
}

fn syntax<'a>(path: &Path, text: &'a str) -> Result<DeTable<'a>> {
    let table = DeTable::parse(text).map_err(|error| broken(path, &describe(&error, text)))?;
    Ok(table.into_inner())
}

fn line_at(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

fn collect_unknown(table: &DeTable<'_>, prefix: &str, found: &mut impl FnMut(usize, &str)) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if KNOWN.contains(&format!("{name}.").as_str()) => {
                collect_unknown(inner, &format!("{name}."), found);
            }
            _ if KNOWN.contains(&name.as_str()) => {}
            _ => found(key.span().start, &name),
        }
    }
}

fn text<'a>(path: &Path, content: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(content).map_err(|_| broken(path, "it is not UTF-8"))
}

fn broken(path: &Path, what: &str) -> anyhow::Error {
    let message = format!("cannot parse '{}'", path.display());
    anyhow!("{what}").context(Hinted::new(
        message,
        format!(
            "mend it: 'man git-credential-bitbucket' tells what '{}' may say",
            path.display()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Config, StoreChoice, unknown_keys};

    fn with_config<T>(text: &str, check: impl FnOnce(&std::path::Path) -> T) -> T {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, text).expect("written");
        check(&path)
    }

    #[test]
    fn settings_are_read_and_the_rest_is_reported_with_its_line_but_not_its_value() {
        let text = "hosts = ['Git.Corp.Example:7990']\ntokn = 'ATATTsecret'\n[store]\ndefault = 'file'\n[store.fil]\nx = 1\n";
        with_config(text, |path| {
            let config = Config::read(path).expect("settings");
            assert_eq!(config.hosts[0].as_str(), "git.corp.example:7990");
            assert_eq!(config.store.default, StoreChoice::File);
            let unknown = unknown_keys(path).expect("keys");
            assert_eq!(unknown.len(), 2, "{unknown:?}");
            assert!(unknown[0].ends_with("config.toml:2: 'tokn'"), "{unknown:?}");
            assert!(
                unknown[1].ends_with("config.toml:5: 'store.fil'"),
                "{unknown:?}"
            );
        });
    }

    #[test]
    fn a_mistake_is_told_with_its_line_but_without_the_text() {
        for (text, line) in [
            ("hosts = ATATTsecret\n", "line 1"),
            ("\n[store]\ndefault = 'ATATTsecret'\n", "line 3"),
        ] {
            let error = with_config(text, |path| {
                format!("{:#}", Config::read(path).expect_err("a mistake"))
            });
            assert!(error.contains(line), "{error}");
            assert!(!error.contains("ATATTsecret"), "{error}");
        }
    }
}
