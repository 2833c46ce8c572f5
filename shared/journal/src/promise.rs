//! The watermark: how many entries anybody may have been told of.
//!
//! Written after each sync, itself unsynced: it survives the end of the process; after a power
//! cut it may be older, and then merely says less. It is never ahead of what was synced.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::zeros::open_file;

/// The file's name.
pub(crate) const PROMISED: &str = "promised";

/// The file's length: a u64, little endian, and its CRC-32C.
const BYTES: usize = 12;

/// The watermark's file.
#[derive(Debug)]
pub(crate) struct Promise(File);

impl Promise {
    /// Reads the watermark without touching anything; 0 where there is none that checks.
    pub(crate) fn read(dir: &Path) -> io::Result<u64> {
        let bytes = match std::fs::read(dir.join(PROMISED)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        if let Some((end, [])) = bytes.split_first_chunk::<BYTES>()
            && let Some((end, crc)) = end.split_first_chunk::<8>()
            && crc == crc32c::crc32c(end).to_le_bytes()
        {
            return Ok(u64::from_le_bytes(*end));
        }
        tracing::warn!(dir = %dir.display(), "journal: the watermark cannot be read, it counts as 0");
        Ok(0)
    }

    /// Opens or creates the file.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        open_file(&dir.join(PROMISED), true).map(Self)
    }

    /// So many entries are on disk, and may be told of from now on.
    pub(crate) fn set(&self, end: u64) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        let (front, back) = bytes.split_at_mut(8);
        front.copy_from_slice(&end.to_le_bytes());
        back.copy_from_slice(&crc32c::crc32c(front).to_le_bytes());
        self.0.write_all_at(&bytes, 0)
    }

    /// The same, and on disk: before entries are cut, so that they are not missed afterwards.
    pub(crate) fn set_synced(&self, end: u64) -> io::Result<()> {
        self.set(end)?;
        self.0.sync_all()
    }
}
