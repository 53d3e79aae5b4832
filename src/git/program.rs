//! The one way to start git: what it says of itself and of its settings, and what it asks other helpers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::git::context::Host;
use crate::sys::child::{Output, Program, is_too_long};
use crate::sys::error::Hinted;
use crate::sys::secret::SecretBuffer;

/// How long git may take for somebody who waits at a terminal.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How much git may print: all matching lines of a large repository.
const CAP: usize = 1 << 26;

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
    Ok(parsed(&git(
        &["config", "--list", "--show-origin", "-z"],
        PATIENCE,
    )?))
}

/// The settings in one configuration file and those that it includes; none where there is no such file.
pub(crate) fn settings_in(path: &Path) -> Vec<Setting> {
    let list = path.to_str().map(|path| {
        let from = ["config", "--file", path, "--includes"];
        git(
            &[&from[..], &["--list", "--show-origin", "-z"]].concat(),
            PATIENCE,
        )
    });
    list.and_then(Result::ok)
        .map_or_else(Vec::new, |list| parsed(&list))
}

/// git's version, as `git version` prints it after these words.
///
/// # Errors
/// When git cannot be started or fails.
pub(crate) fn version() -> Result<String> {
    let line = git(&["version"], PATIENCE)?;
    let line = line.trim();
    Ok(line.strip_prefix("git version ").unwrap_or(line).to_owned())
}

/// The folder in which git looks for its commands before it looks on PATH.
///
/// # Errors
/// When git cannot be started or fails.
pub(crate) fn exec_path() -> Result<PathBuf> {
    Ok(git(&["--exec-path"], PATIENCE)?
        .trim_end_matches('\n')
        .into())
}

/// Whether a setting such as `credential.useHttpPath` is true for a URL, which must hold no secret.
pub(crate) fn is_true(name: &str, url: &str) -> bool {
    let value = git(
        &["config", "--type=bool", "--get-urlmatch", name, url],
        PATIENCE,
    );
    value.is_ok_and(|value| value.trim() == "true")
}

/// The number that a setting such as `http.postBuffer` is for a host, if it is set and is one.
pub(crate) fn number(name: &str, host: &Host) -> Option<u64> {
    let url = format!("https://{host}/");
    let value = git(
        &["config", "--type=int", "--get-urlmatch", name, &url],
        PATIENCE,
    )
    .ok()?;
    value.trim().parse().ok()
}

/// The value of a setting that has no host, as git sees it from here.
pub(crate) fn plain_setting(name: &str, limit: Duration) -> Option<String> {
    let value = git(&["config", "--get", name], limit).ok()?;
    Some(value.trim_end_matches('\n').to_owned())
}

/// The value that a setting such as `http.proxy` has for a host; nothing when it has none, or git cannot be asked.
pub(crate) fn setting(name: &str, host: &Host) -> Option<String> {
    let url = format!("https://{host}/");
    let value = git(&["config", "--get-urlmatch", name, &url], PATIENCE).ok()?;
    Some(value.trim_end_matches('\n').to_owned())
}

/// The value that a setting has for a host in git's system, global and command scope alone (git-config(1), "SCOPES"). What a
/// repository says does not count.
pub(super) fn own_setting(name: &str, host: &Host, limit: Duration) -> Option<String> {
    let url = format!("https://{host}/");
    // Where no repository is, git reads no configuration of one.
    let nowhere = Path::new(NULL_DEVICE).join("no-repository");
    let git = Program::new("git")
        .env("GIT_DIR", nowhere)
        .without("GIT_COMMON_DIR");
    let git = git.args(["config", "--get-urlmatch", name, &url]);
    let output = run(git, b"", limit).ok()??;
    let value = String::from_utf8_lossy(&output.answer);
    (output.code == Some(0)).then(|| value.trim_end_matches('\n').to_owned())
}

const NULL_DEVICE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

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
) -> Result<Option<SecretBuffer>> {
    let git = Program::new("git")
        .with_service_tokens()
        // An empty helper clears what the files say (gitcredentials(7)).
        .args(["-c", "credential.helper=", "-c"])
        .args([format!("credential.helper={helper}")])
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
    let Some(output) = run(git, attributes, patience)? else {
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

/// Runs git to its end; none when it does not end within `limit`.
pub(super) fn run(git: Program, input: &[u8], limit: Duration) -> Result<Option<Output>> {
    git.cap(CAP).run(input, limit).map_err(|error| {
        if is_too_long(&error) {
            return anyhow!("git prints more than {CAP} bytes");
        }
        anyhow::Error::from(error).context(Hinted::new(
            "cannot start git",
            "install git, or put it on PATH",
        ))
    })
}

pub(super) fn git(arguments: &[&str], limit: Duration) -> Result<String> {
    let what = arguments[0];
    let output = run(Program::new("git").args(arguments), b"", limit)?;
    let output = output.with_context(|| format!("git {what} did not end in time"))?;
    if output.code != Some(0) {
        let reason = String::from_utf8_lossy(&output.errors);
        bail!(
            "git {what} failed: {}",
            reason.lines().next().unwrap_or("it does not say why")
        );
    }
    Ok(String::from_utf8_lossy(&output.answer).into_owned())
}

/// What `git config --list --show-origin -z` gives.
pub(super) fn parsed(list: &str) -> Vec<Setting> {
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

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::credential;

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
        .expect_err("time is up");
        assert!(error.to_string().contains("does not answer"), "{error}");
        std::thread::sleep(Duration::from_millis(1500));
        let text = std::fs::read_to_string(marker.path()).expect("text");
        assert_eq!(text, "", "nothing of it is left to write");
    }
}
