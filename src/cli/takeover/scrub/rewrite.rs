//! Removes secrets from a file and changes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::find::{self, Found, Ours};
use super::walk::{Form, Target};
use crate::cli::takeover::Credential;
use crate::git;
use crate::git::config::{ConfigEntry, GitConfig};
use crate::sys::error::{Hinted, shell_quoted};

/// Removes the secrets that are stored, under git's own lock. If git would read the rest differently, the file stays.
/// `git config` would need the old URL as an argument, which every user of the machine can read.
pub(super) fn take_out(
    target: &Target,
    ours: &Ours,
    is_stored: &(dyn Fn(&Credential) -> bool + Sync),
) -> Result<()> {
    let path = &target.path;
    let has_gone =
        |found: &Found| !found.credentials.is_empty() && found.credentials.iter().all(is_stored);
    if let Form::Text { lock } = &target.form {
        let lock = lock.clone().unwrap_or_else(|| git::lock_of(path));
        let change = |text: &[u8]| {
            let found = find::in_text(text, ours).found;
            let cuts = cuts(found.iter().filter(|found| has_gone(found)));
            Ok(Some(without(text, &cuts)))
        };
        return git::edit(path, &lock, change, |_| Ok(()));
    }
    let not_as_meant = || {
        Hinted::new(
            format!(
                "git would read '{}' differently without the secret",
                path.display()
            ),
            format!(
                "remove it by hand: git config --file {} --edit",
                shell_quoted(&path.to_string_lossy())
            ),
        )
    };
    let change = |text: &[u8]| {
        let new = config_without(text, ours, &has_gone);
        Ok(Some(new.ok_or_else(not_as_meant)?))
    };
    let check = |draft: &Path| {
        let text = Zeroizing::new(fs::read(draft)?);
        let meant = GitConfig::parse(&text).and_then(|config| config.list_without(&[]));
        match git::list_of(draft) {
            Ok(list) if meant.as_ref().is_some_and(|meant| meant[..] == list[..]) => Ok(()),
            _ => bail!(not_as_meant()),
        }
    };
    git::edit(path, &git::lock_of(path), change, check)
}

/// A configuration file without the removed secrets; `None` if it cannot be read or the rest would change.
pub(crate) fn config_without(
    text: &[u8],
    ours: &Ours,
    has_gone: &dyn Fn(&Found) -> bool,
) -> Option<Zeroizing<Vec<u8>>> {
    let (config, findings) = find::in_config(text, ours)?;
    let mut cuts = cuts(findings.found.iter().filter(|found| has_gone(found)));
    let meant = config.list_without(&cuts)?;
    whole_lines(text, &config, &mut cuts);
    let new = without(text, &cuts);
    let list = GitConfig::parse(&new)?.list_without(&[])?;
    (*list == *meant).then_some(new)
}

fn cuts<'a>(found: impl Iterator<Item = &'a Found>) -> Vec<Range<usize>> {
    let cuts = found.map(|found| found.cut.clone());
    let mut cuts: Vec<Range<usize>> = cuts.filter(|cut| !cut.is_empty()).collect();
    cuts.sort_by_key(|cut| cut.start);
    cuts
}

fn without(text: &[u8], cuts: &[Range<usize>]) -> Zeroizing<Vec<u8>> {
    let mut rest = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut position = 0;
    for cut in cuts {
        rest.extend_from_slice(&text[position..cut.start.max(position)]);
        position = cut.end.max(position);
    }
    rest.extend_from_slice(&text[position..]);
    rest
}

/// Widens a removed setting to its whole line, and to its section's header if the section becomes empty.
fn whole_lines(text: &[u8], config: &GitConfig, cuts: &mut Vec<Range<usize>>) {
    let is_gone = |entry: &ConfigEntry| {
        let cut = cuts.binary_search_by_key(&entry.span.start, |cut| cut.start);
        cut.is_ok_and(|cut| cuts[cut] == entry.span)
    };
    let mut gone: BTreeMap<usize, Vec<&ConfigEntry>> = BTreeMap::new();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    for entry in &config.entries {
        *numbers.entry(entry.section).or_default() += 1;
        if is_gone(entry) {
            gone.entry(entry.section).or_default().push(entry);
        }
    }
    let starts: BTreeSet<usize> = gone.values().flatten().map(|it| it.span.start).collect();
    cuts.retain(|cut| !starts.contains(&cut.start));
    for (index, gone) in gone {
        let next = config.sections.get(index + 1);
        let place = config.sections[index].start..next.map_or(text.len(), |next| next.start);
        let stays = |comment: &Range<usize>| {
            let is_within = |entry: &&ConfigEntry| entry.span.contains(&comment.start);
            !gone.iter().any(is_within)
        };
        let comments = &config.comments;
        let first = comments.partition_point(|comment| comment.start < place.start);
        let end = comments.partition_point(|comment| comment.start < place.end);
        if numbers[&index] == gone.len() && !comments[first..end].iter().any(stays) {
            cuts.push(place);
        } else {
            cuts.extend(gone.iter().map(|entry| whole_line(text, &entry.span)));
        }
    }
    cuts.sort_by_key(|cut| cut.start);
}

/// The setting with its indentation and line break, or without both if it follows its section's header.
fn whole_line(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let blanks = text[..span.start].iter().rev().take_while(is_blank).count();
    let start = span.start - blanks;
    if start == 0 || text[start - 1] == b'\n' {
        return start..span.end;
    }
    let line = &text[span.clone()];
    span.start..span.start + line.trim_ascii_end().len()
}
