//! Which part of the stand-in answers which address.

use super::message::{Incoming, Response};
use super::request::Authorization;
use super::server::{Host, Server, Site};
use super::{data_center, forward, git, lfs, oauth, rest};

/// A request on its way to an answer.
pub(super) struct Question<'a> {
    pub(super) server: &'a Server,
    pub(super) host: &'a Host,
    pub(super) incoming: &'a mut Incoming,
    pub(super) shown: Option<&'a Authorization>,
}

/// Answers a request to one of the hosts the stand-in plays.
pub(super) fn answer(
    server: &Server,
    host: &Host,
    incoming: &mut Incoming,
    shown: Option<&Authorization>,
) -> Response {
    let path = incoming.path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let question = Question {
        server,
        host,
        incoming,
        shown,
    };
    let response = route(question, &segments);
    match host.site {
        // By this header clients tell Data Center from Cloud.
        Site::DataCenter(_) => response.with("X-AREQUESTID", "@STANDINx1x1x0"),
        Site::Cloud | Site::CloudRest => response,
    }
}

fn route(mut question: Question<'_>, segments: &[&str]) -> Response {
    let moved = question.server.faults().moved.clone();
    if let (Site::Cloud, Some((old, new))) = (&question.host.site, moved)
        && segments[0] == old
    {
        let rest = question.incoming.target.replacen(&format!("/{old}"), "", 1);
        return Response::text(301, "").with("Location", &format!("{new}{rest}"));
    }
    match (&question.host.site, segments) {
        (
            Site::Cloud | Site::DataCenter(_),
            ["site", "oauth2", ..] | ["interaction", ..] | [_, "rest", "oauth2", ..],
        ) if let Some(port) = question.server.oauth_server(question.host.place()) => {
            forward::answer(question, port)
        }
        // No address of Bitbucket's: sends whoever asks to the URL behind the question mark.
        (Site::CloudRest, ["redirect"]) => {
            Response::text(302, "").with("Location", question.incoming.query())
        }
        (Site::CloudRest, ["2.0", rest @ ..]) => rest::answer(question, rest),
        (Site::Cloud, ["site", "oauth2", rest @ ..]) => oauth::answer(question, rest),
        (Site::Cloud, ["lfs-storage", workspace, repository, object]) => {
            lfs::answer_object(&mut question, &format!("{workspace}/{repository}"), object)
        }
        (Site::Cloud, ["snippets", workspace, rest @ ..])
            if let Some((id, inside)) = rest.split_first() =>
        {
            answer_repository(question, &format!("snippets/{workspace}"), id, inside)
        }
        (Site::Cloud, [workspace, repository, rest @ ..]) => {
            answer_repository(question, workspace, repository, rest)
        }
        (Site::DataCenter(instance), _) => match instance.within(segments) {
            Some(["scm", project, repository, rest @ ..]) => {
                answer_repository(question, project, repository, rest)
            }
            Some(["rest", "git-lfs", "storage", project, repository, object]) => {
                lfs::answer_object(&mut question, &format!("{project}/{repository}"), object)
            }
            Some(["rest", "oauth2", "latest", rest @ ..]) => oauth::answer(question, rest),
            Some(rest) => data_center::answer(&question, instance, rest),
            None => Response::text(404, "Not found\n"),
        },
        _ => Response::text(404, "Not found\n"),
    }
}

/// What lies below a clone address, which may end in `.git` or not; a wiki is a repository below
/// its repository.
fn answer_repository(
    mut question: Question<'_>,
    workspace: &str,
    repository: &str,
    rest: &[&str],
) -> Response {
    // Bitbucket's paths ignore case.
    let name = format!(
        "{workspace}/{}",
        repository.strip_suffix(".git").unwrap_or(repository)
    )
    .to_ascii_lowercase();
    let (name, rest) = match rest {
        ["wiki", rest @ ..] => (format!("{name}/wiki"), rest),
        _ => (name, rest),
    };
    match (question.incoming.method.as_str(), rest) {
        ("GET", ["info", "refs"]) | ("POST", ["git-upload-pack" | "git-receive-pack"]) => {
            git::answer(question, &name, rest)
        }
        ("POST", ["info", "lfs", rest @ ..]) => lfs::answer(&mut question, &name, rest),
        _ => Response::text(404, "Not found\n"),
    }
}
