//! git's smart HTTP protocol, spoken by the real `git http-backend` (git-http-backend(1)).

use std::io::{self, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::json;

use super::access::{Door, Refusal};
use super::data_center;
use super::message::{Response, read_headers};
use super::repository::clean_http_backend;
use super::request::Authorization;
use super::routing::Question;
use super::server::{Shelved, Site};

/// The text for whatever an unknown or unfit credential cannot see.
pub(super) const NO_ACCESS: &str = "You may not have access to this repository or it no longer exists in this workspace. \
    If you think this repository exists and you have access, make sure you are authenticated.";

/// The text for a credential which may do something, but not this.
pub(super) const LACKS_SCOPE: &str = "Your credentials lack one or more required privilege scopes.";

/// The text for too many requests.
pub(super) const RATE_LIMITED: &str = "Rate limit for this resource has been exceeded";

/// Answers a request for one of the addresses below the repository `name` which belong to git.
pub(super) fn answer(question: Question<'_>, name: &str, rest: &[&str]) -> Response {
    let write =
        rest == ["git-receive-pack"] || question.incoming.query() == "service=git-receive-pack";
    let forbidden = question.server.faults().forbidden.clone();
    match question.admit(Door::Git, name, write) {
        Ok(_) if forbidden.starts_with('<') => {
            Response::text(403, &forbidden).with("Content-Type", "text/html")
        }
        Ok(_) if !forbidden.is_empty() => Response::text(403, &forbidden),
        Ok((repository, _)) => run(question, &repository, rest)
            .unwrap_or_else(|error| Response::text(500, &format!("git http-backend: {error}\n"))),
        Err(refusal) => refuse(&question, &refusal),
    }
}

/// Reported since 2026-07: the error is a text, where an object is usual.
pub(super) fn no_scopes() -> Response {
    let error = "API Token provided has no Bitbucket scopes.";
    Response::json(401, &json!({ "error": error }))
        .with("WWW-Authenticate", "Basic realm=\"Bitbucket.org HTTP\"")
}

/// A refusal in the words git's users see; LFS has the same.
pub(super) fn refuse(question: &Question<'_>, refusal: &Refusal) -> Response {
    if let Site::DataCenter(_) = question.host.site {
        return data_center::refuse(refusal);
    }
    match refusal {
        Refusal::Unauthenticated | Refusal::BasicDisabled => Response::text(401, NO_ACCESS)
            .with("WWW-Authenticate", "Basic realm=\"Bitbucket.org HTTP\""),
        // developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-3222
        Refusal::AppPassword => Response::text(
            410,
            "CHANGE-3222 - Functionality has been deprecated\n\
             App passwords are deprecated and must be replaced with API tokens.\n\
             https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-3222\n",
        ),
        Refusal::NoScopes => no_scopes(),
        Refusal::RateLimited => Response::text(429, RATE_LIMITED),
        Refusal::Invisible(_) => Response::text(404, NO_ACCESS),
        Refusal::LacksScope(..) | Refusal::WrongKind(..) => Response::text(403, LACKS_SCOPE),
    }
}

fn run(question: Question<'_>, repository: &Shelved, rest: &[&str]) -> io::Result<Response> {
    let incoming = question.incoming;
    let header = |name| incoming.header(name).unwrap_or_default().to_owned();
    let mut command = clean_http_backend(&question.server.home());
    command
        .env("GIT_PROJECT_ROOT", &repository.folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{}", rest.join("/")))
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        .env("REQUEST_METHOD", &incoming.method)
        .env("QUERY_STRING", incoming.query())
        .env("CONTENT_TYPE", header("Content-Type"))
        .env("HTTP_CONTENT_ENCODING", header("Content-Encoding"))
        .env("HTTP_GIT_PROTOCOL", header("Git-Protocol"))
        .env(
            "REMOTE_USER",
            question.shown.map_or("", Authorization::user),
        )
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    match incoming.body.take() {
        // The spooled length also stands for a chunked body, which CGI does not know (RFC 3875,
        // 4.1.2).
        Some(body) => command
            .env("CONTENT_LENGTH", incoming.length.to_string())
            .stdin(body),
        None => command.stdin(Stdio::null()),
    };
    let mut child = command.spawn()?;
    let pipe = BufReader::new(child.stdout.take().expect("its output is piped"));
    let mut output = Output {
        child,
        pipe,
        ended: false,
    };
    let mut headers = read_headers(&mut output.pipe)?;
    let status = headers
        .iter()
        .find(|(name, _)| name == "Status")
        .and_then(|(_, value)| value.get(..3)?.parse().ok());
    headers.retain(|(name, _)| name != "Status");
    Ok(Response::stream(status.unwrap_or(200), headers, output))
}

/// The program's output; the program is ended if nobody reads on.
struct Output {
    child: Child,
    pipe: BufReader<ChildStdout>,
    ended: bool,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.pipe.read(buffer)?;
        self.ended |= size == 0;
        Ok(size)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.ended {
            // An error means that it has ended in the meantime.
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}
