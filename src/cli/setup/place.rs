//! Whose git is set up, and the file that its configuration includes.

use std::env;
use std::fs;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::written::Section;
use crate::git::{self, Host, Setting};
use crate::settings::hosts::known_hosts;
use crate::settings::{Config, Locations, Session};
use crate::sys::{Hinted, files};

/// The user's git, or that of the whole machine.
pub(crate) struct Place<'a> {
    pub(super) session: &'a Session,
    pub(crate) is_system: bool,
    /// Where the file lies that git's configuration includes, and the record. Any administrator can undo what was set up
    /// for the machine.
    pub(crate) locations: Locations,
}

impl<'a> Place<'a> {
    pub(crate) fn new(session: &'a Session, is_system: bool) -> Result<Self> {
        let locations = if is_system {
            Locations::of_machine()
        } else {
            session.locations()?.clone()
        };
        Ok(Self {
            session,
            is_system,
            locations,
        })
    }

    /// What git reads: for the whole machine no user's files.
    pub(super) fn settings(&self) -> Result<Vec<Setting>> {
        if self.is_system {
            Ok(git::settings_in(&git::config_file(self.is_system)?))
        } else {
            git::settings(git::PATIENCE)
        }
    }

    /// The hosts for which git should ask us. Those of the machine are not those of the administrator who sets it up.
    pub(super) fn hosts(&self) -> Result<Vec<Host>> {
        let session = self.session;
        let mut hosts = if self.is_system {
            known_hosts([], &Config::read(session.machine()?, None)?.hosts)
        } else {
            session.known_hosts(&session.accounts()?)?
        };
        let policy = session.policy()?;
        // No account answers for a forbidden host: leave it to other helpers.
        hosts.retain(|host| policy.allows_host(host));
        if hosts.is_empty() {
            bail!(Hinted::new(
                "the policy of this machine allows none of the hosts",
                "name one that it allows in 'hosts' of config.toml",
            ));
        }
        Ok(hosts)
    }

    /// The lines that include the file. Below HOME they hold in another HOME too: in a container, or at another mount.
    pub(super) fn include(&self) -> Section {
        Section {
            header: "[include]".to_owned(),
            lines: vec![format!("\tpath = {}", git::quoted(&self.include_path()))],
        }
    }

    fn include_path(&self) -> String {
        let file = &self.locations.gitconfig;
        let home = dirs::home_dir().filter(|_| !self.is_system);
        let below = home.and_then(|home| file.strip_prefix(home).ok());
        let path = below.map_or_else(|| file.clone(), |path| Path::new("~").join(path));
        path.to_string_lossy().replace(MAIN_SEPARATOR, "/")
    }

    pub(crate) fn is_included(&self, settings: &[Setting]) -> bool {
        let path = self.include_path();
        let mut includes = settings.iter().filter(|it| it.key == "include.path");
        includes.any(|it| it.value == path || Path::new(&it.value) == self.locations.gitconfig)
    }

    /// What the file should hold. The empty helper cuts the chain (gitcredentials(7)): git gives a working credential to
    /// every helper, and `store` would write it to a plain file. Without a word about the guard it stays as it is there.
    pub(super) fn text(&self, guard: Option<bool>) -> Result<String> {
        let hosts = self.hosts()?;
        let helper = git::quoted(&git::helper_value(&program_path()?)?);
        // Without the path nobody knows for which repository or instance git asks.
        let section = |host: &Host| {
            format!(
                "[credential \"https://{host}\"]\n\thelper =\n\thelper = {helper}\n\tuseHttpPath = true\n"
            )
        };
        let mut names: Vec<&str> = hosts.iter().map(Host::name).collect();
        names.dedup();
        names.retain(|name| hosts.iter().all(|host| host.as_str() != *name));
        // libgit2 looks for a host without its port. To git this is another service, whose helpers stay.
        let without_port =
            |name: &str| format!("[credential \"https://{name}\"]\n\thelper = {helper}\n");
        let mut text = "# Made by 'git credential-bitbucket setup': setup, login and logout write the whole file anew\n".to_owned();
        text.extend(hosts.iter().map(section));
        text.extend(names.into_iter().map(without_port));
        text += guard.or(self.guard()).map_or("", guard_section);
        Ok(text)
    }

    /// Whether the file makes git refuse URLs that hold a password. None while nobody was asked.
    pub(super) fn guard(&self) -> Option<bool> {
        let text = fs::read_to_string(&self.locations.gitconfig).ok()?;
        let is_there = |is_wanted: &bool| text.ends_with(guard_section(*is_wanted));
        [true, false].into_iter().find(is_there)
    }

    /// Whether another program manages the file, as Nix and chezmoi do.
    pub(crate) fn is_managed(&self) -> bool {
        fs::metadata(&self.locations.gitconfig).is_ok_and(|file| file.permissions().readonly())
    }

    /// Whether the file lies with the program's other files, in a folder that is closed to others.
    pub(crate) fn is_private(&self) -> bool {
        !self.is_system && self.locations.is_one_folder()
    }

    /// Whether the user's file is as setup would write it. That of the machine may name another program, and what another
    /// program manages need not be the same.
    pub(crate) fn is_up_to_date(&self) -> Result<bool> {
        let text = fs::read_to_string(&self.locations.gitconfig)?;
        Ok(self.is_system || self.is_managed() || text == self.text(None)?)
    }

    /// Writes the file if it is not as it should be. Whether that changed it.
    pub(super) fn write(&self, guard: Option<bool>) -> Result<bool> {
        // Two logins at once: the later one must see the account of the other.
        let (lock, patience) = (self.locations.setup_lock(), self.session.patience());
        let lock = || files::Lock::acquire(&lock, patience);
        let _lock = (!self.is_system).then(lock).transpose()?;
        if !self.is_private() {
            files::make_public_folder(self.locations.gitconfig.parent().unwrap_or(Path::new("/")))?;
        }
        let text = self.text(guard)?;
        if fs::read_to_string(&self.locations.gitconfig).is_ok_and(|old| old == text) {
            return files::open_to_readers(&self.locations.gitconfig).map(|()| false);
        }
        files::write_public(&self.locations.gitconfig, text.as_bytes()).map(|()| true)
    }
}

/// Makes git refuse URLs that hold a password (git-config(1), `transfer.credentialsInUrl`), or says that nobody wants it.
fn guard_section(is_wanted: bool) -> &'static str {
    if is_wanted {
        "[transfer]\n\tcredentialsInUrl = die\n"
    } else {
        "# No transfer.credentialsInUrl: 'git credential-bitbucket setup --guard' adds it\n"
    }
}

pub(super) fn program_path() -> Result<PathBuf> {
    env::current_exe().context("cannot find the path of this program")
}
