//! Where the user's and the machine's files lie.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

use crate::account::Account;
use crate::sys::{Hinted, variables};

/// One folder for all our files; for tests and containers.
const HOME_VARIABLES: [&str; 2] = ["GIT_CREDENTIAL_BITBUCKET_HOME", "BITBUCKET_CREDENTIAL_HOME"];
/// A Go program of the same name keeps files in a data folder of the same name: ours have names of their own.
const FOLDER: &str = "git-credential-bitbucket";
/// Where the data of programs lies in a home folder of Linux.
const USUAL: &str = ".local/share";
/// What git's configuration includes.
const GITCONFIG: &str = "gitconfig";

#[derive(Clone, Debug)]
pub(crate) struct Locations {
    config: PathBuf,
    data: PathBuf,
    /// The folder for short-lived files: in memory where the system has one.
    pub(crate) runtime: PathBuf,
    /// What git's configuration includes: everybody may read it.
    pub(crate) gitconfig: PathBuf,
}

impl Locations {
    /// Those of the whole machine. No variable moves them, as the policy is there; a user could set even `ProgramData`.
    pub(crate) fn of_machine() -> Self {
        let parent = if cfg!(windows) {
            r"C:\ProgramData"
        } else {
            "/etc"
        };
        Self::in_one(Path::new(parent).join(FOLDER))
    }

    fn in_one(folder: PathBuf) -> Self {
        Self {
            config: folder.clone(),
            runtime: folder.clone(),
            gitconfig: folder.join(GITCONFIG),
            data: folder,
        }
    }

    pub(crate) fn of_environment() -> Result<Self> {
        if let Some((variable, home)) = variables::first(HOME_VARIABLES) {
            let home = PathBuf::from(home);
            // It would be another folder wherever git is run, a clone's own among them.
            if !home.is_absolute() {
                bail!(Hinted::new(
                    format!("{variable} is not an absolute path"),
                    "set it to one, or unset it",
                ));
            }
            return Ok(Self::in_one(home));
        }
        let no_home = || {
            Hinted::new(
                "there is no home folder to keep accounts in",
                "set HOME, or GIT_CREDENTIAL_BITBUCKET_HOME to a folder of your choice",
            )
        };
        let home = dirs::home_dir().ok_or_else(no_home)?;
        // A snap (VS Code's) moves the folders of XDG below ~/snap, where no other program looks.
        let in_place = |folder: Option<PathBuf>, usual: &str| {
            let folder = folder.filter(|folder| !folder.starts_with(home.join("snap")));
            folder.unwrap_or_else(|| home.join(usual))
        };
        let data = in_place(dirs::data_dir(), USUAL);
        let config = in_place(dirs::config_dir(), ".config");
        Ok(Self {
            config: config.join(FOLDER),
            runtime: dirs::runtime_dir()
                .unwrap_or_else(|| data.clone())
                .join(FOLDER),
            data: data.join(FOLDER),
            gitconfig: home.join(".config").join(FOLDER).join(GITCONFIG),
        })
    }

    /// Where no account was found, what moved that folder, and what to do.
    pub(crate) fn no_account_yet(&self) -> String {
        let here = format!("no account yet in '{}'", self.data.display());
        let login = "'git credential-bitbucket login' adds one";
        let xdg = variables::filled("XDG_DATA_HOME").filter(|folder| self.data.starts_with(folder));
        let variable = variables::first(HOME_VARIABLES).map(|(name, _)| name);
        let moved_by = match variable.or(xdg.map(|_| "XDG_DATA_HOME")) {
            Some(name) => dirs::home_dir().map(|home| (name, home, "unset")),
            None => home_of_sudos_caller().map(|home| ("sudo", home, "run it without")),
        };
        let Some((what, home, fix)) = moved_by else {
            return format!("{here}: {login}");
        };
        let usual = home.join(USUAL).join(FOLDER);
        if usual == self.data || !usual.join("accounts.toml").exists() {
            return format!("{here}, set by {what}: {login}");
        }
        let usual = usual.display();
        format!("{here}, set by {what}, but accounts lie in '{usual}': {fix} {what} to use them")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The lock of a process that renews this account's access token.
    pub(crate) fn renewal_lock(&self, account: &Account) -> PathBuf {
        // Any name is a file name that way.
        let digest = Sha256::digest(format!("{}@{}", account.name, account.host));
        let name = Base64UrlUnpadded::encode_string(&digest[..9]);
        self.data.join(format!("oauth-{name}.lock"))
    }

    /// What was said of late, for who says the same.
    pub(crate) fn said(&self) -> PathBuf {
        self.runtime.join("said")
    }

    /// Whether one folder, which is closed to others, holds everything.
    pub(crate) fn is_one_folder(&self) -> bool {
        self.gitconfig.parent() == Some(&self.data)
    }
}

/// What lies in the data folder, and under which name.
macro_rules! data_files {
    ($($(#[$about:meta])* $what:ident = $name:literal,)+) => {
        impl Locations {$(
            $(#[$about])*
            pub(crate) fn $what(&self) -> PathBuf {
                self.data.join($name)
            }
        )+}
    };
}

data_files! {
    /// The accounts, without their secrets.
    accounts = "accounts.toml",
    /// The secrets of the store `file`, sealed.
    secrets = "secrets",
    /// The key of [`Locations::secrets`].
    key = "secrets.key",
    /// The refused secrets that belong to no account of ours.
    refusals = "refusals.toml",
    /// Which accounts can open which repositories: a cache.
    choices = "choices",
    /// The lock of a process that verifies a refused secret.
    probe_lock = "probe.lock",
    /// The mark of a first question that is open, or was just answered.
    first_contact = "first-contact",
    /// The record of what `setup` wrote into git's configuration.
    setup = "setup.toml",
    /// The lock of a process that writes [`Locations::gitconfig`].
    setup_lock = "setup.lock",
}

fn home_of_sudos_caller() -> Option<PathBuf> {
    let user = variables::text("SUDO_USER")? + ":";
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with(&user))?;
    line.split(':').nth(5).map(PathBuf::from)
}
