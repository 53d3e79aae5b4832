//! Receives the browser's callback, on the loopback interface only (RFC 8252, 7.3). No other file listens.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::sys::secret::Secret;

/// The time limit of one connection. Browsers open connections that they never use.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections are served at once.
const MOST: usize = 32;
/// More than any browser's request.
const LONGEST: usize = 16 << 10;

/// A listener for the browser's callback.
#[derive(Debug)]
pub(crate) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// What the address of the callback says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Code(Secret),
    /// The error's name: `access_denied` when the user refused.
    Refused(String),
    /// It does not belong to our sign-in.
    Stray,
}

/// A browser that waits for its page.
#[derive(Debug)]
pub(crate) struct Visitor(Arc<TcpStream>);

impl Loopback {
    /// # Errors
    /// When the port is taken.
    pub(crate) fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            port: listener.local_addr()?.port(),
            listener,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the callback of this sign-in. Every other request gets an error page.
    pub(crate) fn wait(&self, state: &Secret, patience: Duration) -> Option<(Callback, Visitor)> {
        let end = Instant::now() + patience;
        let (found, answers) = mpsc::channel();
        let mut visits: VecDeque<Weak<TcpStream>> = VecDeque::new();
        while Instant::now() < end {
            if let Ok(answer) = answers.try_recv() {
                return Some(answer);
            }
            let Ok((stream, _)) = self.listener.accept() else {
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            visits.retain(|visit| visit.strong_count() > 0);
            // The callback is sent as soon as its connection is open, so the oldest connection is not it.
            if visits.len() >= MOST
                && let Some(oldest) = visits.pop_front().and_then(|visit| visit.upgrade())
            {
                let _ = oldest.shutdown(Shutdown::Both);
            }
            let stream = Arc::new(stream);
            visits.push_back(Arc::downgrade(&stream));
            let found = found.clone();
            let (state, port) = (state.clone(), self.port);
            thread::spawn(move || {
                // A connection that breaks off needs no answer.
                if let Ok(Some(answer)) = serve(stream, &state, port) {
                    let _ = found.send(answer);
                }
            });
        }
        None
    }
}

/// Reads one request. Answers it, unless it is the callback.
fn serve(
    stream: Arc<TcpStream>,
    state: &Secret,
    port: u16,
) -> io::Result<Option<(Callback, Visitor)>> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(&stream)?;
    let asked = target(&head, port);
    let visitor = Visitor(stream);
    match asked.map(|target| callback(target, state)) {
        None => visitor.show(404, "There is nothing here"),
        Some(Callback::Stray) => visitor.show(400, "This is not the sign-in that was begun"),
        Some(callback) => return Ok(Some((callback, visitor))),
    }
    Ok(None)
}

fn read_head(mut stream: &TcpStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let end = Instant::now() + PATIENCE;
    let mut head = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut part = Zeroizing::new([0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(part.as_mut())?;
        if read == 0 || head.len() + read > LONGEST || Instant::now() > end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&part[..read]);
    }
    Ok(head)
}

/// The target of the request, if it is the callback and its host is ours. A web page whose name points to our address
/// would send another host.
pub(crate) fn target(head: &[u8], port: u16) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let is_for_us = lines.any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("host") && value.trim() == format!("127.0.0.1:{port}")
        })
    });
    let is_callback = target.split('?').next() == Some("/callback");
    (method == "GET" && is_for_us && is_callback).then_some(target)
}

/// What an address says that the browser ended up at, or that the user pasted.
pub(crate) fn callback(address: &str, state: &Secret) -> Callback {
    let query = address
        .split_once('?')
        .map_or("", |(_, query)| query)
        .split('#')
        .next()
        .unwrap_or_default();
    let value = |key: &str| -> Option<Secret> {
        let mut values = query
            .split('&')
            .filter_map(|field| field.split_once('='))
            .filter(|(name, _)| *name == key);
        let (_, value) = values.next()?;
        // A field that occurs twice is ambiguous.
        values
            .next()
            .is_none()
            .then(|| Secret::new(percent_decode_str(&value.replace('+', " ")).collect::<Vec<u8>>()))
    };
    if value("state").as_ref() != Some(state) {
        return Callback::Stray;
    }
    match (value("code"), value("error")) {
        (Some(code), None) if !code.is_empty() => Callback::Code(code),
        (None, Some(error)) => {
            let name = String::from_utf8_lossy(error.expose());
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            Callback::Refused(
                name.chars()
                    .filter(|letter| is_name(*letter))
                    .take(40)
                    .collect(),
            )
        }
        _ => Callback::Stray,
    }
}

impl Visitor {
    /// Shows a page of one sentence.
    pub(crate) fn show(self, status: u16, sentence: &str) {
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>git-credential-bitbucket</title>\
             <p>{sentence}.</p></html>\n"
        );
        let reason = if status == 200 { "OK" } else { "Error" };
        // The address holds a code: the page must not be cached, and no referrer be sent.
        let text = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
             Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
        // A browser that is gone needs no page; the terminal shows the outcome too.
        let _ = (&*self.0).write_all(text.as_bytes());
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use super::{Callback, callback, target};
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
    fn only_the_callback_on_our_own_address_is_looked_at() {
        let get = |line: &str, host: &str| {
            let head = format!("{line}\r\nAccept: */*\r\nHost: {host}\r\n\r\n");
            target(head.as_bytes(), 7).map(str::to_owned)
        };
        let good = "GET /callback?code=a HTTP/1.1";
        assert_eq!(
            get(good, "127.0.0.1:7").as_deref(),
            Some("/callback?code=a")
        );
        for (line, host) in [
            (good, "evil.example:7"),
            (good, "127.0.0.1:8"),
            ("POST /callback?code=a HTTP/1.1", "127.0.0.1:7"),
            ("GET /favicon.ico HTTP/1.1", "127.0.0.1:7"),
            ("GET", "127.0.0.1:7"),
        ] {
            assert_eq!(get(line, host), None, "{line} {host}");
        }
    }
}
