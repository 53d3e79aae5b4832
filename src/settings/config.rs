//! What the user has set up: `config.toml`, written by hand; what it leaves open the machine's own says.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::de::DeTable;
use toml::{Table, Value};
use zeroize::Zeroizing;

use crate::account::file::describe;
use crate::bitbucket;
use crate::git::context::Host;
use crate::store;
use crate::sys::error::Hinted;
use crate::sys::files;

/// The settings. Every key is optional; one we do not know is ignored here and reported by [`unknown_keys`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// Hosts, besides those of accounts, whose credentials are kept.
    pub(crate) hosts: Vec<Host>,
    /// The stores that are asked, one after the other, when no account fits.
    pub(crate) lookup: Vec<Source>,
    pub(crate) store: StoreSection,
}

/// A store that is asked for what others have put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    Exec,
    Folder,
    Vault,
}

impl From<Source> for store::Name {
    fn from(source: Source) -> Self {
        match source {
            Source::Exec => Self::Exec,
            Source::Folder => Self::Folder,
            Source::Vault => Self::Vault,
        }
    }
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

/// Where new secrets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreChoice {
    /// The keyring if it answers, else the file.
    #[default]
    Auto,
    Exec,
    File,
    Keyring,
}

impl From<store::Name> for StoreChoice {
    fn from(name: store::Name) -> Self {
        match name {
            store::Name::Exec => Self::Exec,
            store::Name::File => Self::File,
            store::Name::Keyring => Self::Keyring,
            store::Name::Env | store::Name::Folder | store::Name::Vault => Self::Auto,
        }
    }
}

impl StoreChoice {
    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("keyring", Self::Keyring),
        ("file", Self::File),
        ("exec", Self::Exec),
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExecSection {
    /// Speaks the docker-credential-helper protocol.
    pub(crate) program: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FolderSection {
    /// By default what systemd.exec(5) calls `$CREDENTIALS_DIRECTORY`.
    pub(crate) path: Option<PathBuf>,
    /// Whose secrets lie there; by default bitbucket.org's.
    pub(crate) host: Option<Host>,
}

impl FolderSection {
    /// Whether the secrets there are for this host. Nothing in a folder says so, and none must come to another one.
    pub(crate) fn is_for(&self, host: &Host) -> bool {
        is_for(self.host.as_ref(), host)
    }
}

fn is_for(its: Option<&Host>, host: &Host) -> bool {
    match its {
        Some(its) => its == host,
        None => bitbucket::is_cloud(host),
    }
}

/// Where the secrets lie in Vault or OpenBao, and how to get in. What is not said the variables of Vault's own say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VaultSection {
    pub(crate) address: Option<String>,
    pub(crate) namespace: Option<String>,
    /// PEM certificates of the authorities to trust.
    pub(crate) ca: Option<PathBuf>,
    /// Of the KV secret engine.
    pub(crate) mount: Option<String>,
    /// 1 or 2; found out when it is not said.
    pub(crate) version: Option<u8>,
    /// Templates with `{workspace}`, `{repository}` and `{host}`: the first that exists.
    pub(crate) path: Option<Vec<String>>,
    /// Whose secrets lie where a template does not say so; by default bitbucket.org's.
    pub(crate) host: Option<Host>,
    pub(crate) auth: Auth,
    /// Of the auth method.
    pub(crate) auth_mount: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) role_id_file: Option<PathBuf>,
    pub(crate) secret_id_file: Option<PathBuf>,
    pub(crate) jwt_file: Option<PathBuf>,
}

impl VaultSection {
    /// Whether what lies at a path that does not name its host is for this one; none must come to another.
    pub(crate) fn is_for(&self, host: &Host) -> bool {
        is_for(self.host.as_ref(), host)
    }

    /// Whether one of the paths names its host.
    pub(crate) fn has_a_path_for_each_host(&self) -> bool {
        let mut paths = self.path.iter().flatten();
        paths.any(|path| path.contains("{host}"))
    }
}

/// How one gets into Vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// Whoever answers at the address has its own way in.
    Agent,
    AppRole,
    Jwt,
    Kubernetes,
    #[default]
    Token,
}

impl Auth {
    /// Its name in Vault, under which it is mounted by default.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::AppRole => "approle",
            Self::Jwt => "jwt",
            Self::Kubernetes => "kubernetes",
            Self::Token => "token",
        }
    }
}

/// The table that no user can override: it counts only in the machine's own file, and what stands in it but is not known
/// the policy itself refuses.
pub(super) const POLICY: &str = "policy";

impl Config {
    /// Reads the machine's settings, and the user's, which come first; no file means the defaults.
    pub(crate) fn read(machine: &MachineFile, user: Option<&Path>) -> Result<Self> {
        let MachineFile { path, content } = machine;
        let machine = content
            .as_ref()
            .map(|content| table::<Self>(path, content).context(not_known()))
            .transpose()?;
        let user = match user {
            Some(path) => files::read_trusted(path)?
                .map(|content| table::<Self>(path, &content))
                .transpose()?,
            None => None,
        };
        match (machine, user) {
            (Some(mut all), Some(user)) => {
                merge(&mut all, user);
                Ok(all.try_into()?)
            }
            (Some(only), None) | (None, Some(only)) => Ok(only.try_into()?),
            (None, None) => Ok(Self::default()),
        }
    }
}

/// What a file says, if it can be read as a `T`.
fn table<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<Table> {
    parse::<T>(path, content)?;
    parse(path, content)
}

/// The machine's own file, read once: what it sets and what it forbids come from the same content.
pub(crate) struct MachineFile {
    pub(crate) path: PathBuf,
    /// None where there is no such file.
    pub(crate) content: Option<Zeroizing<Vec<u8>>>,
}

/// Somebody may have put a token there.
impl fmt::Debug for MachineFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl MachineFile {
    /// # Errors
    /// When it cannot be read, or others could have changed it, or it is a link that leads nowhere: what it would forbid
    /// must not become allowed because a disk is not mounted.
    pub(crate) fn read(path: PathBuf) -> Result<Self> {
        let read = || {
            let content = files::read_machine_file(&path)?;
            let folder = path.parent().unwrap_or(&path);
            let mut links = [folder, &path].into_iter();
            if content.is_none()
                && let Some(link) = links.find(|link| link.is_symlink() && !link.exists())
            {
                bail!("the symbolic link '{}' leads nowhere", link.display());
            }
            Ok(content)
        };
        let content = read().context(not_known())?;
        Ok(Self { path, content })
    }
}

/// That nothing is allowed, as the machine's file may forbid anything. Who sees this can seldom mend it.
pub(crate) fn not_known() -> Hinted {
    Hinted::new(
        "the policy of this machine is not known",
        "have the file mended by whoever administers this machine: until then nothing is allowed",
    )
}

/// Reads a file of settings.
///
/// # Errors
/// When it does not say what it should; no message shows a value: somebody may have put a token there.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<T> {
    let text = text(path, content)?;
    syntax(path, text)?;
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_at(text, span.start));
        let what = if error.message().starts_with("unknown field") {
            "the key is not known"
        } else {
            "the key cannot have this value"
        };
        broken(path, &format!("line {line}: {what}"))
    })
}

/// The user's settings over the machine's, key by key.
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

pub(super) fn syntax<'a>(path: &Path, text: &'a str) -> Result<DeTable<'a>> {
    let table = DeTable::parse(text).map_err(|error| broken(path, &describe(&error, text)))?;
    Ok(table.into_inner())
}

pub(super) fn line_at(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

pub(super) fn text<'a>(path: &Path, content: &'a [u8]) -> Result<&'a str> {
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
    use std::path::Path;

    use super::{Config, MachineFile, StoreChoice};
    use crate::settings::unknown_keys::unknown_keys;

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
    fn a_user_s_key_takes_the_place_of_the_machine_s_and_leaves_the_others() {
        let of_machine = "hosts = ['a.example', 'b.example']\nlookup = ['vault']\n[store.vault]\naddress = 'machine'\nrole = 'machine'\n";
        let user = "hosts = ['c.example']\n[store.vault]\naddress = 'user'\n";
        with_config(of_machine, |file| {
            with_config(user, |user| {
                let config = Config::read(&machine(file), Some(user)).expect("settings");
                assert_eq!(config.hosts.len(), 1);
                assert_eq!(config.hosts[0].as_str(), "c.example");
                assert_eq!(config.lookup.len(), 1);
                assert_eq!(config.store.vault.address.as_deref(), Some("user"));
                assert_eq!(config.store.vault.role.as_deref(), Some("machine"));
            });
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
