//! The repositories in and below a folder, and the files of each that can hold a URL.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use crate::git::config::GitConfig;
use crate::git::tree::{git_folder, is_git_folder, line_of, work_tree_around};

/// A file to look into.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One of git's configuration files.
    Config,
    /// The user's own, wherever it lies; so is what it includes.
    Global,
    /// What came with a tree, or may have: others wrote it, so its secrets become no account and it is not changed.
    OfOthers,
    /// What git writes for itself; the lock that git takes to write it.
    Text { lock: Option<PathBuf> },
}

/// What a walk brings to light.
pub(super) struct Walk {
    pub(super) targets: Vec<Target>,
    /// Work trees, and bare repositories: where committed files are looked for.
    pub(super) trees: Vec<PathBuf>,
    /// What could not be looked at, a line each.
    pub(super) problems: Vec<String>,
    /// The files that are looked into, and the folders, by their real paths.
    pub(super) seen: BTreeSet<PathBuf>,
    /// The folders that were named, and the work trees and git's folders of what was found there, by their real paths.
    roots: BTreeSet<PathBuf>,
    /// A file that lies outside of them is looked into too.
    pub(super) may_leave: bool,
    /// How many files and folders may still be looked into.
    left: usize,
    is_too_deep: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            trees: Vec::new(),
            problems: Vec::new(),
            seen: BTreeSet::new(),
            roots: BTreeSet::new(),
            may_leave: false,
            left: MOST,
            is_too_deep: false,
        }
    }
}

/// How many files and folders are looked into. The largest trees have fewer folders.
const MOST: usize = 1_000_000;

/// How far below the folder that was named.
const DEEPEST: usize = 100;

/// The files of a work tree from which git and git-lfs take URLs.
const TRACKED: [&str; 2] = [".gitmodules", ".lfsconfig"];

impl Walk {
    /// The repository in which a folder lies; whether there is one.
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
                if work_tree_around(folder).is_none() {
                    self.repository(folder, None);
                    return true;
                }
                self.embedded(folder);
            }
        }
        false
    }

    /// Every repository in and below a folder. Symbolic links are not followed, but for the folder itself.
    pub(super) fn below(&mut self, folder: &Path) {
        let Ok(real) = dunce::canonicalize(folder) else {
            return;
        };
        let mut folders = vec![(folder.to_owned(), work_tree_around(&real).is_some(), 0)];
        self.roots.insert(real);
        while let Some((folder, mut is_in_tree, depth)) = folders.pop() {
            if depth > DEEPEST {
                self.too_deep(&folder);
                continue;
            }
            if !self.may_go_on() {
                return;
            }
            let entries = match list(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.cannot("look into", &folder, &error);
                    continue;
                }
            };
            let has = |name: &str| entries.iter().any(|entry| entry.file_name() == *name);
            // First of all: a work tree may have all that makes a bare repository.
            if has(".git")
                && let Some(git) = git_folder(&folder)
            {
                self.repository(&git, Some(&folder));
                is_in_tree = true;
            }
            if has("HEAD") && has("objects") && has("refs") {
                if is_in_tree {
                    self.embedded(&folder);
                } else {
                    self.repository(&folder, None);
                    continue;
                }
            }
            let is_folder = |entry: &&DirEntry| {
                entry.file_name() != *".git" && entry.file_type().is_ok_and(|kind| kind.is_dir())
            };
            let below = entries.iter().filter(is_folder);
            folders.extend(below.map(|entry| (entry.path(), is_in_tree, depth + 1)));
        }
    }

    /// One of the user's own configuration files, if it is there and not known yet.
    pub(super) fn global(&mut self, path: &Path) {
        self.file(path, Form::Global);
    }

    /// What a configuration file of this form includes.
    pub(super) fn included(&mut self, path: &Path, by: &Form) {
        let form = match by {
            Form::Config if work_tree_around(path).is_some() => Form::OfOthers,
            form => form.clone(),
        };
        self.file(path, form);
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    fn cannot(&mut self, act: &str, path: &Path, error: &io::Error) {
        self.problem(format!("cannot {act} '{}': {error}", path.display()));
    }

    /// One line for all of them.
    fn too_deep(&mut self, folder: &Path) {
        if !self.is_too_deep {
            let path = folder.display();
            self.problem(format!(
                "not looked into, as more than {DEEPEST} folders deep: '{path}', and others as deep"
            ));
        }
        self.is_too_deep = true;
    }

    /// Whether there may be more; one line says when there may not.
    fn may_go_on(&mut self) -> bool {
        if self.left == 1 {
            self.problem(
                "there are too many files and folders: the rest is not looked into".to_owned(),
            );
        }
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    fn file(&mut self, path: &Path, form: Form) {
        let Ok(real) = dunce::canonicalize(path) else {
            return;
        };
        // Whoever wrote the repository chose where a link leads; git does not follow it either.
        if form == Form::OfOthers && path.is_symlink() {
            return;
        }
        let is_inside = real.ancestors().any(|folder| self.roots.contains(folder));
        if !self.seen.insert(real.clone()) || !self.may_go_on() {
            return;
        }
        if form == Form::Global || self.may_leave || is_inside {
            let path = path.to_owned();
            self.targets.push(Target { path, form });
        } else {
            self.problem(format!(
                "'{}' lies outside the folders that are looked into; '--global' looks into it too",
                real.display()
            ));
        }
    }

    /// A repository by git's folder of it, and all that belongs to it.
    fn repository(&mut self, git: &Path, tree: Option<&Path>) {
        let Ok(real) = dunce::canonicalize(git) else {
            return;
        };
        let is_new = self.seen.insert(real.clone());
        self.roots.insert(real);
        if let Some(tree) = tree {
            self.tree(tree);
        }
        if !is_new {
            return;
        }
        let entries = self.files_of(git, &Form::Config);
        let has = |name: &str| entries.iter().any(|entry| entry.file_name() == *name);
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

    /// What looks like a bare repository and lies in a work tree: it may have come with it. Nothing that it names is
    /// followed, and git never sees it.
    fn embedded(&mut self, folder: &Path) {
        let Ok(real) = dunce::canonicalize(folder) else {
            return;
        };
        if self.seen.insert(real.clone()) {
            self.roots.insert(real);
            self.files_of(folder, &Form::OfOthers);
        }
    }

    /// The files with text that lie in git's folder of a repository itself, and all that lies there.
    fn files_of(&mut self, git: &Path, form: &Form) -> Vec<DirEntry> {
        let entries = match list(git) {
            Ok(entries) => entries,
            Err(error) => {
                self.cannot("look into", git, &error);
                return Vec::new();
            }
        };
        for name in ["config", "config.worktree"] {
            self.file(&git.join(name), form.clone());
        }
        let is_own = *form == Form::Config;
        for entry in &entries {
            if is_left_behind(entry) {
                self.text(&entry.path(), None, is_own);
            }
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match entry.file_name().to_str().filter(|_| is_folder) {
                Some("remotes" | "branches") => self.texts(&entry.path(), None, is_own, 0),
                Some("logs") => self.texts(&entry.path(), Some(git), is_own, 0),
                _ => {}
            }
        }
        entries
    }

    fn text(&mut self, path: &Path, lock: Option<PathBuf>, is_own: bool) {
        let form = if is_own {
            Form::Text { lock }
        } else {
            Form::OfOthers
        };
        self.file(path, form);
    }

    fn tree(&mut self, tree: &Path) {
        let Ok(real) = dunce::canonicalize(tree) else {
            return;
        };
        self.roots.insert(real.clone());
        // The set also holds git's own folders, which are never work trees.
        if !self.seen.insert(real) {
            return;
        }
        self.trees.push(tree.to_owned());
        for name in TRACKED {
            self.file(&tree.join(name), Form::OfOthers);
        }
    }

    /// All files below a folder; `logs` has those of the references, which git writes under their locks.
    fn texts(&mut self, folder: &Path, locks: Option<&Path>, is_own: bool, depth: usize) {
        if depth > DEEPEST {
            return self.too_deep(folder);
        }
        let entries = match list(folder) {
            Ok(entries) => entries,
            Err(error) => return self.cannot("look into", folder, &error),
        };
        for entry in entries {
            let path = entry.path();
            let below = locks.map(|locks| locks.join(entry.file_name()));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.texts(&path, below.as_deref(), is_own, depth + 1),
                Ok(kind) if kind.is_file() => {
                    let lock = below.map(|reference| {
                        let mut lock = reference.into_os_string();
                        lock.push(".lock");
                        lock.into()
                    });
                    self.text(&path, lock, is_own);
                }
                _ => {}
            }
        }
    }
}

/// The work tree of a submodule, as its configuration tells it.
fn tree_of_module(git: &Path) -> Option<PathBuf> {
    let text = fs::read(git.join("config")).ok()?;
    let config = GitConfig::parse(&text)?;
    let mut entries = config.entries.iter().rev();
    let tree = entries.find(|entry| {
        let section = config.section_of(entry);
        section.name == b"core" && section.subsection.is_none() && entry.variable == b"worktree"
    })?;
    let tree = std::str::from_utf8(tree.value.as_ref()?.bytes()).ok()?;
    Some(git.join(tree)).filter(|tree| tree.is_dir())
}

/// Whether git left the file behind, such as `FETCH_HEAD` or `MERGE_MSG`: it knows what names these have.
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

fn list(folder: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(folder)?.collect()
}

#[cfg(test)]
mod tests {
    use super::Walk;

    #[test]
    fn at_the_bound_one_line_says_that_there_is_more() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in 0..9 {
            std::fs::create_dir(folder.path().join(name.to_string())).expect("a folder");
        }
        for (left, lines) in [(30, 0), (5, 1)] {
            let mut walk = Walk {
                left,
                ..Walk::default()
            };
            walk.below(folder.path());
            walk.below(folder.path());
            assert_eq!(walk.problems.len(), lines, "{:?}", walk.problems);
        }
    }
}
