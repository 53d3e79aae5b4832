//! HTTP/1.1 as far as git, git-lfs and REST clients speak it (RFC 9112).

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Seek, Write};

use serde_json::Value;

/// A request; its body, if any, is spooled to a file, which a CGI program can have for its standard
/// input.
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) body: Option<File>,
    pub(super) length: u64,
    version: String,
    headers: Vec<(String, String)>,
}

impl Incoming {
    /// Reads up to the end of the headers, or nothing if the other side has closed the connection.
    pub(super) fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let first = read_line(stream)?;
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target), Some(version)) =
            (words.next(), words.next(), words.next())
        else {
            return if first.is_empty() {
                Ok(None)
            } else {
                Err(malformed("request line"))
            };
        };
        Ok(Some(Self {
            method,
            target,
            body: None,
            length: 0,
            version,
            headers: read_headers(stream)?,
        }))
    }

    /// Reads the body to its end; `go_on` sends the word, for which a client may wait (RFC
    /// 9110, 10.1.1).
    pub(super) fn read_body<S: BufRead>(
        &mut self,
        stream: &mut S,
        go_on: impl FnOnce(&mut S) -> io::Result<()>,
    ) -> io::Result<()> {
        let chunked = self
            .header("Transfer-Encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let length = self
            .header("Content-Length")
            .map_or(Ok(0), str::parse::<u64>);
        let length = length.map_err(|_| malformed("Content-Length"))?;
        if self
            .header("Expect")
            .is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue"))
        {
            go_on(stream)?;
        }
        if !chunked && length == 0 {
            return Ok(());
        }
        let mut spool = tempfile::tempfile()?;
        if chunked {
            copy_chunks(stream, &mut spool)?;
        } else if io::copy(&mut stream.take(length), &mut spool)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.length = spool.stream_position()?;
        spool.rewind()?;
        self.body = Some(spool);
        Ok(())
    }

    /// The whole body as text, for the endpoints that take JSON or a form.
    pub(super) fn text(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(body) = &mut self.body {
            body.rewind()
                .and_then(|()| body.read_to_end(&mut bytes))
                .expect("the spool can be read");
            body.rewind().expect("the spool can be read");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The target's path, as sent.
    pub(super) fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// What follows the question mark in the target.
    pub(super) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether another request may follow on the same connection.
    pub(super) fn keeps_alive(&self) -> bool {
        let close = self
            .header("Connection")
            .is_some_and(|option| option.eq_ignore_ascii_case("close"));
        self.version == "HTTP/1.1" && !close
    }
}

/// An answer.
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

enum Body {
    Bytes(Vec<u8>),
    Stream(Box<dyn Read>),
}

impl Response {
    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::bytes(status, text.as_bytes().to_vec()).with("Content-Type", "text/plain")
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, value.to_string().into_bytes()).with("Content-Type", "application/json")
    }

    pub(super) fn bytes(status: u16, bytes: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(bytes),
        }
    }

    /// An answer whose length is not known beforehand.
    pub(super) fn stream(
        status: u16,
        headers: Vec<(String, String)>,
        source: impl Read + 'static,
    ) -> Self {
        Self {
            status,
            headers,
            body: Body::Stream(Box::new(source)),
        }
    }

    /// Adds a header, or replaces the one there is.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it, without the body if the question was only `HEAD`.
    pub(super) fn send(self, stream: impl Write, head_only: bool) -> io::Result<()> {
        let mut stream = BufWriter::with_capacity(64 * 1024, stream);
        write!(
            stream,
            "HTTP/1.1 {} {}\r\n",
            self.status,
            reason(self.status)
        )?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        match self.body {
            Body::Bytes(bytes) => {
                write!(stream, "Content-Length: {}\r\n\r\n", bytes.len())?;
                if !head_only {
                    stream.write_all(&bytes)?;
                }
            }
            Body::Stream(mut source) => {
                write!(stream, "Transfer-Encoding: chunked\r\n\r\n")?;
                if !head_only {
                    send_chunks(&mut stream, &mut source)?;
                }
            }
        }
        stream.flush()
    }
}

/// Reads header lines up to the empty one; a CGI program writes them in the same form (RFC 3875,
/// 6.3).
pub(super) fn read_headers(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line)
        .trim_end_matches(['\r', '\n'])
        .to_owned())
}

fn copy_chunks(stream: &mut impl BufRead, spool: &mut File) -> io::Result<()> {
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
        if size == 0 {
            return read_headers(stream).map(drop);
        }
        if io::copy(&mut stream.by_ref().take(size), spool)? < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_line(stream)?;
    }
}

fn send_chunks(stream: &mut impl Write, source: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let size = source.read(&mut buffer)?;
        if size == 0 {
            return stream.write_all(b"0\r\n\r\n");
        }
        write!(stream, "{size:x}\r\n")?;
        stream.write_all(&buffer[..size])?;
        stream.write_all(b"\r\n")?;
        // What the CGI program has said so far goes out at once, as git shows progress by it.
        stream.flush()?;
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        410 => "Gone",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        _ => "Status",
    }
}
