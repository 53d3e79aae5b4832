//! The embedded store: one private file of sealed secrets, and their key in another one or in the kernel.
//!
//! Each line is an entry: its name, percent-encoded, a blank, and in base64 a nonce with the secret sealed by
//! XChaCha20-Poly1305; the name is authenticated with it, so that no line can stand in for another one.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use base64ct::{Base64, Encoding as _};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use zeroize::Zeroizing;

use super::{Error, Store};
use crate::sys::files::Lock;
use crate::sys::{Hinted, Secret, files};

pub(crate) struct FileStore {
    pub(crate) path: PathBuf,
    pub(crate) key: KeyPlace,
    /// How long another process may hold the file.
    pub(crate) patience: Duration,
}

/// Where the key of the sealed secrets lies.
#[derive(Debug)]
pub(crate) enum KeyPlace {
    File(PathBuf),
    /// In the user's persistent keyring of the kernel: lost at reboot, or after three idle days.
    Kernel,
}

const HEADER: &str = "# Secrets of git-credential-bitbucket, sealed.";

impl Store for FileStore {
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
        let sealed = self.find(entry)?;
        Ok(sealed.map(|sealed| self.open(entry, &sealed)).transpose()?)
    }

    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
        let lock = Lock::acquire(&self.path, self.patience)?;
        let others = self.read()?;
        let cipher = match self.cipher()? {
            Some(cipher) => cipher,
            None if sealed_lines(&others).next().is_none() => self.make_key()?,
            None => return Err(self.key_is_gone().into()),
        };
        let line = format!("{}{}", start_of(entry), seal(&cipher, entry, secret)?);
        Ok(write(&lock, &others, entry, Some(&line))?)
    }

    fn delete(&self, entry: &str) -> Result<(), Error> {
        let lock = Lock::acquire(&self.path, self.patience)?;
        let content = self.read()?;
        let start = start_of(entry);
        if sealed_lines(&content).any(|line| line.starts_with(start.as_bytes())) {
            write(&lock, &content, entry, None)?;
        }
        Ok(())
    }
}

impl FileStore {
    /// The sealed secret of an entry. Reads only up to its line: there may be thousands.
    fn find(&self, entry: &str) -> Result<Option<Vec<u8>>> {
        let Some(file) = files::open_private(&self.path)? else {
            return Ok(None);
        };
        let start = start_of(entry);
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        let mut next = |line: &mut Vec<u8>| {
            line.clear();
            let cannot = || format!("cannot read '{}'", self.path.display());
            lines.read_until(b'\n', line).with_context(cannot)
        };
        next(&mut line)?;
        self.refuse_foreign(&line)?;
        while next(&mut line)? > 0 {
            if let Some(sealed) = line.strip_prefix(start.as_bytes()) {
                return Ok(Some(sealed.trim_ascii_end().to_vec()));
            }
        }
        Ok(None)
    }

    /// The sealed file; nothing where there is none. An error when the file is not ours.
    fn read(&self) -> Result<Zeroizing<Vec<u8>>> {
        let content = files::read_private(&self.path)?.unwrap_or_default();
        if !content.is_empty() {
            self.refuse_foreign(&content)?;
        }
        Ok(content)
    }

    fn refuse_foreign(&self, text: &[u8]) -> Result<()> {
        let path = self.path.display();
        if text.is_empty() {
            // We never write an empty file: the file system lost it in a crash.
            bail!(Hinted::new(
                format!("'{path}' is empty"),
                "bring it back from a backup, or sign in again: 'git credential-bitbucket login NAME'",
            ));
        }
        if !text.starts_with(HEADER.as_bytes()) {
            bail!(Hinted::new(
                format!("'{path}' is not a file of this program's secrets"),
                "name another file as 'path' of [store.file] in config.toml, or move this one away",
            ));
        }
        Ok(())
    }

    fn open(&self, entry: &str, line: &[u8]) -> Result<Secret> {
        let damaged = || {
            let path = self.path.display();
            let what = format!("cannot open the entry '{entry}' of '{path}'");
            Hinted::new(
                format!("{what}: it is damaged, or sealed with another key"),
                "sign in again: 'git credential-bitbucket login NAME'",
            )
        };
        let cipher = self.cipher()?.ok_or_else(|| self.key_is_gone())?;
        let text = std::str::from_utf8(line).map_err(|_| damaged())?;
        let sealed = Base64::decode_vec(text).map_err(|_| damaged())?;
        let (nonce, sealed) = sealed.split_first_chunk().ok_or_else(damaged)?;
        let (msg, aad) = (sealed, entry.as_bytes());
        let secret = cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad });
        Ok(Secret::new(secret.map_err(|_| damaged())?))
    }

    /// The cipher with the key. None where there is no key.
    fn cipher(&self) -> Result<Option<XChaCha20Poly1305>> {
        let key = match &self.key {
            KeyPlace::File(path) => files::read_private(path)?,
            KeyPlace::Kernel => kernel::read(&self.path)?,
        };
        let cipher = key.map(|key| XChaCha20Poly1305::new_from_slice(&key));
        cipher.transpose().map_err(|_| {
            let hint =
                "bring it back from a backup, or move it and 'secrets' away and sign in again";
            Hinted::new(format!("the key in {} is damaged", self.key), hint).into()
        })
    }

    fn make_key(&self) -> Result<XChaCha20Poly1305> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut()).context("cannot get random bytes from the system")?;
        match &self.key {
            KeyPlace::File(path) => files::write_private(path, key.as_ref())?,
            KeyPlace::Kernel => kernel::write(&self.path, key.as_ref())?,
        }
        // By reference: a copy of the key would not be wiped.
        Ok(XChaCha20Poly1305::new((&*key).into()))
    }

    fn key_is_gone(&self) -> anyhow::Error {
        let (path, place) = (self.path.display(), &self.key);
        let back = match place {
            KeyPlace::File(_) => "bring it back from a backup",
            // A reboot empties it, and so do three idle days.
            KeyPlace::Kernel => "change 'key' in config.toml back if it was changed",
        };
        let hint = format!("{back}, or move '{path}' away and sign in again");
        Hinted::new(format!("its key is not in {place}"), hint).into()
    }
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "'{}'", path.display()),
            Self::Kernel => f.write_str("the kernel keyring"),
        }
    }
}

/// Writes all entries of `content` but `entry`, and then `line`.
fn write(lock: &Lock, content: &[u8], entry: &str, line: Option<&str>) -> Result<()> {
    let start = start_of(entry);
    let mut text = format!("{HEADER}\n").into_bytes();
    let others = sealed_lines(content).filter(|other| !other.starts_with(start.as_bytes()));
    for line in others.chain(line.map(str::as_bytes)) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    lock.write(&text)
}

fn seal(cipher: &XChaCha20Poly1305, entry: &str, secret: &Secret) -> Result<String> {
    let mut nonce = XNonce::default();
    getrandom::fill(&mut nonce).context("cannot get random bytes from the system")?;
    let (msg, aad) = (secret.expose(), entry.as_bytes());
    let text = cipher.encrypt(&nonce, Payload { msg, aad });
    let text = text.map_err(|_| anyhow!("the secret is too long to be sealed"))?;
    Ok(Base64::encode_string(&[nonce.as_slice(), &text].concat()))
}

fn start_of(entry: &str) -> String {
    const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'#');
    format!("{} ", percent_encode(entry.as_bytes(), ENCODED))
}

fn sealed_lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::path::Path;

    use anyhow::{Context as _, Result};
    use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};
    use zeroize::Zeroizing;

    /// The persistent keyring is linked into the *process* keyring: where nobody made a session keyring (CI shells,
    /// `setsid`) there is no other place from which it could be searched (persistent-keyring(7)).
    fn keyring() -> Result<KeyRing> {
        KeyRing::get_persistent(KeyRingIdentifier::Process)
            .context("cannot reach the kernel keyring")
    }

    pub(super) fn read(secrets: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match keyring()?.search(&description(secrets)) {
            Ok(key) => {
                let key = key
                    .read_to_vec()
                    .context("cannot read the kernel keyring")?;
                Ok(Some(Zeroizing::new(key)))
            }
            Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => {
                Ok(None)
            }
            Err(error) => Err(error).context("cannot search the kernel keyring"),
        }
    }

    pub(super) fn write(secrets: &Path, key: &[u8]) -> Result<()> {
        let added = keyring()?.add_key(&description(secrets), key);
        added
            .map(drop)
            .context("cannot write to the kernel keyring")
    }

    fn description(secrets: &Path) -> String {
        format!("git-credential-bitbucket:{}", secrets.display())
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::path::Path;

    use anyhow::{Result, bail};
    use zeroize::Zeroizing;

    use crate::sys::Hinted;

    pub(super) fn read(_secrets: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
        bail!(Hinted::new(
            "there is no kernel keyring on this system",
            "set 'key' of [store.file] in config.toml to \"file\"",
        ))
    }

    pub(super) fn write(secrets: &Path, _key: &[u8]) -> Result<()> {
        read(secrets).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use chacha20poly1305::XChaCha20Poly1305;
    use zeroize::ZeroizeOnDrop;

    use super::{FileStore, KeyPlace};
    use crate::store::Store as _;
    use crate::sys::Secret;

    /// Only with a feature of its crate; without it this does not compile.
    #[test]
    fn the_cipher_wipes_its_key() {
        fn is_wiped<T: ZeroizeOnDrop>() {}
        is_wiped::<XChaCha20Poly1305>();
    }

    fn store(folder: &tempfile::TempDir) -> FileStore {
        FileStore {
            path: folder.path().join("secrets"),
            key: KeyPlace::File(folder.path().join("secrets.key")),
            patience: Duration::from_secs(5),
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn a_secret_comes_back_until_it_is_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        assert_eq!(store.get("a").expect("an answer"), None);
        for entry in ["a", "a b", "a%20b", "#", "ü\n"] {
            store
                .set(entry, &secret(&format!("secret of {entry}")))
                .expect("stored");
        }
        store.set("a", &secret("another")).expect("stored");
        assert_eq!(store.get("a").expect("an answer"), Some(secret("another")));
        assert_eq!(
            store.get("ü\n").expect("an answer"),
            Some(secret("secret of ü\n"))
        );
        store.delete("a").expect("deleted");
        store.delete("a").expect("nothing to delete");
        assert_eq!(store.get("a").expect("an answer"), None);
        assert_eq!(
            store.get("a%20b").expect("an answer"),
            Some(secret("secret of a%20b"))
        );
    }

    #[test]
    fn the_file_shows_no_secret_and_no_line_stands_in_for_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        store.set("a", &secret("hunter2")).expect("stored");
        let text = fs::read_to_string(&store.path).expect("text");
        assert!(!text.contains("hunter2"));
        fs::write(&store.path, text.replace("\na ", "\nb ")).expect("written");
        let error = store.get("b").expect_err("a line that was moved");
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    #[test]
    fn without_its_key_nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        store.set("a", &secret("hunter2")).expect("stored");
        let key = folder.path().join("secrets.key");
        fs::rename(&key, folder.path().join("aside")).expect("moved");
        assert!(store.get("a").is_err() && store.set("b", &secret("x")).is_err());
        fs::rename(folder.path().join("aside"), &key).expect("moved back");
        assert_eq!(store.get("a").expect("an answer"), Some(secret("hunter2")));
    }
}
