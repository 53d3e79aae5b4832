//! The one way to start git: for its version, its settings, and the credentials of other helpers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::sys::child::{Output, is_too_long};
use crate::sys::{Hinted, Program, SecretBuffer};

/// How long a git may run that a person waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How much git may print: all matching lines of a large repository.
const CAP: usize = 1 << 26;

/// Where git has a setting from (git-config(1), "SCOPES").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    System,
    Global,
    /// A repository, or one of its work trees: somebody else may have written it.
    Local,
    /// `git -c`, and the variables that stand for it.
    Command,
}

/// One of git's settings. Key and value may hold secrets.
pub(crate) struct Setting {
    /// Section and name are in lower case. The subsection between them, a URL or a remote's name, is unchanged.
    pub(crate) key: String,
    pub(crate) value: String,
    /// The file, or git's name for another origin.
    pub(crate) origin: String,
    pub(crate) scope: Scope,
}

/// All settings that git sees in the current folder, in git's order. Fails when git does not end within `limit`.
pub(crate) fn settings(limit: Duration) -> Result<Vec<Setting>> {
    listed(&[], limit)
}

/// The settings of a configuration file and of those that it includes; their scope tells nothing. Empty when there is no
/// such file.
pub(crate) fn settings_in(path: &Path) -> Vec<Setting> {
    let list = |path| listed(&["--file", path, "--includes"], PATIENCE).ok();
    path.to_str().and_then(list).unwrap_or_default()
}

fn listed(place: &[&str], limit: Duration) -> Result<Vec<Setting>> {
    let list = |more: &[&str]| {
        let arguments = [&["config", "--list", "--show-origin", "-z"], place, more];
        git(&arguments.concat(), limit)
    };
    match list(&["--show-scope"]) {
        Ok(list) => Ok(parsed(&list, true)),
        // git before 2.26 tells no scope: then each setting may be a repository's.
        Err(_) => Ok(parsed(&list(&[])?, false)),
    }
}

/// git's version, such as `2.47.3`.
pub(crate) fn version() -> Result<String> {
    let line = git(&["version"], PATIENCE)?;
    let line = line.trim();
    Ok(line.strip_prefix("git version ").unwrap_or(line).to_owned())
}

/// A release of git: `2.47.3`, `2.39.5 (Apple Git-154)`, `2.47.1.windows.1`.
pub(crate) type GitVersion = (u32, u32, u32);

/// The first release that knows `authtype` and `credential`.
pub(crate) const AUTHTYPE: GitVersion = (2, 46, 0);

pub(crate) fn version_of(text: &str) -> GitVersion {
    let numbers = text.split(|letter: char| !letter.is_ascii_digit());
    let mut numbers = numbers.map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Writes a setting into the user's own configuration.
pub(crate) fn set_global(key: &str, value: &str) -> Result<()> {
    git(&["config", "--global", key, value], PATIENCE).map(drop)
}

/// The value of a setting such as `http.postBuffer` for a URL, which must hold no secret; `form` is an option such as
/// `--type=int` (git-config(1)). None when it is not set or has another form, or git fails.
pub(crate) fn setting(form: &str, name: &str, url: &str) -> Option<String> {
    let arguments = [form, "--get-urlmatch", name, url];
    value(Program::new("git"), &arguments, PATIENCE)
}

/// Whether git names the repository where it asks for a credential for this URL, which must hold no secret.
pub(crate) fn uses_http_path(url: &str) -> bool {
    let value = setting("--type=bool", "credential.useHttpPath", url);
    value.is_some_and(|value| value == "true")
}

/// The URL to which git goes for this one, or for the remote of this name: `url.*.insteadOf` may rewrite it. The text must
/// hold no secret.
pub(crate) fn instead_of(text: &str) -> Option<String> {
    let url = git(&["ls-remote", "--get-url", "--", text], PATIENCE).ok()?;
    Some(url.trim_end().to_owned()).filter(|url| url != text)
}

fn value(git: Program, arguments: &[&str], limit: Duration) -> Option<String> {
    let output = run(git.args(["config"]).args(arguments), b"", limit).ok()??;
    let value = String::from_utf8_lossy(&output.answer);
    (output.code == Some(0)).then(|| value.trim_end_matches('\n').to_owned())
}

/// The value of a setting for a URL in git's system, global and command scope (git-config(1), "SCOPES"), not that of a
/// repository.
pub(crate) fn own_setting(name: &str, url: &str, limit: Duration) -> Option<String> {
    let git = outside_repositories();
    value(git, &["--get-urlmatch", name, url], limit)
}

/// git, where it finds no repository, and so reads no configuration of one.
pub(super) fn outside_repositories() -> Program {
    // Nobody but root makes one there. For `includeIf` git resolves the path, and dies below a file such as /dev/null.
    let nowhere = if cfg!(windows) {
        "NUL/no-repository"
    } else {
        "/dev/no-repository"
    };
    Program::new("git")
        .env("GIT_DIR", nowhere)
        .without("GIT_COMMON_DIR")
}

/// Lets git ask (`fill`) or tell (`reject`) one helper and no other (git-credential(1)), without a prompt. None when
/// the helper has no answer.
/// A helper that runs longer than `patience` is killed: an error.
pub(crate) fn credential(
    operation: &str,
    helper: &str,
    attributes: &[u8],
    patience: Duration,
) -> Result<Option<SecretBuffer>> {
    let git = Program::new("git")
        .with_service_tokens()
        // An empty helper clears the configured ones (gitcredentials(7)).
        .args(["-c", "credential.helper=", "-c"])
        .args([format!("credential.helper={helper}")])
        .args(["-c", "credential.interactive=false"])
        .args(["credential", operation])
        // Set but empty: git tries no other askpass program.
        .env("GIT_ASKPASS", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GCM_INTERACTIVE", "never");
    let Some(output) = run(git, attributes, patience)? else {
        let patience = patience.as_secs();
        bail!(Hinted::new(
            format!("the helper does not answer within {patience} seconds"),
            "unlock it, or ask it by hand: 'git credential fill'",
        ));
    };
    let unknown = b"is not a git command";
    let mut parts = output.errors.windows(unknown.len());
    if parts.any(|part| part == unknown) {
        bail!(Hinted::new(
            "git knows no helper of that name",
            "name it as 'credential.helper' does, such as 'store' or a program's path",
        ));
    }
    Ok(Some(output.answer).filter(|_| output.code == Some(0)))
}

/// Runs git to its end; none when it does not end within `limit`.
pub(super) fn run(git: Program, input: &[u8], limit: Duration) -> Result<Option<Output>> {
    git.cap(CAP).run(input, limit).map_err(|error| {
        if is_too_long(&error) {
            return anyhow!("git prints more than {CAP} bytes");
        }
        let hint = "install git, or put it on PATH";
        anyhow!(error).context(Hinted::new("cannot start git", hint))
    })
}

pub(super) fn git(arguments: &[&str], limit: Duration) -> Result<String> {
    let what = arguments[0];
    let output = run(Program::new("git").args(arguments), b"", limit)?;
    let output = output.with_context(|| format!("git {what} did not end in time"))?;
    if output.code != Some(0) {
        let reason = String::from_utf8_lossy(&output.errors);
        let reason = reason.lines().next().unwrap_or("it does not say why");
        bail!("git {what} failed: {reason}");
    }
    Ok(String::from_utf8_lossy(&output.answer).into_owned())
}

fn parsed(list: &str, has_scopes: bool) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut fields = list.split('\0');
    loop {
        let scope = match has_scopes.then(|| fields.next()).flatten() {
            Some("system") => Scope::System,
            Some("global") => Scope::Global,
            Some("command") => Scope::Command,
            _ => Scope::Local,
        };
        let (Some(origin), Some(setting)) = (fields.next(), fields.next()) else {
            return settings;
        };
        let (key, value) = setting.split_once('\n').unwrap_or((setting, ""));
        settings.push(Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.strip_prefix("file:").unwrap_or(origin).to_owned(),
            scope,
        });
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::{credential, version_of};

    #[test]
    fn versions_are_read_whatever_the_distribution_adds() {
        for (text, read) in [
            ("2.47.3", (2, 47, 3)),
            ("2.39.5 (Apple Git-154)", (2, 39, 5)),
            ("2.47.1.windows.2", (2, 47, 1)),
            ("2.54.0-rc1", (2, 54, 0)),
            ("3.0", (3, 0, 0)),
            ("", (0, 0, 0)),
        ] {
            assert_eq!(version_of(text), read);
        }
    }

    #[test]
    fn a_helper_that_hangs_is_ended_with_all_it_started() {
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
        .err()
        .expect("time is up");
        assert!(error.to_string().contains("does not answer"), "{error}");
        std::thread::sleep(Duration::from_millis(1500));
        let text = std::fs::read_to_string(marker.path()).expect("text");
        assert_eq!(text, "", "nothing of it is left to write");
    }
}
