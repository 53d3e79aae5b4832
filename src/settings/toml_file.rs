//! Reads and parses a settings file. Its errors name the line and never show a value: it may be a pasted token.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use toml::de::DeTable;
use zeroize::Zeroizing;

use crate::account::file::{describe, line_at};
use crate::sys::error::Hinted;
use crate::sys::files;

/// The machine's settings file, read once, so that settings and policy come from the same content.
pub(crate) struct MachineFile {
    pub(crate) path: PathBuf,
    /// None if there is no such file.
    pub(crate) content: Option<Zeroizing<Vec<u8>>>,
}

impl MachineFile {
    /// Fails also when other users could have written it, or for a dangling link: an unmounted disk lifts no policy.
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

/// The error of a machine's file that cannot be read: it may forbid anything, so nothing is allowed.
pub(crate) fn not_known() -> Hinted {
    Hinted::new(
        "the policy of this machine is not known",
        "have the file fixed by whoever administers this machine: until then nothing is allowed",
    )
}

pub(crate) fn parse<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<T> {
    let text = text(path, content)?;
    syntax(path, text)?;
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_at(text, span.start));
        let what = if error.message().starts_with("unknown field") {
            "unknown key"
        } else {
            "invalid value"
        };
        broken(path, &format!("line {line}: {what}"))
    })
}

pub(super) fn syntax<'a>(path: &Path, text: &'a str) -> Result<DeTable<'a>> {
    let table = DeTable::parse(text).map_err(|error| broken(path, &describe(&error, text)))?;
    Ok(table.into_inner())
}

pub(super) fn text<'a>(path: &Path, content: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(content).map_err(|_| broken(path, "it is not UTF-8"))
}

fn broken(path: &Path, what: &str) -> anyhow::Error {
    let message = format!("cannot parse '{}'", path.display());
    anyhow!("{what}").context(Hinted::new(
        message,
        format!(
            "fix it: 'man git-credential-bitbucket' tells what '{}' may say",
            path.display()
        ),
    ))
}
