//! The repositories in and below a folder, and their files that can hold a URL.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

/// A file to search.
#[derive(Debug)]
pub(super) struct ScrubFile {
    pub(super) path: PathBuf,
    pub(super) form: FileForm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileForm {
    /// One of git's configuration files.
    Config,
    /// The same, in a work tree: the user has to commit a change.
    Committed,
    /// A file that git writes for itself, and git's lock for it.
    Text { lock: Option<PathBuf> },
}

/// The result of a walk.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) targets: Vec<ScrubFile>,
    /// Work trees and bare repositories, to search committed files.
    pub(super) trees: Vec<PathBuf>,
    /// What could not be searched, a line each.
    pub(super) problems: Vec<String>,
    seen: BTreeSet<PathBuf>,
}

/// The files of a work tree from which git and git-lfs take URLs.
pub(super) const COMMITTED: [&str; 2] = [".gitmodules", ".lfsconfig"];

impl Walk {
    /// Adds the repository of a folder; false if there is none.
    pub(super) fn around(&mut self, folder: &Path) -> bool {
        let Ok(folder) = dunce::canonicalize(folder) else {
            return false;
        };
        for folder in folder.ancestors() {
            if let Some(git) = git_folder(folder) {
                self.repository(&git, Some(folder));
                return true;
            }
            if is_git_folder(folder) {
                self.repository(folder, None);
                return true;
            }
        }
        false
    }

    /// Every repository in and below a folder. Symbolic links are not followed, but for the folder itself.
    pub(super) fn below(&mut self, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match list(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.cannot("look into", &folder, &error);
                    continue;
                }
            };
            let has = |name: &str| entries.iter().any(|entry| entry.file_name() == *name);
            if has("HEAD") && has("objects") && has("refs") {
                self.repository(&folder, None);
                continue;
            }
            if has(".git")
                && let Some(git) = git_folder(&folder)
            {
                self.repository(&git, Some(&folder));
            }
            let is_folder = |entry: &&DirEntry| {
                entry.file_name() != *".git" && entry.file_type().is_ok_and(|kind| kind.is_dir())
            };
            folders.extend(entries.iter().filter(is_folder).map(DirEntry::path));
        }
    }

    /// Adds a configuration file, if it exists and is new.
    pub(super) fn config(&mut self, path: &Path) {
        self.file(path, FileForm::Config);
    }

    pub(super) fn cannot(&mut self, act: &str, path: &Path, error: &io::Error) {
        self.problems
            .push(format!("cannot {act} '{}': {error}", path.display()));
    }

    fn file(&mut self, path: &Path, form: FileForm) {
        let Ok(real) = dunce::canonicalize(path) else {
            return;
        };
        if self.seen.insert(real) {
            self.targets.push(ScrubFile {
                path: path.to_owned(),
                form,
            });
        }
    }

    /// Adds a repository by its git folder, with everything that belongs to it.
    fn repository(&mut self, git: &Path, tree: Option<&Path>) {
        let Ok(real) = dunce::canonicalize(git) else {
            return;
        };
        let is_new = self.seen.insert(real);
        if is_new {
            self.config(&git.join("config"));
            self.config(&git.join("config.worktree"));
        }
        if let Some(tree) = tree {
            self.tree(tree);
        }
        if !is_new {
            return;
        }
        let entries = match list(git) {
            Ok(entries) => entries,
            Err(error) => return self.cannot("look into", git, &error),
        };
        for entry in &entries {
            if is_left_behind(entry) {
                self.file(&entry.path(), FileForm::Text { lock: None });
            }
        }
        let has = |name: &str| entries.iter().any(|entry| entry.file_name() == *name);
        for folder in ["remotes", "branches"].into_iter().filter(|name| has(name)) {
            self.texts(&git.join(folder), None);
        }
        if has("logs") {
            self.texts(&git.join("logs"), Some(git));
        }
        if has("modules") {
            self.below(&git.join("modules"));
        }
        if has("worktrees") {
            for linked in list(&git.join("worktrees")).unwrap_or_default() {
                let tree = line_of(&linked.path().join("gitdir"));
                let tree = tree.as_deref().and_then(Path::parent);
                self.repository(&linked.path(), tree.filter(|tree| tree.exists()));
            }
        }
        if has("commondir")
            && let Some(common) = line_of(&git.join("commondir"))
        {
            let common = git.join(common);
            let tree = common.parent().filter(|_| common.ends_with(".git"));
            self.repository(&common, tree);
        }
        if tree.is_none() && !has("commondir") {
            match tree_of_module(git) {
                Some(tree) => self.tree(&tree),
                None => self.trees.push(git.to_owned()),
            }
        }
    }

    fn tree(&mut self, tree: &Path) {
        let Ok(real) = dunce::canonicalize(tree) else {
            return;
        };
        if !self.seen.insert(real) {
            return;
        }
        self.trees.push(tree.to_owned());
        for name in COMMITTED {
            let path = tree.join(name);
            // The repository's author chose the link's target; git does not follow it either.
            if !path.is_symlink() {
                self.file(&path, FileForm::Committed);
            }
        }
    }

    /// Adds all files below a folder; git writes the files of `logs` under the references' locks.
    fn texts(&mut self, folder: &Path, locks: Option<&Path>) {
        let entries = match list(folder) {
            Ok(entries) => entries,
            Err(error) => return self.cannot("look into", folder, &error),
        };
        for entry in entries {
            let path = entry.path();
            let below = locks.map(|locks| locks.join(entry.file_name()));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.texts(&path, below.as_deref()),
                Ok(kind) if kind.is_file() => {
                    let lock = below.map(|reference| {
                        let mut lock = reference.into_os_string();
                        lock.push(".lock");
                        lock.into()
                    });
                    self.file(&path, FileForm::Text { lock });
                }
                _ => {}
            }
        }
    }
}

/// The git folder of a work tree.
fn git_folder(tree: &Path) -> Option<PathBuf> {
    let git = tree.join(".git");
    match fs::metadata(&git) {
        Ok(metadata) if metadata.is_dir() => is_git_folder(&git).then_some(git),
        // gitrepository-layout(5): a file that says where the folder is.
        Ok(_) => {
            let line = line_of(&git)?;
            let git = tree.join(line.to_str()?.strip_prefix("gitdir:")?.trim());
            git.is_dir().then_some(git)
        }
        Err(_) => None,
    }
}

/// gitrepository-layout(5)
fn is_git_folder(folder: &Path) -> bool {
    ["HEAD", "objects", "refs"]
        .iter()
        .all(|name| folder.join(name).exists())
}

/// The work tree of a submodule, from its configuration.
fn tree_of_module(git: &Path) -> Option<PathBuf> {
    let text = fs::read(git.join("config")).ok()?;
    let config = crate::git::config::GitConfig::parse(&text)?;
    let mut entries = config.entries.iter().rev();
    let tree = entries.find(|entry| *entry.key == b"core.worktree")?;
    let tree = std::str::from_utf8(tree.value.as_ref()?.bytes()).ok()?;
    Some(git.join(tree)).filter(|tree| tree.is_dir())
}

/// Whether the file is one that git leaves behind, such as `FETCH_HEAD` or `MERGE_MSG`.
fn is_left_behind(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let is_left = |name: &str| {
        name != "HEAD"
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    name.to_str().is_some_and(is_left) && entry.file_type().is_ok_and(|kind| kind.is_file())
}

/// The only line of a small file.
fn line_of(path: &Path) -> Option<PathBuf> {
    let is_small =
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() < 1 << 16);
    let text = is_small.then(|| fs::read_to_string(path).ok())??;
    Some(text.trim_end_matches(['\n', '\r']).into())
}

fn list(folder: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(folder)?.collect()
}
