//! URLs of the REST API and of git's protocol, and what their answers mean.

use crate::bitbucket::host::{API_HOST, is_cloud};
use crate::bitbucket::reach::is_segment;
use crate::git::context::Host;
use crate::sys::http::Answer;

/// The REST URL that names the signed-in user. A valid access token gets 403: it is no user.
pub(crate) fn whoami_url(host: &Host, context: &str) -> String {
    if is_cloud(host) {
        format!("https://{API_HOST}/2.0/user")
    } else {
        format!("https://{host}{context}/rest/api/1.0/application-properties")
    }
}

/// The URL of git's first request when it fetches (gitprotocol-http(5)).
pub(crate) fn refs_url(host: &Host, context: &str, workspace: &str, repository: &str) -> String {
    let scm = if is_cloud(host) { "" } else { "/scm" };
    format!(
        "https://{host}{context}{scm}/{workspace}/{repository}.git/info/refs?service=git-upload-pack"
    )
}

/// The base path of a Data Center instance, from a repository's path: `/bitbucket` for `bitbucket/scm/prj/app.git`, or
/// empty.
pub(crate) fn context_of(path: &[u8]) -> String {
    let Ok(path) = std::str::from_utf8(path) else {
        return String::new();
    };
    let before: Vec<&str> = path
        .split('/')
        .take_while(|segment| !segment.eq_ignore_ascii_case("scm"))
        .collect();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_context = before.len() < path.split('/').count()
        && before
            .iter()
            .all(|segment| is_segment(segment) && segment.bytes().all(is_plain));
    if is_context && !before.is_empty() {
        format!("/{}", before.join("/"))
    } else {
        String::new()
    }
}

/// Whether a URL belongs to the REST API, not to a git remote.
pub(crate) fn is_rest(host: &Host, path: &[u8]) -> bool {
    let is_rest = |segment: &[u8]| segment.eq_ignore_ascii_case(b"rest");
    host.as_str() == API_HOST || !is_cloud(host) && path.split(|&byte| byte == b'/').any(is_rest)
}

/// Whether a REST path names no workspace or repository, such as `2.0/user`.
pub(crate) fn is_general_rest(host: &Host, path: &[u8]) -> bool {
    let Ok(path) = std::str::from_utf8(path) else {
        return false;
    };
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_matches('/')
        .to_ascii_lowercase();
    let segments: Vec<&str> = path.split('/').collect();
    let about = [
        "repositories",
        "workspaces",
        "projects",
        "teams",
        "users",
        "snippets",
    ];
    is_rest(host, path.as_bytes())
        && segments
            .iter()
            .all(|segment| is_segment(segment) && !about.contains(segment))
}

/// Whether Bitbucket Cloud answered, and not a proxy: it names scopes or kind of the credential, or sends JSON
/// (Atlassian's knowledge base, "How to fetch the scopes of a token").
pub(crate) fn is_of_bitbucket(answer: &Answer) -> bool {
    answer.header(SCOPES).is_some()
        || answer.header("x-credential-type").is_some()
        || answer.json().is_some()
}

const SCOPES: &str = "x-oauth-scopes";

/// The credential's scopes, if the answer names them.
pub(crate) fn granted_scopes(answer: &Answer) -> Option<Vec<&str>> {
    let scopes = answer.header(SCOPES)?.split(',');
    Some(scopes.map(str::trim).collect())
}

/// Data Center: the signed-in user. Anonymous requests are answered too, without this header.
pub(crate) fn signed_in_user(answer: &Answer) -> Option<&str> {
    answer.header("x-ausername").filter(|name| !name.is_empty())
}

/// Data Center: after too many failures the user has to sign in with a browser first (knowledge base, "How to disable
/// CAPTCHA").
pub(crate) fn wants_a_captcha(answer: &Answer) -> bool {
    answer
        .header("x-authentication-denied-reason")
        .is_some_and(|reason| reason.contains("CAPTCHA"))
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
