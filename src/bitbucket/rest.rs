//! URLs of the REST API and of git's protocol, and what their answers mean.

use percent_encoding::percent_decode_str;

use crate::bitbucket::host::{API_HOST, is_cloud, without_alias};
use crate::bitbucket::reach::{Reach, is_segment, plain_path};
use crate::git::{Host, Url, Username};
use crate::sys::http::Answer;
use crate::sys::words::words;

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

words! {
    /// What git does with a repository.
    pub(crate) enum Service {
        Fetch = "fetch",
        Push = "push",
    }
}

/// The URL of a repository, as git is given it. None for a place that is no repository.
pub(crate) fn clone_url(host: &Host, context: &str, place: &Reach) -> Option<String> {
    let scm = if is_cloud(host) { "" } else { "/scm" };
    place.repository.as_ref()?;
    Some(format!("https://{host}{context}{scm}/{place}.git"))
}

/// The paths of places, as git would ask for them: of the whole host where there is none.
pub(crate) fn paths_of(host: &Host, context: &str, places: &[Reach]) -> Vec<Vec<u8>> {
    let start = if is_cloud(host) { "" } else { "/scm" };
    let path = |place: String| format!("{context}{start}/{place}").trim_matches('/').into();
    match places {
        [] => vec![path(String::new())],
        places => places.iter().map(|place| path(place.to_string())).collect(),
    }
}

/// The URL of git's first request to a repository (gitprotocol-http(5)).
pub(crate) fn service_url(repository: &str, service: Service) -> String {
    let service = match service {
        Service::Fetch => "git-upload-pack",
        Service::Push => "git-receive-pack",
    };
    format!("{repository}/info/refs?service={service}")
}

/// Whether a git server answers (gitprotocol-http(5)), and not a proxy with its own page.
pub(crate) fn is_of_a_git_server(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    kind.starts_with("application/x-git-")
}

/// Why git's address answers 403 to a secret that Bitbucket knows: Bitbucket's words, what they mean, and what to do.
///
/// Atlassian's knowledge base, "Error 403 when performing Git operations" (1155479141) and "Git push returns error code 403"
/// (Data Center); community article 3144063 (2025-11) announces deactivated workspaces, whose words are unconfirmed.
const REASONS: [(&[&str], &str, &str); 4] = [
    (
        &["whitelist", "allowlist", "IP address"],
        "the IP list of the workspace 'WORKSPACE' does not have your address",
        "use your company's network or VPN, or ask an administrator of the workspace to add the address",
    ),
    (
        &["two-step", "two-factor"],
        "the workspace 'WORKSPACE' demands two-step verification of the owner",
        "turn it on: https://id.atlassian.com/manage-profile/security/two-step-verification",
    ),
    (
        &["deactivated", "inactive"],
        "the workspace 'WORKSPACE' is deactivated",
        "an administrator of it can sign in and choose 'Reactivate workspace': https://bitbucket.org/WORKSPACE/",
    ),
    (
        &["Basic Authentication has been disabled"],
        "the server has disabled Basic authentication",
        "'git credential-bitbucket status --verify' finds out what it takes",
    ),
];

/// What a 403 of git's address means, and what to do; for the workspace stands `WORKSPACE`.
pub(crate) fn why_forbidden(answer: &Answer) -> Option<(&'static str, &'static str)> {
    let mut reasons = REASONS.iter();
    let is_said = |words: &[&str]| words.iter().any(|words| answer.mentions(words));
    let (_, message, hint) = reasons.find(|(words, ..)| is_said(words))?;
    Some((message, hint))
}

pub(crate) fn lacks_a_scope(answer: &Answer) -> bool {
    answer.mentions("required privilege scopes")
}

/// Whether Bitbucket says that an API token was made without scopes: the error is a text, where an object is usual
/// (observed since 2026-07; older answers say nothing of it).
pub(crate) fn lacks_all_scopes(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403) && answer.mentions("has no Bitbucket scopes")
}

/// Where a repository is now, whose workspace was renamed: Bitbucket redirects on the same host (observed).
pub(crate) fn renamed(host: &Host, answer: &Answer) -> Option<Reach> {
    let url = Url::parse(answer.moved_to()?)?;
    let new_host = url.host().filter(|_| url.scheme == "https")?;
    let reach = Reach::of_path(host, &url.path()?)?;
    (without_alias(new_host) == *host && reach.repository.is_some()).then_some(reach)
}

/// What Bitbucket announces of the end of a REST address (RFC 8594, RFC 9745).
pub(crate) fn announced_end(answer: &Answer) -> Option<&str> {
    answer.header("sunset").or(answer.header("deprecation"))
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

/// Whether a path goes on below the base path of a Data Center instance: it is of a repository, or of a page.
pub(crate) fn is_below_the_context(path: &str) -> bool {
    let of_an_instance = ["scm", "rest", "projects", "users", "plugins"];
    let is_below =
        |segment: &str| of_an_instance.contains(&segment) || segment.strip_suffix(".git").is_some();
    path.split('/').any(is_below)
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
    let names_one = |segment: &str| {
        matches!(
            segment,
            "repositories" | "workspaces" | "projects" | "teams" | "users" | "snippets"
        )
    };
    let path = plain_path(path);
    path.is_some_and(|path| is_rest(host, path.as_bytes()) && !path.split('/').any(names_one))
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
        "The requested repository either does not exist or you do not have access",
        "To access this repository, ",
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

/// The user name that `/2.0/user` has.
pub(crate) fn username(answer: &Answer) -> Option<String> {
    text(answer, "username")
}

/// The name of a person that `/2.0/user` has.
pub(crate) fn display_name(answer: &Answer) -> Option<String> {
    text(answer, "display_name")
}

fn text(answer: &Answer, key: &str) -> Option<String> {
    let text = answer.json()?.get(key)?.as_str()?.to_owned();
    (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
}

/// Data Center: the signed-in user. Anonymous requests are answered too, without this header.
///
/// The name is percent-encoded (fork-dev/Tracker#1492, eclipse-che/che-server#796, observed). A plus sign may stand for
/// itself or, as in forms, for a blank: then both are possible.
pub(crate) fn signed_in_users(answer: &Answer) -> Vec<Username> {
    let name = answer.header("x-ausername").unwrap_or_default();
    let mut names = vec![name.replace('+', " "), name.to_owned()];
    names.dedup();
    let names = names.iter().map(|name| percent_decode_str(name).collect());
    // A colon ends the user name of Basic.
    let breaks = |byte: &u8| *byte == b':' || byte.is_ascii_control();
    let names = names.filter(|name: &Vec<u8>| !name.iter().any(breaks));
    names.filter_map(Username::new).collect()
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
