//! The netrc file (netrc(5)), parsed as curl and git do.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Credential, EntryContent};
use crate::git::context::Host;
use crate::git::username::Username;
use crate::sys::secret::Secret;

#[derive(Default)]
pub(crate) struct Netrc {
    pub(crate) machines: Vec<Machine>,
    /// The invalid lines, and why.
    pub(crate) mistakes: Vec<(usize, &'static str)>,
}

pub(crate) struct Machine {
    /// None for `default`.
    pub(crate) name: Option<String>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The text to remove with the machine.
    pub(crate) span: Range<usize>,
    login: Option<Word>,
    password: Option<Word>,
}

impl Machine {
    /// A machine has no port, so it matches every host of its name.
    pub(crate) fn content(&self, hosts: &[Host]) -> EntryContent {
        let Some(name) = &self.name else {
            return EntryContent::Foreign;
        };
        let named = |host: &&Host| without_port(host).eq_ignore_ascii_case(name);
        let host = match hosts.iter().find(named) {
            Some(host) => Some(host.clone()),
            None => name.parse::<Host>().ok(),
        };
        let Some(host) = host.filter(|host| hosts.contains(host)) else {
            return EntryContent::Foreign;
        };
        match &self.password {
            None => EntryContent::Bad("the machine has no password"),
            Some(password) if password.text.is_empty() => {
                EntryContent::Bad("the password is empty")
            }
            Some(password) => {
                let login = self.login.as_ref();
                let username = login.and_then(|login| Username::new(login.text.to_vec()));
                let secret = Secret::new(password.text.to_vec());
                EntryContent::Ours(vec![Credential::new(&host, username, secret)])
            }
        }
    }
}

/// The host as a netrc file names it.
pub(crate) fn without_port(host: &Host) -> &str {
    let host = host.as_str();
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name)
}

struct Word {
    text: Zeroizing<Vec<u8>>,
    span: Range<usize>,
    line: usize,
    is_quoted: bool,
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        !self.is_quoted && *self.text == keyword.as_bytes()
    }
}

impl Netrc {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut netrc = Self::default();
        let mut reader = Reader {
            text,
            position: 0,
            line: 1,
        };
        while let Some(word) = reader.word(false) {
            netrc.take(&word, &mut reader);
        }
        let mut end = 0;
        for machine in &mut netrc.machines {
            let span = whole_lines(text, machine.span.clone());
            // Blanks between two machines in one line belong to the first.
            machine.span = span.start.max(end)..span.end;
            end = machine.span.end;
        }
        netrc
    }

    fn take(&mut self, word: &Word, reader: &mut Reader<'_>) {
        let Word { span, line, .. } = word;
        let is_value = VALUED.iter().find(|keyword| word.is(keyword));
        let Some(keyword) = is_value else {
            if word.is("default") {
                self.machines.push(Machine::new(None, *line, span.clone()));
            } else {
                self.mistakes
                    .push((*line, "it is not a netrc word, or a quote is not closed"));
            }
            return;
        };
        let Some(value) = reader.word(true) else {
            self.mistakes.push((*line, "its last word has no value"));
            return;
        };
        match *keyword {
            "machine" => {
                let name = String::from_utf8_lossy(&value.text).into_owned();
                let span = span.start..value.span.end;
                self.machines.push(Machine::new(Some(name), *line, span));
                return;
            }
            "macdef" => {
                reader.skip_macro();
                return;
            }
            _ => {}
        }
        let Some(machine) = self.machines.last_mut() else {
            self.mistakes.push((*line, "no machine comes before it"));
            return;
        };
        machine.span.end = value.span.end;
        match *keyword {
            "login" => machine.login = Some(value),
            "password" => machine.password = Some(value),
            _ => {}
        }
    }
}

impl Machine {
    fn new(name: Option<String>, line: usize, span: Range<usize>) -> Self {
        Self {
            name,
            line,
            span,
            login: None,
            password: None,
        }
    }
}

/// The words that a value follows, in the same line or a later one.
const VALUED: [&str; 5] = ["machine", "login", "password", "account", "macdef"];

struct Reader<'a> {
    text: &'a [u8],
    position: usize,
    line: usize,
}

impl Reader<'_> {
    /// The next word; a number sign starts a comment unless a value is due.
    fn word(&mut self, is_value: bool) -> Option<Word> {
        loop {
            let byte = *self.text.get(self.position)?;
            match byte {
                b'\n' => self.line += 1,
                b'#' if !is_value => {
                    self.skip_line();
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => break,
            }
            self.position += 1;
        }
        let start = self.position;
        let is_quoted = self.text[start] == b'"';
        // Allocate once: a buffer that grows leaves copies of the secret.
        let rest = &self.text[start..];
        let mut is_escaped = true;
        let is_end = |byte: &u8| {
            let is_end = match byte {
                b'"' => is_quoted && !is_escaped,
                b'\n' => true,
                _ => !is_quoted && byte.is_ascii_whitespace(),
            };
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        };
        let length = rest.iter().position(is_end);
        let mut text = Zeroizing::new(Vec::with_capacity(length.unwrap_or(rest.len())));
        if is_quoted {
            self.position += 1;
            self.quoted(&mut text);
        } else {
            while let Some(&byte) = self
                .text
                .get(self.position)
                .filter(|byte| !byte.is_ascii_whitespace())
            {
                text.push(byte);
                self.position += 1;
            }
        }
        Some(Word {
            text,
            span: start..self.position,
            line: self.line,
            is_quoted,
        })
    }

    /// Up to the closing quote, or to the end of the line where there is none.
    fn quoted(&mut self, text: &mut Vec<u8>) {
        while let Some(&byte) = self.text.get(self.position).filter(|&&byte| byte != b'\n') {
            self.position += 1;
            match byte {
                b'"' => return,
                b'\\' => {
                    let Some(&escaped) = self.text.get(self.position) else {
                        return;
                    };
                    self.position += 1;
                    text.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    });
                }
                _ => text.push(byte),
            }
        }
    }

    fn skip_line(&mut self) {
        while self
            .text
            .get(self.position)
            .is_some_and(|&byte| byte != b'\n')
        {
            self.position += 1;
        }
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        loop {
            self.skip_line();
            if self.position >= self.text.len() {
                return;
            }
            self.position += 1;
            self.line += 1;
            let rest = &self.text[self.position..];
            let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
            if line.trim_ascii().is_empty() {
                return;
            }
        }
    }
}

/// The span with its line break if its lines hold nothing else; otherwise with the blanks after it.
fn whole_lines(text: &[u8], span: Range<usize>) -> Range<usize> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let before = text[..span.start]
        .iter()
        .rev()
        .take_while(|byte| is_blank(byte))
        .count();
    let behind = text[span.end..]
        .iter()
        .take_while(|byte| is_blank(byte))
        .count();
    let (start, end) = (span.start - before, span.end + behind);
    let starts_line = start == 0 || text[start - 1] == b'\n';
    match text.get(end) {
        None | Some(b'\n') if starts_line => start..text.len().min(end + 1),
        None | Some(b'\n') => start..end,
        Some(_) => span.start..end,
    }
}

#[cfg(test)]
mod tests {
    use super::Netrc;
    use crate::bitbucket;
    use crate::cli::takeover::EntryContent;
    use crate::git::username::Username;

    #[test]
    fn a_netrc_file_is_read_as_curl_reads_it() {
        let text = "# machine comment.example\nmachine bitbucket.org login ada password machine\n\
                    machine\n  two.example login default\n  password default\n\
                    macdef init\nmachine macro.example\n\nmachine \"three.example\" account machine\ndefault login x\n";
        let netrc = Netrc::parse(text.as_bytes());
        let machines: Vec<(Option<&str>, usize)> = netrc
            .machines
            .iter()
            .map(|machine| (machine.name.as_deref(), machine.line))
            .collect();
        assert_eq!(
            machines,
            [
                (Some("bitbucket.org"), 2),
                (Some("two.example"), 3),
                (Some("three.example"), 9),
                (None, 10),
            ]
        );
        assert!(netrc.mistakes.is_empty());
        assert_eq!(
            &text[netrc.machines[0].span.clone()],
            "machine bitbucket.org login ada password machine\n"
        );
        assert_eq!(&text[netrc.machines[3].span.clone()], "default login x\n");
    }

    #[test]
    fn values_may_be_quoted_and_mistakes_have_a_line() {
        let text = "machine bitbucket.org\n\tlogin \"a d\\\"a\" password \"#s\\\\x\" machine x.example login u\n\
                    word\nmachine api.bitbucket.org login a\npassword";
        let netrc = Netrc::parse(text.as_bytes());
        let content = |index: usize| {
            netrc.machines[index].content(&bitbucket::hosts_asked_for(&bitbucket::cloud()))
        };
        let EntryContent::Ours(all) = content(0) else {
            panic!("it is ours");
        };
        assert_eq!(all[0].username, Username::new("a d\"a"));
        assert_eq!(all[0].secret.expose(), b"#s\\x");
        assert!(matches!(content(1), EntryContent::Foreign));
        assert!(matches!(content(2), EntryContent::Bad(_)));
        assert_eq!(
            netrc
                .mistakes
                .iter()
                .map(|(line, _)| *line)
                .collect::<Vec<_>>(),
            [3, 5]
        );
        assert!(text[netrc.machines[0].span.clone()].ends_with("x\" "));
        assert!(text[netrc.machines[1].span.clone()].starts_with("machine x"));
    }
}
