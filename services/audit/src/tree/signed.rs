//! What was signed: the log's key, and the last checkpoint that it signed, in a folder of their own
//! that no restored copy of the data brings back.
//!
//! One process at a time holds it. A checkpoint takes the place of the one that it grew from, or
//! nobody's.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use chassis::durable_file;
use merkle::{LogKey, SignedCheckpoint, VerifierKey};

use super::Trouble;

const KEY: &str = "key";
const CHECKPOINT: &str = "checkpoint";
const LOCK: &str = "lock";
const REFUSED: &str = "refused";
/// The vkeys of whoever may cosign, one a line: for whoever reads this when no process runs.
const WITNESSES: &str = "witnesses";

/// The folder, held.
pub(super) struct Signed {
    dir: PathBuf,
    key: LogKey,
    last: Option<SignedCheckpoint>,
    /// Held for as long as this lives.
    _lock: File,
}

impl Signed {
    /// Holds the folder; makes it, and a key of this name, where there is none.
    ///
    /// # Errors
    /// Another process holds it; the key or the checkpoint is none; a witness has refused.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Self, Trouble> {
        fs::create_dir_all(dir).map_err(Trouble::file(dir))?;
        let path = dir.join(LOCK);
        let lock = File::create(&path).map_err(Trouble::file(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Trouble::SignedElsewhere),
            Err(TryLockError::Error(cause)) => return Err(Trouble::File { path, cause }),
        }
        let path = dir.join(REFUSED);
        if path.exists() {
            return Err(Trouble::RefusedBefore(path));
        }
        let key = key(dir, name)?;
        let mut signed = Self { dir: dir.to_owned(), key, last: None, _lock: lock };
        signed.last = signed.read()?;
        Ok(signed)
    }

    /// The key that signs.
    pub(super) fn key(&self) -> &LogKey {
        &self.key
    }

    /// What was signed last.
    pub(super) fn last(&self) -> Option<&SignedCheckpoint> {
        self.last.as_ref()
    }

    /// Whether this is a checkpoint that this key signed.
    pub(super) fn is_ours(&self, checkpoint: &SignedCheckpoint) -> bool {
        is_by(self.key.verifier(), checkpoint)
    }

    /// Puts a checkpoint in the place of the last. It is durable when this returns: from then on
    /// its entries are in the log.
    ///
    /// # Errors
    /// Another process has signed meanwhile, or the file cannot be written: nothing is published.
    pub(super) fn swap(&mut self, next: &SignedCheckpoint) -> Result<(), Trouble> {
        if self.read()? != self.last {
            return Err(Trouble::SignedElsewhere);
        }
        durable_file::write(&self.dir, CHECKPOINT, next.to_string())
            .map_err(Trouble::file(self.dir.join(CHECKPOINT)))?;
        self.last = Some(next.clone());
        Ok(())
    }

    /// Nothing is signed any more, by no process, until somebody takes the file away.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn refuse(&self, why: &str) -> Result<(), Trouble> {
        durable_file::write(&self.dir, REFUSED, why).map_err(Trouble::file(self.dir.join(REFUSED)))
    }

    /// Keeps the keys of those who may cosign.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn keep_witnesses(&self, keys: &[VerifierKey]) -> Result<(), Trouble> {
        let path = self.dir.join(WITNESSES);
        let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
        let kept = durable_file::read(&path).map_err(Trouble::file(&path))?;
        match kept.unwrap_or_default() == text {
            true => Ok(()),
            false => durable_file::write(&self.dir, WITNESSES, text).map_err(Trouble::file(path)),
        }
    }

    fn read(&self) -> Result<Option<SignedCheckpoint>, Trouble> {
        let path = self.dir.join(CHECKPOINT);
        let text = durable_file::read(&path).map_err(Trouble::file(&path))?;
        let parsed = |text: String| {
            let checkpoint = SignedCheckpoint::parse(text.as_bytes()).ok();
            let checkpoint = checkpoint.filter(|checkpoint| self.is_ours(checkpoint));
            checkpoint.ok_or_else(|| Trouble::NotSigned(path.clone()))
        };
        text.map(parsed).transpose()
    }
}

/// Whether the log of this key signed this checkpoint.
pub(super) fn is_by(key: &VerifierKey, checkpoint: &SignedCheckpoint) -> bool {
    checkpoint.checkpoint().origin() == key.name() && checkpoint.verify([key]).is_ok()
}

/// The public key of the log that was signed by what lies in `dir`, where nobody may sign.
///
/// # Errors
/// There is none, or it cannot be read.
pub(super) fn verifier(dir: &Path) -> Result<VerifierKey, Trouble> {
    let path = dir.join(KEY);
    let text = durable_file::read(&path).map_err(Trouble::file(&path))?;
    let text = text.ok_or(Trouble::NothingSigned(path))?;
    Ok(LogKey::from_secret_text(text.trim_end())?.verifier().clone())
}

/// The keys of those who could cosign when `dir` was held last.
///
/// # Errors
/// They cannot be read.
pub(super) fn witnesses(dir: &Path) -> Result<Vec<VerifierKey>, Trouble> {
    let path = dir.join(WITNESSES);
    let text = durable_file::read(&path).map_err(Trouble::file(&path))?.unwrap_or_default();
    Ok(text.lines().map(str::parse).collect::<Result<_, _>>()?)
}

fn key(dir: &Path, name: &str) -> Result<LogKey, Trouble> {
    let path = dir.join(KEY);
    if let Some(text) = durable_file::read(&path).map_err(Trouble::file(&path))? {
        return Ok(LogKey::from_secret_text(text.trim_end())?);
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|why| Trouble::File { path: path.clone(), cause: why.into() })?;
    let key = LogKey::from_seed(name, &seed)?;
    durable_file::write(dir, KEY, format!("{}\n", key.secret_text()))
        .map_err(Trouble::file(path))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use merkle::Hash;

    use super::*;

    #[test]
    fn one_process_signs_and_each_checkpoint_follows_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let mut signed = Signed::open(dir.path(), "keng.example.vn").unwrap();
        assert!(signed.last().is_none());
        assert!(matches!(Signed::open(dir.path(), "x"), Err(Trouble::SignedElsewhere)));
        let of = |size| SignedCheckpoint::sign(signed.key(), size, Hash::from([7; 32]));
        let (one, two, three) = (of(1), of(2), of(3));
        signed.swap(&one).unwrap();
        drop(signed);
        let mut again = Signed::open(dir.path(), "another name").unwrap();
        assert_eq!(again.key().verifier().name(), "keng.example.vn");
        assert_eq!(again.last(), Some(&one));
        again.swap(&two).unwrap();
        // Somebody put yesterday's file there.
        fs::write(dir.path().join(CHECKPOINT), one.to_string()).unwrap();
        assert!(matches!(again.swap(&three), Err(Trouble::SignedElsewhere)));
    }

    #[test]
    fn what_another_key_signed_is_not_taken_for_ours() {
        let dir = tempfile::tempdir().unwrap();
        drop(Signed::open(dir.path(), "keng.example.vn").unwrap());
        let other = LogKey::from_seed("keng.example.vn", &[9; 32]).unwrap();
        let other = SignedCheckpoint::sign(&other, 1, Hash::from([7; 32]));
        fs::write(dir.path().join(CHECKPOINT), other.to_string()).unwrap();
        assert!(matches!(Signed::open(dir.path(), "x"), Err(Trouble::NotSigned(_))));
    }
}
