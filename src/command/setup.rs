//! `setup`: puts the helper into git's configuration, alone for our hosts, and takes it out again.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::bitbucket::{self, API_HOST};
use crate::cli::Setup;
use crate::context::Host;
use crate::error::Hinted;
use crate::file;
use crate::git::{self, Helper};
use crate::lookup::Lookup;

/// What was written, so that just that can be taken back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    #[serde(default, rename = "file")]
    files: Vec<Written>,
}

/// What was written into one of git's configuration files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Written {
    path: PathBuf,
    /// There was no such file.
    created: bool,
    /// What was put between its old end and the sections: a newline where there was none, and one more after a line
    /// that continued.
    separator: String,
    sections: Vec<Section>,
}

/// A section as it stands in the file, line by line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Section {
    header: String,
    lines: Vec<String>,
}

/// # Errors
/// When a foreign helper for Bitbucket would be disturbed, or git's configuration cannot be written.
pub(crate) fn run(arguments: &Setup) -> Result<ExitCode> {
    let lookup = Lookup::default();
    let path = git::config_file(arguments.system)?;
    if arguments.undo {
        return undo(&lookup, &path);
    }
    let accounts = lookup.accounts()?;
    let hosts = hosts(&lookup, &accounts)?;
    let before = chains(&hosts)?;
    if !arguments.force {
        refuse_foreign(&before)?;
    }
    let sections = sections(&hosts, &accounts)?;
    let changed = apply(&lookup, &path, &sections)?;
    verify(&lookup, &path)?;
    let list = hosts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" and ");
    super::tell(&if changed {
        format!(
            "git now asks this helper for {list} (written to '{}')",
            path.display()
        )
    } else {
        format!("git asks this helper for {list} already")
    });
    name_those_cut_off(&before, &chains(&hosts)?);
    super::warn_of_the_chain(&hosts, "take it out of that file: it stands behind ours");
    Ok(ExitCode::SUCCESS)
}

/// Brings what an earlier setup wrote up to date with the accounts; nothing when there was none, or when somebody has
/// taken it out by hand.
///
/// # Errors
/// When git's configuration cannot be written.
pub(crate) fn refresh(lookup: &Lookup) -> Result<()> {
    let record = Record::read(lookup)?;
    if record.files.is_empty() {
        return Ok(());
    }
    let accounts = lookup.accounts()?;
    let sections = sections(&hosts(lookup, &accounts)?, &accounts)?;
    for written in record.files {
        let is_there = |text: String| without(&text, &written).is_some();
        if std::fs::read_to_string(&written.path).is_ok_and(is_there) {
            apply(lookup, &written.path, &sections)?;
        }
    }
    Ok(())
}

/// git itself has to see what was written; otherwise it is taken back.
fn verify(lookup: &Lookup, path: &Path) -> Result<()> {
    let value = helper_value()?;
    if git::values_in(path, "credential.https://bitbucket.org.helper")?.contains(&value) {
        return Ok(());
    }
    undo(lookup, path)?;
    bail!(Hinted::new(
        format!(
            "git does not see what was written to '{}', and it was taken back",
            path.display()
        ),
        format!(
            "look for a mistake in the file: git config --file '{}' --list",
            path.display()
        ),
    ))
}

/// The hosts for which git should ask us: Bitbucket Cloud, and what accounts or the configuration name.
fn hosts(lookup: &Lookup, accounts: &Accounts) -> Result<Vec<Host>> {
    Ok(hosts_of(accounts, &lookup.config()?.hosts))
}

/// The same, given the hosts that the configuration names.
pub(super) fn hosts_of(accounts: &Accounts, configured: &[Host]) -> Vec<Host> {
    let mut hosts = vec![
        bitbucket::cloud(),
        API_HOST.parse().expect("a well-formed host"),
    ];
    let others: BTreeSet<&Host> = accounts
        .iter()
        .map(|account| &account.host)
        .chain(configured)
        .collect();
    hosts.extend(
        others
            .into_iter()
            .filter(|host| !bitbucket::is_cloud(host))
            .cloned(),
    );
    hosts
}

fn chains(hosts: &[Host]) -> Result<Vec<(Host, Vec<Helper>)>> {
    hosts
        .iter()
        .map(|host| Ok((host.clone(), git::helpers(host)?)))
        .collect()
}

fn refuse_foreign(chains: &[(Host, Vec<Helper>)]) -> Result<()> {
    let foreign = |helper: &&Helper| helper.is_for_host() && !helper.is_ours();
    match chains.iter().flat_map(|(_, helpers)| helpers).find(foreign) {
        None => Ok(()),
        Some(helper) => bail!(Hinted::new(
            format!(
                "'{}' in '{}' names another helper, '{}'",
                helper.key,
                helper.origin,
                helper.shown()
            ),
            "to put this one in its place: 'git credential-bitbucket setup --force'",
        )),
    }
}

fn name_those_cut_off(before: &[(Host, Vec<Helper>)], after: &[(Host, Vec<Helper>)]) {
    let mut told: Vec<&str> = Vec::new();
    for ((host, before), (_, after)) in before.iter().zip(after) {
        for helper in before
            .iter()
            .filter(|helper| !helper.is_ours() && !after.contains(helper))
        {
            if told.contains(&helper.value.as_str()) {
                continue;
            }
            told.push(&helper.value);
            super::tell(&format!(
                "The helper '{}' in '{}' is no longer asked for {host}, nor handed its credentials",
                helper.shown(),
                helper.origin
            ));
        }
    }
}

fn helper_value() -> Result<String> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    git::helper_value(&program)
}

/// The sections that make git ask us, and nobody else: the empty helper cuts the chain (gitcredentials(7)), since git
/// hands what worked to every helper of the chain, and `store` would write it to a plain file.
fn sections(hosts: &[Host], accounts: &Accounts) -> Result<Vec<Section>> {
    let value = git::quoted(&helper_value()?);
    let section = |host: &Host| {
        let home = bitbucket::home_of(host);
        let has_scopes = accounts
            .iter()
            .any(|account| account.host == home && !account.scopes.is_empty());
        let mut lines = vec!["\thelper =".to_owned(), format!("\thelper = {value}")];
        if *host == bitbucket::cloud() || has_scopes {
            lines.push("\tuseHttpPath = true".to_owned());
        }
        Section {
            header: format!("[credential \"https://{host}\"]"),
            lines,
        }
    };
    Ok(hosts.iter().map(section).collect())
}

/// Writes the sections to the end of the file, in place of what an earlier setup wrote; whether anything changed.
fn apply(lookup: &Lookup, path: &Path, sections: &[Section]) -> Result<bool> {
    let before = Record::read(lookup)?;
    let mut record = before.clone();
    let earlier = record.take(path);
    let mut changed = false;
    let is_new = !path.exists();
    let edited = git::edit_config(path, |text| {
        let bare = earlier.as_ref().and_then(|written| without(text, written));
        let bare = bare.unwrap_or_else(|| text.to_owned());
        let written = Written {
            path: path.to_owned(),
            created: earlier.as_ref().map_or(is_new, |written| written.created),
            separator: separator_after(&bare).to_owned(),
            sections: sections.to_vec(),
        };
        let block: String = sections.iter().map(Section::text).collect();
        let new = format!("{bare}{}{block}", written.separator);
        changed = new != text;
        // First the record: of what is written but not recorded nobody could take anything back.
        record.files.push(written);
        record.write(lookup)?;
        Ok(Some(new))
    });
    if edited.is_err() {
        before.write(lookup)?;
    }
    edited.map(|()| changed)
}

/// git-config(1), "Syntax": a line that ends with a backslash goes on, and would swallow our first header.
fn separator_after(text: &str) -> &'static str {
    let has_newline = text.is_empty() || text.ends_with('\n');
    let last = text.strip_suffix('\n').unwrap_or(text);
    let last = last.strip_suffix('\r').unwrap_or(last);
    let backslashes = last.bytes().rev().take_while(|&byte| byte == b'\\').count();
    match (has_newline, backslashes % 2 == 1) {
        (true, false) => "",
        (true, true) | (false, false) => "\n",
        (false, true) => "\n\n",
    }
}

fn undo(lookup: &Lookup, path: &Path) -> Result<ExitCode> {
    let mut record = Record::read(lookup)?;
    let Some(written) = record.take(path) else {
        super::tell(&format!("There is nothing of ours in '{}'", path.display()));
        return Ok(ExitCode::SUCCESS);
    };
    let mut was_there = false;
    if path.exists() {
        git::edit_config(path, |text| {
            let bare = without(text, &written);
            was_there = bare.is_some();
            let bare = bare.unwrap_or_else(|| text.to_owned());
            Ok(Some(bare).filter(|bare| !(written.created && bare.trim().is_empty())))
        })?;
    }
    let value = helper_value()?;
    if path.exists()
        && git::values_in(path, "credential.https://bitbucket.org.helper")?.contains(&value)
    {
        bail!(Hinted::new(
            format!(
                "'{}' names this helper in a way that setup did not write",
                path.display()
            ),
            format!(
                "take it out by hand: git config --file '{}' --edit",
                path.display()
            ),
        ));
    }
    record.write(lookup)?;
    super::tell(&if was_there {
        format!("Took out of '{}' what setup had put there", path.display())
    } else {
        format!(
            "What setup had put into '{}' is not there any more",
            path.display()
        )
    });
    Ok(ExitCode::SUCCESS)
}

/// The text without what was written, if any of it is there; what somebody has added since stays, also within our
/// sections.
fn without(text: &str, written: &Written) -> Option<String> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut was_there = false;
    let mut is_at_end = true;
    for section in written.sections.iter().rev() {
        match remove(&mut lines, section) {
            Some(stood_at_end) => {
                was_there = true;
                is_at_end &= stood_at_end;
            }
            None => is_at_end = false,
        }
    }
    let rest = lines.concat();
    let rest = match rest.strip_suffix(written.separator.as_str()) {
        Some(bare) if is_at_end => bare.to_owned(),
        _ => rest,
    };
    was_there.then_some(rest)
}

/// Takes out the lines of a section, however they are indented by now; whether nothing stood behind them. Nothing when
/// the section is not there.
fn remove(lines: &mut Vec<&str>, section: &Section) -> Option<bool> {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let end_of = |lines: &[&str], start: usize| {
        let length = lines[start + 1..].iter().position(|line| is_header(line));
        length.map_or(lines.len(), |length| start + 1 + length)
    };
    let is_own = |line: &str| section.lines.iter().any(|own| own.trim() == line.trim());
    let is_ours = |start: &usize| {
        let mut body = lines[start + 1..end_of(lines, *start)]
            .iter()
            .filter(|line| !line.trim().is_empty())
            .peekable();
        let names_us = |line: &&&str| {
            section
                .lines
                .get(1)
                .is_some_and(|own| own.trim() == line.trim())
        };
        let is_nothing_else = body.peek().is_some() && body.clone().all(|line| is_own(line));
        lines[*start].trim() == section.header
            && (is_nothing_else || body.any(|line| names_us(&line)))
    };
    let start = (0..lines.len()).rev().find(is_ours)?;
    for own in &section.lines {
        let mut body = start + 1..end_of(lines, start);
        if let Some(position) = body.find(|position| lines[*position].trim() == own.trim()) {
            lines.remove(position);
        }
    }
    if end_of(lines, start) == start + 1 {
        lines.remove(start);
    }
    Some(start == lines.len())
}

impl Section {
    fn text(&self) -> String {
        let mut text = format!("{}\n", self.header);
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl Record {
    fn read(lookup: &Lookup) -> Result<Self> {
        let path = lookup.locations()?.setup();
        let Some(content) = file::read_private(&path)? else {
            return Ok(Self::default());
        };
        let record = std::str::from_utf8(&content)
            .ok()
            .and_then(|text| toml::from_str(text).ok());
        record.with_context(|| {
            let hint = format!(
                "take the helper out of git's configuration by hand, and move '{}' away",
                path.display()
            );
            Hinted::new(format!("'{}' is damaged", path.display()), hint)
        })
    }

    fn write(&self, lookup: &Lookup) -> Result<()> {
        let path = lookup.locations()?.setup();
        if self.files.is_empty() {
            return file::remove(&path);
        }
        file::write_private(&path, toml::to_string(self)?.as_bytes())
    }

    fn take(&mut self, path: &Path) -> Option<Written> {
        let position = self.files.iter().position(|written| written.path == path)?;
        Some(self.files.remove(position))
    }
}

#[cfg(test)]
mod tests {
    use super::{Section, Written, separator_after, without};

    fn written(separator: &str) -> (Written, String) {
        let section = |host: &str| Section {
            header: format!("[credential \"https://{host}\"]"),
            lines: vec![
                "\thelper =".to_owned(),
                "\thelper = /x".to_owned(),
                "\tuseHttpPath = true".to_owned(),
            ],
        };
        let sections = vec![section("bitbucket.org"), section("api.bitbucket.org")];
        let block = sections.iter().map(Section::text).collect();
        (
            Written {
                path: "x".into(),
                created: false,
                separator: separator.to_owned(),
                sections,
            },
            block,
        )
    }

    #[test]
    fn what_was_there_before_comes_back_to_the_byte() {
        for (before, separator) in [
            ("", ""),
            ("[user]\n\tname = Ada\n", ""),
            ("# a\n\n", ""),
            ("[user]\n\tname = Ada", "\n"),
            ("[alias]\n\tx = status \\", "\n\n"),
            ("[alias]\n\tx = status \\\n", "\n"),
            ("[alias]\n\tx = status \\\r\n", "\n"),
            ("[alias]\n\tx = a\\\\\n", ""),
        ] {
            assert_eq!(separator_after(before), separator, "{before:?}");
            let (written, block) = written(separator);
            assert_eq!(
                without(&format!("{before}{separator}{block}"), &written).as_deref(),
                Some(before)
            );
        }
    }

    #[test]
    fn later_edits_stay() {
        let (written, block) = written("\n");
        let after = format!("[user]\n{block}[alias]\n\tst = status\n");
        assert_eq!(
            without(&after, &written).as_deref(),
            Some("[user]\n[alias]\n\tst = status\n")
        );

        let within = block.replacen("\thelper = /x\n", "\thelper = /x\n\tusername = ada\n", 1);
        let kept = "[credential \"https://bitbucket.org\"]\n\tusername = ada\n";
        assert_eq!(
            without(&format!("[user]\n{within}"), &written),
            Some(format!("[user]\n{kept}"))
        );

        let indented = block.replace('\t', "    ");
        assert_eq!(
            without(&format!("[user]\n{indented}"), &written).as_deref(),
            Some("[user]")
        );

        let unset = block.replace("\thelper =\n\thelper = /x\n", "");
        assert_eq!(
            without(&format!("[user]\n{unset}"), &written).as_deref(),
            Some("[user]")
        );
    }

    #[test]
    fn a_section_of_the_user_for_the_same_host_stays() {
        let (written, block) = written("");
        let own = "[credential \"https://bitbucket.org\"]\n\thelper = cache\n";
        assert_eq!(
            without(&format!("{own}{block}"), &written).as_deref(),
            Some(own)
        );
        assert_eq!(
            without(&format!("{block}{own}"), &written).as_deref(),
            Some(own)
        );
        assert_eq!(without(own, &written), None);
    }
}
