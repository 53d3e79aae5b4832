//! `setup.toml`: what setup wrote, so that just that can be taken back.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::block::Written;
use crate::settings::locations::system_setup;
use crate::settings::session::Session;
use crate::sys::error::Hinted;
use crate::sys::files;

/// What was written, so that just that can be taken back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default, rename = "file")]
    pub(super) files: Vec<Written>,
    /// What a newer version wrote.
    #[serde(flatten)]
    other: Table,
    #[serde(skip)]
    place: RecordPlace,
}

/// Where the record lies.
#[derive(Clone, Debug)]
enum RecordPlace {
    /// With the machine's settings, which everybody has to be able to reach.
    System(PathBuf),
    User(PathBuf),
}

impl Default for RecordPlace {
    fn default() -> Self {
        Self::User(PathBuf::new())
    }
}

impl RecordPlace {
    fn path(&self) -> &Path {
        match self {
            Self::System(path) | Self::User(path) => path,
        }
    }
}

impl Record {
    /// What was written for the user, or for the whole machine: that any administrator can take back, whoever wrote it.
    pub(super) fn read(session: &Session, is_system: bool) -> Result<Self> {
        let (place, content) = if is_system {
            let path = system_setup();
            let content = files::read_trusted(&path)?;
            (RecordPlace::System(path), content)
        } else {
            let path = session.locations()?.setup();
            let content = files::read_private(&path)?;
            (RecordPlace::User(path), content)
        };
        let Some(content) = content else {
            return Ok(Self {
                place,
                ..Self::default()
            });
        };
        let record = std::str::from_utf8(&content)
            .ok()
            // We never write an empty one.
            .filter(|text| !text.is_empty())
            .and_then(|text| toml::from_str::<Self>(text).ok());
        let path = place.path().display();
        let record = record.with_context(|| {
            let hint = format!(
                "remove the helper from git's configuration by hand, and move '{path}' away"
            );
            Hinted::new(format!("'{path}' is damaged"), hint)
        })?;
        Ok(Self { place, ..record })
    }

    pub(super) fn write(&self) -> Result<()> {
        let path = self.place.path();
        if self.files.is_empty() {
            return files::remove(path);
        }
        let content = toml::to_string(self)?;
        match self.place {
            RecordPlace::User(_) => files::write_private(path, content.as_bytes()),
            RecordPlace::System(_) => files::write_public(path, content.as_bytes()),
        }
    }

    pub(super) fn is_system(&self) -> bool {
        matches!(self.place, RecordPlace::System(_))
    }

    /// Whether what was written to the file makes git refuse passwords in URLs.
    pub(super) fn has_guard(&self, path: &Path) -> bool {
        let mut files = self.files.iter();
        files.any(|written| written.path == path && written.has_guard())
    }

    pub(super) fn take(&mut self, path: &Path) -> Option<Written> {
        let position = self.files.iter().position(|written| written.path == path)?;
        Some(self.files.remove(position))
    }
}
