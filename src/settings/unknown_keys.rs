//! Reports the keys of a settings file that mean nothing.

use std::path::Path;

use anyhow::Result;
use toml::de::{DeTable, DeValue};

use crate::account::file::line_at;
use crate::bitbucket;
use crate::settings::toml_file::{syntax, text};
use crate::sys::files;

/// The keys of each table that this version knows.
const KNOWN: [(&str, &str); 6] = [
    ("", "hosts lookup store"),
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
    let Some(content) = files::read_trusted(path)? else {
        return Ok(Vec::new());
    };
    let text = text(path, &content)?;
    let mut unknown = Vec::new();
    collect_unknown(&syntax(path, text)?, "", &mut |start, key| {
        let place = format!("{}:{}", path.display(), line_at(text, start));
        // The key may be a pasted token.
        let is_secret = key.split('.').any(bitbucket::looks_like_a_secret);
        match key {
            POLICY if is_machine => {}
            POLICY => unknown.push(format!(
                "'{POLICY}' in {place} means nothing: only the machine's own settings have one"
            )),
            _ if is_secret => unknown.push(format!("unknown key in {place}: '(a secret)'")),
            _ => unknown.push(format!("unknown key in {place}: '{key}'")),
        }
    });
    Ok(unknown)
}

fn collect_unknown(table: &DeTable<'_>, name: &str, found: &mut impl FnMut(usize, &str)) {
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    let known = known.map_or("", |(_, keys)| keys);
    for (key, value) in table {
        let (own, start) = (key.get_ref(), key.span().start);
        let path = match name {
            "" => own.to_string(),
            _ => format!("{name}.{own}"),
        };
        if !known.split(' ').any(|known| known == own) {
            found(start, &path);
        } else if let DeValue::Table(inner) = value.get_ref() {
            collect_unknown(inner, &path, found);
        }
    }
}
