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
#[derive(Debug, Default, Serialize, Deserialize)]
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
    /// The file did not end with a newline.
    newline_added: bool,
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
    let changed = apply(&lookup, &path, &sections(&hosts, &accounts)?)?;
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

/// Brings what an earlier setup wrote up to date with the accounts; nothing when there was none.
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
        apply(lookup, &written.path, &sections)?;
    }
    Ok(())
}

/// The hosts for which git should ask us: Bitbucket Cloud, and what accounts or the configuration name.
fn hosts(lookup: &Lookup, accounts: &Accounts) -> Result<Vec<Host>> {
    let mut hosts = vec![
        bitbucket::cloud(),
        API_HOST.parse().expect("a well-formed host"),
    ];
    let configured = lookup.config()?.hosts;
    let others: BTreeSet<&Host> = accounts
        .iter()
        .map(|account| &account.host)
        .chain(&configured)
        .collect();
    hosts.extend(
        others
            .into_iter()
            .filter(|host| !bitbucket::is_cloud(host))
            .cloned(),
    );
    Ok(hosts)
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
                helper.key, helper.origin, helper.value
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
                helper.value, helper.origin
            ));
        }
    }
}

/// The sections that make git ask us, and nobody else: the empty helper cuts the chain (gitcredentials(7)), since git
/// hands what worked to every helper of the chain, and `store` would write it to a plain file.
fn sections(hosts: &[Host], accounts: &Accounts) -> Result<Vec<Section>> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let value = git::quoted(&git::helper_value(&program)?);
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
    let mut record = Record::read(lookup)?;
    let earlier = record.take(path);
    let mut changed = false;
    let is_new = !path.exists();
    git::edit_config(path, |text| {
        let bare = earlier
            .as_ref()
            .map_or_else(|| text.to_owned(), |written| without(text, written));
        let written = Written {
            path: path.to_owned(),
            created: earlier.as_ref().map_or(is_new, |written| written.created),
            newline_added: !bare.is_empty() && !bare.ends_with('\n'),
            sections: sections.to_vec(),
        };
        let block: String = sections.iter().map(Section::text).collect();
        let newline = if written.newline_added { "\n" } else { "" };
        let new = format!("{bare}{newline}{block}");
        changed = new != text;
        // First the record: of what is written but not recorded nobody could take anything back.
        record.files.push(written);
        record.write(lookup)?;
        Ok(Some(new))
    })?;
    Ok(changed)
}

fn undo(lookup: &Lookup, path: &Path) -> Result<ExitCode> {
    let mut record = Record::read(lookup)?;
    let Some(written) = record.take(path) else {
        super::tell(&format!("There is nothing of ours in '{}'", path.display()));
        return Ok(ExitCode::SUCCESS);
    };
    git::edit_config(path, |text| {
        let bare = without(text, &written);
        Ok(Some(bare).filter(|bare| !(written.created && bare.trim().is_empty())))
    })?;
    record.write(lookup)?;
    super::tell(&format!(
        "Took out of '{}' what setup had put there",
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The text without what was written; what somebody has added since stays, also within our sections.
fn without(text: &str, written: &Written) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut is_at_end = true;
    for section in written.sections.iter().rev() {
        is_at_end &= remove(&mut lines, section);
    }
    let mut rest = lines.concat();
    if written.newline_added && is_at_end && rest.ends_with('\n') {
        rest.pop();
    }
    rest
}

/// Takes out the lines of a section; whether nothing stood behind them.
fn remove(lines: &mut Vec<&str>, section: &Section) -> bool {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let end_of = |lines: &[&str], start: usize| {
        lines[start + 1..]
            .iter()
            .position(|line| is_header(line))
            .map_or(lines.len(), |length| start + 1 + length)
    };
    let holds = |lines: &[&str], start: usize| {
        let body = &lines[start + 1..end_of(lines, start)];
        section
            .lines
            .iter()
            .all(|own| body.iter().any(|line| line.trim_end() == own))
    };
    let is_ours =
        |start: &usize| lines[*start].trim_end() == section.header && holds(lines, *start);
    let Some(start) = (0..lines.len()).rev().find(is_ours) else {
        return false;
    };
    for own in &section.lines {
        let body = start + 1..end_of(lines, start);
        if let Some(position) = body
            .clone()
            .find(|position| lines[*position].trim_end() == own)
        {
            lines.remove(position);
        }
    }
    if end_of(lines, start) == start + 1 {
        lines.remove(start);
    }
    start == lines.len()
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
    use super::{Section, Written, without};

    fn written(newline_added: bool) -> (Written, String) {
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
                newline_added,
                sections,
            },
            block,
        )
    }

    #[test]
    fn what_was_there_before_comes_back_to_the_byte() {
        for before in [
            "",
            "[user]\n\tname = Ada\n",
            "# a\n\n",
            "[user]\n\tname = Ada",
        ] {
            let newline_added = !before.is_empty() && !before.ends_with('\n');
            let (written, block) = written(newline_added);
            let newline = if newline_added { "\n" } else { "" };
            assert_eq!(
                without(&format!("{before}{newline}{block}"), &written),
                before
            );
        }
    }

    #[test]
    fn later_edits_stay() {
        let (written, block) = written(true);
        let after = format!("[user]\n{block}[alias]\n\tst = status\n");
        assert_eq!(
            without(&after, &written),
            "[user]\n[alias]\n\tst = status\n"
        );

        let within = block.replacen("\thelper = /x\n", "\thelper = /x\n\tusername = ada\n", 1);
        let kept = "[credential \"https://bitbucket.org\"]\n\tusername = ada\n";
        assert_eq!(
            without(&format!("[user]\n{within}"), &written),
            format!("[user]\n{kept}")
        );
    }

    #[test]
    fn a_section_of_the_user_for_the_same_host_stays() {
        let (written, block) = written(false);
        let own = "[credential \"https://bitbucket.org\"]\n\thelper = cache\n";
        assert_eq!(without(&format!("{own}{block}"), &written), own);
        assert_eq!(without(&format!("{block}{own}"), &written), own);
    }
}
