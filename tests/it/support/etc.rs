//! A machine's own settings: an /etc that nobody else sees.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use super::harness::{TestEnv, has};
use super::needs::skip;
use super::stand_in::found_here;

/// What lies over /etc for those who are started here.
pub(crate) struct Etc {
    /// With the folder of ours in it.
    folder: PathBuf,
    over: PathBuf,
    mounted: Mutex<Option<Mounted>>,
}

/// The mounts, which a process holds.
struct Mounted {
    holder: Child,
    /// The process ends with it, and the mounts end with the process.
    input: Option<ChildStdin>,
    /// The folder of ours that is mounted.
    inode: u64,
}

const OURS: &str = "git-credential-bitbucket";

impl TestEnv {
    /// Gives whatever is started here an /etc in which this is the machine's config.toml; nobody else sees it. Nothing
    /// where that cannot be had.
    pub(crate) fn with_system_config(mut self, text: &str) -> Option<Self> {
        if !has(&["unshare", "nsenter", "mount", "setpriv"]) {
            return None;
        }
        // In a namespace of a user's own nothing above /etc would be root's.
        if !rustix::process::geteuid().is_root() {
            skip(&["root"]);
            return None;
        }
        let etc = Etc {
            folder: self.path().join("etc"),
            over: self.path().join("over"),
            mounted: Mutex::default(),
        };
        fs::create_dir_all(etc.ours()).unwrap();
        fs::create_dir(&etc.over).unwrap();
        fs::write(etc.ours().join("config.toml"), text).unwrap();
        let mounted = etc.mount();
        if let Err(why) = mounted {
            eprintln!("no mounts of one's own: {why}");
            skip(&["mounts"]);
            return None;
        }
        self.etc = Some(etc);
        Some(self)
    }

    pub(crate) fn system_folder(&self) -> PathBuf {
        self.etc.as_ref().expect("an /etc of its own").ours()
    }

    pub(crate) fn system_config(&self) -> PathBuf {
        self.system_folder().join("config.toml")
    }
}

impl Etc {
    fn ours(&self) -> PathBuf {
        self.folder.join(OURS)
    }

    /// A process that sees it, and begins in this folder.
    pub(super) fn command(&self, program: &OsStr, home: &Path) -> Command {
        let holder = self.mount().expect("mounts of one's own");
        let mut command = Command::new(found_here("nsenter"));
        command.arg(format!("--mount=/proc/{holder}/ns/mnt"));
        command
            .arg(format!("--wdns={}", home.display()))
            .arg(program);
        command
    }

    /// Mounts it, once more if the folder of ours is another by now; the process that holds it.
    fn mount(&self) -> Result<u32, String> {
        let mut mounted = self.mounted.lock().unwrap();
        let inode = fs::symlink_metadata(self.ours()).map_or(0, |found| found.ino());
        if let Some(mounted) = mounted.as_ref().filter(|it| it.inode == inode) {
            return Ok(mounted.holder.id());
        }
        // All of the machine's is there. What a program changes is seen from outside if it is in the folder of ours.
        let (etc, over) = (self.folder.display(), self.over.display());
        let script = format!(
            "set -e
            mount -t tmpfs tmpfs {over}
            mkdir {over}/upper {over}/work
            mount -t overlay -o lowerdir={etc}:/etc,upperdir={over}/upper,workdir={over}/work overlay /etc
            if [ -d {etc}/{OURS} ] && [ ! -L {etc}/{OURS} ]; then mount --bind {etc}/{OURS} /etc/{OURS}; fi
            echo mounted
            exec cat"
        );
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = holder.stdin.take();
        let mut line = String::new();
        let output = holder.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = holder.wait_with_output().unwrap();
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let new = Mounted {
            holder,
            input,
            inode,
        };
        Ok(mounted.insert(new).holder.id())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.holder.wait();
    }
}
