//! Bytes in a text file: git's user names and paths need not be UTF-8.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::sys::error::is_printable;
use crate::sys::words::serde_as_text;

/// All but what each part of a URL leaves as it is (RFC 3986, 2.3).
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Bytes. As text, everything but printable UTF-8 is percent-encoded, and so is the percent sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
        let is_plain = |character| is_printable(character) && character != '%';
        match std::str::from_utf8(&self.0) {
            Ok(text) if text.chars().all(is_plain) => f.write_str(text),
            _ => percent_encode(&self.0, ENCODED).fmt(f),
        }
    }
}

impl FromStr for Bytes {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(percent_decode_str(text).collect()))
    }
}

serde_as_text!(Bytes);

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn bytes_come_back_whatever_they_are() {
        for bytes in [
            &b"ada"[..],
            b"j\xfcrgen",
            "jürgen".as_bytes(),
            b"50%",
            b"%ff",
            b"a\x1b[2J",
            b"a b@c",
            "a\u{202e}b".as_bytes(),
        ] {
            let text = toml::Value::try_from(Bytes(bytes.to_vec())).expect("a value");
            assert_eq!(text.try_into::<Bytes>().expect("bytes").as_slice(), bytes);
        }
    }
}
