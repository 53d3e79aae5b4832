//! git's helper protocol: attributes on stdin, attributes on stdout (git-credential(1), "INPUT/OUTPUT FORMAT").

use std::io::{self, Read};

use anyhow::{Context as _, Result, bail, ensure};

use crate::git::context::Context;
use crate::git::identity::Identity;
use crate::git::username::Username;
use crate::sys::{Secret, SecretBuffer};

/// The longest allowed line, without its newline (git-credential(1): 65535 bytes).
const LONGEST_LINE: usize = 65_535;
/// More than git ever sends. A longer request is refused.
const LONGEST_REQUEST: usize = 1 << 20;
/// How much of a refused request we still read: its writer should not see a broken pipe.
const LONGEST_DRAIN: u64 = 64 << 20;

/// What git asks (`get`) or tells (`store`, `erase`).
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) context: Context,
    pub(crate) password: Option<Secret>,
    pub(crate) authtype: Option<Vec<u8>>,
    pub(crate) credential: Option<Secret>,
    pub(crate) oauth_refresh_token: Option<Secret>,
    /// Seconds since 1970, UTC.
    pub(crate) password_expiry_utc: Option<u64>,
    /// The credential must not be stored.
    pub(crate) ephemeral: bool,
    /// The caller understands `authtype` and `credential`. Older gits and git-lfs silently ignore them.
    pub(crate) offers_authtype: bool,
}

impl Request {
    /// Reads a request to its end: a blank line, or the end of the stream, as git never writes the blank line.
    /// An error, but for one of the stream, means that git would not send this: it was injected, or git died. Then answer
    /// nothing and change nothing. No error holds the input, which may be a secret, but for the name of an attribute.
    pub(crate) fn read(input: &mut impl Read) -> Result<Self> {
        let text = read_to_blank_line(input)?;
        let mut request = Self::default();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                break;
            }
            request.take(line, index + 1)?;
        }
        Ok(request)
    }

    /// The request for the trace, without secrets. A user name is left out: it may be a token pasted into a URL.
    pub(crate) fn describe(&self) -> String {
        let context = &self.context;
        let [protocol, host, path] = [&context.protocol, &context.host, &context.path]
            .map(|value| String::from_utf8_lossy(value.as_deref().unwrap_or(b"-")));
        let given = [
            ("user name", context.username.is_some()),
            ("password", self.password.is_some()),
            ("authtype", self.authtype.is_some()),
            ("credential", self.credential.is_some()),
            ("refresh token", self.oauth_refresh_token.is_some()),
            ("expiry", self.password_expiry_utc.is_some()),
            ("ephemeral", self.ephemeral),
            ("offers authtype", self.offers_authtype),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        let names: Vec<&str> = given.map(|(name, _)| name).collect();
        let names = names.join(", ");
        format!("protocol {protocol}, host {host}, path {path}; with {names}")
    }

    fn take(&mut self, line: &[u8], number: usize) -> Result<()> {
        ensure!(
            line.len() <= LONGEST_LINE,
            "line {number} is longer than {LONGEST_LINE} bytes"
        );
        // Other helpers took a lone CR for a newline: CVE-2024-52006, CVE-2024-50338.
        ensure!(
            !line.iter().any(|byte| matches!(byte, b'\r' | 0)),
            "line {number} holds a carriage return or a NUL byte"
        );
        let equals = line.iter().position(|&byte| byte == b'=');
        let equals = equals.with_context(|| format!("line {number} has no '='"))?;
        let (key, value) = (&line[..equals], &line[equals + 1..]);

        let context = &mut self.context;
        let text = || value.to_vec();
        let secret = || Secret::new(value.to_vec());
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        let mut is_new = true;
        match key {
            b"protocol" => is_new = context.protocol.replace(text()).is_none(),
            b"host" => is_new = context.host.replace(text()).is_none(),
            b"path" => is_new = context.path.replace(text()).is_none(),
            b"username" => is_new = context.username.replace(text()).is_none(),
            b"password" => is_new = self.password.replace(secret()).is_none(),
            b"authtype" => is_new = self.authtype.replace(text()).is_none(),
            b"credential" => is_new = self.credential.replace(secret()).is_none(),
            b"oauth_refresh_token" => is_new = self.oauth_refresh_token.replace(secret()).is_none(),
            b"password_expiry_utc" => self.password_expiry_utc = number(),
            b"ephemeral" => self.ephemeral = matches!(value, b"1" | b"true"),
            b"capability[]" => self.offers_authtype |= value == b"authtype",
            // git-credential(1): "unrecognised attributes are silently discarded".
            _ => {}
        }
        // git sends each of these once. A second one was injected (CVE-2020-5260).
        let key = String::from_utf8_lossy(key);
        ensure!(is_new, "it has two attributes '{key}'");
        Ok(())
    }
}

/// What `get` answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) identity: Identity,
    /// The user name beside a header, as git gave it.
    pub(crate) username: Option<Username>,
    /// Seconds since 1970, UTC. Only a date from a server, never one that a user typed.
    pub(crate) password_expiry_utc: Option<u64>,
    pub(crate) oauth_refresh_token: Option<Secret>,
    /// No other helper should store it, and git need not report success. Only for a caller that offered
    /// `capability[]=authtype`: the attribute belongs to it.
    pub(crate) is_ephemeral: bool,
}

impl Reply {
    /// Its form, for the trace.
    pub(crate) fn describe(&self) -> String {
        match &self.identity {
            Identity::Header { authtype, .. } => {
                format!("header form, {}", String::from_utf8_lossy(authtype))
            }
            Identity::Basic { username, .. } if username.starts_with(b"x-") => {
                let username = String::from_utf8_lossy(username);
                format!("user name '{username}' and password")
            }
            Identity::Basic { .. } => "user name and password".to_owned(),
        }
    }

    /// The complete reply: git uses even a part of a reply, printed before a failure.
    ///
    /// None when the protocol cannot express a value, or when one is empty: git would send the empty value to the
    /// server.
    pub(crate) fn to_bytes(&self) -> Option<SecretBuffer> {
        let expiry = self.password_expiry_utc.map(|seconds| seconds.to_string());
        let refresh_token = self.oauth_refresh_token.as_ref().map(Secret::expose);
        let is_header = matches!(self.identity, Identity::Header { .. });
        let ([first, second], [name, secret]) = match &self.identity {
            Identity::Header {
                authtype,
                credential,
            } => (["authtype", "credential"], [authtype, credential.expose()]),
            Identity::Basic { username, password } => {
                (["username", "password"], [username, password.expose()])
            }
        };
        let beside = self.username.as_ref().filter(|_| is_header);
        let needs_authtype = self.is_ephemeral || is_header;
        to_lines(&[
            ("capability[]", needs_authtype.then_some(b"authtype")),
            (first, Some(name)),
            (second, Some(secret)),
            ("username", beside.map(Username::as_slice)),
            ("password_expiry_utc", expiry.as_deref().map(str::as_bytes)),
            ("oauth_refresh_token", refresh_token),
            ("ephemeral", self.is_ephemeral.then_some(b"1")),
        ])
    }
}

/// A line `key=value` for each that has a value. None when a value is empty or holds a line break.
pub(crate) fn to_lines(lines: &[(&str, Option<&[u8]>)]) -> Option<SecretBuffer> {
    let mut text = SecretBuffer::default();
    let lines = lines.iter().filter_map(|&(key, value)| Some((key, value?)));
    // What grows leaves places behind to wipe.
    let lengths = lines
        .clone()
        .map(|(key, value)| key.len() + value.len() + 2);
    text.make_room(lengths.sum());
    for (key, value) in lines {
        let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
        if value.is_empty() || value.iter().any(breaks) {
            return None;
        }
        for part in [key.as_bytes(), b"=", value, b"\n"] {
            text.extend(part);
        }
    }
    Some(text)
}

fn read_to_blank_line(input: &mut impl Read) -> Result<SecretBuffer> {
    let mut text = SecretBuffer::default();
    loop {
        let seen = text.len().saturating_sub(1);
        let read = text.read_part(input)?;
        let mut pairs = text[seen..].windows(2);
        if read == 0 || text[0] == b'\n' || pairs.any(|pair| pair == b"\n\n") {
            return Ok(text);
        }
        if text.len() > LONGEST_REQUEST {
            io::copy(&mut input.take(LONGEST_DRAIN), &mut io::sink())?;
            bail!("it is longer than {LONGEST_REQUEST} bytes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_LINE, Reply, Request};
    use crate::git::identity::Identity;
    use crate::sys::Secret;

    fn read(text: &[u8]) -> anyhow::Result<Request> {
        Request::read(&mut &text[..])
    }

    #[test]
    fn a_request_ends_at_a_blank_line_or_at_the_end() {
        for end in ["", "\n", "\n\n", "\n\nhost=evil.example\n", "\n\nrubbish"] {
            let request = read(format!("protocol=https\nhost=bitbucket.org{end}").as_bytes())
                .expect("a request");
            assert_eq!(
                request.context.host.as_deref(),
                Some(&b"bitbucket.org"[..]),
                "{end:?}"
            );
        }
    }

    #[test]
    fn values_are_bytes_and_may_hold_equals_signs_and_blanks() {
        let request = read(b"username=u\xffx =\npassword= a=b \n").expect("a request");
        assert_eq!(request.context.username.as_deref(), Some(&b"u\xffx ="[..]));
        assert_eq!(request.password, Some(Secret::new(b" a=b ".to_vec())));
    }

    #[test]
    fn what_git_never_writes_is_refused() {
        let refused: [&[u8]; 9] = [
            b"host=a\nhost=a\n",
            b"password=x\npassword=y\n",
            b"host=bitbucket.org\rpassword=x\n",
            b"host=bitbucket.org\r\n",
            b"path=a\0b\n",
            b"rubbish\n",
            b"host=bitbucket.org\nrubbish",
            b"\0=x\n",
            b"host=bitbucket.org\n\r\n",
        ];
        for text in refused {
            assert!(read(text).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_line_of_the_longest_length_is_read_whole_and_a_longer_one_refused() {
        let line = |length: usize| {
            [
                &b"password="[..],
                &vec![b'x'; length - 9],
                b"\nhost=bitbucket.org\n",
            ]
            .concat()
        };
        let request = read(&line(LONGEST_LINE)).expect("a request");
        assert_eq!(
            request.password.expect("a password").expose().len(),
            LONGEST_LINE - 9
        );
        assert!(request.context.host.is_some());
        let error = read(&line(LONGEST_LINE + 1)).expect_err("too long");
        assert!(
            error.to_string().contains("line 1 is longer than"),
            "{error}"
        );
    }

    #[test]
    fn ten_megabytes_are_refused() {
        let text = b"wwwauth[]=Basic realm=x\n".repeat(450_000);
        let error = read(&text).expect_err("too long");
        assert!(error.to_string().contains("it is longer than"), "{error}");
    }

    #[test]
    fn a_reader_that_gives_single_bytes_makes_no_difference() {
        struct Bytewise<'a>(&'a [u8]);
        impl std::io::Read for Bytewise<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let length = buffer.len().min(1);
                std::io::Read::read(&mut self.0, &mut buffer[..length])
            }
        }
        let request = Request::read(&mut Bytewise(b"host=bitbucket.org\n\nhost=evil.example\n"))
            .expect("a request");
        assert_eq!(request.context.host.as_deref(), Some(&b"bitbucket.org"[..]));
    }

    #[test]
    fn a_reply_that_cannot_be_said_is_not_said_at_all() {
        let reply = |username: &str, password: &[u8]| {
            let password = Secret::new(password.to_vec());
            Reply {
                identity: Identity::basic(username.as_bytes(), password),
                username: None,
                password_expiry_utc: None,
                oauth_refresh_token: None,
                is_ephemeral: false,
            }
            .to_bytes()
        };
        assert_eq!(
            &reply("ada", b"x").expect("a reply")[..],
            b"username=ada\npassword=x\n"
        );
        for password in [&b""[..], b"a\nhost=evil.example", b"a\rb", b"a\0b"] {
            assert!(reply("ada", password).is_none());
        }
        assert!(reply("", b"x").is_none());
    }
}
