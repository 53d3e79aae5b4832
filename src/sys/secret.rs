//! Secrets in memory: never shown, wiped when dropped, compared in constant time.

use std::fmt;
use std::io::{self, Read};
use std::ops::Deref;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
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
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        Ok(Self::new(
            Base64UrlUnpadded::encode_string(bytes.as_ref()).into_bytes(),
        ))
    }

    /// The value. Review each call.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without the white space that is pasted along with a token.
    pub(crate) fn trimmed(&self) -> Self {
        Self::new(self.0.trim_ascii().to_vec())
    }

    /// A keyed fingerprint (HMAC-SHA256): with the key it shows whether two secrets are equal, and nothing else.
    pub(crate) fn fingerprint(&self, key: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&self.0);
        mac.finalize().into_bytes().into()
    }
}

/// The time that it takes depends only on the lengths.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<SecretBuffer> for Secret {
    fn from(buffer: SecretBuffer) -> Self {
        Self(buffer.0)
    }
}

/// A buffer in which a secret is put together. When it needs more room, it moves and wipes its old place; a `Vec` would
/// leave a copy there.
#[derive(Default)]
pub(crate) struct SecretBuffer(Zeroizing<Vec<u8>>);

impl SecretBuffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Reads a stream to its end.
    ///
    /// # Errors
    /// `FileTooLarge` when it holds more than `most` bytes.
    pub(crate) fn read(mut stream: impl Read, most: usize) -> io::Result<Self> {
        let mut buffer = Self::default();
        let mut part = Zeroizing::new([0; 1 << 12]);
        loop {
            let read = match stream.read(&mut part[..]) {
                Ok(0) => return Ok(buffer),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome?,
            };
            if read > most - buffer.len() {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("it is longer than {most} bytes"),
                ));
            }
            buffer.extend(&part[..read]);
        }
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let length = self.0.len() + bytes.len();
        if length > self.0.capacity() {
            let mut larger = Self::with_capacity(length.max(2 * self.0.capacity()).max(1 << 12));
            larger.0.extend_from_slice(&self.0);
            *self = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl Deref for SecretBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBuffer(…)")
    }
}

impl io::Write for SecretBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, SecretBuffer};

    #[test]
    fn a_buffer_takes_any_number_of_bytes() {
        let mut buffer = SecretBuffer::with_capacity(2);
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        for part in bytes.chunks(77) {
            buffer.extend(part);
        }
        buffer.push(b'x');
        assert_eq!(buffer[..100_000], bytes);
        assert_eq!(buffer[100_000..], *b"x");
        assert_eq!(
            SecretBuffer::read(&bytes[..], 100_000).expect("read")[..],
            bytes
        );
        assert!(SecretBuffer::read(&bytes[..], 99_999).is_err());
    }

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
