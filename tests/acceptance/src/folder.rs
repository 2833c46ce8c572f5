//! The folder that a story's journals lie in.
//!
//! A journal whose folder goes before it ends the process, and with it all other stories: where a
//! story fails its folder stays, also for whoever looks into it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A temporary folder, removed only when the story has ended in order.
pub(crate) struct Folder(Option<TempDir>);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Some(tempfile::Builder::new().prefix("keng-story-").tempdir()?)))
    }

    pub(crate) fn path(&self) -> Result<&Path> {
        self.0.as_ref().map(TempDir::path).context("the folder is gone")
    }

    /// A file of this name in it.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path()?.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Nothing writes into it any more.
    pub(crate) fn remove(&mut self) {
        self.0.take();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            let _ = folder.keep();
        }
    }
}
