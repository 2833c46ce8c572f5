//! The tiles of a log that grows. In memory are at most 255 hashes a level, however many leaves
//! come. Nothing is written here: what is to be written is returned.

use crate::{
    hash::Hash,
    proof::{Unprovable, read_tile},
    tile::{LEVELS, TileId, hashes_at},
    tree::{Frontier, join},
};

/// A tile with its content: hash after hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which tile.
    pub id: TileId,
    /// Its content, [`TileId::bytes`] of them.
    pub bytes: Vec<u8>,
}

/// The right edge of a log's tiles: of each level what does not fill a tile yet.
#[derive(Debug, Clone, Default)]
pub struct TileWriter {
    size: u64,
    levels: [Level; LEVELS as usize],
}

/// A tile that is not full: its content, and the tree over its hashes.
#[derive(Debug, Clone, Default)]
struct Level {
    bytes: Vec<u8>,
    tree: Frontier,
}

impl Level {
    fn push(&mut self, hash: Hash) {
        self.bytes.extend_from_slice(hash.as_bytes());
        self.tree.push(hash);
    }
}

impl TileWriter {
    /// Goes on with a log of `size` leaves: reads the partial tile of each level, at most eight.
    /// Whether they are that log's, [`TileWriter::root`] tells.
    ///
    /// # Errors
    /// A tile cannot be read, or is too short.
    pub fn resume<R, B, E>(size: u64, mut read: R) -> Result<Self, Unprovable<E>>
    where
        R: FnMut(TileId) -> Result<B, E>,
        B: AsRef<[u8]>,
    {
        let mut writer = Self { size, ..Self::default() };
        for (level, edge) in (0..).zip(&mut writer.levels) {
            if let Some(id) = partial(level, size) {
                let tile = read_tile(&mut read, id)?;
                let (hashes, _) = tile.as_ref().as_chunks();
                let hashes = hashes.iter().take(id.width().into());
                hashes.for_each(|hash| edge.push(Hash::from(*hash)));
            }
        }
        Ok(writer)
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree; it costs a hash for each bit that is set in the size.
    #[must_use]
    pub fn root(&self) -> Hash {
        join(self.levels.iter().flat_map(|level| level.tree.edge().iter().rev().copied()))
    }

    /// Appends the hash of a leaf. Returns the tiles that this filled, lowest level first: none
    /// for 255 leaves of 256.
    pub fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        self.size += 1;
        let mut filled = Vec::new();
        let mut hash = leaf;
        for (level, edge) in (0..).zip(&mut self.levels) {
            let index = hashes_at(level, self.size - 1) / 256;
            edge.push(hash);
            let Some(id) = TileId::within(level, index, self.size).filter(|id| id.is_full()) else {
                break;
            };
            let full = std::mem::take(edge);
            hash = full.tree.root();
            filled.push(Tile { id, bytes: full.bytes });
        }
        filled
    }

    /// The partial tiles that have grown since the log had `old` leaves, lowest level first. With
    /// the full ones that [`TileWriter::push`] gave since then, they are what a checkpoint needs.
    pub fn partial_since(&self, old: u64) -> impl Iterator<Item = Tile> {
        let has_grown = move |level| hashes_at(level, old) < hashes_at(level, self.size);
        let levels = (0..).zip(&self.levels).filter(move |(level, _)| has_grown(*level));
        levels.filter_map(|(level, edge)| {
            partial(level, self.size).map(|id| Tile { id, bytes: edge.bytes.clone() })
        })
    }
}

/// The partial tile of a level in a tree of this size, where it has one.
fn partial(level: u8, size: u64) -> Option<TileId> {
    TileId::within(level, hashes_at(level, size) / 256, size)
}
