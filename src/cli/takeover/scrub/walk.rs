//! The repositories in and below a folder, and their files that can hold a URL.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::mem;
use std::path::{Path, PathBuf};

use crate::git::tree::{git_folder, is_git_folder, line_of, work_tree_around};
use crate::git::{self, GitConfig};
use crate::sys::files;

#[derive(Clone)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) form: Form,
    /// The file that git locks when it writes this one, if it is another: the reference of a reflog.
    pub(super) locked: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One of git's configuration files.
    Config,
    /// The user's own, wherever it lies; so is what it includes.
    Global,
    /// What came with a tree, or may have: others wrote it, so its secrets become no account and it is not changed.
    OfOthers,
    /// A file that git writes for itself.
    Text,
}

#[derive(Default)]
pub(super) struct Walk {
    pub(super) targets: Vec<Target>,
    /// Work trees and bare repositories, to search committed files.
    pub(super) trees: Vec<PathBuf>,
    /// What could not be searched, a line each.
    pub(super) problems: Vec<String>,
    /// The files that are looked into, and the folders, by their real paths.
    pub(super) seen: BTreeSet<PathBuf>,
    /// The folders that were named, and the work trees and git's folders of what was found there, by their real paths.
    roots: BTreeSet<PathBuf>,
    /// A file that lies outside of them is looked into too.
    pub(super) may_leave: bool,
    /// How many files and folders there were.
    visited: usize,
    is_too_deep: bool,
}

/// How many files and folders are looked into. The largest trees have fewer folders.
const MOST: usize = 1_000_000;

/// How far below the folder that was named.
const DEEPEST: usize = 100;

impl Walk {
    /// Adds the repository of a folder; false if there is none.
    pub(super) fn around(&mut self, folder: &Path) -> bool {
        let folder = dunce::canonicalize(folder).unwrap_or_default();
        folder.ancestors().any(|folder| self.repository_at(folder))
    }

    /// Every repository in and below a folder. Symbolic links are not followed, but for the folder itself.
    pub(super) fn below(&mut self, folder: &Path) {
        self.roots.extend(dunce::canonicalize(folder));
        self.each_folder(folder, |walk, folder, entries| {
            let has_tree = entries.iter().any(|entry| entry.file_name() == *".git");
            let is_bare = walk.repository_at(folder) && !has_tree;
            !is_bare
        });
    }

    /// Adds the files that a configuration file includes, under any condition (git-config(1), "Includes").
    pub(super) fn included(&mut self, by: &Target, config: &GitConfig) {
        let paths = config.texts().filter(|(section, variable, _)| {
            let is_include = match &section.subsection {
                None => section.name == b"include",
                Some(_) => section.name == b"includeif",
            };
            is_include && *variable == b"path"
        });
        for path in paths.filter_map(|(.., value)| git::included(&by.path, value)) {
            let form = match by.form {
                Form::Config if work_tree_around(&path).is_some() => Form::OfOthers,
                form => form,
            };
            self.file(&path, form, None);
        }
    }

    /// Whether there may be more; one line says when there may not.
    fn may_go_on(&mut self) -> bool {
        self.visited += 1;
        if self.visited == MOST {
            let problem = "there are too many files and folders: the rest is not looked into";
            self.problems.push(problem.to_owned());
        }
        self.visited < MOST
    }

    /// Visits a folder and those below it, as long as `visit` wants to go deeper.
    fn each_folder(&mut self, top: &Path, visit: impl Fn(&mut Self, &Path, &[DirEntry]) -> bool) {
        let mut folders = vec![(top.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            if depth > DEEPEST {
                // One line for all of them.
                if !mem::replace(&mut self.is_too_deep, true) {
                    let path = folder.display();
                    self.problems.push(format!(
                        "not looked into, as more than {DEEPEST} folders deep: '{path}', and others as deep"
                    ));
                }
                continue;
            }
            if !self.may_go_on() {
                return;
            }
            let entries = self.list(&folder);
            if visit(self, &folder, &entries) {
                let is_meant = |entry: &&DirEntry| is_folder(entry) && entry.file_name() != *".git";
                let below = entries.iter().filter(is_meant);
                folders.extend(below.map(|entry| (entry.path(), depth + 1)));
            }
        }
    }

    /// What lies in a folder: nothing where it is missing.
    fn list(&mut self, folder: &Path) -> Vec<DirEntry> {
        let entries = files::if_there(fs::read_dir(folder).and_then(Iterator::collect));
        let entries = entries.unwrap_or_else(|error| {
            let path = folder.display();
            self.problems
                .push(format!("cannot look into '{path}': {error}"));
            None
        });
        entries.unwrap_or_default()
    }

    /// Adds a file if it is there and not known yet.
    pub(super) fn file(&mut self, path: &Path, form: Form, locked: Option<PathBuf>) {
        let Ok(real) = dunce::canonicalize(path) else {
            return;
        };
        // The repository's author chose the link's target; git does not follow it either.
        if form == Form::OfOthers && path.is_symlink() {
            return;
        }
        let is_inside = real.ancestors().any(|folder| self.roots.contains(folder));
        if !self.seen.insert(real.clone()) || !self.may_go_on() {
            return;
        }
        if form == Form::Global || self.may_leave || is_inside {
            let path = path.to_owned();
            self.targets.push(Target { path, form, locked });
        } else {
            self.problems.push(format!(
                "'{}' lies outside the folders that are looked into; '--global' looks into it too",
                real.display()
            ));
        }
    }

    /// Whether a folder of a repository is not known yet.
    fn is_new(&mut self, folder: &Path) -> bool {
        dunce::canonicalize(folder).is_ok_and(|real| {
            self.roots.insert(real.clone());
            self.seen.insert(real)
        })
    }

    /// Adds the repository of which this is the work tree, or git's folder; false if it is neither.
    fn repository_at(&mut self, folder: &Path) -> bool {
        // First of all: a work tree may have all that makes a bare repository.
        let git = git_folder(folder);
        if let Some(git) = &git {
            self.repository(git, Some(folder));
        }
        if !is_git_folder(folder) {
            return git.is_some();
        }
        let real = dunce::canonicalize(folder).unwrap_or_default();
        let is_bare = git.is_none() && work_tree_around(&real).is_none();
        if is_bare {
            self.repository(folder, None);
        } else if self.is_new(folder) {
            // It may have come with the work tree. Nothing that it names is followed, and git never sees it.
            self.files_of(folder, true);
        }
        is_bare || git.is_some()
    }

    /// Adds a repository by its git folder, with everything that belongs to it.
    fn repository(&mut self, git: &Path, tree: Option<&Path>) {
        let is_new = self.is_new(git);
        if let Some(tree) = tree {
            self.tree(tree);
        }
        if !is_new {
            return;
        }
        self.files_of(git, false);
        self.below(&git.join("modules"));
        for linked in self.list(&git.join("worktrees")) {
            let tree = line_of(&linked.path().join("gitdir"));
            let tree = tree.as_deref().and_then(Path::parent);
            self.repository(&linked.path(), tree.filter(|tree| tree.exists()));
        }
        if let Some(common) = line_of(&git.join("commondir")) {
            let common = git.join(common);
            let tree = common.parent().filter(|_| common.ends_with(".git"));
            self.repository(&common, tree);
        } else if tree.is_none() {
            match tree_of_module(git) {
                Some(tree) => self.tree(&tree),
                None => self.trees.push(git.to_owned()),
            }
        }
    }

    /// Adds the files with text in git's folder of a repository, which may have come with a work tree.
    fn files_of(&mut self, git: &Path, is_of_others: bool) {
        let form = |own| if is_of_others { Form::OfOthers } else { own };
        for name in ["config", "config.worktree"] {
            self.file(&git.join(name), form(Form::Config), None);
        }
        let is_left_behind = |name: &str| {
            let mut letters = name.bytes();
            letters.all(|byte| byte.is_ascii_uppercase() || byte == b'_') && name != "HEAD"
        };
        let text = form(Form::Text);
        for entry in self.list(git) {
            match entry.file_name().to_str() {
                Some("remotes" | "branches" | "logs") if is_folder(&entry) => {
                    self.each_folder(&entry.path(), |walk, _, entries| {
                        for entry in entries {
                            walk.text(git, entry, text);
                        }
                        true
                    });
                }
                // Such as `FETCH_HEAD` or `MERGE_MSG`.
                Some(name) if is_left_behind(name) => self.text(git, &entry, text),
                _ => {}
            }
        }
    }

    /// Adds a file that git writes for itself, one of `logs` with the reference that git locks for it.
    fn text(&mut self, git: &Path, entry: &DirEntry, form: Form) {
        let path = entry.path();
        let reference = path.strip_prefix(git.join("logs")).ok();
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            self.file(&path, form, reference.map(|name| git.join(name)));
        }
    }

    fn tree(&mut self, tree: &Path) {
        if self.is_new(tree) {
            self.trees.push(tree.to_owned());
            // From these git and git-lfs take URLs.
            for name in [".gitmodules", ".lfsconfig"] {
                self.file(&tree.join(name), Form::OfOthers, None);
            }
        }
    }
}

/// The work tree of a submodule, from its configuration.
fn tree_of_module(git: &Path) -> Option<PathBuf> {
    let config = GitConfig::parse(&fs::read(git.join("config")).ok()?)?;
    let (.., tree) = config.texts().rev().find(|(section, variable, _)| {
        section.name == b"core" && section.subsection.is_none() && *variable == b"worktree"
    })?;
    Some(git.join(tree)).filter(|tree| tree.is_dir())
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

#[cfg(test)]
mod tests {
    use super::{MOST, Walk};

    #[test]
    fn at_the_bound_one_line_says_that_there_is_more() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in 0..9 {
            std::fs::create_dir(folder.path().join(name.to_string())).expect("a folder");
        }
        for (left, lines) in [(30, 0), (5, 1)] {
            let mut walk = Walk {
                visited: MOST - left,
                ..Walk::default()
            };
            walk.below(folder.path());
            walk.below(folder.path());
            assert_eq!(walk.problems.len(), lines, "{:?}", walk.problems);
        }
    }
}
