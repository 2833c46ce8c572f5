//! Opening, with everything that can be wrong about what is found; and handing out models.

use std::{
    collections::HashMap,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use crate::{
    committer::Committer,
    directory::{DB_FILE, Directory, LOCK_RETRY, LOCK_WAIT, NotHeld},
    model::{Model, Shared},
};

const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// What was found on opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Nothing was there.
    Fresh,
    /// What was there is sound.
    Existing,
    /// What was there was not, and is moved aside (or removed, on a full disk): begun anew.
    Rebuilt,
}

/// Why local state cannot be opened. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is held by another process", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// Not even a fresh one can be made there: permissions, no space, a failing disk.
    #[error("{} cannot be used", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a model could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// An entry is larger than [`crate::ENTRY_BYTES_MAX`]: the caller's mistake; nothing changed.
    #[error("an entry of {bytes} bytes is over the limit of {bytes_max}")]
    TooLarge {
        /// Key and value together.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The model is open in this process with another schema: the caller's mistake.
    #[error("the model {name} is open with schema {open}, not {asked}")]
    OtherVersion {
        /// The model.
        name: &'static str,
        /// The schema it is open with.
        open: u32,
        /// The schema asked for.
        asked: u32,
    },
    /// The disk or sled failed. This process stores nothing further here; the next start begins
    /// anew. What the model held in memory stays right.
    #[error("local state failed: {0}")]
    Broken(String),
    /// [`LocalState::close`] was called.
    #[error("local state is closed")]
    Closed,
}

/// sled, with what must outlive it. The order of the fields is the order of dropping.
pub(crate) struct Store {
    pub(crate) db: sled::Db,
    /// sled's own file, opened once more to sync it.
    pub(crate) db_file: File,
    pub(crate) directory: Directory,
}

impl Store {
    /// Makes everything applied so far survive a power cut: sled's flush writes it out, and only
    /// the second step makes the file's new length durable.
    pub(crate) fn sync(&self) -> Result<(), sled::Error> {
        self.db.flush()?;
        self.db_file.sync_data()?;
        Ok(())
    }
}

/// The local state of a process: one for all its services, with a model for each use. Cloning is
/// cheap.
#[derive(Clone)]
pub struct LocalState {
    models: Arc<Mutex<HashMap<&'static str, Arc<Shared>>>>,
    committer: Committer,
    store: Arc<Store>,
}

impl LocalState {
    /// Opens the state in `dir`, reading everything once, so that damage shows now and not later.
    /// What is damaged is moved aside to `<dir>.broken-<n>`, counted and logged, and a fresh one
    /// begun. Blocks: a million entries take about two seconds.
    ///
    /// # Errors
    /// Where another process holds it, or not even a fresh one can be made.
    pub fn open(dir: &Path) -> Result<(Self, Opened), OpenError> {
        let unusable = |source| OpenError::Unusable { dir: dir.to_owned(), source };
        let directory = Directory::hold(dir).map_err(|not_held| match not_held {
            NotHeld::Locked => OpenError::Locked { dir: dir.to_owned() },
            NotHeld::Io(source) => unusable(source),
        })?;
        let (db, opened) = match open_sound(&directory) {
            Ok(found) => found,
            Err(Trouble::Locked) => return Err(OpenError::Locked { dir: dir.to_owned() }),
            Err(Trouble::Damaged(why)) => {
                let aside = directory.move_aside().map_err(unusable)?;
                report_rebuilt(dir, Some(&aside), &why);
                let fresh = match open_fresh(&directory) {
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                        directory.remove().and_then(|()| open_fresh(&directory))
                    }
                    other => other,
                };
                (fresh.map_err(unusable)?, Opened::Rebuilt)
            }
            Err(Trouble::Full(why)) => {
                directory.remove().map_err(unusable)?;
                report_rebuilt(dir, None, &why);
                (open_fresh(&directory).map_err(unusable)?, Opened::Rebuilt)
            }
        };
        directory.sync().map_err(unusable)?;
        let db_file = File::open(dir.join(DB_FILE)).map_err(unusable)?;
        let store = Arc::new(Store { db, db_file, directory });
        let committer = Committer::start(Arc::clone(&store)).map_err(unusable)?;
        Ok((Self { committer, store, models: Arc::default() }, opened))
    }

    /// The model of this name, with schema 0. See [`Self::model_with_version`].
    ///
    /// # Errors
    /// As [`Self::model_with_version`].
    pub fn model(&self, name: &'static str) -> Result<Model, StateError> {
        self.model_with_version(name, 0)
    }

    /// The model of this name. One that was kept with another schema is cleared first (and so has
    /// no cursors, and is rebuilt from the log). Asking twice gives the same model. Blocks.
    ///
    /// # Errors
    /// Where it is open with another schema, or the disk fails.
    pub fn model_with_version(
        &self,
        name: &'static str,
        version: u32,
    ) -> Result<Model, StateError> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = match models.get(name) {
            Some(shared) if shared.version() == version => Arc::clone(shared),
            Some(shared) => {
                return Err(StateError::OtherVersion {
                    name,
                    open: shared.version(),
                    asked: version,
                });
            }
            None => {
                let shared = Arc::new(Shared::open(&self.store, name, version)?);
                models.insert(name, Arc::clone(&shared));
                shared
            }
        };
        Ok(Model::new(shared, self.committer.clone(), Arc::clone(&self.store)))
    }

    /// How often this state was synced to disk since it was opened.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.committer.syncs()
    }

    /// Ends the committer after what is under way. The directory is free for another process
    /// once every model is dropped too. Dropping without closing loses nothing that was committed.
    pub async fn close(self) {
        self.committer.close().await;
    }

    #[cfg(test)]
    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }
}

enum Trouble {
    Locked,
    Damaged(String),
    Full(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            Self::Full(error.to_string())
        } else {
            Self::Damaged(error.to_string())
        }
    }
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

fn open_sound(directory: &Directory) -> Result<(sled::Db, Opened), Trouble> {
    directory.create()?;
    if directory.begin_opening()? {
        return Err(Trouble::Damaged("earlier openings or a run did not end well".to_owned()));
    }
    let db = caught(|| open_sled(directory.path()))?;
    // sled is dropped outside of the scan: a panic while another unwinds would end the process.
    if let Err(trouble) = caught(|| read_all(&db)) {
        drop(caught(move || {
            drop(db);
            Ok(())
        }));
        return Err(trouble);
    }
    directory.end_opening()?;
    let opened = if db.was_recovered() { Opened::Existing } else { Opened::Fresh };
    Ok((db, opened))
}

fn open_fresh(directory: &Directory) -> io::Result<sled::Db> {
    match open_sound(directory) {
        Ok((db, _)) => Ok(db),
        Err(Trouble::Locked) => Err(io::ErrorKind::WouldBlock.into()),
        Err(Trouble::Full(why)) => Err(io::Error::new(io::ErrorKind::StorageFull, why)),
        Err(Trouble::Damaged(why)) => Err(io::Error::other(why)),
    }
}

/// sled answers some damage with a panic. The hook of the process has logged where.
fn caught<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Trouble::Damaged("sled panicked".to_owned())))
}

fn open_sled(path: &Path) -> Result<sled::Db, Trouble> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        let opened = sled::Config::default()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .open();
        match opened {
            Ok(db) => return Ok(db),
            // sled gives this case no kind of its own, and lets its file go a little later than its
            // last handle (and so later than our own lock).
            Err(sled::Error::Io(error))
                if error.to_string().starts_with("could not acquire lock") =>
            {
                if Instant::now() >= until {
                    return Err(Trouble::Locked);
                }
                thread::sleep(LOCK_RETRY);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn read_all(db: &sled::Db) -> Result<(), Trouble> {
    for name in db.tree_names() {
        let tree = db.open_tree(&name)?;
        if name == db.name() {
            continue;
        }
        Shared::verify(&tree)?;
    }
    Ok(())
}

fn report_rebuilt(dir: &Path, aside: Option<&Path>, why: &str) {
    metrics::counter!("keng_local_state_rebuilt_total").increment(1);
    tracing::error!(
        dir = %dir.display(),
        aside = aside.map(|aside| aside.display().to_string()),
        why,
        "local state could not be read: begun anew, it is rebuilt from the log"
    );
}
