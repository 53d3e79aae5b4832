//! Bytes in a text file: git's user names and paths need not be UTF-8.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sys::error::is_printable;

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
        match std::str::from_utf8(&self.0) {
            Ok(text)
                if text
                    .chars()
                    .all(|character| is_printable(character) && character != '%') =>
            {
                f.write_str(text)
            }
            _ => percent_encode(&self.0, ENCODED).fmt(f),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(percent_decode_str(&text).collect()))
    }
}

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
