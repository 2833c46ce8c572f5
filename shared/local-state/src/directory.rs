//! The directory that sled works in: its lock, its signs of trouble, and moving it aside.
//!
//! Beside `<dir>` stand `<dir>.lock` (one process) and at most one `<dir>.broken-<n>` (the last
//! one moved aside, kept for a look at what happened).

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Openings that may end without success before the directory is moved aside: damaged data may
/// end the process (an abort, no memory), and then nobody is left to report an error.
const OPENINGS_MAX: u64 = 3;

/// A holder that was dropped, or killed, lets go a little later.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(1_000);
pub(crate) const LOCK_RETRY: Duration = Duration::from_millis(10);

/// The file of sled that holds everything that a commit has to have on disk.
pub(crate) const DB_FILE: &str = "db";

pub(crate) struct Directory {
    path: PathBuf,
    /// Held, never read: the lock ends when the file is closed.
    _lock: File,
}

/// Why the directory is not ours.
pub(crate) enum NotHeld {
    Locked,
    Io(io::Error),
}

impl From<io::Error> for NotHeld {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Directory {
    pub(crate) fn hold(path: &Path) -> Result<Self, NotHeld> {
        let parent = parent_of(path);
        fs::create_dir_all(parent)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(beside(path, ".lock"))?;
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), _lock: lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    thread::sleep(LOCK_RETRY);
                }
                Err(TryLockError::WouldBlock) => return Err(NotHeld::Locked),
                Err(TryLockError::Error(error)) => return Err(NotHeld::Io(error)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)
    }

    /// Syncs the directory and its parent, so that the names of new files survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        File::open(parent_of(&self.path))?.sync_all()
    }

    /// Notes that an opening begins; true where too many before it did not end, or a run ended in
    /// trouble.
    pub(crate) fn begin_opening(&self) -> io::Result<bool> {
        let mut suspect = append_to(&suspect_file(&self.path))?;
        let doubted = suspect.metadata()?.len() >= OPENINGS_MAX;
        suspect.write_all(b"?")?;
        Ok(doubted)
    }

    pub(crate) fn end_opening(&self) -> io::Result<()> {
        fs::remove_file(suspect_file(&self.path))
    }

    /// Moves the directory to `<dir>.broken-<n>` and removes earlier ones: a crash loop must not
    /// fill the disk.
    pub(crate) fn move_aside(&self) -> io::Result<PathBuf> {
        let earlier = self.moved_aside()?;
        let n = earlier.iter().map(|(n, _)| *n).max().unwrap_or(0).saturating_add(1);
        let aside = beside(&self.path, &format!(".broken-{n}"));
        fs::rename(&self.path, &aside)?;
        for (_, old) in earlier {
            fs::remove_dir_all(old)?;
        }
        Ok(aside)
    }

    /// Removes the directory, where the disk is full: it is a cache, and its space is needed.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for (_, old) in self.moved_aside()? {
            fs::remove_dir_all(old)?;
        }
        fs::remove_dir_all(&self.path)
    }

    fn moved_aside(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let prefix = beside(&self.path, ".broken-");
        let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir(parent_of(&self.path))? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
            found.extend(number.map(|number| (number, entry.path())));
        }
        Ok(found)
    }
}

/// Marks the directory so that the next opening moves it aside.
pub(crate) fn mark_unsound(path: &Path) -> io::Result<()> {
    for _ in 0..OPENINGS_MAX {
        append_to(&suspect_file(path))?.write_all(b"!")?;
    }
    Ok(())
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn suspect_file(path: &Path) -> PathBuf {
    path.join("suspect")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
