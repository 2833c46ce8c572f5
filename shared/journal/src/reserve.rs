//! Ballast on the disk, freed when the disk is full, so that corrections can still be written.
//!
//! It does not know when the disk is full, nor what may still be written then.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::{
    queue::locked,
    zeros::{is_no_space, open_file},
};

/// A file that takes up room, shared by the journals of a process.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    released: bool,
}

impl Reserve {
    /// Takes up `bytes` under `path`, or finds them taken up already. On a disk that is full it
    /// begins as released: a restart on a full disk must still be possible.
    ///
    /// # Errors
    /// The system's, other than a full disk.
    pub fn create(path: &Path, bytes: u64) -> io::Result<Self> {
        let state = Mutex::new(State { file: open_file(path, true)?, released: true });
        let reserve = Self { path: path.to_path_buf(), bytes, state };
        match reserve.restore() {
            Err(error) if is_no_space(&error) => {
                tracing::error!(path = %path.display(), bytes, "journal: no room for the reserve");
            }
            done => done?,
        }
        Ok(reserve)
    }

    /// Frees the room; again, does nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn release(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.released {
            state.file.set_len(0)?;
            // Some file systems give the room back only once the truncation is on disk.
            state.file.sync_all()?;
            state.released = true;
        }
        Ok(())
    }

    /// Whether the room is free: the disk was full, and only what must be may be written.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.state().released
    }

    /// Takes up the room again; where it is taken up, does nothing.
    ///
    /// # Errors
    /// The system's; where the disk is too full, the reserve stays released.
    pub fn restore(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.released {
            return Ok(());
        }
        let taken = || {
            state.file.set_len(0)?;
            if self.bytes > 0 {
                fallocate(&state.file, FallocateFlags::empty(), 0, self.bytes)?;
            }
            state.file.sync_all()
        };
        if let Err(error) = taken() {
            state.file.set_len(0)?;
            return Err(error);
        }
        state.released = false;
        Ok(())
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn takes_up_room_and_gives_it_back_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        let reserve = Reserve::create(&path, 1 << 20).unwrap();
        let blocks = || std::fs::metadata(&path).unwrap().blocks() * 512;
        assert!(!reserve.is_released());
        assert!(blocks() >= 1 << 20);
        reserve.release().unwrap();
        reserve.release().unwrap();
        assert!(reserve.is_released());
        assert_eq!(blocks(), 0);
        reserve.restore().unwrap();
        assert!(!reserve.is_released());
        assert!(blocks() >= 1 << 20);
        assert!(!Reserve::create(&path, 1 << 20).unwrap().is_released());
    }

    #[test]
    fn more_than_the_disk_has_begins_as_released() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::create(&dir.path().join("reserve"), 1 << 43).unwrap();
        assert!(reserve.is_released());
        assert!(reserve.restore().is_err());
        assert!(reserve.is_released());
    }
}
