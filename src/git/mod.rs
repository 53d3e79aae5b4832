//! The one place which starts `git`: what it says of itself and of its settings, and what it asks other helpers.

pub(crate) mod config;
pub(crate) mod context;
mod files;
mod grep;
mod helpers;
pub(crate) mod protocol;
pub(crate) mod route;
pub(crate) mod url;
pub(crate) mod username;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use crate::git::context::Host;
use crate::sys::child::{self, Output};
use crate::sys::error::Hinted;

pub(crate) use self::files::{
    config_file, config_folder, edit, edit_config, global_config_files, list_of, lock_of, quoted,
    values_in,
};
pub(crate) use self::grep::grep;
pub(crate) use self::helpers::{Helper, chain, helper_value, helpers, matches_host};

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

/// The settings in one configuration file and those that it includes; none where there is no such file.
pub(crate) fn settings_in(path: &Path) -> Vec<Setting> {
    let list = path.to_str().map(|path| {
        let from = ["config", "--file", path, "--includes"];
        git(&[&from[..], &["--list", "--show-origin", "-z"]].concat())
    });
    list.and_then(Result::ok)
        .map_or_else(Vec::new, |list| parsed(&list))
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
