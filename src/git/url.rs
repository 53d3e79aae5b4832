//! URLs in git's configuration, and how to show them without the secrets in them.

use std::ops::Range;
use std::{iter, str};

use percent_encoding::percent_decode_str;

use crate::git::context::Host;
use crate::sys::secret::Secret;

/// Shown in place of a user name and password.
pub(crate) const MASK: &str = "***";

/// A parsed URL with a scheme. It has neither `Debug` nor `Display`: show [`Url::bare`].
pub(crate) struct Url<'a> {
    pub(crate) scheme: &'a str,
    userinfo: Option<&'a str>,
    authority: &'a str,
    /// Without the slash before it.
    path: &'a str,
}

impl<'a> Url<'a> {
    /// Parses a URL as git and curl do. None without a scheme.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, authority),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Some(Self {
            scheme,
            userinfo,
            authority,
            path: path.trim_matches('/'),
        })
    }

    pub(crate) fn is_http(&self) -> bool {
        SCHEMES
            .iter()
            .any(|scheme| self.scheme.eq_ignore_ascii_case(scheme))
    }

    pub(crate) fn host(&self) -> Option<Host> {
        percent_decode_str(self.authority)
            .decode_utf8()
            .ok()?
            .parse()
            .ok()
    }

    /// As git sends it to a helper.
    pub(crate) fn path(&self) -> Option<Vec<u8>> {
        Some(percent_decode_str(self.path).collect()).filter(|path: &Vec<u8>| !path.is_empty())
    }

    /// As git sends it to a helper. It may be a token.
    pub(crate) fn username(&self) -> Option<Secret> {
        let username = self.userinfo?.split(':').next()?;
        decoded(username)
    }

    /// As git sends it to a helper.
    pub(crate) fn password(&self) -> Option<Secret> {
        let (_, password) = self.userinfo?.split_once(':')?;
        decoded(password)
    }

    /// The place of user name, password and at sign in the text.
    pub(crate) fn userinfo_range(&self) -> Option<Range<usize>> {
        let start = self.scheme.len() + "://".len();
        Some(start..start + self.userinfo?.len() + "@".len())
    }

    /// The place of the password, and the colon before it, in the text.
    pub(crate) fn password_range(&self) -> Option<Range<usize>> {
        let colon = self.userinfo?.find(':')?;
        let Range { start, end } = self.userinfo_range()?;
        Some(start + colon..end - "@".len())
    }

    /// The URL without user name, password and query.
    pub(crate) fn bare(&self) -> String {
        let slash = if self.path.is_empty() { "" } else { "/" };
        format!("{}://{}{slash}{}", self.scheme, self.authority, self.path)
    }

    /// The URL without password and query. The caller must know that its user name is no secret.
    pub(crate) fn named(&self) -> String {
        let name = self
            .userinfo
            .and_then(|userinfo| userinfo.split(':').next())
            .filter(|name| !name.is_empty());
        match (name, self.bare().split_once("://")) {
            (Some(name), Some((scheme, rest))) => format!("{scheme}://{name}@{rest}"),
            _ => self.bare(),
        }
    }
}

const SCHEMES: [&str; 2] = ["http", "https"];

fn decoded(text: &str) -> Option<Secret> {
    // Room for everything: a `Vec` that grows leaves copies of a secret behind.
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend(percent_decode_str(text));
    Some(Secret::new(bytes)).filter(|secret| !secret.is_empty())
}

/// The http and https URLs in a text, each with its start. A blank, a quote, an angle bracket, the punctuation of the
/// sentence or the next URL ends a URL: so no byte is read for two of them.
pub(crate) fn urls_in(text: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    let mut next = scheme_in(text, 0);
    let urls = iter::from_fn(move || {
        let Range { start, end } = next.take()?;
        next = scheme_in(text, end);
        let rest = &text[start..next.as_ref().map_or(text.len(), |next| next.start)];
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>\0".contains(byte);
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        let url = str::from_utf8(&rest[..length]).ok();
        Some(url.map(|url| {
            (
                start,
                url.trim_end_matches([':', ';', ',', '.', ')', ']', '}']),
            )
        }))
    });
    urls.flatten()
}

/// The place of the first `http://` or `https://` at or behind a position.
fn scheme_in(text: &[u8], position: usize) -> Option<Range<usize>> {
    let separator = b"://";
    let mut windows = text[position..].windows(separator.len()).enumerate();
    windows.find_map(|(offset, window)| {
        if window != separator {
            return None;
        }
        let mark = position + offset;
        let starts = |scheme: &&str| {
            let start = mark.checked_sub(scheme.len())?;
            let is_it = text[start..mark].eq_ignore_ascii_case(scheme.as_bytes());
            is_it.then_some(start)
        };
        let start = SCHEMES.iter().rev().find_map(starts)?;
        Some(start..mark + separator.len())
    })
}

/// The text with the user name and password of its URL masked, and without the query.
///
/// A password may hold blanks, quotes, slashes and another `://`. So everything up to the last at sign is masked, which
/// may be too much.
pub(crate) fn masked(text: &str) -> String {
    let Some((before, url)) = text.split_once("://") else {
        return text.to_owned();
    };
    let url = url
        .rfind('@')
        .map_or_else(|| url.to_owned(), |at| format!("{MASK}{}", &url[at..]));
    match url.split_once('?') {
        Some((url, _)) => format!("{before}://{url}?…"),
        None => format!("{before}://{url}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Url, masked, urls_in};

    #[test]
    fn a_url_is_taken_apart_as_git_does_it() {
        let url = Url::parse("https://me%40x.com:canary@BitBucket.org:443/acme/app.git/?x=canary")
            .expect("a URL");
        assert!(url.is_http() && url.password().is_some());
        assert_eq!(
            url.host().map(|host| host.to_string()).as_deref(),
            Some("bitbucket.org")
        );
        let name = url.username().expect("a user name");
        assert_eq!(name.expose(), b"me@x.com");
        assert_eq!(url.path().as_deref(), Some(&b"acme/app.git"[..]));
        assert_eq!(url.bare(), "https://BitBucket.org:443/acme/app.git");

        let url = Url::parse("https://ada@bitbucket.org").expect("a URL");
        assert!(url.password().is_none() && url.path().is_none());
        assert!(Url::parse("git@bitbucket.org:acme/app.git").is_none());
        let lookalike = Url::parse("https://bitbucket.org@evil.example/x").expect("a URL");
        assert_eq!(
            lookalike.host().map(|host| host.to_string()).as_deref(),
            Some("evil.example")
        );
    }

    #[test]
    fn what_is_secret_in_a_url_is_found_in_its_text() {
        let text = "https://ada:can%61ry@bitbucket.org:443/acme/app.git?x=canary";
        let url = Url::parse(text).expect("a URL");
        assert_eq!(url.password().expect("a password").expose(), b"canary");
        assert_eq!(
            url.password_range().map(|range| &text[range]),
            Some(":can%61ry")
        );
        assert_eq!(
            url.userinfo_range().map(|range| &text[range]),
            Some("ada:can%61ry@")
        );
        assert_eq!(url.named(), "https://ada@bitbucket.org:443/acme/app.git");
        let two = "https://u:p@q@bitbucket.org/x";
        let url = Url::parse(two).expect("a URL");
        assert_eq!(url.password().expect("a password").expose(), b"p@q");
        assert_eq!(url.named(), "https://u@bitbucket.org/x");
    }

    #[test]
    fn urls_are_found_within_a_text() {
        let text =
            b"a 'HTTPS://u:p@x.org/a' of https://y.org:\n\xffhttp://z://https://v (<http://w>)";
        let urls: Vec<&str> = urls_in(text).map(|(_, url)| url).collect();
        assert_eq!(
            urls,
            [
                "HTTPS://u:p@x.org/a",
                "https://y.org",
                "http://z://",
                "https://v",
                "http://w"
            ]
        );
    }

    #[test]
    fn no_secret_of_a_url_is_shown() {
        for (text, shown) in [
            ("http://u:canary@proxy:3128", "http://***@proxy:3128"),
            (
                "http.https://canary@x.org/.extraheader",
                "http.https://***@x.org/.extraheader",
            ),
            ("https://u:can/ary@x.org/a", "https://***@x.org/a"),
            ("https://x.org/a?token=canary", "https://x.org/a?…"),
            (
                "!curl https://u:canary@x.org/ 'ftp://u:canary@y'",
                "!curl https://***@y'",
            ),
            ("http://u:can ary@proxy:3128", "http://***@proxy:3128"),
            ("http://u:can'ary@proxy:3128", "http://***@proxy:3128"),
            ("http://u:12/canary@proxy:3128", "http://***@proxy:3128"),
            ("http://u:can://ary@proxy:3128", "http://***@proxy:3128"),
            // It cannot be told from the one with a slash in its password.
            ("https://x.org:8443/a@b", "https://***@b"),
            ("store", "store"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
