//! The lock on a directory: two processes never write to one journal.

use std::{fs::File, path::Path};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    errors::{OpenError, at},
    zeros::open_file,
};

/// Held by the one who writes; ends with the process at the latest.
#[derive(Debug)]
pub(crate) struct DirLock(File);

impl DirLock {
    /// Takes the lock, or says that somebody has it.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let file = open_file(&path, true).map_err(at(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => Err(OpenError::Locked(dir.to_path_buf())),
            Err(error) => Err(OpenError::Io { path, source: error.into() }),
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that this process is just starting has a copy of
        // it until it runs its own program.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
