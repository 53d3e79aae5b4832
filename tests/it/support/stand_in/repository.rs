//! The repositories the stand-in serves, and how a test fills them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::programs::found_here;
use super::server::{Server, Shelved};

/// A bare repository the stand-in serves.
#[derive(Clone)]
pub(crate) struct Repository {
    server: Arc<Server>,
    place: String,
    name: String,
    url: String,
    folder: PathBuf,
    submodules: Vec<(String, String)>,
}

impl Repository {
    /// Makes it, with one commit on `main`.
    pub(super) fn create(server: &Arc<Server>, place: &str, name: &str, url: String) -> Self {
        // The wiki `acme/app/wiki` lies beside `acme/app.git`.
        let (parent, last) = name
            .strip_suffix("/wiki")
            .map_or((name, "git"), |parent| (parent, "wiki.git"));
        let repository = Self {
            server: Arc::clone(server),
            place: place.to_owned(),
            name: name.to_owned(),
            url,
            folder: server.shelf(place).join(format!("{parent}.{last}")),
            submodules: Vec::new(),
        };
        repository.shelve(false);
        // git makes each once; another test of the same process gets a copy.
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = made.get(name) {
            files
                .write(&repository.folder)
                .expect("the stand-in's folder is writable");
            return repository;
        }
        fs::create_dir_all(&repository.folder).expect("the stand-in's folder is writable");
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main"], b"");
        let repository = repository.with_file("README.md", format!("{name}\n").as_bytes());
        let files = Files::read(&repository.folder).expect("what git has made can be read");
        made.insert(name.to_owned(), files);
        repository
    }

    /// Lets everybody fetch it, without a credential.
    pub(crate) fn public(self) -> Self {
        self.shelve(true);
        self
    }

    /// Gives it a wiki, a private repository at its address with `/wiki` behind.
    pub(crate) fn with_wiki(self) -> Self {
        Self::create(
            &self.server,
            &self.place,
            &format!("{}/wiki", self.name),
            format!("{}/wiki", self.url),
        );
        self
    }

    /// Adds a commit to `main` with one file.
    pub(crate) fn with_file(self, path: &str, content: &[u8]) -> Self {
        self.commit(&[(path, content)], None);
        self
    }

    /// Adds a commit to `main` with another repository, by its full address, as a submodule.
    pub(crate) fn with_submodule(mut self, path: &str, other: &Self) -> Self {
        self.submodules.push((path.to_owned(), other.url.clone()));
        let section = |(path, url): &(String, String)| {
            format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n")
        };
        let modules: String = self.submodules.iter().map(section).collect();
        self.commit(
            &[(".gitmodules", modules.as_bytes())],
            Some((path, &other.head())),
        );
        self
    }

    /// Where the bare repository lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address to clone it from, ending in `.git`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The commit `main` points to.
    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "refs/heads/main"], b"")
            .trim()
            .to_owned()
    }

    fn shelve(&self, public: bool) {
        let folder = self.folder.clone();
        self.server
            .shelve(&self.place, &self.name, Shelved { folder, public });
    }

    /// git-fast-import(1) makes a commit without a working tree, in one process.
    fn commit(&self, files: &[(&str, &[u8])], submodule: Option<(&str, &str)>) {
        let mut stream = b"commit refs/heads/main\n\
              committer Ada <ada@example.com> 1790000000 +0000\n\
              data 6\nChange\n"
            .to_vec();
        if self.folder.join("refs/heads/main").exists() {
            stream.extend_from_slice(b"from refs/heads/main^0\n");
        }
        for (path, content) in files {
            stream.extend_from_slice(
                format!("M 100644 inline {path}\ndata {}\n", content.len()).as_bytes(),
            );
            stream.extend_from_slice(content);
            stream.push(b'\n');
        }
        if let Some((path, commit)) = submodule {
            stream.extend_from_slice(format!("M 160000 {commit} {path}\n").as_bytes());
        }
        self.git(&["fast-import", "--quiet"], &stream);
    }

    fn git(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = clean_git(&self.server.home())
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git is installed");
        let mut pipe = child.stdin.take().expect("its input is piped");
        pipe.write_all(input).expect("git reads its input");
        drop(pipe);
        let output = child.wait_with_output().expect("git ends");
        assert!(
            output.status.success(),
            "git {arguments:?} in {}: {}",
            self.folder.display(),
            output.status
        );
        String::from_utf8(output.stdout).expect("these commands print plain text")
    }
}

/// The new repositories that there have been, by name.
static MADE: Mutex<BTreeMap<String, Files>> = Mutex::new(BTreeMap::new());

/// What lies in a folder.
struct Files {
    folders: Vec<PathBuf>,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Files {
    fn read(folder: &Path) -> io::Result<Self> {
        let mut all = Self {
            folders: vec![PathBuf::new()],
            files: Vec::new(),
        };
        // It grows while it is gone through.
        let mut next = 0;
        while let Some(within) = all.folders.get(next).cloned() {
            next += 1;
            for entry in fs::read_dir(folder.join(&within))? {
                let entry = entry?;
                let name = within.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    all.folders.push(name);
                } else {
                    all.files.push((name, fs::read(entry.path())?));
                }
            }
        }
        Ok(all)
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        for name in &self.folders {
            fs::create_dir_all(folder.join(name))?;
        }
        for (name, content) in &self.files {
            fs::write(folder.join(name), content)?;
        }
        Ok(())
    }
}

/// git without anything of the test's environment or the machine's settings.
pub(super) fn clean_git(home: &Path) -> Command {
    clean(&found_here("git"), home)
}

/// The same for `git http-backend`, which git itself would start in a process more.
pub(super) fn clean_http_backend(home: &Path) -> Command {
    static FOLDER: OnceLock<String> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let output = clean_git(home).arg("--exec-path").output();
        let output = output.expect("git is installed").stdout;
        String::from_utf8(output).expect("a plain path")
    });
    let program = Path::new(folder.trim_end()).join("git-http-backend");
    clean(program.as_os_str(), home)
}

fn clean(program: &OsStr, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("LC_ALL", "C");
    command
}
