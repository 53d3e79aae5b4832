//! Requests for another server's pages, passed on to it: a real OAuth server behind the stand-in's TLS.

use std::io::{self, BufReader, BufWriter, Cursor, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use super::credential::Credential;
use super::message::{Response, read_headers};
use super::routing::Question;
use super::server::CLOUD;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the server on this port of the loopback interface. The access tokens it gives are good at its host.
pub(super) fn answer(question: Question<'_>, port: u16) -> Response {
    let (server, place) = (question.server, question.host.place().to_owned());
    match exchange(question, port) {
        Ok((status, headers, body)) => {
            let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
            let token = json.as_ref().and_then(|json| json["access_token"].as_str());
            if let Some(token) = token {
                if place == CLOUD {
                    server.allow(CLOUD, Credential::oauth(token));
                } else {
                    let scopes = ["REPO_READ", "REPO_WRITE"];
                    let credential = Credential::oauth_of_data_center(token).scopes(scopes);
                    server.allow(&place, credential);
                }
            }
            Response::stream(status, headers, Cursor::new(body))
        }
        Err(error) => Response::text(502, &format!("{error}\n")),
    }
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

/// In HTTP/1.0, whose answers end with the connection.
fn exchange(question: Question<'_>, port: u16) -> io::Result<Answer> {
    let incoming = question.incoming;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let is_between_hops = |name: &str| {
        let names = ["connection", "content-length", "transfer-encoding"];
        names.contains(&name.to_ascii_lowercase().as_str())
    };
    let body = incoming.text();
    let mut request = BufWriter::new(&stream);
    write!(
        request,
        "{} {} HTTP/1.0\r\n",
        incoming.method, incoming.target
    )?;
    for (name, value) in incoming.headers() {
        if !is_between_hops(name) {
            write!(request, "{name}: {value}\r\n")?;
        }
    }
    let length = body.len();
    write!(
        request,
        "X-Forwarded-Proto: https\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    request.flush()?;
    drop(request);

    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    io::BufRead::read_line(&mut stream, &mut first)?;
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = read_headers(&mut stream)?;
    headers.retain(|(name, _)| !is_between_hops(name));
    let mut body = Vec::new();
    stream.read_to_end(&mut body)?;
    Ok((status, headers, body))
}
