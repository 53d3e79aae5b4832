//! A URL as it stands in git's configuration: what it says, without the secret it may hold.

use percent_encoding::percent_decode_str;

use crate::context::Host;

/// What stands in place of a user name and password.
const MASK: &str = "***";

/// A URL with a scheme, taken apart. It has neither `Debug` nor `Display`: [`Url::bare`] is what may be shown.
pub(crate) struct Url<'a> {
    pub(crate) scheme: &'a str,
    userinfo: Option<&'a str>,
    authority: &'a str,
    /// Without the slash before it.
    path: &'a str,
}

impl<'a> Url<'a> {
    /// Takes a URL apart as git does; nothing when it has no scheme.
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
        matches!(self.scheme, "http" | "https")
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

    /// As git sends it to a helper. People also put a token here.
    pub(crate) fn username(&self) -> Option<Vec<u8>> {
        let username = self.userinfo?.split(':').next()?;
        Some(percent_decode_str(username).collect()).filter(|name: &Vec<u8>| !name.is_empty())
    }

    pub(crate) fn has_password(&self) -> bool {
        let password = self.userinfo.and_then(|userinfo| userinfo.split_once(':'));
        password.is_some_and(|(_, password)| !password.is_empty())
    }

    /// The URL without user name, password and query.
    pub(crate) fn bare(&self) -> String {
        let slash = if self.path.is_empty() { "" } else { "/" };
        format!("{}://{}{slash}{}", self.scheme, self.authority, self.path)
    }
}

/// The text with user name and password of a URL in it masked, and its query left out.
///
/// A password may hold blanks, quotes, slashes and further `://`: so everything up to the last at sign goes, which may
/// be more than need be.
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
    use super::{Url, masked};

    #[test]
    fn a_url_is_taken_apart_as_git_does_it() {
        let url = Url::parse("https://me%40x.com:canary@BitBucket.org:443/acme/app.git/?x=canary")
            .expect("a URL");
        assert!(url.is_http() && url.has_password());
        assert_eq!(
            url.host().map(|host| host.to_string()).as_deref(),
            Some("bitbucket.org")
        );
        assert_eq!(url.username().as_deref(), Some(&b"me@x.com"[..]));
        assert_eq!(url.path().as_deref(), Some(&b"acme/app.git"[..]));
        assert_eq!(url.bare(), "https://BitBucket.org:443/acme/app.git");

        let url = Url::parse("https://ada@bitbucket.org").expect("a URL");
        assert!(!url.has_password() && url.path().is_none());
        assert!(Url::parse("git@bitbucket.org:acme/app.git").is_none());
        let lookalike = Url::parse("https://bitbucket.org@evil.example/x").expect("a URL");
        assert_eq!(
            lookalike.host().map(|host| host.to_string()).as_deref(),
            Some("evil.example")
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
