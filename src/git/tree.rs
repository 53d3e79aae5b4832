//! Where a work tree is, and where git's folder of it (gitrepository-layout(5)).

use std::fs;
use std::path::{Path, PathBuf};

/// git's folder of the repository whose work tree this is.
pub(crate) fn git_folder(tree: &Path) -> Option<PathBuf> {
    let git = tree.join(".git");
    if git.is_dir() {
        return is_git_folder(&git).then_some(git);
    }
    // A file that says where the folder is.
    let line = line_of(&git)?;
    let git = tree.join(line.to_str()?.strip_prefix("gitdir:")?.trim());
    git.is_dir().then_some(git)
}

/// Whether it looks like git's folder of a repository, a bare one for instance.
pub(crate) fn is_git_folder(folder: &Path) -> bool {
    ["HEAD", "objects", "refs"]
        .iter()
        .all(|name| folder.join(name).exists())
}

/// The work tree in which a file or folder lies, unless it lies in git's folder of it. Others may have written what lies
/// there, but nothing that is named `.git`, which git never tracks. The path must be real.
pub(crate) fn work_tree_around(path: &Path) -> Option<&Path> {
    let mut folders = path.ancestors().skip(1);
    let (tree, git) = folders.find_map(|folder| Some((folder, git_folder(folder)?)))?;
    let git = dunce::canonicalize(git).ok()?;
    (!path.starts_with(git)).then_some(tree)
}

/// The only line of a small file.
pub(crate) fn line_of(path: &Path) -> Option<PathBuf> {
    let is_small =
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() < 1 << 16);
    let text = is_small.then(|| fs::read_to_string(path).ok())??;
    Some(text.trim_end_matches(['\n', '\r']).into())
}
