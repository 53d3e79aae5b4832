//! A user name as git sends it: bytes that need not be UTF-8, and never a secret.

use std::fmt;

use serde::{Deserialize as _, Deserializer, Serialize};

use crate::sys::Bytes;

/// A user name; it is never empty. As text it can be printed and stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Username(Bytes);

impl Username {
    /// Nothing where there are no bytes.
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Reads one from a file. An empty one counts as none.
    pub(crate) fn read<'de, D: Deserializer<'de>>(file: D) -> Result<Option<Self>, D::Error> {
        Ok(Self::new(Bytes::deserialize(file)?.as_slice()))
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Username;

    #[test]
    fn a_user_name_has_bytes_and_can_be_printed() {
        assert!(Username::new("").is_none());
        let name = Username::new(b"a\x1b[2Jda".to_vec()).expect("a name");
        assert_eq!(name.to_string(), "a%1B[2Jda");
        assert_eq!(name.as_slice(), b"a\x1b[2Jda");
    }
}
