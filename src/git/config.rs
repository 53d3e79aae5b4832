//! Parses a configuration file of git's and keeps the place of each byte (git-config(1), "CONFIGURATION FILE").
//!
//! git only prints values. To remove a secret and leave everything else unchanged (comments, order, quotes), we need
//! its place. The caller checks with git that git reads the text in the same way.

use std::ops::Range;

use crate::sys::SecretBuffer;

/// The longest list of settings that is compared with git's, in bytes: git may print no more to us.
const LONGEST_LIST: usize = 1 << 26;

/// The content of a file, in its order.
#[derive(Default)]
pub(crate) struct GitConfig {
    pub(crate) sections: Vec<ConfigSection>,
    pub(crate) entries: Vec<ConfigEntry>,
    /// From the comment sign to the end of the line.
    pub(crate) comments: Vec<Range<usize>>,
}

/// `[remote "origin"]`
pub(crate) struct ConfigSection {
    /// In lower case.
    pub(crate) name: Vec<u8>,
    /// The text in quotes: a remote's name, or a URL.
    pub(crate) subsection: Option<Piece>,
    /// Where its header starts.
    pub(crate) start: usize,
}

/// `url = https://bitbucket.org/acme/app.git`
pub(crate) struct ConfigEntry {
    /// The last part of its key, in lower case.
    pub(crate) variable: Vec<u8>,
    /// The index of its section.
    pub(crate) section: usize,
    /// None without an equals sign; git reads that as true.
    pub(crate) value: Option<Piece>,
    /// From the first letter of its name to the end of its last line, the line break included.
    pub(crate) span: Range<usize>,
}

/// A part of the text as git reads it, without quotes and escapes.
#[derive(Default)]
pub(crate) struct Piece {
    bytes: SecretBuffer,
    places: Vec<Range<usize>>,
}

impl Piece {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The place of a part of it in the text.
    pub(crate) fn place(&self, part: Range<usize>) -> Range<usize> {
        let part = &self.places[part];
        let ends = part.first().zip(part.last());
        ends.map_or(0..0, |(first, last)| first.start..last.end)
    }

    fn push(&mut self, byte: u8, place: Range<usize>) {
        self.bytes.push(byte);
        self.places.push(place);
    }
}

impl GitConfig {
    /// Parses a text. None where git would report a mistake.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut reader = ConfigReader { text, position: 0 };
        if text.starts_with(b"\xef\xbb\xbf") {
            reader.position = 3;
        }
        let mut config = Self::default();
        while let Some(byte) = reader.peek() {
            match byte {
                b'#' | b';' => config.comments.push(reader.comment()),
                b'[' => config.sections.push(reader.section()?),
                _ if byte.is_ascii_alphabetic() => {
                    let section = config.sections.len().checked_sub(1)?;
                    let entry = reader.entry(section, &mut config.comments)?;
                    config.entries.push(entry);
                }
                _ if is_space(byte) => reader.position += 1,
                _ => return None,
            }
        }
        Some(config)
    }

    /// The section, the variable and the value of each setting whose value is text.
    pub(crate) fn texts(&self) -> impl DoubleEndedIterator<Item = (&ConfigSection, &[u8], &str)> {
        self.entries.iter().filter_map(|entry| {
            let value = std::str::from_utf8(entry.value.as_ref()?.bytes()).ok()?;
            Some((self.section_of(entry), entry.variable.as_slice(), value))
        })
    }

    pub(crate) fn section_of(&self, entry: &ConfigEntry) -> &ConfigSection {
        &self.sections[entry.section]
    }

    /// The output of `git config --list -z` without these parts of the text. They are in order and do not overlap.
    /// None where it would be too long: it repeats the name of a section for each entry.
    pub(crate) fn list_without(&self, cuts: &[Range<usize>]) -> Option<SecretBuffer> {
        let is_cut = |place: &Range<usize>| {
            let next = cuts.partition_point(|cut| cut.start <= place.start);
            next > 0 && place.end <= cuts[next - 1].end
        };
        let mut list = SecretBuffer::default();
        let push = |list: &mut SecretBuffer, piece: &Piece| {
            for (&byte, place) in piece.bytes.iter().zip(&piece.places) {
                if !is_cut(place) {
                    list.push(byte);
                }
            }
        };
        for entry in self.entries.iter().filter(|entry| !is_cut(&entry.span)) {
            let section = self.section_of(entry);
            list.extend(&section.name);
            if let Some(subsection) = &section.subsection {
                list.push(b'.');
                push(&mut list, subsection);
            }
            list.push(b'.');
            list.extend(&entry.variable);
            if let Some(value) = &entry.value {
                list.push(b'\n');
                push(&mut list, value);
            }
            list.push(0);
            if list.len() > LONGEST_LIST {
                return None;
            }
        }
        Some(list)
    }
}

struct ConfigReader<'a> {
    text: &'a [u8],
    position: usize,
}

impl ConfigReader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    fn skip(&mut self, wanted: u8) -> Option<()> {
        self.next().filter(|&byte| byte == wanted).map(drop)
    }

    fn skip_blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// The length of the line break, if a line ends here; git takes CR LF for LF.
    fn line_break(&self) -> Option<usize> {
        match &self.text[self.position..] {
            [] => Some(0),
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => None,
        }
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> Vec<u8> {
        let start = self.position;
        while self.peek().is_some_and(&is_part) {
            self.position += 1;
        }
        self.text[start..self.position].to_ascii_lowercase()
    }

    fn comment(&mut self) -> Range<usize> {
        let start = self.position;
        while self.line_break().is_none() {
            self.position += 1;
        }
        start..self.position
    }

    fn section(&mut self) -> Option<ConfigSection> {
        let start = self.position;
        self.skip(b'[')?;
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        let subsection = match self.peek()? {
            b']' if name.is_empty() => return None,
            b']' => None,
            _ => Some(self.subsection()?),
        };
        self.skip(b']')?;
        Some(ConfigSection {
            name,
            subsection,
            start,
        })
    }

    fn subsection(&mut self) -> Option<Piece> {
        self.skip_blanks();
        self.skip(b'"')?;
        let mut piece = Piece::default();
        loop {
            let start = self.position;
            let byte = match self.next()? {
                b'"' => return Some(piece),
                b'\\' => self.next()?,
                byte => byte,
            };
            if byte == b'\n' {
                return None;
            }
            piece.push(byte, start..self.position);
        }
    }

    fn entry(&mut self, section: usize, comments: &mut Vec<Range<usize>>) -> Option<ConfigEntry> {
        let start = self.position;
        let variable = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        self.skip_blanks();
        let value = if self.line_break().is_some() {
            None
        } else {
            self.skip(b'=')?;
            Some(self.value(comments)?)
        };
        self.position += self.line_break().unwrap_or_default();
        Some(ConfigEntry {
            variable,
            section,
            value,
            span: start..self.position,
        })
    }

    /// Reads up to the end of the line, but not the line break.
    fn value(&mut self, comments: &mut Vec<Range<usize>>) -> Option<Piece> {
        let mut piece = Piece::default();
        let mut is_quoted = false;
        // Blanks at the end do not count, unless they are quoted, or a quote or a backslash follows.
        let mut length = 0;
        while self.line_break().is_none() {
            let start = self.position;
            let byte = self.next()?;
            match byte {
                b'#' | b';' if !is_quoted => {
                    self.position = start;
                    comments.push(self.comment());
                    continue;
                }
                b'"' => is_quoted = !is_quoted,
                b'\\' if self.line_break().is_some() => {
                    self.position += self.line_break().unwrap_or_default();
                }
                b'\\' => {
                    let byte = match self.next()? {
                        b't' => b'\t',
                        b'b' => 8,
                        b'n' => b'\n',
                        byte @ (b'\\' | b'"') => byte,
                        _ => return None,
                    };
                    piece.push(byte, start..self.position);
                }
                _ if is_space(byte) && !is_quoted => {
                    if !piece.bytes.is_empty() {
                        piece.push(byte, start..self.position);
                    }
                    continue;
                }
                _ => piece.push(byte, start..self.position),
            }
            length = piece.bytes.len();
        }
        piece.bytes.truncate(length);
        piece.places.truncate(length);
        (!is_quoted).then_some(piece)
    }
}

/// git's `isspace`: that of C without the vertical tab and the form feed.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::GitConfig;

    fn list(text: &str) -> Option<Vec<(String, Option<String>)>> {
        let config = GitConfig::parse(text.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let list = config.list_without(&[])?;
        let entries = list
            .strip_suffix(b"\0")
            .unwrap_or(&list)
            .split(|&byte| byte == 0);
        Some(
            entries
                .map(|entry| match text(entry).split_once('\n') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (text(entry), None),
                })
                .collect(),
        )
    }

    #[test]
    fn a_file_is_read_as_git_reads_it() {
        let text = "# c\n[Core]\n\tBare\n  x = a  b \t; c\r\n[remote \"Ori\\\"gin\"] url = \"a # b \" c\\\n d\\t\\\\\n[a.B]k=";
        let some = |value: &str| Some(value.to_owned());
        assert_eq!(
            list(text).expect("a configuration"),
            [
                ("core.bare".to_owned(), None),
                ("core.x".to_owned(), some("a  b")),
                ("remote.Ori\"gin.url".to_owned(), some("a # b  c d\t\\")),
                ("a.b.k".to_owned(), some("")),
            ]
        );
        for broken in [
            "x = 1",
            "[a\nb = 1",
            "[a]\nb = \"c\n",
            "[a]\nb = \\q\n",
            "[a]\nb c\n",
            "[a \"b\nc\"]\n",
            "[]\n",
        ] {
            assert!(list(broken).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn each_part_of_a_value_is_found_in_the_text() {
        let text = b"[a \"b\\\"c\"]\n\tk = \"x\\\\yz\" w # c\n";
        let config = GitConfig::parse(text).expect("a configuration");
        let value = config.entries[0].value.as_ref().expect("a value");
        assert_eq!(value.bytes(), b"x\\yz w");
        assert_eq!(&text[value.place(1..3)], b"\\\\y");
        assert_eq!(&text[value.place(3..6)], b"z\" w");
        let name = config.sections[0]
            .subsection
            .as_ref()
            .expect("a subsection");
        assert_eq!(&text[name.place(1..3)], b"\\\"c");
        assert_eq!(
            &text[config.entries[0].span.clone()],
            b"k = \"x\\\\yz\" w # c\n"
        );
        assert_eq!(&text[config.comments[0].clone()], b"# c");
    }
}
