//! Removes secrets from a file and changes nothing else.

use std::ops::Range;

use anyhow::Result;
use zeroize::Zeroizing;

use super::find::{self, Found};
use super::walk::{Form, Target};
use crate::cli::takeover::{Plan, whole_lines, without};
use crate::git::config::ConfigEntry;
use crate::git::{self, GitConfig, Host};
use crate::sys::{Hinted, SecretBuffer, shell_quoted};

/// Removes the secrets that are stored, under git's own lock. If git would read the rest differently, the file stays.
/// `git config` would need the old URL as an argument, which every user of the machine can read.
pub(super) fn take_out(target: &Target, hosts: &[Host], plan: &Plan) -> Result<()> {
    let path = &target.path;
    let has_gone = |found: &Found| plan.has(&found.credentials);
    let new_config = |text: &[u8]| {
        let (new, meant) = config_without(text, hosts, &has_gone)?;
        let list = git::list_of(&new)?;
        (*list == *meant).then_some(new)
    };
    let not_as_meant = || {
        let path = path.to_string_lossy();
        Hinted::new(
            format!("git would read '{path}' differently without the secret"),
            format!(
                "remove it by hand: git config --file {} --edit",
                shell_quoted(&path)
            ),
        )
    };
    let change = |text: &[u8]| {
        let new = if target.form == Form::Text {
            let found = find::in_text(text, hosts).found;
            without(text, &places(found, &has_gone))
        } else {
            new_config(text).ok_or_else(not_as_meant)?
        };
        Ok(Some(new))
    };
    git::edit(path, target.locked.as_ref().unwrap_or(path), change)
}

/// A configuration file without the removed secrets, and what git's list of it has to be; `None` if it cannot be read.
pub(crate) fn config_without(
    text: &[u8],
    hosts: &[Host],
    has_gone: &dyn Fn(&Found) -> bool,
) -> Option<(Zeroizing<Vec<u8>>, SecretBuffer)> {
    let (config, findings) = find::in_config(text, hosts)?;
    let places = places(findings.found, has_gone);
    let new = without(text, &widened(text, &config, &places));
    Some((new, config.list_without(&places)?))
}

/// The places of the removed secrets, in their order.
fn places(found: Vec<Found>, has_gone: &dyn Fn(&Found) -> bool) -> Vec<Range<usize>> {
    let gone = found.into_iter().filter(has_gone);
    gone.map(|found| found.place).collect()
}

/// Widens a removed setting to its whole line, and to its section's header if the section becomes empty.
fn widened(text: &[u8], config: &GitConfig, places: &[Range<usize>]) -> Vec<Range<usize>> {
    // Nothing but a whole setting starts where a setting does.
    let start = |entry: &ConfigEntry| entry.span.start;
    let setting_at =
        |place: &Range<usize>| config.entries.binary_search_by_key(&place.start, start);
    let place_of = |entry| places.binary_search_by_key(&start(entry), |place| place.start);
    let others = places.iter().filter(|place| setting_at(place).is_err());
    let mut cuts: Vec<Range<usize>> = others.cloned().collect();
    let is_one_section = |one: &ConfigEntry, next: &ConfigEntry| one.section == next.section;
    for entries in config.entries.chunk_by(is_one_section) {
        let gone = entries.iter().filter(|entry| place_of(entry).is_ok());
        let gone: Vec<&ConfigEntry> = gone.collect();
        let index = entries[0].section;
        let next = config.sections.get(index + 1);
        let end = next.map_or(text.len(), |next| next.start);
        let section = config.sections[index].start..end;
        let comments = &config.comments;
        let first = comments.partition_point(|comment| comment.start < section.start);
        let end = comments.partition_point(|comment| comment.start < section.end);
        let is_within =
            |comment: &Range<usize>| gone.iter().any(|entry| entry.span.contains(&comment.start));
        if gone.len() == entries.len() && comments[first..end].iter().all(is_within) {
            cuts.push(section);
        } else {
            cuts.extend(gone.iter().map(|entry| {
                let length = text[entry.span.clone()].trim_ascii_end().len();
                whole_lines(text, entry.span.start..entry.span.start + length)
            }));
        }
    }
    cuts.sort_by_key(|cut| cut.start);
    cuts
}
