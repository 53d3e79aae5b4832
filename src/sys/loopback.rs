//! Waiting for the browser to come back, on the loopback interface only (RFC 8252, 7.3).
//!
//! Other users of the machine can read a browser's arguments. So it is started with an address of ours that works once
//! and holds nothing else; there it gets a cookie, and whoever comes back without the cookie is not believed.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::sys::secret::{Secret, SecretBuffer};

/// How long a visitor may take to say what it wants. Browsers open connections on which they never say anything.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many may be about to say it.
const MOST: usize = 32;
/// More than any browser's request.
const LONGEST: usize = 16 << 10;

/// Where a browser comes by on its way to Bitbucket and back, and what only it and we know.
pub(crate) struct Loopback {
    listener: TcpListener,
    port: u16,
    nonce: Secret,
    /// Name and value.
    cookie: Secret,
    /// Whether a browser has opened the address.
    pub(crate) is_begun: Arc<AtomicBool>,
    patience: Duration,
}

/// What the address says with which the browser came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Code(Secret),
    /// The error's name: `access_denied` when somebody has said no.
    Refused(String),
    /// It is not the answer to our question.
    Stray,
}

#[derive(Debug)]
pub(crate) struct BrowserRequest<'a> {
    pub(crate) target: &'a str,
    cookies: Vec<&'a str>,
}

/// One connection, and what it has said so far.
pub(crate) struct Visitor {
    stream: TcpStream,
    head: SecretBuffer,
    end: Instant,
}

impl Loopback {
    /// A browser may take `patience` for its way.
    pub(crate) fn bind(port: u16, patience: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        // Cookies do not know ports, and two sign-ins may be under way.
        let name = format!("git-credential-bitbucket-{port}=");
        let value = Secret::random()?;
        Ok(Self {
            listener,
            port,
            nonce: Secret::random()?,
            cookie: Secret::new([name.as_bytes(), value.expose()].concat()),
            is_begun: Arc::default(),
            patience,
        })
    }

    /// Where the browser begins: on the host of the callback, or the cookie would not come back.
    pub(crate) fn address(&self) -> String {
        let nonce = String::from_utf8_lossy(self.nonce.expose());
        format!("http://127.0.0.1:{}/start/{nonce}", self.port)
    }

    /// Sends the browser to this page, and waits for it to come back with this state; what else comes is told that it is
    /// wrong here.
    ///
    /// All are listened to, as an idle one must not keep the browser out, but they are answered one by one.
    pub(crate) fn wait(&self, page: &str, state: &Secret) -> Option<(Callback, Visitor)> {
        let end = Instant::now() + self.patience;
        let mut visitors: Vec<Visitor> = Vec::new();
        while Instant::now() < end {
            let arrival = self.listener.accept();
            let is_quiet = arrival.is_err();
            visitors.extend(arrival.and_then(|(stream, _)| Visitor::new(stream)));
            for mut visitor in std::mem::take(&mut visitors) {
                match visitor.is_whole() {
                    Ok(false) => visitors.push(visitor),
                    Ok(true) => {
                        if let Some(answer) = self.answer(visitor, page, state) {
                            return Some(answer);
                        }
                    }
                    // Who breaks off wanted nothing.
                    Err(_) => {}
                }
            }
            // Whoever has the answer says so at once: it is the oldest that has to make room.
            if visitors.len() > MOST {
                visitors.remove(0);
            }
            if is_quiet {
                thread::sleep(Duration::from_millis(10));
            }
        }
        None
    }

    /// Answers a request, unless it is the one that is waited for.
    fn answer(&self, visitor: Visitor, page: &str, state: &Secret) -> Option<(Callback, Visitor)> {
        let request = request(&visitor.head, self.port);
        let target = request.as_ref().map_or("", |request| request.target);
        let nonce = target.strip_prefix("/start/");
        let is_start = nonce.is_some_and(|nonce| Secret::new(nonce.into()) == self.nonce);
        // A page on another port may have set a cookie as well.
        let is_ours = |cookie: &&str| Secret::new((*cookie).into()) == self.cookie;
        let mut fields = Zeroizing::default();
        let (status, text) = if is_start && self.is_begun.swap(true, Ordering::Relaxed) {
            (
                410,
                "This address works once, and was opened before. If that was not you, stop the sign-in in the \
                 terminal and sign in again",
            )
        } else if is_start {
            fields = Zeroizing::new(format!(
                "Location: {page}\r\nSet-Cookie: {}; HttpOnly; SameSite=Lax; Path=/; Max-Age={}\r\n",
                String::from_utf8_lossy(self.cookie.expose()),
                self.patience.as_secs(),
            ));
            (303, "Allow it at Bitbucket")
        } else if target.split('?').next() != Some("/callback") {
            (404, "There is nothing here")
        } else {
            match callback(target, state) {
                Callback::Stray => (400, "This is not the sign-in that was begun"),
                callback if request.is_some_and(|it| it.cookies.iter().any(is_ours)) => {
                    return Some((callback, visitor));
                }
                _ => (
                    403,
                    "This browser did not begin the sign-in. Use the one that was opened, or sign in again; \
                     with a browser on another machine add '--no-browser'",
                ),
            }
        };
        visitor.reply(status, &fields, text);
        None
    }
}

impl Visitor {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            head: SecretBuffer::default(),
            end: Instant::now() + PATIENCE,
        })
    }

    /// Whether the request is there; an error when it never will be.
    fn is_whole(&mut self) -> io::Result<bool> {
        loop {
            let seen = self.head.len().saturating_sub(3);
            let read = match self.head.read_part(&mut self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_late = Instant::now() > self.end;
                    return if is_late { Err(error) } else { Ok(false) };
                }
                read => read?,
            };
            if read == 0 || self.head.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.head[seen..].windows(4).any(|end| end == b"\r\n\r\n") {
                return Ok(true);
            }
        }
    }

    /// Shows a page of a sentence or two, and is done. `fields` are lines for its head.
    pub(crate) fn reply(self, status: u16, fields: &str, text: &str) {
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>git-credential-bitbucket</title>\
             <p>{text}.</p></html>\n"
        );
        // The address has a code in it: nobody keeps the page, or tells where it came from.
        let text = Zeroizing::new(format!(
            "HTTP/1.1 {status} \r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
             Content-Security-Policy: default-src 'none'\r\n{fields}Connection: close\r\n\r\n{page}",
            page.len()
        ));
        // Who has gone away reads it in the terminal.
        let _ = self.stream.set_nonblocking(false);
        let _ = (&self.stream).write_all(text.as_bytes());
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// What is asked for, if it is asked of us: a page somewhere in the web that lets its name point to us would say another
/// host.
pub(crate) fn request(head: &[u8], port: u16) -> Option<BrowserRequest<'_>> {
    let head = std::str::from_utf8(head).ok()?;
    let (head, _) = head.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let is_http = words.next()?.starts_with("HTTP/1.") && words.next().is_none();
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let values = |wanted: &'static str| {
        let is_it = move |field: &&(&str, &str)| field.0.eq_ignore_ascii_case(wanted);
        fields.iter().filter(is_it).map(|(_, value)| value.trim())
    };
    let is_for_us = values("host").eq([format!("127.0.0.1:{port}").as_str()]);
    (method == "GET" && is_http && is_for_us).then(|| BrowserRequest {
        target,
        cookies: values("cookie")
            .flat_map(|value| value.split(';'))
            .map(str::trim)
            .collect(),
    })
}

/// What an address with which the browser came back says, or one that somebody has pasted.
pub(crate) fn callback(address: &str, state: &Secret) -> Callback {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let value = |key: &str| -> Option<Secret> {
        let fields = query.split('&').filter_map(|field| field.split_once('='));
        let mut values = fields.filter(|(name, _)| *name == key);
        let (_, value) = values.next()?;
        let value: Vec<u8> = percent_decode_str(&value.replace('+', " ")).collect();
        // Said twice, it may mean anything.
        values.next().is_none().then(|| Secret::new(value))
    };
    if value("state").as_ref() != Some(state) {
        return Callback::Stray;
    }
    match (value("code"), value("error")) {
        (Some(code), None) if !code.is_empty() => Callback::Code(code),
        (None, Some(error)) => {
            let name = String::from_utf8_lossy(error.expose());
            let letters = name.chars();
            let letters = letters.filter(|letter| letter.is_ascii_lowercase() || *letter == '_');
            Callback::Refused(letters.take(40).collect())
        }
        _ => Callback::Stray,
    }
}

#[cfg(test)]
mod tests {
    use super::{Callback, callback, request};
    use crate::sys::secret::Secret;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn only_the_answer_to_our_own_question_counts() {
        let read = |address: &str| callback(address, &secret("s"));
        assert_eq!(
            read("http://127.0.0.1:1/callback?code=a%2Fb&state=s"),
            Callback::Code(secret("a/b"))
        );
        assert_eq!(
            read("/callback?state=s&error=access_denied"),
            Callback::Refused("access_denied".to_owned())
        );
        for stray in [
            "/callback",
            "/callback?code=a",
            "/callback?code=a&state=t",
            "/callback?code=a&state=s&state=s",
            "/callback?code=&state=s",
            "/callback?code=a&error=b&state=s",
        ] {
            assert_eq!(read(stray), Callback::Stray, "{stray}");
        }
    }

    #[test]
    fn only_what_is_asked_of_our_own_address_is_looked_at() {
        let get = |line: &str, host: &str| {
            let head = format!("{line}\r\nAccept: */*\r\nHost: {host}\r\nCookie: a=b; c=d\r\n\r\n");
            let request = request(head.as_bytes(), 7)?;
            assert_eq!(request.cookies, ["a=b", "c=d"]);
            Some(request.target.to_owned())
        };
        let good = "GET /callback?code=a HTTP/1.1";
        assert_eq!(
            get(good, "127.0.0.1:7").as_deref(),
            Some("/callback?code=a")
        );
        for (line, host) in [
            (good, "evil.example:7"),
            (good, "127.0.0.1:8"),
            (good, "127.0.0.1"),
            (good, "127.0.0.1:7\r\nHost: evil.example:7"),
            ("POST /callback?code=a HTTP/1.1", "127.0.0.1:7"),
            ("GET /callback?code=a", "127.0.0.1:7"),
            ("GET /callback?code=a HTTP/1.1 x", "127.0.0.1:7"),
            ("GET", "127.0.0.1:7"),
        ] {
            assert_eq!(get(line, host), None, "{line} {host}");
        }
    }
}
