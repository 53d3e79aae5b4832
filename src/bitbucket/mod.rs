//! What is true of Bitbucket: hosts, kinds of credential, their names at git and at REST, scopes, pages, dates.
//!
//! All of it can change, and nothing of it stands anywhere else.

pub(crate) mod authorization;
pub(crate) mod oauth;
pub(crate) mod reach;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jiff::civil::Date;
use thiserror::Error;

use crate::bitbucket::reach::{Reach, is_segment};
use crate::git::context::Host;
use crate::sys::secret::Secret;
use crate::sys::serde_as_text::serde_as_text;

/// git, LFS and OAuth of Bitbucket Cloud.
pub(crate) const CLOUD_HOST: &str = "bitbucket.org";
/// The REST API of Bitbucket Cloud, and the only host for it (changelog, CHANGE-3052).
pub(crate) const API_HOST: &str = "api.bitbucket.org";

/// Where API tokens are made and revoked: <https://support.atlassian.com/bitbucket-cloud/docs/create-an-api-token/>.
pub(crate) const API_TOKEN_PAGE: &str =
    "https://id.atlassian.com/manage-profile/security/api-tokens";
/// Where somebody takes back what they have granted to an OAuth consumer.
const GRANTS_PAGE: &str = "https://bitbucket.org/account/settings/app-authorizations/";
/// The day on which Bitbucket Cloud removed app passwords (changelog, CHANGE-3222).
pub(crate) const APP_PASSWORDS_REMOVED: Date = jiff::civil::date(2026, 7, 28);

/// The static git user name of an API token: <https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/>.
const API_TOKEN_USERNAME: &str = "x-bitbucket-api-token-auth";
/// The static git user name of an access token: <https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/>.
const ACCESS_TOKEN_USERNAME: &str = "x-token-auth";
/// The user names that stand for a kind and for no user.
pub(crate) const STATIC_USERNAMES: [&str; 2] = [API_TOKEN_USERNAME, ACCESS_TOKEN_USERNAME];

/// The kinds of credential, by Atlassian's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A repository, project or workspace access token of Bitbucket Cloud.
    AccessToken,
    /// A user's API token with scopes, Bitbucket Cloud.
    ApiToken,
    /// User name and app password; Bitbucket Cloud has removed them, to Data Center they are a plain password.
    AppPassword,
    /// An HTTP access token of Bitbucket Data Center.
    HttpAccessToken,
    /// A grant of OAuth 2.0, Bitbucket Cloud: its secret is an access token of two hours, which we renew.
    Oauth,
}

/// Which user name goes with the secret when asking the REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestScheme {
    /// `Authorization: Bearer`, no user name.
    Bearer,
    /// Basic with the e-mail of the Atlassian account.
    Email,
    /// Basic with the Bitbucket user name.
    Username,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::ApiToken,
        Self::AccessToken,
        Self::Oauth,
        Self::AppPassword,
        Self::HttpAccessToken,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::ApiToken => "api-token",
            Self::AppPassword => "app-password",
            Self::HttpAccessToken => "http-access-token",
            Self::Oauth => "oauth",
        }
    }

    /// As one says it in a sentence.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::AccessToken => "an access token",
            Self::ApiToken => "an API token",
            Self::AppPassword => "an app password",
            Self::HttpAccessToken => "an HTTP access token",
            Self::Oauth => "an OAuth grant",
        }
    }

    /// The kind a secret's prefix names; the host decides which prefixes mean anything.
    ///
    /// Lengths are never looked at: Atlassian says they vary.
    pub(crate) fn of_secret(secret: &Secret, host: &Host) -> Option<Self> {
        let [own, _] = prefixes(host);
        named(own, secret)
    }

    /// The kind it names on the other side: of bitbucket.org where the host is a Data Center, and the other way round.
    /// Such a secret is not for this host, and must not be shown to it.
    pub(crate) fn of_another_host(secret: &Secret, host: &Host) -> Option<Self> {
        let [_, other] = prefixes(host);
        named(other, secret)
    }

    /// The kind of a secret that was found together with a user name, in a URL for instance, where nobody can be asked.
    pub(crate) fn of_pair(secret: &Secret, username: Option<&[u8]>, host: &Host) -> Self {
        /// An OAuth access token has no prefix, works with any user name, and is far longer than a password.
        const LONGEST_PASSWORD: usize = 128;
        let is_named = |name: &str| username == Some(name.as_bytes());
        let is_long = secret.expose().len() > LONGEST_PASSWORD;
        match Self::of_secret(secret, host) {
            Some(kind) => kind,
            None if is_cloud(host) && is_named(API_TOKEN_USERNAME) => Self::ApiToken,
            None if is_named(ACCESS_TOKEN_USERNAME) || username.is_none() || is_long => {
                if is_cloud(host) {
                    Self::AccessToken
                } else {
                    Self::HttpAccessToken
                }
            }
            None => Self::AppPassword,
        }
    }

    /// Whether this kind exists on the host at all.
    pub(crate) fn exists_on(self, host: &Host) -> bool {
        match self {
            Self::AccessToken | Self::ApiToken | Self::Oauth => is_cloud(host),
            Self::HttpAccessToken => !is_cloud(host),
            Self::AppPassword => true,
        }
    }

    /// The user name with which git presents this kind, given the account's own.
    ///
    /// An API token also works with its owner's user name, but the static name needs none and can be mistaken for
    /// nothing; an e-mail is refused. A Data Center token without a user goes with the name recent versions take.
    pub(crate) fn git_username(self, own: Option<&[u8]>) -> Option<&[u8]> {
        match self {
            // Of OAuth too: "the literal string is required" (Atlassian, "Use OAuth on Bitbucket Cloud").
            Self::AccessToken | Self::Oauth => Some(ACCESS_TOKEN_USERNAME.as_bytes()),
            Self::ApiToken => Some(API_TOKEN_USERNAME.as_bytes()),
            Self::AppPassword => own,
            Self::HttpAccessToken => Some(own.unwrap_or(ACCESS_TOKEN_USERNAME.as_bytes())),
        }
    }

    /// How the REST API of Bitbucket Cloud takes this kind: <https://developer.atlassian.com/cloud/bitbucket/rest/intro/>.
    pub(crate) fn rest_scheme(self) -> RestScheme {
        match self {
            Self::ApiToken => RestScheme::Email,
            Self::AppPassword => RestScheme::Username,
            Self::AccessToken | Self::HttpAccessToken | Self::Oauth => RestScheme::Bearer,
        }
    }

    /// Whether Bitbucket gives every secret of this kind an end: an API token lives a year at the most.
    pub(crate) fn always_expires(self) -> bool {
        self == Self::ApiToken
    }

    /// Whether the account cannot do without a user name of its own.
    pub(crate) fn needs_username(self) -> bool {
        self == Self::AppPassword
    }

    /// Bitbucket Cloud answers app passwords with 410 since [`APP_PASSWORDS_REMOVED`]; git does not erase upon that.
    pub(crate) fn is_retired_on(self, host: &Host) -> bool {
        self == Self::AppPassword && is_cloud(host)
    }

    /// The page where such a secret is made, and revoked; `context` is the path of a Data Center instance.
    pub(crate) fn page(self, host: &Host, context: &str, reach: &[Reach]) -> String {
        match (self, reach) {
            (Self::ApiToken | Self::AppPassword, _) if is_cloud(host) => API_TOKEN_PAGE.to_owned(),
            (Self::Oauth, _) => GRANTS_PAGE.to_owned(),
            (
                Self::AccessToken,
                [
                    Reach {
                        workspace,
                        repository: Some(repository),
                    },
                    ..,
                ],
            ) => {
                format!("https://{host}/{workspace}/{repository}/admin/access-tokens")
            }
            (
                Self::AccessToken,
                [
                    Reach {
                        workspace,
                        repository: None,
                    },
                    ..,
                ],
            ) => {
                format!("https://{host}/{workspace}/workspace/settings/access-tokens")
            }
            (Self::AccessToken, []) => {
                format!("https://{host}/WORKSPACE/REPOSITORY/admin/access-tokens")
            }
            // Data Center, "HTTP access tokens": <https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html>.
            _ => format!("https://{host}{context}/plugins/servlet/access-tokens/manage"),
        }
    }

    /// The scopes to tick for fetch and push, as that page names them. API token scopes do not imply one another.
    pub(crate) fn scopes_to_tick(self) -> Option<&'static str> {
        match self {
            Self::ApiToken => Some("read:repository:bitbucket and write:repository:bitbucket"),
            Self::AccessToken => Some("repository:write"),
            Self::HttpAccessToken => Some("Repository write"),
            Self::Oauth => Some("Account: Read, and Repositories: Write"),
            Self::AppPassword => None,
        }
    }
}

/// How secrets start and what kind that is, on the side of the host and on the other one.
fn prefixes(host: &Host) -> [&'static [(&'static str, Kind)]; 2] {
    const CLOUD: [(&str, Kind); 3] = [
        ("ATATT", Kind::ApiToken),
        ("ATCTT", Kind::AccessToken),
        ("ATBB", Kind::AppPassword),
    ];
    const DATA_CENTER: [(&str, Kind); 1] = [("BBDC-", Kind::HttpAccessToken)];
    if is_cloud(host) {
        [&CLOUD, &DATA_CENTER]
    } else {
        [&DATA_CENTER, &CLOUD]
    }
}

fn named(prefixes: &[(&str, Kind)], secret: &Secret) -> Option<Kind> {
    let starts = |prefix: &str| secret.expose().starts_with(prefix.as_bytes());
    let mut prefixes = prefixes.iter();
    let found = prefixes.find(|(prefix, _)| starts(prefix));
    found.map(|(_, kind)| *kind)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Error)]
#[error("not a kind of credential")]
pub(crate) struct NotAKind;

impl FromStr for Kind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(NotAKind)
    }
}

/// Where to make a secret of a kind and what to tick, a line each, for somebody who is about to be asked for one.
pub(crate) fn how_to_make(kind: Kind, host: &Host, context: &str, reach: &[Reach]) -> Vec<String> {
    let page = kind.page(host, context, reach);
    let make = match kind {
        Kind::ApiToken => "Make an API token with 'Create API token with scopes', app Bitbucket:",
        Kind::AccessToken => "Make an access token:",
        Kind::HttpAccessToken => "Make an HTTP access token:",
        Kind::AppPassword | Kind::Oauth => return Vec::new(),
    };
    // The page on a line of its own: a terminal that breaks it makes a torn link.
    let tick = kind.scopes_to_tick().map(|scopes| format!("Tick {scopes}"));
    [make.to_owned(), page].into_iter().chain(tick).collect()
}

/// The scopes that git needs, by the names of a kind; an account that may push has both.
pub(crate) struct GitScopes {
    pub(crate) read: &'static str,
    pub(crate) write: &'static str,
}

impl Kind {
    /// What git needs of a kind on Bitbucket Cloud:
    /// <https://support.atlassian.com/bitbucket-cloud/docs/api-token-permissions/>,
    /// <https://support.atlassian.com/bitbucket-cloud/docs/repository-access-token-permissions/>.
    pub(crate) fn git_scopes(self) -> Option<GitScopes> {
        match self {
            Self::ApiToken => Some(GitScopes {
                read: "read:repository:bitbucket",
                write: "write:repository:bitbucket",
            }),
            Self::AccessToken | Self::Oauth => Some(GitScopes {
                read: "repository",
                write: "repository:write",
            }),
            Self::AppPassword | Self::HttpAccessToken => None,
        }
    }
}

/// Whether one of the granted scopes is, or implies, the wanted one.
///
/// The scopes of API tokens imply nothing; of the classic ones `repository:write`, `project` and `pullrequest` imply
/// `repository`, and `pullrequest:write` implies `repository:write`.
pub(crate) fn grants(granted: &[&str], wanted: &str) -> bool {
    let implied: &[&str] = match wanted {
        "repository" => &[
            "repository:write",
            "project",
            "pullrequest",
            "pullrequest:write",
        ],
        "repository:write" => &["pullrequest:write"],
        _ => &[],
    };
    granted
        .iter()
        .any(|scope| *scope == wanted || implied.contains(scope))
}

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

/// How Atlassian's secrets start, on whatever host.
const PREFIXES: [&str; 4] = ["ATATT", "ATCTT", "ATBB", "BBDC-"];
/// What is shorter is a word about them, and no secret.
const SHORTEST: usize = 21;

/// Whether a word starts like one of Atlassian's secrets: it must not be shown or kept as a name.
pub(crate) fn looks_like_a_secret(word: &str) -> bool {
    word.len() >= SHORTEST
        && PREFIXES
            .iter()
            .any(|prefix| word.trim_start_matches('-').starts_with(prefix))
}

/// Where in a text Atlassian's secrets stand, as far as their start tells.
pub(crate) fn tokens_in(text: &[u8]) -> Vec<Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=+/".contains(byte);
    let mut tokens: Vec<Range<usize>> = Vec::new();
    let starts = text.iter().enumerate().filter(|(start, byte)| {
        matches!(byte, b'A' | b'B')
            && (*start == 0 || !text[start - 1].is_ascii_alphanumeric())
            && PREFIXES
                .iter()
                .any(|prefix| text[*start..].starts_with(prefix.as_bytes()))
    });
    for (start, _) in starts {
        let length = text[start..]
            .iter()
            .take_while(|byte| is_part(byte))
            .count();
        let is_within = tokens.last().is_some_and(|last| start < last.end);
        if length >= SHORTEST && !is_within {
            tokens.push(start..start + length);
        }
    }
    tokens
}

/// Whether a user name in a URL is really a token: no name is that long; an e-mail may be.
pub(crate) fn is_token_for_a_name(name: &[u8]) -> bool {
    const LONGEST_NAME: usize = 40;
    let is_long = name.len() > LONGEST_NAME && !name.contains(&b'@');
    is_long || looks_like_a_secret(&String::from_utf8_lossy(name))
}

/// Whether what stands for a password only fills its place, behind a token that stands for the user name.
pub(crate) fn is_filler(password: &[u8]) -> bool {
    [
        "x-oauth-basic",
        "x-access-token",
        ACCESS_TOKEN_USERNAME,
        API_TOKEN_USERNAME,
        "oauth2",
        "x",
    ]
    .iter()
    .any(|filler| password == filler.as_bytes())
}

/// Whether this is Bitbucket Cloud, git or REST.
pub(crate) fn is_cloud(host: &Host) -> bool {
    matches!(host.as_str(), CLOUD_HOST | API_HOST)
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

/// The host whose accounts answer for this one: REST of Bitbucket Cloud is answered by the accounts of bitbucket.org.
pub(crate) fn home_of(host: &Host) -> Host {
    if host.as_str() == API_HOST {
        cloud()
    } else {
        host.clone()
    }
}

/// api.bitbucket.org
pub(crate) fn api_host() -> Host {
    API_HOST.parse().expect("a well-formed host")
}

/// The hosts for which git asks on behalf of an account: of Bitbucket Cloud also that of REST.
pub(crate) fn hosts_asked_for(host: &Host) -> Vec<Host> {
    if is_cloud(host) {
        vec![cloud(), api_host()]
    } else {
        vec![host.clone()]
    }
}

/// bitbucket.org
pub(crate) fn cloud() -> Host {
    CLOUD_HOST.parse().expect("a well-formed host")
}

serde_as_text!(Host, Kind);

#[cfg(test)]
mod tests {
    use super::{Kind, cloud, context_of};
    use crate::git::context::Host;
    use crate::sys::secret::Secret;

    fn data_center() -> Host {
        "git.corp.example:7990".parse().expect("a host")
    }

    #[test]
    fn the_prefix_names_the_kind_only_on_its_own_host() {
        let kind = |secret: &str, host: &Host| Kind::of_secret(&Secret::new(secret.into()), host);
        assert_eq!(kind("ATATT3xFfGF0abc", &cloud()), Some(Kind::ApiToken));
        assert_eq!(kind("ATCTT3xFfGN0abc", &cloud()), Some(Kind::AccessToken));
        assert_eq!(kind("ATBBabc", &cloud()), Some(Kind::AppPassword));
        assert_eq!(
            kind("BBDC-abc", &data_center()),
            Some(Kind::HttpAccessToken)
        );
        assert_eq!(kind("ATATT3xFfGF0abc", &data_center()), None);
        assert_eq!(kind("BBDC-abc", &cloud()), None);
        assert_eq!(kind("hunter2", &cloud()), None);
    }

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

    #[test]
    fn without_a_prefix_the_user_name_tells_the_kind() {
        let long = "j".repeat(800);
        let rows: [(&str, Option<&str>, Host, Kind); 9] = [
            ("ATATTx", Some("x-token-auth"), cloud(), Kind::ApiToken),
            ("abc", Some("x-token-auth"), cloud(), Kind::AccessToken),
            (
                "abc",
                Some("x-bitbucket-api-token-auth"),
                cloud(),
                Kind::ApiToken,
            ),
            ("abc", Some("ada"), cloud(), Kind::AppPassword),
            (&long, Some("ada"), cloud(), Kind::AccessToken),
            ("abc", None, cloud(), Kind::AccessToken),
            ("abc", None, data_center(), Kind::HttpAccessToken),
            (
                "abc",
                Some("x-token-auth"),
                data_center(),
                Kind::HttpAccessToken,
            ),
            ("abc", Some("ada"), data_center(), Kind::AppPassword),
        ];
        for (secret, name, host, kind) in rows {
            let secret = Secret::new(secret.into());
            assert_eq!(
                Kind::of_pair(&secret, name.map(str::as_bytes), &host),
                kind,
                "{name:?}"
            );
        }
    }
}
