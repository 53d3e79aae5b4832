//! What setup writes to the end of a git configuration file, and how setup finds it again.

use std::iter;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What setup wrote to a git configuration file: the include, or the sections of version 0.1.
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
    /// A section behind this text.
    pub(super) fn behind(text: &str, path: &Path, created: bool, section: Section) -> Self {
        Self {
            path: path.to_owned(),
            created,
            separator: separator_after(text),
            sections: vec![section],
        }
    }

    /// The text without what setup wrote, if any of it is there. Later additions stay, also inside our sections.
    pub(super) fn taken_out_of(&self, text: &str) -> Option<String> {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let sections = self.sections.iter().rev();
        let found: Vec<_> = sections
            .map(|section| remove(&mut lines, section))
            .collect();
        let rest = lines.concat();
        let stood_at_end = found.iter().all(|is_at_end| *is_at_end == Some(true));
        let bare = rest.strip_suffix(&self.separator).filter(|_| stood_at_end);
        let bare = bare.map_or_else(|| rest.clone(), str::to_owned);
        found.iter().any(Option::is_some).then_some(bare)
    }
}

impl Section {
    pub(super) fn text(&self) -> String {
        let lines = iter::once(&self.header).chain(&self.lines);
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

/// git-config(1), "Syntax": a line that ends with a backslash continues and would swallow our first header.
fn separator_after(text: &str) -> String {
    let last = text.strip_suffix('\n').unwrap_or(text);
    let last = last.strip_suffix('\r').unwrap_or(last);
    let backslashes = last.bytes().rev().take_while(|&byte| byte == b'\\').count();
    let is_unfinished = !text.is_empty() && !text.ends_with('\n');
    "\n".repeat(usize::from(is_unfinished) + backslashes % 2)
}

/// Removes the lines of a section, with any indentation; whether nothing followed them. `None` without the section.
fn remove(lines: &mut Vec<&str>, section: &Section) -> Option<bool> {
    let end_of = |start: usize| {
        let is_header = |line: &&str| line.trim_start().starts_with('[');
        let length = lines[start + 1..].iter().position(is_header);
        length.map_or(lines.len(), |length| start + 1 + length)
    };
    let is_own = |line: &&str| section.lines.iter().any(|own| own.trim() == line.trim());
    // The second line of version 0.1's sections names the helper, the only one of an include our file.
    let telling = section.lines.get(1).or(section.lines.first())?.trim();
    let is_ours = |start: &usize| {
        let body = lines[start + 1..end_of(*start)].iter();
        let mut body = body.filter(|line| !line.trim().is_empty()).peekable();
        let is_nothing_else = body.peek().is_some() && body.clone().all(is_own);
        lines[*start].trim() == section.header
            && (is_nothing_else || body.any(|line| line.trim() == telling))
    };
    let start = (0..lines.len()).rev().find(is_ours)?;
    let end = end_of(start);
    let mut kept = lines[start..end].to_vec();
    kept.retain(|line| !is_own(line));
    if kept.len() == 1 {
        kept.clear();
    }
    lines.splice(start..end, kept);
    Some(start == lines.len())
}

#[cfg(test)]
mod tests {
    use super::{Section, Written, separator_after};

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
                written
                    .taken_out_of(&format!("{before}{separator}{block}"))
                    .as_deref(),
                Some(before)
            );
        }
    }

    #[test]
    fn later_edits_stay() {
        let (written, block) = written("\n");
        let after = format!("[user]\n{block}[alias]\n\tst = status\n");
        assert_eq!(
            written.taken_out_of(&after).as_deref(),
            Some("[user]\n[alias]\n\tst = status\n")
        );

        let within = block.replacen("\thelper = /x\n", "\thelper = /x\n\tusername = ada\n", 1);
        let kept = "[credential \"https://bitbucket.org\"]\n\tusername = ada\n";
        assert_eq!(
            written.taken_out_of(&format!("[user]\n{within}")),
            Some(format!("[user]\n{kept}"))
        );

        let indented = block.replace('\t', "    ");
        assert_eq!(
            written
                .taken_out_of(&format!("[user]\n{indented}"))
                .as_deref(),
            Some("[user]")
        );

        let unset = block.replace("\thelper =\n\thelper = /x\n", "");
        assert_eq!(
            written.taken_out_of(&format!("[user]\n{unset}")).as_deref(),
            Some("[user]")
        );
    }

    #[test]
    fn a_section_of_the_user_for_the_same_host_stays() {
        let (written, block) = written("");
        let own = "[credential \"https://bitbucket.org\"]\n\thelper = cache\n";
        assert_eq!(
            written.taken_out_of(&format!("{own}{block}")).as_deref(),
            Some(own)
        );
        assert_eq!(
            written.taken_out_of(&format!("{block}{own}")).as_deref(),
            Some(own)
        );
        assert_eq!(written.taken_out_of(own), None);
    }
}
