//! A home to install into, and what lies there afterwards.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

pub(super) const NAME: &str = "git-credential-bitbucket";

pub(crate) const INSTALLED: [&str; 5] = [
    "bin/git-credential-bitbucket",
    "share/bash-completion/completions/git-credential-bitbucket",
    "share/fish/vendor_conf.d/git-credential-bitbucket.fish",
    "share/man/man1/git-credential-bitbucket.1",
    "share/zsh/site-functions/_git-credential-bitbucket",
];

/// A home, a prefix and git configuration of its own.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(super) prefix: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        fs::create_dir(folder.path().join("home")).expect("the folder is ours");
        Self {
            folder,
            prefix: "prefix".into(),
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn prefix(&self) -> PathBuf {
        self.home().join(&self.prefix)
    }

    pub(super) fn program(&self) -> PathBuf {
        self.prefix().join("bin").join(NAME)
    }

    pub(crate) fn git_configuration(&self) -> PathBuf {
        self.home().join(".gitconfig")
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("cargo sets it"))
            .env("HOME", self.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.git_configuration())
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CREDENTIAL_BITBUCKET_HOME", self.home().join("own"));
        command
    }

    pub(crate) fn installer(&self, program: &Path, options: &[&str]) -> Command {
        let mut command = self.command("sh");
        command.arg(script()).arg("--prefix").arg(self.prefix());
        command.args(options).env("INSTALL_BINARY", program);
        command
    }

    pub(super) fn install_with(&self, program: &Path, options: &[&str]) -> Output {
        self.installer(program, options).output().expect("sh runs")
    }

    pub(crate) fn install(&self, options: &[&str]) -> Output {
        self.install_with(&binary(), options)
    }

    /// Starts an installation that would build, with only this folder on PATH.
    pub(super) fn build(&self, path: &Path) -> Output {
        let mut command = self.installer(&binary(), &[]);
        command.env_remove("INSTALL_BINARY").env("PATH", path);
        command.output().expect("sh runs")
    }

    /// A program that prints something and then runs these lines, so that it can stand in for ours.
    pub(crate) fn stand_in(&self, lines: &str) -> PathBuf {
        let program = self.folder.path().join("stand-in").join(NAME);
        self.write_script(&program, &format!("echo stand-in\n{lines}"));
        program
    }

    /// A folder with the programs `install.sh` needs but for the missing ones, and a Rust of this version.
    pub(super) fn path_without(&self, missing: &[&str], rust: &str) -> PathBuf {
        let folder = self.folder.path().join(missing.join("-"));
        for program in ["cargo", "rustc", "cc", "git"] {
            if !missing.contains(&program) {
                self.write_script(&folder.join(program), &format!("echo '{program} {rust}'"));
            }
        }
        if !missing.contains(&"cc") {
            self.write_script(&folder.join("xcode-select"), ""); // what macOS is asked instead
        }
        for program in ["dirname", "find", "id", "sed", "sh", "uname"] {
            symlink(find(program), folder.join(program)).expect("the folder is ours");
        }
        folder
    }

    /// Lets a shell write it: a file this process has open for writing may be passed on to a child another thread
    /// starts, and could then not be run.
    pub(super) fn write_script(&self, path: &Path, lines: &str) {
        let write =
            r#"mkdir -p "${1%/*}" && printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#;
        let mut command = self.command("sh");
        command.args(["-c", write, "sh"]).arg(path).arg(lines);
        assert_succeeded(&command.output().expect("sh runs"));
    }
}

pub(crate) fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh")
}

pub(super) fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_git-credential-bitbucket").into()
}

pub(super) fn path_with(first: &Path) -> OsString {
    let path = env::var_os("PATH").expect("cargo sets it");
    let folders = [first.to_owned()]
        .into_iter()
        .chain(env::split_paths(&path));
    env::join_paths(folders).expect("no folder has a colon")
}

pub(crate) fn find(program: &str) -> PathBuf {
    let path = env::var_os("PATH").expect("cargo sets it");
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .expect("every Unix has it")
}

/// The files below a folder, sorted, by their path from there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    contents(folder).into_keys().collect()
}

pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            let name = path
                .strip_prefix(folder)
                .map(Path::as_os_str)
                .map(OsStr::to_string_lossy);
            let name = name.expect("it lies there").into_owned();
            found.insert(name, fs::read(entry.path()).expect("it is ours"));
        }
    }
    found
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("the script prints UTF-8")
}

pub(crate) fn assert_succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}
