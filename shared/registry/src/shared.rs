//! The directory, shared by the tasks of a process. Its sections are short and never wait: no
//! guard may be held over an await (clippy denies it).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use domain::{directory::TokenFacts, ids::KeyId};
use event_log::Recorded;

use crate::directory::{Directory, Unreadable};

/// A [`Directory`] that one follower writes and everybody reads. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct SharedDirectory(Arc<Both>);

#[derive(Debug, Default)]
struct Both {
    shown: RwLock<Directory>,
    /// The one that is being read anew, and is not whole yet.
    anew: Mutex<Option<Directory>>,
}

impl SharedDirectory {
    /// The directory as it stands; copy out of it what is needed, and let go.
    pub fn read(&self) -> RwLockReadGuard<'_, Directory> {
        // A panic in the middle of `apply` loses at most that record; the directory is whole.
        self.0.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Directory::apply`].
    pub fn apply(&self, recorded: &Recorded) -> Result<(), Unreadable> {
        match &mut *self.anew() {
            Some(anew) => anew.apply(recorded),
            None => self.shown(|shown| shown.apply(recorded)),
        }
    }

    /// Refuses a token from now on, in this process; the record follows when it can.
    pub fn revoke_here(&self, token: &str) {
        let mut anew = self.anew();
        if let Some(anew) = &mut *anew {
            anew.revoke_here(token);
        }
        self.shown(|shown| shown.revoke_here(token));
    }

    /// Takes a token from now on, in this process; the record follows when it can.
    pub fn know_token_here(&self, facts: &TokenFacts) {
        let mut anew = self.anew();
        if let Some(anew) = &mut *anew {
            anew.know_token_here(facts.clone());
        }
        self.shown(|shown| shown.know_token_here(facts.clone()));
    }

    /// Refuses a key from now on, in this process; the record follows when it can.
    pub fn revoke_key_here(&self, id: KeyId) {
        let mut anew = self.anew();
        if let Some(anew) = &mut *anew {
            anew.revoke_key_here(id);
        }
        self.shown(|shown| shown.revoke_key_here(id));
    }

    /// Begins anew, where the log turned out to be another one. What is known stays in sight
    /// until what comes is whole: nobody is unknown meanwhile, and no group is missing.
    pub fn begin_anew(&self) {
        *self.anew() = Some(Directory::default());
    }

    /// What was read anew is whole, and takes its place. Whether it was being read anew.
    pub fn caught_up(&self) -> bool {
        let mut anew = self.anew();
        let Some(whole) = anew.take() else { return false };
        self.shown(|shown| *shown = whole);
        true
    }

    /// Taken before what is shown, so that a revocation never falls between the two.
    fn anew(&self) -> MutexGuard<'_, Option<Directory>> {
        self.0.anew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        change(&mut self.0.shown.write().unwrap_or_else(PoisonError::into_inner))
    }
}
