//! Reads and parses a settings file, and finds the keys in it that mean nothing. Its errors name the line and never show
//! a value: it may be a pasted token.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::account::file::{describe, line_at};
use crate::sys::{Hinted, files};

/// The machine's settings file, read once, so that settings and policy come from the same content.
pub(crate) struct MachineFile {
    pub(crate) path: PathBuf,
    /// Empty if there is no such file.
    pub(crate) content: Zeroizing<Vec<u8>>,
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
            Ok(content.unwrap_or_default())
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
    let (text, table) = syntax(path, content)?;
    T::deserialize(toml::Deserializer::from(table)).map_err(|error| {
        let line = error.span().map_or(0, |span| line_at(text, span.start));
        let what = if error.message().starts_with("unknown field") {
            "unknown key"
        } else {
            "invalid value"
        };
        broken(path, &format!("line {line}: {what}"))
    })
}

fn syntax<'a>(path: &Path, content: &'a [u8]) -> Result<(&'a str, Spanned<DeTable<'a>>)> {
    let text = str::from_utf8(content).map_err(|_| broken(path, "it is not UTF-8"))?;
    let table = DeTable::parse(text).map_err(|error| broken(path, &describe(&error, text)))?;
    Ok((text, table))
}

fn broken(path: &Path, what: &str) -> anyhow::Error {
    let shown = path.display();
    anyhow!("{what}").context(Hinted::new(
        format!("cannot parse '{shown}'"),
        format!("fix it: 'man git-credential-bitbucket' tells what '{shown}' may say"),
    ))
}

/// The keys of each table that this version knows.
const KNOWN: [(&str, &str); 6] = [
    ("", "environment hosts lookup oauth store"),
    ("store", "default exec file folder vault"),
    ("store.exec", "program"),
    ("store.file", "path key"),
    ("store.folder", "path host"),
    (
        "store.vault",
        "address namespace ca mount version path host auth auth_mount role role_id_file secret_id_file jwt_file",
    ),
];
/// Only the machine's file has a policy. The policy itself refuses unknown keys in it.
const POLICY: &str = "policy";

/// One message for each unknown key, and for a policy in the user's file, with file and line.
pub(super) fn unknown_keys(path: &Path, is_machine: bool) -> Result<Vec<String>> {
    let content = files::read_trusted(path)?.unwrap_or_default();
    let (text, table) = syntax(path, &content)?;
    let mut unknown = Vec::new();
    collect_unknown(table.get_ref(), "", &mut |start, key| {
        let place = format!("{}:{}", path.display(), line_at(text, start));
        match key {
            POLICY if is_machine => {}
            POLICY => unknown.push(format!(
                "'{POLICY}' in {place} has no effect: only the machine's own settings have one"
            )),
            _ => unknown.push(format!("unknown key in {place}: '{key}'")),
        }
    });
    Ok(unknown)
}

fn collect_unknown(table: &DeTable<'_>, name: &str, found: &mut impl FnMut(usize, &str)) {
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    let known = match name.strip_prefix("oauth.") {
        Some(_) => "client_id",
        None => known.map_or("", |(_, keys)| keys),
    };
    for (key, value) in table {
        let (own, start) = (key.get_ref(), key.span().start);
        let path = match name {
            "" => own.to_string(),
            _ => format!("{name}.{own}"),
        };
        // The keys of `oauth` are hosts.
        if name != "oauth" && !known.split(' ').any(|known| known == own) {
            found(start, &path);
        } else if let DeValue::Table(inner) = value.get_ref() {
            collect_unknown(inner, &path, found);
        }
    }
}
