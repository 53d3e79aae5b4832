//! Stores long secrets where entries are short: in pieces, each in an entry of its own.

use anyhow::anyhow;

use super::{Error, Store};
use crate::sys::{Secret, SecretBuffer};

/// A store on top of another one whose entries hold at most `longest` bytes.
///
/// A short secret is stored as it is. A longer one is cut. Its first piece starts with a NUL byte, which no secret of
/// git's holds, and the number of the other pieces. They lie under `ENTRY/2`, `ENTRY/3` …. The first piece is written
/// last and removed first, so that a reader finds all pieces or none.
pub(super) struct InPieces<S> {
    pub(super) store: S,
    pub(super) longest: usize,
}

const MARK: u8 = 0;
const MARK_LENGTH: usize = 2;

impl<S: Store> InPieces<S> {
    /// How many pieces lie under the entry besides the first.
    fn others(first: &Secret) -> u8 {
        match first.expose() {
            [MARK, count, ..] => *count,
            _ => 0,
        }
    }
}

impl<S: Store> Store for InPieces<S> {
    fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
        let Some(first) = self.store.get(entry)? else {
            return Ok(None);
        };
        let others = Self::others(&first);
        if others == 0 {
            return Ok(Some(first));
        }
        let mut whole = SecretBuffer::default();
        whole.extend(&first.expose()[MARK_LENGTH..]);
        for number in 1..=others {
            let piece = self.store.get(&name(entry, number))?;
            let missing = || anyhow!("a piece of the entry '{entry}' is missing");
            whole.extend(piece.ok_or_else(missing)?.expose());
        }
        Ok(Some(whole.into()))
    }

    fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
        if secret.expose().len() <= self.longest {
            return self.store.set(entry, secret);
        }
        let (head, rest) = secret.expose().split_at(self.longest - MARK_LENGTH);
        let pieces: Vec<&[u8]> = rest.chunks(self.longest).collect();
        let count = u8::try_from(pieces.len())
            .map_err(|_| anyhow!("the secret is too long for the store"))?;
        for (number, piece) in (1..=count).zip(pieces) {
            self.store
                .set(&name(entry, number), &Secret::new(piece.to_vec()))?;
        }
        self.store
            .set(entry, &Secret::new([&[MARK, count], head].concat()))
    }

    fn delete(&self, entry: &str) -> Result<(), Error> {
        let Some(first) = self.store.get(entry)? else {
            return Ok(());
        };
        self.store.delete(entry)?;
        (1..=Self::others(&first)).try_for_each(|number| self.store.delete(&name(entry, number)))
    }
}

fn name(entry: &str, number: u8) -> String {
    format!("{entry}/{}", u16::from(number) + 1)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::InPieces;
    use crate::store::{Error, Store};
    use crate::sys::Secret;

    #[derive(Default)]
    struct Memory(RefCell<BTreeMap<String, Secret>>);

    impl Store for Memory {
        fn get(&self, entry: &str) -> Result<Option<Secret>, Error> {
            Ok(self.0.borrow().get(entry).cloned())
        }

        fn set(&self, entry: &str, secret: &Secret) -> Result<(), Error> {
            self.0.borrow_mut().insert(entry.to_owned(), secret.clone());
            Ok(())
        }

        fn delete(&self, entry: &str) -> Result<(), Error> {
            self.0.borrow_mut().remove(entry);
            Ok(())
        }
    }

    fn in_pieces(longest: usize) -> InPieces<Memory> {
        let store = Memory::default();
        InPieces { store, longest }
    }

    #[test]
    fn secrets_of_any_length_come_back_and_leave_nothing_when_deleted() {
        let store = in_pieces(16);
        for length in [1, 15, 16, 17, 30, 31, 100, 1000] {
            let secret = Secret::new(
                (0..length)
                    .map(|number| b'a' + u8::try_from(number % 26).expect("small"))
                    .collect(),
            );
            store.set("e", &secret).expect("stored");
            assert!(
                store
                    .store
                    .0
                    .borrow()
                    .values()
                    .all(|piece| piece.expose().len() <= 16)
            );
            assert_eq!(store.get("e").expect("an answer"), Some(secret), "{length}");
            store.delete("e").expect("deleted");
            assert!(store.store.0.borrow().is_empty(), "{length}");
        }
        store.delete("e").expect("nothing to delete");
    }

    #[test]
    fn the_mark_of_pieces_in_an_entry_that_is_no_piece_is_an_error() {
        // Other systems than Windows set no limit.
        for longest in [usize::MAX, usize::MAX / 2, 1 << 20, 16] {
            let store = in_pieces(longest);
            for count in [1, 2, 255] {
                let entry = Secret::new(vec![0, count, b'x']);
                store.store.set("e", &entry).expect("stored");
                store.get("e").expect_err("no secret");
                store.delete("e").expect("deleted");
                assert!(store.get("e").expect("an answer").is_none());
            }
        }
    }

    #[test]
    fn a_missing_piece_is_an_error_and_no_shorter_secret() {
        let store = in_pieces(16);
        store
            .set("e", &Secret::new(vec![b'x'; 40]))
            .expect("stored");
        store.store.0.borrow_mut().remove("e/3");
        assert!(store.get("e").is_err());
    }
}
