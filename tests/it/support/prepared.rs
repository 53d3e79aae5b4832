//! What prepares many tests in the same way: the program does it once, and the other tests of the process get a copy.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::harness::{Outcome, TestEnv};

/// In place of an environment's folder.
const HERE: &str = "{here}";

/// git's configuration and the program's files: where each lies, its mode, and what is in it.
type Files = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// A command, its input, and what it found.
type Start = (Vec<String>, String, Files);

static DONE: Mutex<BTreeMap<Start, (Outcome, Files)>> = Mutex::new(BTreeMap::new());

impl TestEnv {
    /// Has git ask this program in the way of `setup`, which succeeds.
    pub(crate) fn set_up(&self) {
        let outcome = self.prepare(&["setup"], "");
        assert_eq!(outcome.status, 0, "{outcome:?}");
    }

    /// Runs the program, unless it ran with the same words on the same files before: then this is what came of it.
    pub(super) fn prepare(&self, arguments: &[&str], input: &str) -> Outcome {
        let alone = self.preparing.try_lock();
        let _alone = alone.expect("somebody else prepares this: use login_beside_others");
        self.forget_what_was_said();
        let Some(before) = self.files() else {
            return self.program(arguments, input);
        };
        let words = arguments.iter().map(|&word| word.to_owned()).collect();
        let start = (words, input.to_owned(), before);
        let done = || DONE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = done().get(&start).cloned();
        if let Some((outcome, after)) = found {
            self.put(&start.2, &after);
            return told(outcome, HERE, self.here());
        }
        let outcome = self.program(arguments, input);
        if let Some(after) = self.files() {
            let told = told(outcome.clone(), self.here(), HERE);
            done().insert(start, (told, after));
        }
        outcome
    }

    fn here(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// All that the program can find; nothing where there is more than usual.
    fn files(&self) -> Option<Files> {
        if !self.is_usual() {
            return None;
        }
        let mut files = Files::new();
        for folder in [self.home(), self.data()] {
            if !folder.exists() && folder == self.data() {
                continue;
            }
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let found = path.symlink_metadata().unwrap();
                if !found.is_file() || folder == self.home() && path != self.git_config() {
                    return None;
                }
                let content = replaced(fs::read(&path).unwrap(), self.here(), HERE);
                let name = path.strip_prefix(self.path()).unwrap().to_owned();
                files.insert(name, (found.permissions().mode(), content));
            }
        }
        Some(files)
    }

    fn put(&self, before: &Files, after: &Files) {
        if !self.data().exists() {
            fs::create_dir(self.data()).unwrap();
            fs::set_permissions(self.data(), fs::Permissions::from_mode(0o700)).unwrap();
        }
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            fs::remove_file(self.path().join(name)).unwrap();
        }
        for (name, (mode, content)) in after {
            let path: &Path = &self.path().join(name);
            fs::write(path, replaced(content.clone(), HERE, self.here())).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
}

/// What was said in another folder.
fn told(mut outcome: Outcome, from: &str, to: &str) -> Outcome {
    for text in [&mut outcome.stdout, &mut outcome.stderr] {
        *text = text.replace(from, to);
    }
    outcome
}

/// The same with another text in place of one; as it is if it is no text.
fn replaced(content: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    match String::from_utf8(content) {
        Ok(text) => text.replace(from, to).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}
