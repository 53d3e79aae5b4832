//! What setup writes to the end of a git configuration file, and how setup finds it again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What setup wrote to a git configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    /// There was no such file.
    pub(super) created: bool,
    /// What separates the old end from the sections: a newline if there was none, and one more after a continued line.
    pub(super) separator: String,
    pub(super) sections: Vec<Section>,
}

/// A section as it stands in the file, line by line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Section {
    pub(super) header: String,
    pub(super) lines: Vec<String>,
}

impl Written {
    pub(super) fn has_guard(&self) -> bool {
        self.sections.contains(&Section::guard())
    }
}

impl Section {
    /// Makes git refuse URLs that hold a password (git-config(1), `transfer.credentialsInUrl`).
    pub(super) fn guard() -> Self {
        Self {
            header: "[transfer]".to_owned(),
            lines: vec!["\tcredentialsInUrl = die".to_owned()],
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.header);
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// git-config(1), "Syntax": a line that ends with a backslash continues and would swallow our first header.
pub(super) fn separator_after(text: &str) -> &'static str {
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

/// The text without what setup wrote, if any of it is there. Later additions stay, also inside our sections.
pub(super) fn without(text: &str, written: &Written) -> Option<String> {
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

/// Removes the lines of a section, with any indentation; whether nothing followed them. `None` without the section.
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
