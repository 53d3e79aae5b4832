//! URLs of the REST API and of git's protocol, and what their answers mean.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::bitbucket::host::{API_HOST, is_cloud};
use crate::bitbucket::reach::{is_segment, plain_path};
use crate::git::Host;
use crate::sys::http::Answer;

/// The REST URL that names the signed-in user. A valid access token gets 403: it is no user.
pub(crate) fn whoami_url(host: &Host, context: &str) -> String {
    if is_cloud(host) {
        format!("https://{API_HOST}/2.0/user")
    } else {
        format!("https://{host}{context}/rest/api/1.0/application-properties")
    }
}

/// The REST URL of a workspace of Bitbucket Cloud.
pub(crate) fn workspace_url(workspace: &str) -> String {
    format!("https://{API_HOST}/2.0/workspaces/{workspace}")
}

/// Whether Bitbucket says that there is no such workspace, or that the secret may not know of it.
pub(crate) fn has_no_workspace(answer: &Answer) -> bool {
    answer.status == 404 && answer.mentions("No workspace with identifier")
}

/// What git does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Fetch,
    Push,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetch => "fetch",
            Self::Push => "push",
        })
    }
}

/// The URL of a repository, as git is given it.
pub(crate) fn clone_url(host: &Host, context: &str, workspace: &str, repository: &str) -> String {
    let scm = if is_cloud(host) { "" } else { "/scm" };
    format!("https://{host}{context}{scm}/{workspace}/{repository}.git")
}

/// The URL of git's first request to a repository (gitprotocol-http(5)).
pub(crate) fn service_url(repository: &str, service: Service) -> String {
    let service = match service {
        Service::Fetch => "git-upload-pack",
        Service::Push => "git-receive-pack",
    };
    format!("{repository}/info/refs?service={service}")
}

/// Why git's address answers 403 to a secret that Bitbucket knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// The secret lacks a scope.
    Scope,
    /// The workspace has a list of IP addresses, and ours is not on it.
    Address,
    /// The workspace demands two-step verification, and the owner has none.
    TwoStep,
    /// The owner has no access, or the workspace is closed.
    Access,
}

/// Atlassian's knowledge base and what users report; each reason has a text of its own.
pub(crate) fn why_forbidden(answer: &Answer) -> Forbidden {
    let mentions = |words: &[&str]| words.iter().any(|words| answer.mentions(words));
    if mentions(&["required privilege scopes"]) {
        Forbidden::Scope
    } else if mentions(&["whitelist", "allowlist", "IP address"]) {
        Forbidden::Address
    } else if mentions(&["two-step", "two-factor"]) {
        Forbidden::TwoStep
    } else {
        Forbidden::Access
    }
}

/// The base path of a Data Center instance, from a repository's path: `/bitbucket` for `bitbucket/scm/prj/app.git`, or
/// empty.
pub(crate) fn context_of(path: &[u8]) -> String {
    let path = std::str::from_utf8(path).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let mut all = segments.iter();
    let scm = all.position(|segment| segment.eq_ignore_ascii_case("scm"));
    let before = &segments[..scm.unwrap_or(0)];
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_part = |segment: &&str| is_segment(segment) && segment.bytes().all(is_plain);
    if before.is_empty() || !before.iter().all(is_part) {
        return String::new();
    }
    format!("/{}", before.join("/"))
}

/// Whether a URL belongs to the REST API, not to a git remote.
pub(crate) fn is_rest(host: &Host, path: &[u8]) -> bool {
    let is_rest = |segment: &[u8]| segment.eq_ignore_ascii_case(b"rest");
    host.as_str() == API_HOST || !is_cloud(host) && path.split(|&byte| byte == b'/').any(is_rest)
}

/// Whether git or git-lfs asks for a path: a repository, or an endpoint of theirs in it. git-annex also asks for
/// `acme/core.git/config`, and takes its absence for a refusal.
pub(crate) fn is_of_git(host: &Host, path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path).to_ascii_lowercase();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let after = |wanted: &dyn Fn(&str) -> bool, number: usize| {
        let position = segments.iter().position(|segment| wanted(segment));
        position.map(|position| position + number)
    };
    let end = after(&|segment| segment.strip_suffix(".git").is_some(), 1)
        .or_else(|| is_cloud(host).then_some(2))
        .or_else(|| after(&|segment| segment == "scm", 3));
    let inside = end.and_then(|end| segments.get(end..)).unwrap_or_default();
    let inside = inside.strip_prefix(&["wiki"]).unwrap_or(inside);
    matches!(
        inside,
        [] | ["info", "refs"] | ["info", "lfs", ..] | ["git-upload-pack" | "git-receive-pack"]
    )
}

/// Whether a REST path names no workspace or repository, such as `2.0/user`.
pub(crate) fn is_general_rest(host: &Host, path: &[u8]) -> bool {
    let about = [
        "repositories",
        "workspaces",
        "projects",
        "teams",
        "users",
        "snippets",
    ];
    plain_path(path).is_some_and(|path| {
        let mut segments = path.split('/');
        is_rest(host, path.as_bytes()) && !segments.any(|segment| about.contains(&segment))
    })
}

/// Whether Bitbucket Cloud's REST API says that it knows the secret, and not a proxy: it names the secret's scopes or
/// kind (Atlassian's knowledge base, "How to fetch the scopes of a token"). With 200 JSON is enough: a token without
/// scopes gets it plain.
pub(crate) fn knows_the_secret(answer: &Answer) -> bool {
    let is_named = answer.header(SCOPES).is_some() || answer.header(CREDENTIAL_TYPE).is_some();
    match answer.status {
        200 => is_named || answer.json().is_some(),
        403 | 404 => is_named,
        _ => false,
    }
}

/// Whether a 403 or 404 of git's address is Bitbucket's own, and no proxy's: by its words, or by the user that Data Center
/// names.
pub(crate) fn is_of_bitbuckets_git(host: &Host, answer: &Answer) -> bool {
    let words = [
        "You may not have access to this repository",
        "Your credentials lack one or more required privilege scopes",
    ];
    if is_cloud(host) {
        words.iter().any(|words| answer.begins_with(words))
    } else {
        !signed_in_users(answer).is_empty()
    }
}

const CREDENTIAL_TYPE: &str = "x-credential-type";
const SCOPES: &str = "x-oauth-scopes";

/// Whether Bitbucket knows the secret, and says that it is an API token.
pub(crate) fn is_api_token(answer: &Answer) -> bool {
    knows_the_secret(answer) && answer.header(CREDENTIAL_TYPE) == Some("api_token")
}

/// Whether Bitbucket knows the secret, and says that it is an access token of a workspace.
pub(crate) fn is_workspace_token(answer: &Answer) -> bool {
    knows_the_secret(answer) && answer.header(CREDENTIAL_TYPE) == Some("workspace_access_token")
}

pub(crate) fn granted_scopes(answer: &Answer) -> Option<Vec<&str>> {
    let scopes = answer.header(SCOPES)?.split(',');
    Some(scopes.map(str::trim).collect())
}

/// Data Center: the signed-in user. Anonymous requests are answered too, without this header.
///
/// The name is percent-encoded (fork-dev/Tracker#1492, eclipse-che/che-server#796, observed). A plus sign may stand for
/// itself or, as in forms, for a blank: then both are possible.
pub(crate) fn signed_in_users(answer: &Answer) -> Vec<String> {
    let Some(name) = answer.header("x-ausername") else {
        return Vec::new();
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut names = vec![decoded(&name.replace('+', " ")), decoded(name)];
    names.dedup();
    // A colon ends the user name of Basic.
    let is_name = |name: &String| {
        !name.is_empty() && !name.contains(|letter: char| letter == ':' || letter.is_control())
    };
    names.retain(is_name);
    names
}

/// Data Center: after too many failures the user has to sign in with a browser first (knowledge base, "How to disable
/// CAPTCHA").
pub(crate) fn wants_a_captcha(answer: &Answer) -> bool {
    let reason = answer.header("x-authentication-denied-reason");
    reason.is_some_and(|reason| reason.contains("CAPTCHA"))
}

#[cfg(test)]
mod tests {
    use super::context_of;

    #[test]
    fn the_context_of_an_instance_is_what_stands_before_scm() {
        for (path, context) in [
            ("bitbucket/scm/prj/app.git", "/bitbucket"),
            ("a/b/scm/prj/app.git", "/a/b"),
            ("scm/prj/app.git", ""),
            ("prj/app.git", ""),
            ("../scm/prj/app.git", ""),
            ("a/../scm/prj/app.git", ""),
            ("a@b/scm/prj/app.git", ""),
        ] {
            assert_eq!(context_of(path.as_bytes()), context, "{path}");
        }
    }
}
