//! git's configuration: which helpers git would ask for a host, and the file that `setup` writes to.
//!
//! The one place which starts `git`.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, str};

use anyhow::{Context as _, Result, bail};

use crate::context::Host;
use crate::error::Hinted;
use crate::file;

/// A helper that git asks, and where it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Helper {
    /// As configured: `store`, `/usr/bin/x`, `!command`.
    pub(crate) value: String,
    /// The whole key, such as `credential.https://bitbucket.org.helper`.
    pub(crate) key: String,
    /// The file, or what git names instead of one.
    pub(crate) origin: String,
}

impl Helper {
    /// Whether this is our program, and nothing but it: in a pipeline others read along.
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
        // A program's path; git's own words for it, of which only those without a path may be bare.
        let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
        let is_path = matches!(
            name,
            "git-credential-bitbucket" | "git-credential-bitbucket.exe"
        );
        let is_bare = !is_shell && program == "bitbucket";
        let is_through_git = is_shell && program == "git" && rest.trim() == "credential-bitbucket";
        (is_path || is_bare) && rest.trim().is_empty() || is_through_git
    }

    /// The value as it may be shown: a shell command, or an option, may hold a secret.
    pub(crate) fn shown(&self) -> &str {
        if self.value.starts_with('!') {
            return "a shell command";
        }
        self.value.split_whitespace().next().unwrap_or_default()
    }

    /// The program that git would start, where the value names one by its path, as [`helper_value`] writes it.
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

    /// Whether it is configured for this host in particular, and not for all.
    pub(crate) fn is_for_host(&self) -> bool {
        self.key != "credential.helper"
    }
}

/// The helpers git asks for a host, in git's order, from all its configuration files as seen from here.
///
/// # Errors
/// When git cannot be started or fails.
pub(crate) fn helpers(host: &Host) -> Result<Vec<Helper>> {
    Ok(chain(&settings()?, host))
}

/// A setting of git's. Key and value may hold secrets.
pub(crate) struct Setting {
    /// Section and name are in lower case; what stands between them, a URL or a remote's name, is as it was written.
    pub(crate) key: String,
    pub(crate) value: String,
    /// The file, or what git names instead of one.
    pub(crate) origin: String,
}

/// All settings from all of git's configuration files as seen from here, in git's order.
///
/// # Errors
/// When git cannot be started or fails.
pub(crate) fn settings() -> Result<Vec<Setting>> {
    // The list comes in the order in which git reads its files (gitcredentials(7)).
    Ok(parsed(&git(&["config", "--list", "--show-origin", "-z"])?))
}

/// git's version, as `git version` prints it after these words.
///
/// # Errors
/// When git cannot be started or fails.
pub(crate) fn version() -> Result<String> {
    let line = git(&["version"])?;
    let line = line.trim();
    Ok(line.strip_prefix("git version ").unwrap_or(line).to_owned())
}

/// The folder in which git looks for its commands before it looks on PATH.
///
/// # Errors
/// When git cannot be started or fails.
pub(crate) fn exec_path() -> Result<PathBuf> {
    Ok(git(&["--exec-path"])?.trim_end_matches('\n').into())
}

/// Whether a setting such as `credential.useHttpPath` is true for a URL, which must hold no secret.
pub(crate) fn is_true(name: &str, url: &str) -> bool {
    let value = git(&["config", "--type=bool", "--get-urlmatch", name, url]);
    value.is_ok_and(|value| value.trim() == "true")
}

/// The number that a setting such as `http.postBuffer` is for a host, if it is set and is one.
pub(crate) fn number(name: &str, host: &Host) -> Option<u64> {
    let url = format!("https://{host}/");
    let value = git(&["config", "--type=int", "--get-urlmatch", name, &url]).ok()?;
    value.trim().parse().ok()
}

/// The value of a setting that has no host, as git sees it from here.
pub(crate) fn plain_setting(name: &str) -> Option<String> {
    let value = git(&["config", "--get", name]).ok()?;
    Some(value.trim_end_matches('\n').to_owned())
}

/// The value that a setting such as `http.proxy` has for a host; nothing when it has none, or git cannot be asked.
pub(crate) fn setting(name: &str, host: &Host) -> Option<String> {
    let url = format!("https://{host}/");
    let value = git(&["config", "--get-urlmatch", name, &url]).ok()?;
    Some(value.trim_end_matches('\n').to_owned())
}

/// git's configuration file of a scope, as `git config --global` or `--system` would write to it.
///
/// # Errors
/// When git does not say, or there is no home folder.
pub(crate) fn config_file(system: bool) -> Result<PathBuf> {
    let variable = if system {
        "GIT_CONFIG_SYSTEM"
    } else {
        "GIT_CONFIG_GLOBAL"
    };
    let path = match env::var_os(variable) {
        // git(1): empty means that there is no such file.
        Some(path) if path.is_empty() => {
            bail!(Hinted::new(
                format!("{variable} is empty, so git has no such file"),
                format!("unset {variable}")
            ))
        }
        Some(path) => path.into(),
        None if system => git(&["var", variable])
            .context(Hinted::new(
                "git names no configuration of the whole machine",
                "unset GIT_CONFIG_NOSYSTEM",
            ))?
            .trim()
            .into(),
        None => global_config_file()?,
    };
    Ok(std::path::absolute(path)?)
}

/// git-config(1), "FILES": ~/.gitconfig, but the XDG file when that alone exists.
fn global_config_file() -> Result<PathBuf> {
    let home = dirs::home_dir().context("there is no home folder")?;
    let plain = home.join(".gitconfig");
    let xdg = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty());
    let xdg = xdg
        .map_or_else(|| home.join(".config"), PathBuf::from)
        .join("git/config");
    Ok(if !plain.exists() && xdg.exists() {
        xdg
    } else {
        plain
    })
}

/// The values that a key has in one configuration file.
///
/// # Errors
/// When git cannot be started. That the key has none is no error.
pub(crate) fn values_in(path: &Path, key: &str) -> Result<Vec<String>> {
    let path = path
        .to_str()
        .with_context(|| format!("the path '{}' is not UTF-8", path.display()))?;
    match git(&["config", "--file", path, "-z", "--get-all", key]) {
        Ok(values) => Ok(values.split_terminator('\0').map(str::to_owned).collect()),
        Err(_) => Ok(Vec::new()),
    }
}

/// Changes one of git's configuration files under git's own lock, keeping its mode and following a symbolic link.
///
/// `change` gets the text, empty when there is no file, and gives the new one; nothing means: remove the file.
///
/// # Errors
/// When another git holds the lock, or the file cannot be read or written: then it is as it was.
pub(crate) fn edit_config(
    path: &Path,
    change: impl FnOnce(&str) -> Result<Option<String>>,
) -> Result<()> {
    let real = resolve(path);
    if fs::metadata(&real).is_ok_and(|metadata| !metadata.is_file()) {
        bail!("'{}' is not a file", real.display());
    }
    if let Some(folder) = real.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    }
    let mut lock = ConfigLock::acquire(&real)?;
    let (text, mode) = match fs::read(&real) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes)
                .ok()
                .with_context(|| format!("'{}' is not UTF-8", real.display()))?;
            (text, Some(fs::metadata(&real)?.permissions()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (String::new(), None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read '{}'", real.display()));
        }
    };
    match change(&text)? {
        Some(new) if new == text => Ok(()),
        Some(new) => lock
            .commit(&new, mode)
            .with_context(|| format!("cannot write '{}'", real.display())),
        None => file::remove(&real),
    }
}

/// A helper's value that starts the program at this path: git hands it to a shell, and only an unquoted absolute path
/// or a `!` makes it a command (gitcredentials(7), "CUSTOM HELPERS").
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

/// A value as it is written in a configuration file (git-config(1), "Syntax").
pub(crate) fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\#;".contains(&byte);
    if value.bytes().all(plain) {
        return value.to_owned();
    }
    let escaped = value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
        .replace('\t', r"\t");
    format!("\"{escaped}\"")
}

/// Where a chain of symbolic links ends, whether there is a file or not: git follows them in the same way.
fn resolve(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // git gives up after five.
    for _ in 0..5 {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// Only as long as this lives may the file be written; git itself keeps to it.
struct ConfigLock {
    target: PathBuf,
    path: PathBuf,
    file: Option<File>,
    is_committed: bool,
}

impl ConfigLock {
    fn acquire(target: &Path) -> Result<Self> {
        let mut path = target.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self {
                target: target.to_owned(),
                path,
                file: Some(file),
                is_committed: false,
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(Hinted::new(
                format!("another git is writing '{}'", target.display()),
                format!("try again; if no git runs, remove '{}'", path.display()),
            )),
            Err(error) => Err(error).with_context(|| format!("cannot write '{}'", path.display())),
        }
    }

    fn commit(&mut self, text: &str, mode: Option<fs::Permissions>) -> std::io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        // First the mode: what is private must not be open to others for even a moment.
        if let Some(mode) = mode {
            file.set_permissions(mode)?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&self.path, &self.target)?;
        // From now on a file of this name is somebody else's lock.
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for ConfigLock {
    fn drop(&mut self) {
        if !self.is_committed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.context(Hinted::new(
        "cannot start git",
        "install git, or put it on PATH",
    ))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!(
            "git {} failed: {}",
            arguments[0],
            reason.lines().next().unwrap_or("it does not say why")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `git config --list --show-origin -z` gives.
fn parsed(list: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut fields = list.split('\0');
    while let (Some(origin), Some(setting)) = (fields.next(), fields.next()) {
        let (key, value) = setting.split_once('\n').unwrap_or((setting, ""));
        settings.push(Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.strip_prefix("file:").unwrap_or(origin).to_owned(),
        });
    }
    settings
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
        // gitcredentials(7): an empty value clears what came before, whether scoped or not.
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

/// For a key `credential.PATTERN.helper` the pattern, for `credential.helper` none; nothing for any other key.
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

/// Whether a credential pattern can match a URL of the host; patterns with a path or a user name match some of them.
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Helper, chain, helper_value, matches_host, parsed, quoted};
    use crate::bitbucket::cloud;

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
        assert_eq!(quoted(r"!'/a b/it'\''s'"), r#""!'/a b/it'\\''s'""#);
        assert_eq!(quoted("/usr/bin/x"), "/usr/bin/x");
    }

    #[test]
    fn the_program_of_a_helper_is_told_where_a_path_names_it() {
        let helper = |value: &str| Helper {
            value: value.to_owned(),
            key: String::new(),
            origin: String::new(),
        };
        let path = Path::new("/a b/it's");
        let value = helper_value(path).expect("a value");
        assert_eq!(helper(&value).program().as_deref(), Some(path));
        for value in ["/usr/bin/x --y", "!/usr/bin/x", "!\"/usr/bin/x\" --y"] {
            assert_eq!(
                helper(value).program().as_deref(),
                Some(Path::new("/usr/bin/x"))
            );
        }
        assert_eq!(helper("bitbucket").program(), None);
        assert_eq!(helper("!git credential-bitbucket").program(), None);
    }
}
