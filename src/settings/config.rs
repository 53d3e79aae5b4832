//! What `config.toml` can say. The user's file wins over the machine's, key by key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

use crate::bitbucket;
use crate::git::Host;
use crate::settings::toml_file::{MachineFile, not_known, parse};
use crate::store;
use crate::sys::files;
use crate::sys::words::{NotAWord, words};

/// The settings. Each key is optional. Unknown keys are ignored here, and reported by `toml_file::unknown_keys`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// Whether the variables with a credential answer; so they do by default.
    pub(crate) environment: Option<bool>,
    /// Our hosts, besides Bitbucket Cloud and those of the accounts.
    pub(crate) hosts: Vec<Host>,
    /// These stores are asked in turn when no account fits.
    #[serde(deserialize_with = "lookup")]
    pub(crate) lookup: Vec<store::Name>,
    pub(crate) store: StoreSection,
    /// What is said of OAuth for each host, with the path below which an instance of Data Center lies.
    pub(crate) oauth: BTreeMap<String, OauthSection>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OauthSection {
    /// The OAuth client with which one signs in.
    pub(crate) client_id: Option<String>,
}

/// Stores that others can fill.
fn lookup<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<store::Name>, D::Error> {
    let names = Vec::<store::Name>::deserialize(deserializer)?;
    let can_be_meant = names.iter().all(|name| name.is_looked_into());
    let wrong = || D::Error::custom(NotAWord);
    can_be_meant.then_some(names).ok_or_else(wrong)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoreSection {
    pub(crate) default: StoreChoice,
    pub(crate) exec: ExecSection,
    pub(crate) file: FileSection,
    pub(crate) folder: FolderSection,
    pub(crate) vault: VaultSection,
}

words! {
    /// Where new secrets go.
    #[derive(Default)]
    pub(crate) enum StoreChoice {
        /// The keyring if it answers, else the file.
        #[default]
        Auto = "auto",
        Keyring = "keyring",
        File = "file",
        Exec = "exec",
    }
}

impl StoreChoice {
    /// None for `auto`.
    pub(crate) fn store(self) -> Option<store::Name> {
        self.as_str().parse().ok()
    }
}

impl From<store::Name> for StoreChoice {
    fn from(name: store::Name) -> Self {
        name.as_str().parse().unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct FileSection {
    /// The file of sealed secrets.
    pub(crate) path: Option<PathBuf>,
    /// "file", "kernel", or the path of a key file.
    pub(crate) key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ExecSection {
    /// Speaks the docker-credential-helper protocol.
    pub(crate) program: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct FolderSection {
    /// By default `$CREDENTIALS_DIRECTORY`, see systemd.exec(5).
    pub(crate) path: Option<PathBuf>,
    /// The host of these secrets; by default bitbucket.org.
    pub(crate) host: Option<Host>,
}

/// Whether secrets that name no host are for this one; `its` is what the settings say of them.
pub(crate) fn is_for(its: Option<&Host>, host: &Host) -> bool {
    match its {
        Some(its) => its == host,
        None => bitbucket::is_cloud(host),
    }
}

/// Where the secrets lie in Vault or OpenBao, and how to sign in there. Unset keys fall back to `VAULT_*` variables.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VaultSection {
    pub(crate) address: Option<String>,
    pub(crate) namespace: Option<String>,
    /// PEM certificates of the authorities to trust.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) mount: Option<String>,
    /// Version of the KV secrets engine, 1 or 2; detected by default.
    pub(crate) version: Option<u8>,
    /// Templates with `{workspace}`, `{repository}` and `{host}`; the first path that exists is used.
    pub(crate) path: Option<Vec<String>>,
    /// The host of the secrets where a template has no `{host}`; by default bitbucket.org.
    pub(crate) host: Option<Host>,
    pub(crate) auth: Auth,
    pub(crate) auth_mount: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) role_id_file: Option<PathBuf>,
    pub(crate) secret_id_file: Option<PathBuf>,
    pub(crate) jwt_file: Option<PathBuf>,
}

words! {
    /// Vault's name for the auth method, and its default mount.
    #[derive(Default)]
    pub(crate) enum Auth {
        /// An agent listens at the address and signs in itself.
        Agent = "agent",
        AppRole = "approle",
        Jwt = "jwt",
        Kubernetes = "kubernetes",
        #[default]
        Token = "token",
    }
}

impl Config {
    /// Reads both files; without one the defaults hold.
    pub(crate) fn read(machine: &MachineFile, user: Option<&Path>) -> Result<Self> {
        let mut all = table(&machine.path, &machine.content).context(not_known())?;
        if let Some(path) = user
            && let Some(content) = files::read_trusted(path)?
        {
            merge(&mut all, table(path, &content)?);
        }
        Ok(all.try_into()?)
    }
}

/// The table in a file that can also be read as the settings.
fn table(path: &Path, content: &[u8]) -> Result<Table> {
    parse::<Config>(path, content)?;
    parse(path, content)
}

/// Lets the user's settings replace the machine's, key by key.
fn merge(machine: &mut Table, user: Table) {
    for (key, value) in user {
        match (machine.get_mut(&key), value) {
            (Some(Value::Table(machine)), Value::Table(user)) => merge(machine, user),
            (_, value) => {
                machine.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Config, StoreChoice};
    use crate::settings::toml_file::{MachineFile, unknown_keys};
    use crate::store::Name;

    fn machine(path: impl AsRef<Path>) -> MachineFile {
        MachineFile::read(path.as_ref().to_owned()).expect("it can be read")
    }

    fn with_config<T>(text: &str, check: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, text).expect("written");
        check(&path)
    }

    #[test]
    fn settings_are_read_and_the_rest_is_reported_with_its_line_but_not_its_value() {
        let text = "hosts = ['Git.Corp.Example:7990']\ntokn = 'ATATTsecret'\n[store]\ndefault = 'file'\n[store.fil]\nx = 1\n";
        with_config(text, |path| {
            let config = Config::read(&machine("/nonexistent"), Some(path)).expect("settings");
            assert_eq!(config.hosts[0].as_str(), "git.corp.example:7990");
            assert_eq!(config.store.default, StoreChoice::File);
            let unknown = unknown_keys(path, false).expect("keys");
            assert_eq!(unknown.len(), 2, "{unknown:?}");
            assert!(unknown[0].ends_with("config.toml:2: 'tokn'"), "{unknown:?}");
            assert!(
                unknown[1].ends_with("config.toml:5: 'store.fil'"),
                "{unknown:?}"
            );
        });
    }

    #[test]
    fn each_store_that_keeps_accounts_can_be_chosen() {
        let chosen = StoreChoice::ALL.map(StoreChoice::store).into_iter();
        assert!(chosen.flatten().eq(Name::keeping()));
    }

    #[test]
    fn a_user_s_key_takes_the_place_of_the_machine_s_and_leaves_the_others() {
        let of_machine = "hosts = ['a.example', 'b.example']\nlookup = ['vault']\n[store.vault]\naddress = 'machine'\nrole = 'machine'\n";
        let user = "hosts = ['c.example']\n[store.vault]\naddress = 'user'\n";
        // Where the system has no such file (Windows), reading it gives nothing.
        let machine = MachineFile {
            path: "machine.toml".into(),
            content: of_machine.as_bytes().to_vec().into(),
        };
        with_config(user, |user| {
            let config = Config::read(&machine, Some(user)).expect("settings");
            assert_eq!(config.hosts.len(), 1);
            assert_eq!(config.hosts[0].as_str(), "c.example");
            assert_eq!(config.lookup.len(), 1);
            assert_eq!(config.store.vault.address.as_deref(), Some("user"));
            assert_eq!(config.store.vault.role.as_deref(), Some("machine"));
        });
    }

    #[test]
    fn a_mistake_is_told_with_its_line_but_without_the_text() {
        for (text, line) in [
            ("hosts = ATATTsecret\n", "line 1"),
            ("\n[store]\ndefault = 'ATATTsecret'\n", "line 3"),
        ] {
            let error = with_config(text, |path| {
                format!(
                    "{:#}",
                    Config::read(&machine("/nonexistent"), Some(path)).expect_err("a mistake")
                )
            });
            assert!(error.contains(line), "{error}");
            assert!(!error.contains("ATATTsecret"), "{error}");
        }
    }
}
