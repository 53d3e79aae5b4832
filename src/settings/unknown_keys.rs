//! Reports the keys of a settings file that mean nothing.

use std::path::Path;

use anyhow::Result;
use toml::de::{DeTable, DeValue};

use crate::bitbucket;
use crate::settings::toml_file::{line_at, syntax, text};
use crate::sys::files;

/// The keys this version knows; a table ends with a dot.
const KNOWN: [&str; 26] = [
    "hosts",
    "lookup",
    "store.",
    "store.default",
    "store.exec.",
    "store.exec.program",
    "store.file.",
    "store.file.path",
    "store.file.key",
    "store.folder.",
    "store.folder.path",
    "store.folder.host",
    "store.vault.",
    "store.vault.address",
    "store.vault.namespace",
    "store.vault.ca",
    "store.vault.mount",
    "store.vault.version",
    "store.vault.path",
    "store.vault.host",
    "store.vault.auth",
    "store.vault.auth_mount",
    "store.vault.role",
    "store.vault.role_id_file",
    "store.vault.secret_id_file",
    "store.vault.jwt_file",
];
/// Only the machine's file has a policy. The policy itself refuses unknown keys in it.
const POLICY: &str = "policy";

/// One message for each unknown key, and for a policy in the user's file, with file and line.
pub(super) fn unknown_keys(path: &Path, is_machine: bool) -> Result<Vec<String>> {
    let Some(content) = files::read_trusted(path)? else {
        return Ok(Vec::new());
    };
    let text = text(path, &content)?;
    let table = syntax(path, text)?;
    let mut unknown = Vec::new();
    collect_unknown(&table, "", &mut |start, key| {
        let place = format!("{}:{}", path.display(), line_at(text, start));
        match (key, is_machine) {
            (POLICY, true) => return,
            (POLICY, false) => {
                unknown.push(format!(
                    "'{POLICY}' in {place} means nothing: only the machine's own settings have one"
                ));
                return;
            }
            _ => {}
        }
        // The key may be a pasted token.
        let is_secret = key.split('.').any(bitbucket::looks_like_a_secret);
        let key = if is_secret { "(a secret)" } else { key };
        unknown.push(format!("unknown key in {place}: '{key}'"));
    });
    Ok(unknown)
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
