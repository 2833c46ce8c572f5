//! One read model: entries, and for each class it follows a cursor, changed together.
//!
//! A model is a tree of sled. The first byte of a key says what it is: `c` a cursor, `e` an entry,
//! `v` the schema. They lie in one tree since sled's batch is atomic within a tree only.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    committer::Committer,
    state::{StateError, Store},
};

/// The most that key and value of an entry may have together; larger ones are refused, and it is
/// for the caller to split them. Twenty of them, which may share a node of sled, stay under the
/// size from which sled puts the node into a file of its own, which it does not sync.
pub const ENTRY_BYTES_MAX: usize = 6 * 1024;

const CURSOR: u8 = b'c';
const ENTRY: u8 = b'e';
const SCHEMA: &[u8] = b"v";

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A follower's place: a position in the log, and the hash of the record there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The position of the last record that the model knows.
    pub position: u64,
    /// SHA-256 of that record's open part.
    pub hash: [u8; 32],
}

impl Cursor {
    fn to_bytes(self) -> Vec<u8> {
        [self.position.to_be_bytes().as_slice(), &self.hash].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (position, hash) = bytes.split_first_chunk()?;
        Some(Self { position: u64::from_be_bytes(*position), hash: hash.try_into().ok()? })
    }
}

/// What changes together. Where a key is both put and deleted, the put wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Entries that are there afterwards.
    pub puts: Vec<Entry>,
    /// Keys that are not.
    pub deletes: Vec<Vec<u8>>,
    /// Places in the classes followed.
    pub cursors: Vec<(String, Cursor)>,
}

impl Change {
    fn check(&self) -> Result<(), StateError> {
        let sizes = self.puts.iter().map(|(key, value)| key.len().saturating_add(value.len()));
        match sizes.chain(self.deletes.iter().map(Vec::len)).max() {
            Some(bytes) if bytes > ENTRY_BYTES_MAX => {
                Err(StateError::TooLarge { bytes, bytes_max: ENTRY_BYTES_MAX })
            }
            _ => Ok(()),
        }
    }

    /// The batch, and the cursors to show once it is durable.
    pub(crate) fn into_batch(self) -> (sled::Batch, Vec<(String, Cursor)>) {
        let mut batch = sled::Batch::default();
        for key in self.deletes {
            batch.remove(prefixed(ENTRY, &key));
        }
        for (key, value) in self.puts {
            batch.insert(prefixed(ENTRY, &key), value);
        }
        for (class, cursor) in &self.cursors {
            batch.insert(prefixed(CURSOR, class.as_bytes()), cursor.to_bytes());
        }
        (batch, self.cursors)
    }
}

/// What all handles of a model share.
pub(crate) struct Shared {
    tree: sled::Tree,
    version: u32,
    /// The cursors that are durable.
    cursors: Mutex<BTreeMap<String, Cursor>>,
}

impl Shared {
    pub(crate) fn open(store: &Store, name: &str, version: u32) -> Result<Self, StateError> {
        let tree = store.db.open_tree(name)?;
        let kept = tree.get(SCHEMA)?;
        let cursors = read_cursors(&tree)?;
        let fits = kept.as_deref() == Some(&version.to_be_bytes());
        let shared = Self { tree, version, cursors: Mutex::new(cursors.unwrap_or_default()) };
        if !fits {
            shared.clear(store)?;
        }
        Ok(shared)
    }

    /// Reads everything, as at opening: sled checks the sum of each page it reads.
    pub(crate) fn verify(tree: &sled::Tree) -> Result<(), sled::Error> {
        for entry in tree {
            entry?;
        }
        match read_cursors(tree)? {
            Some(_) => Ok(()),
            None => Err(sled::Error::ReportableBug("a cursor of the wrong size".to_owned())),
        }
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<(), sled::Error> {
        self.tree.apply_batch(batch)
    }

    pub(crate) fn show(&self, cursors: Vec<(String, Cursor)>) {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).extend(cursors);
    }

    /// First the cursors and the schema go, durably; then the entries, which sled removes one by
    /// one. A model without its schema is cleared on opening, so that a crash between leaves
    /// nothing half.
    pub(crate) fn clear(&self, store: &Store) -> Result<(), sled::Error> {
        let mut batch = sled::Batch::default();
        for cursor in self.tree.scan_prefix([CURSOR]) {
            batch.remove(cursor?.0);
        }
        batch.remove(SCHEMA);
        self.tree.apply_batch(batch)?;
        store.sync()?;
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.tree.clear()?;
        self.tree.insert(SCHEMA, &self.version.to_be_bytes())?;
        store.sync()
    }
}

/// `None` where one is of the wrong size.
fn read_cursors(tree: &sled::Tree) -> Result<Option<BTreeMap<String, Cursor>>, sled::Error> {
    let mut cursors = BTreeMap::new();
    for entry in tree.scan_prefix([CURSOR]) {
        let (key, value) = entry?;
        let class = key.get(1..).and_then(|class| std::str::from_utf8(class).ok());
        let (Some(class), Some(cursor)) = (class, Cursor::from_bytes(&value)) else {
            return Ok(None);
        };
        cursors.insert(class.to_owned(), cursor);
    }
    Ok(Some(cursors))
}

/// One read model. Cloning is cheap, and gives the same model.
#[derive(Clone)]
pub struct Model {
    shared: Arc<Shared>,
    committer: Committer,
    store: Arc<Store>,
}

impl Model {
    pub(crate) fn new(shared: Arc<Shared>, committer: Committer, store: Arc<Store>) -> Self {
        Self { shared, committer, store }
    }

    /// The schema's number.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.shared.version
    }

    /// The durable place in a class; `None` where the model has not begun on it.
    #[must_use]
    pub fn cursor(&self, class: &str) -> Option<Cursor> {
        let cursors = self.shared.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.get(class).copied()
    }

    /// The value of a key, which may be a little ahead of the disk.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.shared.tree.get(prefixed(ENTRY, key))?.map(|value| value.to_vec()))
    }

    /// All entries by key. Not a snapshot: read it before following, or between commits.
    pub fn scan(&self) -> impl Iterator<Item = Result<Entry, StateError>> + Send + use<> {
        self.scan_prefix(&[])
    }

    /// The entries whose keys begin so, by key. Not a snapshot, as [`Self::scan`].
    pub fn scan_prefix(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Entry, StateError>> + Send + use<> {
        // The iterator keeps the lock of the directory alive.
        let store = Arc::clone(&self.store);
        self.shared.tree.scan_prefix(prefixed(ENTRY, prefix)).map(move |entry| {
            let _held = &store;
            let (key, value) = entry?;
            Ok((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()))
        })
    }

    /// Changes entries and cursors as one; durable, also across a power cut, when it returns.
    /// Commits are applied in the order of asking; those that wait together share one sync.
    /// Where it is given up while waiting, the change may or may not be made.
    ///
    /// # Errors
    /// Where an entry is too large (nothing changed), or the disk fails.
    pub async fn commit(&self, change: Change) -> Result<(), StateError> {
        change.check()?;
        self.committer.commit(Arc::clone(&self.shared), change).await
    }

    /// Removes all entries and cursors: the model begins anew. Durable when it returns.
    ///
    /// # Errors
    /// Where the disk fails.
    pub async fn clear(&self) -> Result<(), StateError> {
        self.committer.clear(Arc::clone(&self.shared)).await
    }
}

impl From<sled::Error> for StateError {
    fn from(error: sled::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

fn prefixed(kind: u8, key: &[u8]) -> Vec<u8> {
    [&[kind], key].concat()
}
