//! Checking a whole log: the checkpoint's signatures, the files that belong to its size and no
//! other, each entry's hash in its tile, each tile in the one above, and the root. Who signed an
//! entry is whoever's matter who is given it.
//!
//! The first thing that is wrong is named. What is read is compared with what the parsed would be
//! written as, so that no byte of a log is free.

use std::{cmp::Ordering, collections::BTreeSet, io, sync::mpsc, thread};

use merkle::{
    BundleId, Checkpoint, Hash, SignedCheckpoint, TileId, TileWriter, VerifierKey,
    bundle::{BadBundle, bundles_since},
    checkpoint::BadCheckpoint,
    hash::leaf,
    note::NotVerified,
    proof::{self, Unprovable},
};

use crate::{CHECKPOINT, Folder, files_of, signatures_of};

/// Bundles that are read and hashed ahead, on another processor, while tiles are compared.
const BUNDLES_AHEAD: usize = 64;

/// What is wrong with a log: the first thing that was found.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It cannot be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// The file, as a path in the log.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// There is no checkpoint.
    #[error("checkpoint: there is none")]
    NoCheckpoint,
    /// The checkpoint is none.
    #[error("checkpoint: {0}")]
    BadCheckpoint(#[from] BadCheckpoint),
    /// The keys that were given did not sign it, or it was changed after that.
    #[error("checkpoint: {0}")]
    NotSigned(#[from] NotVerified),
    /// The log's own key did not sign it.
    #[error("checkpoint: the log's own key {0} did not sign it")]
    NotByLog(String),
    /// Somebody signed whose key was not given: what it says cannot be checked.
    #[error("checkpoint: a signature of {0}, whose key is not given")]
    UnknownSigner(String),
    /// A file that a log of this size does not have.
    #[error("{0}: a log of this size has no such file")]
    Unexpected(String),
    /// A file that a log of this size must have.
    #[error("{0}: it is missing")]
    Missing(String),
    /// An entry bundle is none.
    #[error("{path}: {why}")]
    Bundle {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: BadBundle,
    },
    /// A tile has other hashes than the entries, or the tiles below, give.
    #[error("{0}: it has other hashes than what is below it")]
    Tile(String),
    /// The entries give another tree than the one that was signed.
    #[error("checkpoint: the entries give the root {found}, and {signed} was signed")]
    Root {
        /// The root of the entries.
        found: Hash,
        /// What the checkpoint says.
        signed: Hash,
    },
    /// It is smaller than it was: yesterday's copy was put in its place.
    #[error("checkpoint: the log has {size} entries, and {seen} were signed before")]
    Shrunk {
        /// What it has.
        size: u64,
        /// What somebody has seen.
        seen: u64,
    },
    /// It did not grow from what it was: two histories were shown.
    #[error(
        "checkpoint: the first {seen} of {size} entries give the root {found}, and {signed} was \
         signed before"
    )]
    Rewritten {
        /// What somebody has seen.
        seen: u64,
        /// What it has.
        size: u64,
        /// The root of as many entries as were seen.
        found: Hash,
        /// What was seen.
        signed: Hash,
    },
    /// An entry says what it must not.
    #[error("entry {index}: {why}")]
    Entry {
        /// Its number, from 0.
        index: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// A log that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Its checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The names of those who signed it, the log's own first.
    pub signers: Vec<String>,
}

/// What a folder has beside the files of C2SP.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// A bundle of signatures beside each entry bundle, as wide: none may be missing then.
    pub signatures: bool,
    /// Files that may stand there, as paths.
    pub files: BTreeSet<String>,
}

/// An entry of the log.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The leaf.
    pub open: &'a [u8],
    /// What lies beside it; empty where nothing does, or where the folder has no signatures. No
    /// tree says what it must be.
    pub signature: &'a [u8],
}

/// The keys that a log is checked with.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// The log's own.
    pub log: &'a VerifierKey,
    /// Of witnesses whose cosignatures may stand there.
    pub witnesses: &'a [VerifierKey],
}

/// Checks a checkpoint: the log's own key signed it, and nobody whose key is not given.
///
/// # Errors
/// What is wrong with it.
pub fn checkpoint(bytes: &[u8], keys: Keys<'_>) -> Result<Whole, Wrong> {
    let checkpoint = SignedCheckpoint::parse(bytes)?;
    let all = || std::iter::once(keys.log).chain(keys.witnesses);
    for line in checkpoint.note().signatures() {
        if !all().any(|key| line.is_by(key)) {
            return Err(Wrong::UnknownSigner(line.name().to_owned()));
        }
    }
    let verified = checkpoint.verify(all())?;
    let is_by_log = verified.iter().any(|signed| signed.key == keys.log);
    if !is_by_log || checkpoint.checkpoint().origin() != keys.log.name() {
        return Err(Wrong::NotByLog(keys.log.name().to_owned()));
    }
    let of_log = keys.log.name().to_owned();
    let others = verified.iter().filter(|signed| signed.key != keys.log);
    let others = others.map(|signed| signed.key.name().to_owned());
    let signers = std::iter::once(of_log).chain(others).collect();
    Ok(Whole { checkpoint, signers })
}

/// Checks the whole log in a folder.
/// `each` is given every entry with its number, from 0, in order, and says what is wrong with it;
/// it is called before the root is known to be right.
///
/// # Errors
/// The first thing that is wrong.
pub fn whole(
    folder: &Folder,
    keys: Keys<'_>,
    beside: &Beside,
    mut each: impl FnMut(u64, Entry<'_>) -> Result<(), String>,
) -> Result<Whole, Wrong> {
    let unreadable = |path: &str| {
        let path = path.to_owned();
        move |cause| Wrong::Unreadable { path, cause }
    };
    let bytes = folder.checkpoint().map_err(unreadable(CHECKPOINT))?.ok_or(Wrong::NoCheckpoint)?;
    let log = checkpoint(&bytes, keys)?;
    let size = log.checkpoint.checkpoint().size();
    files(folder, size, beside)?;
    let mut tiles = TileWriter::default();
    thread::scope(|scope| {
        let (ahead, bundles) = mpsc::sync_channel(BUNDLES_AHEAD);
        // Whoever is told of something wrong reads no further, and this ends.
        let signatures = beside.signatures;
        scope.spawn(move || {
            bundles_since(0, size).try_for_each(|id| ahead.send(read(folder, id, signatures)))
        });
        for bundle in bundles {
            let Bundle { id, bytes, leaves, signatures } = bundle?;
            let opens = items_of(id, || id.to_string(), &bytes)?;
            let signatures = match &signatures {
                Some(bytes) => items_of(id, || id.signatures(), bytes)?,
                None => vec![&[][..]; opens.len()],
            };
            for ((open, signature), leaf) in opens.into_iter().zip(signatures).zip(leaves) {
                let index = tiles.size();
                let entry = Entry { open, signature };
                each(index, entry).map_err(|why| Wrong::Entry { index, why })?;
                for tile in tiles.push(leaf) {
                    same(folder, tile.id, &tile.bytes)?;
                }
            }
        }
        Ok::<(), Wrong>(())
    })?;
    for tile in tiles.partial_since(0) {
        same(folder, tile.id, &tile.bytes)?;
    }
    let (found, signed) = (tiles.root(), log.checkpoint.checkpoint().root());
    if found != signed {
        return Err(Wrong::Root { found, signed });
    }
    Ok(log)
}

/// Checks that a log which is whole grew from what somebody has seen of it before. The folder is
/// read where it has grown since.
///
/// # Errors
/// It is smaller now, or of another history.
pub fn grown_from(folder: &Folder, log: &Whole, seen: &Checkpoint) -> Result<(), Wrong> {
    let now = log.checkpoint.checkpoint();
    let (seen, size, signed) = (seen.size(), now.size(), seen.root());
    let found = match seen.cmp(&size) {
        Ordering::Greater => return Err(Wrong::Shrunk { size, seen }),
        Ordering::Equal => now.root(),
        Ordering::Less => root_at(folder, seen, size)?,
    };
    match found == signed {
        true => Ok(()),
        false => Err(Wrong::Rewritten { seen, size, found, signed }),
    }
}

/// The root that a log of `size` entries had when it had `before` of them, from its tiles.
fn root_at(folder: &Folder, before: u64, size: u64) -> Result<Hash, Wrong> {
    // The tile as wide as it is by now begins with the one that was there.
    let read = |id: TileId| {
        let id = TileId::within(id.level(), id.index(), size).unwrap_or(id);
        folder.tile(id).map_err(|cause| Wrong::Unreadable { path: id.to_string(), cause })
    };
    proof::root_of(before, read).map_err(|why| match why {
        Unprovable::Read(wrong) => wrong,
        Unprovable::Damaged { tile, .. } => Wrong::Tile(tile.to_string()),
        Unprovable::OutOfRange { .. } => Wrong::Shrunk { size, seen: before },
    })
}

/// A bundle as it was read, with the hashes of its entries and the bundle of their signatures.
struct Bundle {
    id: BundleId,
    bytes: Vec<u8>,
    leaves: Vec<Hash>,
    signatures: Option<Vec<u8>>,
}

fn read(folder: &Folder, id: BundleId, signatures: bool) -> Result<Bundle, Wrong> {
    let unreadable = |path: String| move |cause| Wrong::Unreadable { path, cause };
    let bytes = folder.bundle(id).map_err(unreadable(id.to_string()))?;
    let leaves = items_of(id, || id.to_string(), &bytes)?.into_iter().map(leaf).collect();
    let read = || folder.signatures(id).map_err(unreadable(id.signatures()));
    let signatures = signatures.then(read).transpose()?;
    Ok(Bundle { id, bytes, leaves, signatures })
}

fn items_of(id: BundleId, path: impl Fn() -> String, bytes: &[u8]) -> Result<Vec<&[u8]>, Wrong> {
    id.entries(bytes).map_err(|why| Wrong::Bundle { path: path(), why })
}

/// The files are those of a log of this size, and those beside it.
fn files(folder: &Folder, size: u64, beside: &Beside) -> Result<(), Wrong> {
    let there: BTreeSet<String> = folder
        .files()
        .map_err(|cause| Wrong::Unreadable { path: ".".to_owned(), cause })?
        .into_iter()
        .collect();
    let mut expected: BTreeSet<String> = files_of(size).collect();
    expected.insert(CHECKPOINT.to_owned());
    if beside.signatures {
        expected.extend(signatures_of(size));
    }
    if let Some(missing) = expected.iter().find(|path| !there.contains(*path)) {
        return Err(Wrong::Missing(missing.clone()));
    }
    let is_unexpected = |path: &&String| !expected.contains(*path) && !beside.files.contains(*path);
    match there.iter().find(is_unexpected) {
        Some(unexpected) => Err(Wrong::Unexpected(unexpected.clone())),
        None => Ok(()),
    }
}

fn same(folder: &Folder, id: TileId, bytes: &[u8]) -> Result<(), Wrong> {
    let path = id.to_string();
    let read = folder.tile(id);
    let found = read.map_err(|cause| Wrong::Unreadable { path: path.clone(), cause })?;
    if found == bytes { Ok(()) } else { Err(Wrong::Tile(path)) }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
