//! Files of zeros, and zeros over what is to be forgotten.
//!
//! A segment is written over with zeros and synced before its first use: then a sync of entries
//! changes no metadata (size, extents). Measured on ext4: 220 µs against 320 µs for a growing
//! file, with a far shorter tail.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use crate::{Reserve, frame::HEAD_BYTES};

/// Zeros are written so many at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// Zeros are synced so many at a time, so that a sync of entries never stands behind many.
const SYNC_BYTES: u64 = 4 << 20;

/// Opens a file of the journal for reading and writing; `create` makes it, readable by its owner
/// only.
pub(crate) fn open_file(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path)
}

/// Makes what the directory lists durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Whether an error says that the disk is full.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Creates a file of zeros, synced, under `path`; the directory is not synced yet. Where the disk
/// is full, no file is left, and the reserve is freed for one more attempt.
pub(crate) fn allocate(path: &Path, bytes: u64, reserve: Option<&Reserve>) -> io::Result<()> {
    let error = match create(path, bytes) {
        Err(error) if is_no_space(&error) => error,
        done => return done,
    };
    let Some(reserve) = reserve else { return Err(error) };
    tracing::error!(path = %path.display(), "journal: the disk is full, the reserve is freed");
    reserve.release()?;
    create(path, bytes)
}

fn create(path: &Path, bytes: u64) -> io::Result<()> {
    let file = open_file(path, true)?;
    let fill = || {
        file.set_len(0)?;
        fill(&file, 0, bytes)?;
        file.sync_all()
    };
    fill().inspect_err(|_| {
        // Half a file helps nobody; that it cannot be removed changes nothing about the error.
        let _ = fs::remove_file(path);
    })
}

/// Forgets what stands from `from` to `to`, both frame boundaries: first the head at `from`, so
/// that whatever is interrupted later, no entry from there on is ever found again.
pub(crate) fn wipe(file: &File, from: u64, to: u64) -> io::Result<()> {
    if from >= to {
        return Ok(());
    }
    file.write_all_at(&[0; HEAD_BYTES], from)?;
    file.sync_data()?;
    fill(file, from, to)?;
    file.sync_data()
}

/// Writes zeros from `from` to `to`; the last of them are not synced.
pub(crate) fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK_BYTES];
    let mut at = from;
    while at < to {
        let bytes = (to - at).min(CHUNK_BYTES as u64);
        file.write_all_at(zeros.get(..bytes as usize).unwrap_or(&zeros), at)?;
        at += bytes;
        if (at - from).is_multiple_of(SYNC_BYTES) {
            file.sync_data()?;
        }
    }
    Ok(())
}
