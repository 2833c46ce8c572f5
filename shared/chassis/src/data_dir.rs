//! The data directory of a server: made, held by one process, marked as a demo's or a real one's.
//!
//! Demo and real data never share a directory, whichever came first: the mark is durable before
//! anything else is written there, and nothing here removes it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{durable_file, exit::ConfigError};

const LOCK_FILE: &str = "lock";
const MARK_FILE: &str = "mark";

/// What a data directory is for, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Exercises and tests of `keng up --demo` only.
    Demo,
    /// Everything else.
    Real,
}

impl Kind {
    /// The word in the mark.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Real => "real",
        }
    }
}

/// A data directory that this process holds, until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    kind: Kind,
    /// Held, never read: the lock ends when the file is closed.
    _lock: File,
}

/// Whether a server has worked in this directory before.
fn holds_data(path: &Path) -> bool {
    ["events", "outbox", "audit", "instance"].iter().any(|name| path.join(name).exists())
}

impl DataDir {
    /// Makes the directory (mode 0700) if it is not there, holds it, and marks it if it is new.
    /// Blocks for a moment.
    ///
    /// # Errors
    /// Where another process holds it, it is marked as the other kind, or it cannot be used.
    pub fn open(path: &Path, kind: Kind) -> Result<Self, ConfigError> {
        let unusable = |source| ConfigError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let path = &path.canonicalize().map_err(unusable)?;
        let lock = hold(path)?;
        match Self::kind_of(path)? {
            Some(found) if found != kind => {
                return Err(ConfigError::OtherKind {
                    path: path.clone(),
                    found: found.as_str(),
                    asked: kind.as_str(),
                });
            }
            Some(_) => {}
            None if holds_data(path) => {
                let why = "there are data, and no mark that says whose";
                return Err(ConfigError::Damaged { path: path.join(MARK_FILE), why });
            }
            None => {
                durable_file::write(path, MARK_FILE, format!("{}\n", kind.as_str()))
                    .and_then(|()| path.parent().map_or(Ok(()), durable_file::sync_dir))
                    .map_err(unusable)?;
            }
        }
        warn_where_others_may_enter(path);
        Ok(Self { path: path.clone(), kind, _lock: lock })
    }

    /// Holds a directory that a server has marked before, of whatever kind; for commands that work
    /// on it while no server does. `None` where there is none.
    ///
    /// # Errors
    /// Where another process holds it, or it cannot be used.
    pub fn open_existing(path: &Path) -> Result<Option<Self>, ConfigError> {
        match Self::kind_of(path)? {
            Some(kind) => Self::open(path, kind).map(Some),
            None => Ok(None),
        }
    }

    /// What a directory is marked for; `None` where it has no mark or is not there.
    ///
    /// # Errors
    /// Where the mark cannot be read.
    pub fn kind_of(path: &Path) -> Result<Option<Kind>, ConfigError> {
        let mark = path.join(MARK_FILE);
        let text = durable_file::read(&mark)
            .map_err(|source| ConfigError::Unusable { path: mark.clone(), source })?;
        match text.as_deref().map(str::trim_end) {
            None => Ok(None),
            Some("demo") => Ok(Some(Kind::Demo)),
            Some("real") => Ok(Some(Kind::Real)),
            Some(_) => {
                Err(ConfigError::Damaged { path: mark, why: "it says neither demo nor real" })
            }
        }
    }

    /// The directory, absolute and without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// Makes a folder (mode 0700) with those above it, if it is not there; it is there after a power
/// cut. Blocks for a moment.
///
/// # Errors
/// Where it cannot be made, or is no folder.
pub fn make_folder(path: &Path) -> Result<(), ConfigError> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| path.parent().map_or(Ok(()), durable_file::sync_dir));
    made.map_err(|source| ConfigError::Unusable { path: path.to_owned(), source })
}

fn hold(path: &Path) -> Result<File, ConfigError> {
    let file = path.join(LOCK_FILE);
    let unusable = |source| ConfigError::Unusable { path: file.clone(), source };
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&file)
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(ConfigError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// The directory may have been made by somebody else, as by systemd; its mode is theirs to set.
fn warn_where_others_may_enter(path: &Path) {
    let mode = fs::metadata(path).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others may enter the data directory: chmod 700 it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_and_real_never_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        for (first, then) in [(Kind::Demo, Kind::Real), (Kind::Real, Kind::Demo)] {
            let path = dir.path().join(first.as_str());
            assert_eq!(DataDir::kind_of(&path).unwrap(), None);
            let held = DataDir::open(&path, first).unwrap();
            assert_eq!(held.kind(), first);
            drop(held);
            let error = DataDir::open(&path, then).unwrap_err();
            assert!(matches!(error, ConfigError::OtherKind { .. }), "{error}");
            assert_eq!(error.exit_code(), 64);
            let held = DataDir::open_existing(&path).unwrap().unwrap();
            assert_eq!(held.kind(), first);
            assert!(held.path().is_absolute());
        }
    }

    #[test]
    fn one_process_holds_it_and_others_may_not_enter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let held = DataDir::open(&path, Kind::Real).unwrap();
        let error = DataDir::open(&path, Kind::Real).unwrap_err();
        assert!(matches!(error, ConfigError::InUse { .. }), "{error}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let mark = fs::metadata(path.join(MARK_FILE)).unwrap();
        assert_eq!(mark.permissions().mode() & 0o777, 0o600);
        drop(held);
        DataDir::open(&path, Kind::Real).unwrap();
    }

    #[test]
    fn a_directory_of_nobody_is_not_opened_and_a_damaged_mark_is_said() {
        let dir = tempfile::tempdir().unwrap();
        assert!(DataDir::open_existing(dir.path()).unwrap().is_none());
        fs::write(dir.path().join(MARK_FILE), "de").unwrap();
        for kind in [Kind::Demo, Kind::Real] {
            let error = DataDir::open(dir.path(), kind).unwrap_err();
            assert!(matches!(error, ConfigError::Damaged { .. }), "{error}");
        }
        assert!(DataDir::open(Path::new("/proc/nowhere"), Kind::Real).is_err());
    }
}
