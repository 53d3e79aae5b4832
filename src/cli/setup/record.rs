//! `setup.toml`: what setup wrote, so that `--undo` removes exactly that.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::place::Place;
use super::written::Written;
use crate::sys::{Hinted, files};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default, rename = "file")]
    pub(super) files: Vec<Written>,
    /// Keys of a newer version.
    #[serde(flatten)]
    other: Table,
}

impl Record {
    pub(super) fn read(place: &Place<'_>) -> Result<Self> {
        let path = &place.locations.setup();
        let content = if place.is_system {
            files::read_trusted(path)?
        } else {
            files::read_private(path)?
        };
        let Some(content) = content else {
            return Ok(Self::default());
        };
        // We never write an empty record.
        let content = Some(content).filter(|content| !content.is_empty());
        let record = content.and_then(|content| toml::from_slice(&content).ok());
        record.with_context(|| {
            let path = path.display();
            let hint = format!(
                "remove the helper from git's configuration by hand, and move '{path}' away"
            );
            Hinted::new(format!("'{path}' is damaged"), hint)
        })
    }

    pub(super) fn write(&self, place: &Place<'_>) -> Result<()> {
        let path = &place.locations.setup();
        let content = toml::to_string(self)?;
        if self.files.is_empty() {
            files::remove(path)
        } else if place.is_system {
            files::write_public(path, content.as_bytes())
        } else {
            files::write_private(path, content.as_bytes())
        }
    }

    /// Whether version 0.1 wrote `transfer.credentialsInUrl` into git's own file.
    pub(super) fn has_guard(&self) -> bool {
        let mut sections = self.files.iter().flat_map(|written| &written.sections);
        sections.any(|section| section.header == "[transfer]")
    }

    pub(super) fn take(&mut self, path: &Path) -> Option<Written> {
        let position = self.files.iter().position(|written| written.path == path)?;
        Some(self.files.remove(position))
    }
}
