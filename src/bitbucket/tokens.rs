//! How secrets start, and which kind each prefix names. No other file knows a prefix.

use std::iter;
use std::ops::Range;

use percent_encoding::percent_decode_str;

use crate::bitbucket::host::is_cloud;
use crate::bitbucket::kind::{Kind, static_usernames};
use crate::git::url::{MASK, urls_in};
use crate::git::{Host, Url, Username};
use crate::sys::Secret;

/// How Atlassian's secrets start, and the kind that this names. Atlassian tells four letters
/// (<https://community.atlassian.com/>, answer 3093481, 2025-08-26), and that lengths vary.
static PREFIXES: [(&str, Option<Kind>); 6] = [
    ("ATAT", Some(Kind::ApiToken)),
    ("ATCT", Some(Kind::AccessToken)),
    ("ATBB", Some(Kind::AppPassword)),
    // Bitbucket Data Center.
    ("BBDC-", Some(Kind::HttpAccessToken)),
    (SERVICE_ACCOUNT, None),
    // An OAuth app of other products.
    ("ATOA", None),
];

/// A service account's API token starts `ATSTT`. Bitbucket has no scopes for it (BCLOUD-23832, open).
const SERVICE_ACCOUNT: &str = "ATST";

pub(crate) fn is_of_a_service_account(secret: &Secret) -> bool {
    prefix_of(secret.expose()).is_some_and(|(prefix, _)| *prefix == SERVICE_ACCOUNT)
}

/// What the text starts with: the prefix of a secret, and the kind that it names.
fn prefix_of(text: &[u8]) -> Option<&'static (&'static str, Option<Kind>)> {
    let mut prefixes = PREFIXES.iter();
    prefixes.find(|(prefix, _)| text.starts_with(prefix.as_bytes()))
}

/// The kind that a secret's prefix names, on any host.
fn named(secret: &Secret) -> Option<Kind> {
    prefix_of(secret.expose())?.1
}

impl Kind {
    /// The kind that a secret's prefix names on this host.
    ///
    /// Lengths are never looked at: Atlassian says they vary.
    pub(crate) fn of_secret(secret: &Secret, host: &Host) -> Option<Self> {
        named(secret).filter(|kind| kind.prefix_is_of(host))
    }

    /// The kind that the prefix names on the other product: Cloud for a Data Center host, and Data Center for Cloud.
    /// Such a secret must not be sent to this host.
    pub(crate) fn of_another_host(secret: &Secret, host: &Host) -> Option<Self> {
        named(secret).filter(|kind| !kind.prefix_is_of(host))
    }

    /// The kind of a secret found with a user name, such as in a URL.
    pub(crate) fn of_pair(secret: &Secret, username: Option<&Username>, host: &Host) -> Self {
        /// An OAuth access token has no prefix, works with any user name, and is far longer than a password.
        const LONGEST_PASSWORD: usize = 128;
        let named = || {
            let own = username?.as_slice();
            let mut kinds = Self::ALL.into_iter();
            let is_it = |kind: &Self| kind.static_username() == Some(own) && kind.exists_on(host);
            // Nobody types an OAuth token, and what is found of one has no grant.
            kinds.find(|kind| *kind != Self::Oauth && is_it(kind))
        };
        let is_long = secret.expose().len() > LONGEST_PASSWORD;
        match Self::of_secret(secret, host).or_else(named) {
            Some(kind) => kind,
            None if username.is_none() || is_long => {
                if is_cloud(host) {
                    Self::AccessToken
                } else {
                    Self::HttpAccessToken
                }
            }
            None => Self::AppPassword,
        }
    }

    /// Whether this kind has a prefix on this host. A password of Data Center has none.
    fn prefix_is_of(self, host: &Host) -> bool {
        is_cloud(host) == (self != Self::HttpAccessToken)
    }
}

/// Anything shorter is a word, not a secret.
const SHORTEST: usize = 21;

/// Whether a word starts like a secret of Atlassian's: then it must not be shown, or used as a name.
pub(crate) fn looks_like_a_secret(word: impl AsRef<[u8]>) -> bool {
    let word = word.as_ref();
    let dashes = word.iter().take_while(|byte| **byte == b'-').count();
    word.len() >= SHORTEST && prefix_of(&word[dashes..]).is_some()
}

/// Where in a text Atlassian's secrets stand, as far as their start tells.
pub(crate) fn tokens_in(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=+/".contains(byte);
    let is_start = move |start: usize| {
        matches!(text[start], b'A' | b'B')
            && (start == 0 || !text[start - 1].is_ascii_alphanumeric())
            && prefix_of(&text[start..]).is_some()
    };
    let mut position = 0;
    let tokens = iter::from_fn(move || {
        let start = (position..text.len()).find(|&start| is_start(start))?;
        let rest = text[start..].iter();
        position = start + rest.take_while(|byte| is_part(byte)).count();
        Some(start..position)
    });
    tokens.filter(|token| token.len() >= SHORTEST)
}

/// The characters of a token that starts like this.
pub(super) fn parts_of(start: &[u8]) -> impl Fn(u8) -> bool {
    let kind = prefix_of(start).and_then(|(_, kind)| *kind);
    let of_data_center = kind == Some(Kind::HttpAccessToken);
    let more: &[u8] = if of_data_center { b"-_=+/@" } else { b"-_=" };
    move |byte| byte.is_ascii_alphanumeric() || more.contains(&byte)
}

/// Whether a token of Bitbucket Cloud has its end: an equals sign and eight hexadecimal digits.
pub(super) fn is_complete(token: &[u8]) -> bool {
    let mut end = token.rchunks(8);
    let is_sum = |digits: &[u8]| digits.len() == 8 && digits.iter().all(u8::is_ascii_hexdigit);
    end.next().is_some_and(is_sum) && end.next().is_some_and(|rest| rest.ends_with(b"="))
}

/// The text with Atlassian's secrets and the passwords of URLs masked. It masks too much rather than too little: a secret
/// may be percent-encoded, or follow a letter.
pub(crate) fn masked(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_=+/%".contains(letter);
    let secret_in = |text: &str| {
        let mut starts = text.char_indices().map(|(start, _)| start);
        starts.find(|&start| {
            let (before, word) = text.split_at(start);
            let mut parts = word.chars().take_while(|&letter| is_part(letter));
            prefix_of(word.as_bytes()).is_some()
                && !before.ends_with(|letter: char| letter.is_ascii_uppercase())
                && parts.nth(SHORTEST - 1).is_some()
        })
    };
    let text = without_passwords(text);
    let mut shown = String::with_capacity(text.len());
    for run in text.split_inclusive(|letter| !is_part(letter)) {
        let word = run.trim_end_matches(|letter| !is_part(letter));
        let encoded = || {
            let start = word.find('%')?;
            secret_in(&percent_decode_str(word).decode_utf8_lossy()).map(|_| start)
        };
        match secret_in(word).or_else(encoded) {
            Some(start) => shown.extend([&word[..start], MASK, &run[word.len()..]]),
            None => shown.push_str(run),
        }
    }
    shown
}

/// The text with the passwords of its URLs masked, and the user names that are tokens.
fn without_passwords(text: &str) -> String {
    let mut shown = text.to_owned();
    let urls: Vec<(usize, &str)> = urls_in(text.as_bytes()).collect();
    for (start, url) in urls.into_iter().rev() {
        let Some(url) = Url::parse(url) else { continue };
        let is_token = |name: Secret| is_token_for_a_name(name.expose());
        let secret = match (url.userinfo_range(), url.password_range()) {
            (Some(whole), _) if url.username().is_some_and(is_token) => whole.start..whole.end - 1,
            (_, Some(password)) => password.start + 1..password.end,
            _ => continue,
        };
        shown.replace_range(start + secret.start..start + secret.end, MASK);
    }
    shown
}

/// Whether the user name in a URL is really a token: only an e-mail can be that long.
pub(crate) fn is_token_for_a_name(name: &[u8]) -> bool {
    const LONGEST_NAME: usize = 40;
    let is_long = name.len() > LONGEST_NAME && !name.contains(&b'@');
    is_long || looks_like_a_secret(name)
}

/// The pair where a token in the place of the user name is the secret, if the password is a filler, and else no name.
pub(crate) fn put_right(username: Option<Username>, secret: Secret) -> (Option<Username>, Secret) {
    let Some(name) = username else {
        return (None, secret);
    };
    if is_filler(secret.expose()) && is_token_for_a_name(name.as_slice()) {
        return (None, Secret::new(name.as_slice().to_vec()));
    }
    let name = Some(name).filter(|name| !looks_like_a_secret(name.as_slice()));
    (name, secret)
}

/// Whether a password is only a placeholder, behind a token given as user name.
pub(crate) fn is_filler(password: &[u8]) -> bool {
    let of_others: [&[u8]; 4] = [b"x-oauth-basic", b"x-access-token", b"oauth2", b"x"];
    of_others.contains(&password) || static_usernames().contains(&password)
}

/// The same as an extended regular expression for grep(1), ignoring case. It may find too much: each hit is checked.
pub(crate) fn pattern() -> String {
    let starts = PREFIXES.map(|(prefix, _)| prefix).join("|");
    format!("({starts})[A-Za-z0-9_=+/-]{{16}}")
}

#[cfg(test)]
mod tests {
    use super::{PREFIXES, looks_like_a_secret, tokens_in};
    use crate::bitbucket::host::cloud;
    use crate::bitbucket::kind::Kind;
    use crate::git::context::Host;
    use crate::git::username::Username;
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
    fn a_secret_with_any_of_the_prefixes_is_found_in_a_text() {
        for (prefix, _) in PREFIXES {
            let secret = format!("{prefix}canary-0123456789");
            let text = format!("deploy {secret} x{secret}");
            let found: Vec<&str> = tokens_in(text.as_bytes())
                .map(|range| &text[range])
                .collect();
            assert_eq!(found, [secret.as_str()], "{text}");
            assert!(looks_like_a_secret(&secret), "{secret}");
        }
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand_in_a_text() {
        let token = "ATATT3xFfGF0canary-api_token=0A1B2C3D";
        let dashes = token.replace('-', "%2D").replace('=', "%3d");
        let start = token.replacen('A', "%41", 1);
        for (text, shown) in [
            (format!("'{token}' is set"), "'***' is set"),
            (format!("é{token}é {token}"), "é***é ***"),
            (format!("path=acme/{dashes}."), "path=acme/***."),
            (
                format!("https://x.org/acme/{start}"),
                "https://x.org/acme/***",
            ),
            (format!("x%3D{token}"), "x***"),
            (format!("https://{token}@x.org/a"), "https://***@x.org/a"),
            (
                format!("'https://{}@x.org/a'", "j".repeat(60)),
                "'https://***@x.org/a'",
            ),
            (
                "https://ada:canary@x.org, https://u:canary@y.org/".to_owned(),
                "https://ada:***@x.org, https://u:***@y.org/",
            ),
            (
                "DATATABLE_MIGRATION_SCRIPTS_AND_MORE ATAT ATATT3x…".to_owned(),
                "DATATABLE_MIGRATION_SCRIPTS_AND_MORE ATAT ATATT3x…",
            ),
        ] {
            assert_eq!(super::masked(&text), shown);
            assert_eq!(super::masked(shown), shown);
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
                Kind::of_pair(&secret, name.and_then(Username::new).as_ref(), &host),
                kind,
                "{name:?}"
            );
        }
    }
}
