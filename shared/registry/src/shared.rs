//! The directory, shared by the tasks of a process. Its sections are short and never wait: no
//! guard may be held over an await (clippy denies it).

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use event_log::Recorded;

use crate::directory::{Directory, Unreadable};

/// A [`Directory`] that one follower writes and everybody reads. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct SharedDirectory(Arc<RwLock<Directory>>);

impl SharedDirectory {
    /// The directory as it stands; copy out of it what is needed, and let go.
    pub fn read(&self) -> RwLockReadGuard<'_, Directory> {
        // A panic in the middle of `apply` loses at most that record; the directory is whole.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Directory::apply`].
    pub fn apply(&self, recorded: &Recorded) -> Result<(), Unreadable> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).apply(recorded)
    }

    /// Refuses a token from now on, in this process; the record follows when it can.
    pub fn revoke_here(&self, token: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).revoke_here(token);
    }

    /// Begins anew, where the log turned out to be another one.
    pub fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Directory::default();
    }
}
