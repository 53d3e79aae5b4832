//! A value nobody may see: it has no `Display`, a fixed `Debug`, and is wiped when dropped.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A password, token or other secret, as bytes: git promises no encoding.
#[derive(Clone, Default)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes; the caller's buffer becomes the secret's, no copy stays behind.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// 256 bits, as letters.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        Ok(Self::new(
            Base64UrlUnpadded::encode_string(bytes.as_ref()).into_bytes(),
        ))
    }

    /// The value itself. Every call is a place to review.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without the white space around it, which comes along when a token is pasted.
    pub(crate) fn trimmed(&self) -> Self {
        Self::new(self.0.trim_ascii().to_vec())
    }

    /// A keyed fingerprint (HMAC-SHA256): tells whether two secrets are the same to whoever has the key, and nothing else.
    pub(crate) fn fingerprint(&self, key: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&self.0);
        mac.finalize().into_bytes().into()
    }
}

/// Compares in a time that depends on the lengths alone.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        // Two digests under one key are compared in place of the secrets, as `hmac` does it for its own tags.
        let key = b"equality";
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&self.0);
        mac.verify_slice(&other.fingerprint(key)).is_ok()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_neither_the_secret_nor_its_length() {
        assert_eq!(
            format!("{:?}", Secret::new(b"hunter2".to_vec())),
            "Secret(…)"
        );
        assert_eq!(format!("{:?}", Secret::default()), "Secret(…)");
    }

    #[test]
    fn secrets_are_equal_when_their_bytes_are() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(secret, secret.clone());
        assert_ne!(secret, Secret::new(b"hunter22".to_vec()));
        assert_ne!(secret, Secret::default());
    }

    #[test]
    fn pasted_white_space_is_dropped() {
        let pasted = Secret::new(b" \thunter2\r\n".to_vec());
        assert_eq!(pasted.trimmed(), Secret::new(b"hunter2".to_vec()));
    }
}
