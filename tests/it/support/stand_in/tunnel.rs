//! One connection to the proxy: the tunnel, the TLS within it, and the requests within that.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::message::{Incoming, Response};
use super::request::{Authorization, Request};
use super::routing;
use super::server::{Host, Server, Silence};

/// Serves a connection until either side closes it.
pub(super) fn serve(server: &Server, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    if server.faults().silence == Silence::Connection {
        server.sleep(Duration::MAX);
        return Ok(());
    }
    let Some(asked) = Incoming::read_head(&mut stream)? else {
        return Ok(());
    };
    let host = if asked.method == "CONNECT" {
        server.host(&asked.target)
    } else {
        None
    };
    let Some(host) = host else {
        server.record(refusal(&asked));
        let answer = Response::text(403, "The stand-in does not play this host.\n");
        return answer
            .with("Connection", "close")
            .send(stream.get_mut(), false);
    };
    // A client speaks again only after this answer, so that nothing is left in the buffer.
    let mut stream = stream.into_inner();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let connection = ServerConnection::new(host.tls.clone()).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    while answer_next(server, &host, &mut stream)? {}
    stream.get_mut().conn.send_close_notify();
    stream.get_mut().flush()
}

type Encrypted = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// Answers one request, and says whether another may follow.
fn answer_next(server: &Server, host: &Host, stream: &mut Encrypted) -> io::Result<bool> {
    let Some(mut incoming) = Incoming::read_head(stream)? else {
        return Ok(false);
    };
    incoming.read_body(stream, |stream| {
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        stream.get_mut().flush()
    })?;
    let delay = server.faults().delay;
    server.sleep(delay);
    let mut record = Request {
        host: host.authority.clone(),
        path: incoming.path().to_owned(),
        body: readable_body(&mut incoming),
        refused: false,
        ..refusal(&incoming)
    };
    if server.faults().silence == Silence::Request {
        record.status = None;
        server.record(record);
        server.sleep(Duration::MAX);
        return Ok(false);
    }
    let response = if server.faults().page {
        Response::text(200, "<html>Please accept our terms</html>")
            .with("Content-Type", "text/html")
    } else {
        routing::answer(server, host, &mut incoming, record.authorization.as_ref())
    };
    // Recorded before it is sent, so that whoever has the answer, or has given up, finds the record.
    record.status = Some(response.status);
    server.record(record);
    let delay = server.faults().answer_delay;
    server.sleep(delay);
    response.send(stream.get_mut(), incoming.method == "HEAD")?;
    Ok(incoming.keeps_alive())
}

/// The record of a request to the proxy itself: `CONNECT host:443`, or `GET http://host/path`
/// without a tunnel.
fn refusal(incoming: &Incoming) -> Request {
    let target = incoming.path();
    let plain = target.strip_prefix("http://").unwrap_or(target);
    let (host, path) = plain
        .find('/')
        .map_or((plain, ""), |slash| plain.split_at(slash));
    let port = if host.contains(':') { "" } else { ":80" };
    Request {
        host: format!("{host}{port}"),
        method: incoming.method.clone(),
        path: path.to_owned(),
        query: incoming.query().to_owned(),
        authorization: incoming.header("Authorization").map(Authorization::parse),
        body: String::new(),
        agent: incoming.header("User-Agent").unwrap_or_default().to_owned(),
        status: Some(403),
        refused: true,
    }
}

fn readable_body(incoming: &mut Incoming) -> String {
    let kind = incoming.header("Content-Type").unwrap_or_default();
    if kind.contains("json") || kind.contains("form-urlencoded") {
        incoming.text()
    } else {
        String::new()
    }
}
