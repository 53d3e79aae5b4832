//! The netrc file (netrc(5)), parsed as curl and git do.

use std::ops::Range;

use super::{Credential, Entry, whole_lines};
use crate::git::{Host, Username};
use crate::sys::{Secret, SecretBuffer};

#[derive(Default)]
pub(crate) struct Netrc {
    pub(crate) machines: Vec<Machine>,
    mistakes: Vec<Entry>,
}

#[derive(Default)]
pub(crate) struct Machine {
    /// None for `default`.
    pub(crate) name: Option<String>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The text to remove with the machine.
    span: Range<usize>,
    login: Option<Secret>,
    password: Option<Secret>,
}

impl Machine {
    /// A machine has no port, so it matches every host of its name.
    fn content(&self, hosts: &[Host]) -> Result<Vec<Credential>, &'static str> {
        let name = self.name.as_deref().unwrap_or_default();
        let is_meant = |host: &&Host| {
            let is_named = name.parse().is_ok_and(|named: Host| named == **host);
            is_named || host.name().eq_ignore_ascii_case(name)
        };
        let Some(host) = hosts.iter().find(is_meant) else {
            return Ok(Vec::new());
        };
        let password = self.password.clone().filter(|it| !it.is_empty());
        let password = password.ok_or("the machine has no password")?;
        let login = self.login.as_ref().map(Secret::expose);
        let username = login.and_then(Username::new);
        Ok(vec![Credential::new(host, username, password)])
    }
}

/// The mistakes of the file, and its machines.
pub(crate) fn entries(text: &[u8], hosts: &[Host]) -> Vec<Entry> {
    let Netrc { machines, mistakes } = Netrc::parse(text);
    let machines = machines.into_iter().map(|machine| Entry {
        line: machine.line,
        content: machine.content(hosts).map_err(str::to_owned),
        span: machine.span,
    });
    mistakes.into_iter().chain(machines).collect()
}

impl Netrc {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut netrc = Self::default();
        let mut reader = Reader {
            text,
            position: 0,
            line: 1,
        };
        while let Some((word, _)) = reader.word(false) {
            let line = reader.line;
            if let Err(reason) = netrc.take(word, &mut reader) {
                netrc.mistakes.push(Entry {
                    line,
                    span: 0..0,
                    content: Err(reason.to_owned()),
                });
            }
        }
        for machine in &mut netrc.machines {
            machine.span = whole_lines(text, machine.span.clone());
        }
        netrc
    }

    /// Takes a word, and the value that follows it in the same line or a later one.
    fn take(&mut self, word: Range<usize>, reader: &mut Reader<'_>) -> Result<(), &'static str> {
        let (start, line) = (word.start, reader.line);
        match &reader.text[word] {
            keyword @ (b"default" | b"machine") => {
                let is_named = keyword == b"machine";
                let name = is_named.then(|| reader.value()).transpose()?;
                self.machines.push(Machine {
                    name: name.map(|it| String::from_utf8_lossy(it.expose()).into_owned()),
                    line,
                    span: start..reader.position,
                    ..Machine::default()
                });
            }
            b"macdef" => {
                reader.value()?;
                reader.skip_macro();
            }
            keyword @ (b"login" | b"password" | b"account") => {
                let value = reader.value()?;
                let machine = self.machines.last_mut();
                let machine = machine.ok_or("no machine comes before it")?;
                machine.span.end = reader.position;
                match keyword {
                    b"login" => machine.login = Some(value),
                    b"password" => machine.password = Some(value),
                    _ => {}
                }
            }
            _ => return Err("it is not a netrc word, or a quote is not closed"),
        }
        Ok(())
    }
}

struct Reader<'a> {
    text: &'a [u8],
    position: usize,
    line: usize,
}

impl Reader<'_> {
    /// The place of the next word, and what it says; a number sign starts a comment unless a value is due.
    fn word(&mut self, is_value: bool) -> Option<(Range<usize>, Secret)> {
        loop {
            match self.text.get(self.position)? {
                b'#' if !is_value => self.skip_line(),
                b'\n' => {
                    self.line += 1;
                    self.position += 1;
                }
                byte if byte.is_ascii_whitespace() => self.position += 1,
                _ => break,
            }
        }
        let start = self.position;
        let rest = &self.text[start..];
        let (length, value) = if let Some(quoted) = rest.strip_prefix(b"\"") {
            unquoted(quoted)
        } else {
            let word = rest.split(u8::is_ascii_whitespace).next();
            let word = word.unwrap_or_default().to_vec();
            (word.len(), Secret::new(word))
        };
        self.position += length;
        Some((start..self.position, value))
    }

    fn value(&mut self) -> Result<Secret, &'static str> {
        let word = self.word(true).ok_or("its last word has no value")?;
        Ok(word.1)
    }

    fn skip_line(&mut self) {
        let rest = self.text[self.position..].iter();
        self.position += rest.take_while(|&&byte| byte != b'\n').count();
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        let lines = self.text[self.position..].split_inclusive(|&byte| byte == b'\n');
        for (index, line) in lines.enumerate() {
            self.position += line.len();
            self.line += 1;
            if index > 0 && line.trim_ascii().is_empty() {
                return;
            }
        }
    }
}

/// What a text says up to the closing quote, or to the end of the line where there is none; and the length with both
/// quotes.
fn unquoted(text: &[u8]) -> (usize, Secret) {
    let mut value = SecretBuffer::default();
    let mut length = 1;
    let mut bytes = text.iter().copied().take_while(|&byte| byte != b'\n');
    while let Some(byte) = bytes.next() {
        length += 1;
        if byte == b'"' {
            break;
        }
        let escaped = if byte == b'\\' { bytes.next() } else { None };
        length += usize::from(escaped.is_some());
        value.push(match escaped {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(other) => other,
            None => byte,
        });
    }
    (length, value.into())
}

#[cfg(test)]
mod tests {
    use super::Netrc;
    use crate::bitbucket;
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
        let all = content(0).expect("it is ours");
        assert_eq!(all[0].username, Username::new("a d\"a"));
        assert_eq!(all[0].secret.expose(), b"#s\\x");
        assert!(content(1).is_ok_and(|foreign| foreign.is_empty()));
        assert!(content(2).is_err());
        assert_eq!(
            netrc
                .mistakes
                .iter()
                .map(|entry| entry.line)
                .collect::<Vec<_>>(),
            [3, 5]
        );
        assert!(text[netrc.machines[0].span.clone()].ends_with("x\" "));
        assert!(text[netrc.machines[1].span.clone()].starts_with("machine x"));
    }
}
