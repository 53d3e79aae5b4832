//! URLs in git's configuration, and how to show them without the secrets in them.

use std::ops::Range;
use std::{iter, str};

use percent_encoding::percent_decode_str;

use crate::git::context::Host;
use crate::sys::Secret;

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
        let mut schemes = SCHEMES.iter();
        schemes.any(|scheme| self.scheme.eq_ignore_ascii_case(scheme))
    }

    pub(crate) fn host(&self) -> Option<Host> {
        let authority = percent_decode_str(self.authority).decode_utf8();
        authority.ok()?.parse().ok()
    }

    /// As git sends it to a helper.
    pub(crate) fn path(&self) -> Option<Vec<u8>> {
        Some(percent_decode_str(self.path).collect()).filter(|path: &Vec<u8>| !path.is_empty())
    }

    /// As git sends it to a helper. It may be a token.
    pub(crate) fn username(&self) -> Option<Secret> {
        decoded(self.userinfo?.split(':').next()?)
    }

    /// As git sends it to a helper.
    pub(crate) fn password(&self) -> Option<Secret> {
        decoded(self.userinfo?.split_once(':')?.1)
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
        self.shown("")
    }

    /// The URL without password and query. The caller must know that its user name is no secret.
    pub(crate) fn named(&self) -> String {
        let name = self.userinfo.unwrap_or_default().split(':').next();
        match name.unwrap_or_default() {
            "" => self.bare(),
            name => self.shown(&format!("{name}@")),
        }
    }

    fn shown(&self, userinfo: &str) -> String {
        let slash = if self.path.is_empty() { "" } else { "/" };
        let (scheme, authority, path) = (self.scheme, self.authority, self.path);
        format!("{scheme}://{userinfo}{authority}{slash}{path}")
    }
}

const SCHEMES: [&str; 2] = ["https", "http"];

fn decoded(text: &str) -> Option<Secret> {
    // Room for everything: a `Vec` that grows leaves copies of a secret behind.
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend(percent_decode_str(text));
    Some(Secret::new(bytes)).filter(|secret| !secret.is_empty())
}

/// The http and https URLs in a text, each with its start. A blank, a quote, an angle bracket, the punctuation of the
/// sentence or the next URL ends a URL: so no byte is read for two of them.
pub(crate) fn urls_in(text: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    let marks = text.windows(3).enumerate();
    let starts = marks.filter_map(|(mark, part)| match part {
        b"://" => scheme_before(text, mark),
        _ => None,
    });
    let mut starts = starts.peekable();
    let urls = iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().copied().unwrap_or(text.len());
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>\0".contains(byte);
        let url = text[start..end].split(is_end).next()?;
        Some((start, str::from_utf8(url)))
    });
    let after = [':', ';', ',', '.', ')', ']', '}'];
    urls.filter_map(move |(start, url)| Some((start, url.ok()?.trim_end_matches(after))))
}

/// Where the scheme before this `://` starts.
fn scheme_before(text: &[u8], mark: usize) -> Option<usize> {
    let mut schemes = SCHEMES.iter();
    schemes.find_map(|scheme| {
        let start = mark.checked_sub(scheme.len())?;
        let is_it = text[start..mark].eq_ignore_ascii_case(scheme.as_bytes());
        is_it.then_some(start)
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
    let (mask, url) = url.rfind('@').map_or(("", url), |at| (MASK, &url[at..]));
    let (url, query) = url
        .split_once('?')
        .map_or((url, ""), |(url, _)| (url, "?…"));
    format!("{before}://{mask}{url}{query}")
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
