//! The time stamps that there are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::token::{NoStamp, stamp};

const TIMESTAMPS: &str = "timestamps";
/// What an authority answered.
pub(super) const STAMP: &str = "tsr";
/// What it answered about.
pub(super) const NOTE: &str = "checkpoint";

/// Where they lie. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Stamps(PathBuf);

impl Stamps {
    /// Those of the audit in this directory.
    pub(crate) fn of(dir: &Path) -> Self {
        Self(dir.join(TIMESTAMPS))
    }

    /// The folder, which may not be there yet.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The sizes of the logs that were stamped, the smallest first. Blocks.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let names = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut sizes: Vec<u64> = names
            .filter_map(|file| {
                let name = file.file_name();
                let (size, kind) = name.to_str()?.split_once('.')?;
                size.parse().ok().filter(|_| kind == STAMP)
            })
            .collect();
        sizes.sort_unstable();
        sizes
    }

    /// One file, `SIZE.tsr` or `SIZE.checkpoint`. Blocks.
    ///
    /// # Errors
    /// `NotFound`, also where the name is of something else; or it cannot be read.
    pub(crate) fn file(&self, name: &str) -> io::Result<Vec<u8>> {
        let named = name.split_once('.').filter(|(size, kind)| {
            let is_kind = [STAMP, NOTE].contains(kind);
            is_kind && size.parse::<u64>().is_ok_and(|number| number.to_string() == *size)
        });
        match named {
            Some(_) => fs::read(self.0.join(name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The time at which an authority says that it was shown these bytes, as it stands in its answer
/// (RFC 3161, `GeneralizedTime`). Whether that authority signed it, is not checked here.
///
/// # Errors
/// It is no time stamp over these bytes.
pub fn stamped_at(answer: &[u8], bytes: &[u8]) -> Result<String, NoStamp> {
    stamp(answer, &Sha256::digest(bytes).into()).map(|(time, _)| time)
}
