//! Secrets in memory: never shown, wiped when dropped, compared in constant time.

use std::fmt;
use std::io::{self, Read};
use std::ops::Deref;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
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
    pub(crate) fn random() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
        let letters = Base64UrlUnpadded::encode_string(bytes.as_ref());
        Ok(Self::new(letters.into_bytes()))
    }

    /// A JSON document with secrets in it.
    pub(crate) fn of_json(document: &impl Serialize) -> serde_json::Result<Self> {
        let mut json = SecretBuffer::default();
        serde_json::to_writer(&mut json, document)?;
        Ok(json.into())
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

    /// A keyed fingerprint (128 bits of HMAC-SHA256, as letters): with the key it shows whether two secrets are equal, and
    /// nothing else.
    pub(crate) fn fingerprint(&self, key: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(&self.0);
        Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes()[..16])
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
    /// Reads a stream to its end.
    /// More than `most` bytes are the error `FileTooLarge`.
    pub(crate) fn read(mut stream: impl Read, most: usize) -> io::Result<Self> {
        let mut buffer = Self::default();
        while buffer.read_part(&mut stream)? > 0 {
            if buffer.len() > most {
                let message = format!("it is longer than {most} bytes");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
        }
        Ok(buffer)
    }

    /// Appends what a stream has now, and says how many bytes that is: 0 at its end.
    pub(crate) fn read_part(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        /// As long as most requests of git: each byte of it is wiped.
        const FIRST: usize = 1 << 9;
        const LONGEST: usize = 1 << 16;
        let length = self.len();
        if length == self.0.capacity() {
            self.make_room(FIRST);
        }
        let part = (self.0.capacity() - length).min(LONGEST);
        self.0.resize(length + part, 0);
        let read = loop {
            match stream.read(&mut self.0[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.0.truncate(length + *read.as_ref().unwrap_or(&0));
        read
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn make_room(&mut self, more: usize) {
        let length = self.len() + more;
        if length > self.0.capacity() {
            let larger = Vec::with_capacity(length.max(2 * self.0.capacity()));
            let smaller = std::mem::replace(&mut self.0, Zeroizing::new(larger));
            self.0.extend_from_slice(&smaller);
        }
    }
}

impl Deref for SecretBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
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
        let mut buffer = SecretBuffer::default();
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
