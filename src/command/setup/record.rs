//! `setup.toml`: what setup wrote, so that just that can be taken back.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::block::Written;
use crate::error::Hinted;
use crate::file;
use crate::lookup::Lookup;

/// What was written, so that just that can be taken back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default, rename = "file")]
    pub(super) files: Vec<Written>,
    /// What a newer version wrote.
    #[serde(flatten)]
    other: Table,
}

impl Record {
    pub(super) fn read(lookup: &Lookup) -> Result<Self> {
        let path = lookup.locations()?.setup();
        let Some(content) = file::read_private(&path)? else {
            return Ok(Self::default());
        };
        let record = std::str::from_utf8(&content)
            .ok()
            // We never write an empty one.
            .filter(|text| !text.is_empty())
            .and_then(|text| toml::from_str(text).ok());
        record.with_context(|| {
            let hint = format!(
                "take the helper out of git's configuration by hand, and move '{}' away",
                path.display()
            );
            Hinted::new(format!("'{}' is damaged", path.display()), hint)
        })
    }

    pub(super) fn write(&self, lookup: &Lookup) -> Result<()> {
        let path = lookup.locations()?.setup();
        if self.files.is_empty() {
            return file::remove(&path);
        }
        file::write_private(&path, toml::to_string(self)?.as_bytes())
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
