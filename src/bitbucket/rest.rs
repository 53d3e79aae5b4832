//! Addresses of REST and of git's own protocol.

use crate::bitbucket::host::{API_HOST, is_cloud};
use crate::bitbucket::reach::is_segment;
use crate::git::context::Host;

/// The REST address that tells who somebody is. An access token is no user: it gets 403, and is known all the same.
pub(crate) fn whoami_url(host: &Host, context: &str) -> String {
    if is_cloud(host) {
        format!("https://{API_HOST}/2.0/user")
    } else {
        format!("https://{host}{context}/rest/api/1.0/application-properties")
    }
}

/// The address that git asks first when it fetches from a repository (gitprotocol-http(5)).
pub(crate) fn refs_url(host: &Host, context: &str, workspace: &str, repository: &str) -> String {
    let scm = if is_cloud(host) { "" } else { "/scm" };
    format!(
        "https://{host}{context}{scm}/{workspace}/{repository}.git/info/refs?service=git-upload-pack"
    )
}

/// The path below which a Data Center instance lies, told from that of a repository, `bitbucket/scm/prj/app.git`: with
/// a slash before it, or empty.
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

/// Whether a URL is one of the REST API's, which is no remote's.
pub(crate) fn is_rest(host: &Host, path: &[u8]) -> bool {
    let is_rest = |segment: &[u8]| segment.eq_ignore_ascii_case(b"rest");
    host.as_str() == API_HOST || !is_cloud(host) && path.split(|&byte| byte == b'/').any(is_rest)
}

/// Whether a path of REST is about no workspace or repository at all, such as `2.0/user`.
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
        ] {
            assert_eq!(context_of(path.as_bytes()), context, "{path}");
        }
    }
}
