//! git's configuration: which helpers git would ask for a host, and the file that `setup` writes to.
//!
//! The one place which starts `git`.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, str, thread};

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use crate::child::{self, Output};
use crate::context::Host;
use crate::error::Hinted;
use crate::file::{self, Draft, Mode};

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

    /// The word for it that `import` takes, with its options where these are known to hold no secret.
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

/// The files that git reads as the user's configuration, whether they are there or not.
///
/// # Errors
/// When there is no home folder.
pub(crate) fn global_config_files() -> Result<Vec<PathBuf>> {
    match env::var_os("GIT_CONFIG_GLOBAL") {
        Some(path) => Ok(vec![path.into()]),
        None => user_config_files().map(Vec::from),
    }
}

/// git-config(1), "FILES": ~/.gitconfig, but the XDG file when that alone exists.
fn global_config_file() -> Result<PathBuf> {
    let [xdg, plain] = user_config_files()?;
    Ok(if !plain.exists() && xdg.exists() {
        xdg
    } else {
        plain
    })
}

/// In the order in which git reads them.
fn user_config_files() -> Result<[PathBuf; 2]> {
    let home = dirs::home_dir().context("there is no home folder")?;
    Ok([config_folder(&home).join("config"), home.join(".gitconfig")])
}

/// git's folder among the user's configuration; git-credential-store keeps its second file there.
pub(crate) fn config_folder(home: &Path) -> PathBuf {
    let xdg = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty());
    xdg.map_or_else(|| home.join(".config"), PathBuf::from)
        .join("git")
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

/// Changes one of git's configuration files as [`edit`] does.
///
/// `change` gets the text, empty when there is no file, and gives the new one; nothing means: remove the file.
///
/// # Errors
/// As [`edit`]; and when the file is not UTF-8.
pub(crate) fn edit_config(
    path: &Path,
    mut change: impl FnMut(&str) -> Result<Option<String>>,
) -> Result<()> {
    let change = |text: &[u8]| {
        let text = str::from_utf8(text)
            .ok()
            .with_context(|| format!("'{}' is not UTF-8", path.display()))?;
        let new = change(text)?;
        Ok(new.map(|new| Zeroizing::new(new.into_bytes())))
    };
    edit(path, &lock_of(path), change, |_| Ok(()))
}

/// Changes a file under a lock of git's, keeping its mode and following a symbolic link.
///
/// `change` gets the content, empty when there is no file, and gives the new one; nothing means: remove the file. It is
/// asked again when somebody else wrote meanwhile. `check` is shown a file with the new content before that takes its
/// place.
///
/// # Errors
/// When another git holds the lock, or the file cannot be read or written, or `check` fails: then it is as it was.
pub(crate) fn edit(
    path: &Path,
    lock: &Path,
    mut change: impl FnMut(&[u8]) -> Result<Option<Zeroizing<Vec<u8>>>>,
    check: impl Fn(&Path) -> Result<()>,
) -> Result<()> {
    let real = resolve(path);
    let cannot_write = || format!("cannot write '{}'", real.display());
    if let Some(folder) = real.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    }
    loop {
        let before = read(&real)?;
        let (text, mode) = match &before {
            Some((text, metadata)) => (text.as_slice(), Mode::As(metadata)),
            None => (&b""[..], Mode::Usual),
        };
        let new = change(text)?;
        if new.as_ref().is_some_and(|new| new.as_slice() == text) {
            return Ok(());
        }
        let draft = match &new {
            Some(new) => Some(Draft::write(&real, new, mode).with_context(cannot_write)?),
            None => None,
        };
        if let Some(draft) = &draft {
            check(draft.path())?;
        }
        // Held for a moment only: meanwhile no git can write, and one that is killed leaves it behind for good.
        let _lock = ConfigLock::acquire(&real, lock)?;
        if read(&real)?.map(|(text, _)| text) != before.map(|(text, _)| text) {
            continue;
        }
        match draft {
            Some(draft) => {
                draft.sweep();
                draft.take_its_place().with_context(cannot_write)?;
            }
            None => file::remove(&real)?,
        }
        return Ok(());
    }
}

/// The lock under which git writes a file of this name.
pub(crate) fn lock_of(path: &Path) -> PathBuf {
    let mut lock = resolve(path).into_os_string();
    lock.push(".lock");
    lock.into()
}

fn read(path: &Path) -> Result<Option<(Zeroizing<Vec<u8>>, fs::Metadata)>> {
    let cannot = || format!("cannot read '{}'", path.display());
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => bail!("'{}' is not a file", path.display()),
        Ok(metadata) => {
            let text = fs::read(path).with_context(cannot)?;
            Ok(Some((Zeroizing::new(text), metadata)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(cannot),
    }
}

/// What `git config --list -z` prints of one file, without what it includes.
///
/// # Errors
/// When git cannot be started, or does not understand the file.
pub(crate) fn list_of(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut command = Command::new("git");
    command.args(["config", "--list", "-z", "--file"]).arg(path);
    match run(command, b"", Duration::from_secs(10))? {
        Some(output) if output.code == Some(0) => Ok(output.answer),
        _ => bail!("git cannot read it"),
    }
}

/// How long git may search one repository: the largest there are take less.
const GREP_PATIENCE: Duration = Duration::from_secs(120);

/// A line in which a pattern matches.
pub(crate) struct Line {
    /// The file, as seen from the folder.
    pub(crate) name: String,
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

/// The lines in which an extended regular expression matches, without regard to letter case: in the files that git
/// tracks in a work tree, or in those of the commit at HEAD. Binary files are left out.
///
/// # Errors
/// When git cannot be started, or does not trust the repository (git-config(1), `safe.directory`).
pub(crate) fn grep(tree: &Path, at_head: bool, pattern: &str, paths: &[&str]) -> Result<Vec<Line>> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(tree)
        // What a repository's own configuration would start.
        .args(["-c", "core.fsmonitor=false", "grep", "-zInEi", "--no-color"])
        .args(["-e", pattern])
        .args(at_head.then_some("HEAD"))
        .arg("--")
        .args(paths)
        // gitglossary(7), "partial clone": what is not here is not fetched for this.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0");
    let Some(Output {
        code,
        answer,
        errors,
    }) = run(command, b"", GREP_PATIENCE)?
    else {
        bail!("git did not end within {} seconds", GREP_PATIENCE.as_secs());
    };
    if !matches!(code, Some(0 | 1)) {
        let reason = String::from_utf8_lossy(&errors);
        let reason = reason.lines().next().unwrap_or("git does not say why");
        bail!("{}", reason.trim_start_matches("fatal: "));
    }
    let lines = answer.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |&byte| byte == 0);
        let name = String::from_utf8_lossy(fields.next()?).into_owned();
        let number = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let name = if at_head {
            name.trim_start_matches("HEAD:").to_owned()
        } else {
            name
        };
        let text = Zeroizing::new(fields.next()?.to_vec());
        Some(Line { name, number, text })
    });
    Ok(lines.collect())
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
    path: PathBuf,
}

impl ConfigLock {
    /// How long another git may write: it is a matter of milliseconds.
    const PATIENCE: Duration = Duration::from_secs(2);

    fn acquire(target: &Path, lock: &Path) -> Result<Self> {
        if let Some(folder) = lock.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
        }
        let deadline = Instant::now() + Self::PATIENCE;
        loop {
            match OpenOptions::new().write(true).create_new(true).open(lock) {
                Ok(_) => {
                    return Ok(Self {
                        path: lock.to_owned(),
                    });
                }
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(error)
                        .with_context(|| format!("cannot write '{}'", target.display()));
                }
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Err(_) => bail!(Hinted::new(
                    format!("another git is writing '{}'", target.display()),
                    format!("try again; if no git runs, remove '{}'", lock.display()),
                )),
            }
        }
    }
}

impl Drop for ConfigLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Has git ask (`fill`) or tell (`reject`) one helper and no other (git-credential(1)), without a question to anybody.
/// Nothing when the helper has no answer.
///
/// # Errors
/// When git cannot be started, knows no such helper, or the helper does not end within `patience`: then it is killed.
pub(crate) fn credential(
    operation: &str,
    helper: &str,
    attributes: &[u8],
    patience: Duration,
) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut command = Command::new("git");
    command
        // An empty helper clears what the files say (gitcredentials(7)).
        .args(["-c", "credential.helper=", "-c"])
        .arg(format!("credential.helper={helper}"))
        .args([
            "-c",
            "credential.interactive=false",
            "credential",
            operation,
        ])
        // Set but empty: git looks for no other one.
        .env("GIT_ASKPASS", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GCM_INTERACTIVE", "never");
    let Some(output) = run(command, attributes, patience)? else {
        bail!(Hinted::new(
            format!(
                "the helper does not answer within {} seconds",
                patience.as_secs()
            ),
            "unlock it, or ask it by hand: 'git credential fill'",
        ));
    };
    let unknown = b"is not a git command";
    if output
        .errors
        .windows(unknown.len())
        .any(|part| part == unknown)
    {
        bail!(Hinted::new(
            "git knows no helper of that name",
            "name it as 'credential.helper' does, such as 'store' or a program's path",
        ));
    }
    Ok(Some(output.answer).filter(|_| output.code == Some(0)))
}

/// Runs a git to its end; nothing when that does not come within `patience`: then it is killed with all it started.
fn run(command: Command, input: &[u8], patience: Duration) -> Result<Option<Output>> {
    child::run(command, input, patience).context(Hinted::new(
        "cannot start git",
        "install git, or put it on PATH",
    ))
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

    use super::{Helper, chain, helper_value, list_of, matches_host, parsed, quoted};
    use crate::bitbucket::cloud;
    use crate::git_config::GitConfig;

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
    fn a_configuration_file_is_read_as_git_reads_it() {
        let headers = [
            "[remote \"origin\"]",
            "[core]",
            "[a.B]",
            "[url \"https://x \\\"y\\\\/\"] ",
        ];
        let keys = ["url = ", "bare", "Key-1=", "\tx = ", "url=\t"];
        let values = [
            "https://x.org/a.git",
            " ",
            "\t",
            "\"",
            "\" a # b \"",
            "# c",
            "; c",
            "\\\n",
            "\\\"",
            "\\t",
            "\u{e4}",
            "=",
            "[",
        ];
        let junk = [
            "\\q",
            "]",
            "\r",
            "\"",
            "\n\n",
            "[",
            "1 = 2",
            "; only a comment",
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let mut understood = 0;
        for _ in 0..600 {
            let mut text = "[core]\n".to_owned();
            for _ in 0..next(6) {
                match next(8) {
                    0 | 1 => text += headers[next(headers.len())],
                    2 => text += junk[next(junk.len())],
                    _ => {
                        text += keys[next(keys.len())];
                        for _ in 0..next(5) {
                            text += values[next(values.len())];
                        }
                    }
                }
                text += [
                    "
", "
", "
", "",
                ][next(4)];
            }
            std::fs::write(&path, &text).expect("written");
            let own = GitConfig::parse(text.as_bytes()).map(|config| config.list_without(&[]));
            let list = list_of(&path).ok();
            assert_eq!(own, list, "{text:?}");
            understood += usize::from(own.is_some_and(|list| !list.is_empty()));
        }
        assert!(understood > 100, "{understood} files say something");
    }

    #[cfg(unix)]
    #[test]
    fn a_helper_that_hangs_is_ended_with_all_it_started() {
        use std::time::Duration;

        use super::credential;

        let marker = tempfile::NamedTempFile::new().expect("a file");
        let path = marker.path().display();
        let helper = format!("!sh -c 'sleep 1; echo late >{path}' & wait");
        let patience = Duration::from_millis(100);
        let error = credential(
            "fill",
            &helper,
            b"protocol=https\nhost=x.example\n\n",
            patience,
        )
        .expect_err("time is up");
        assert!(error.to_string().contains("does not answer"), "{error}");
        std::thread::sleep(Duration::from_millis(1500));
        let text = std::fs::read_to_string(marker.path()).expect("text");
        assert_eq!(text, "", "nothing of it is left to write");
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
