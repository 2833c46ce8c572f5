//! Tiles: which there are, where they lie, how long they are (C2SP tlog-tiles). Tile n of level l
//! holds the roots of the complete subtrees of 256^l leaves with the numbers n · 256 and following.

use std::{fmt, str::FromStr};

use crate::{hash::HASH_BYTES, place::Place, text};

/// The levels that a tree can have: 256^8 leaves are more than there can be.
pub(crate) const LEVELS: u8 = 8;

/// The levels that a path can name.
const PATH_LEVELS: u64 = 64;

/// Which tile, and how much of it: its level, its index in the level, and its width, the number
/// of its hashes. As text it is the path `tile/<L>/<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    place: Place,
}

/// The text is not the path of a tile, or not the one spelling of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct NotATile;

impl TileId {
    /// The tile as it stands in a tree of `size` leaves: full, or as wide as that tree has it;
    /// `None` where that tree has no hash of it.
    #[must_use]
    pub fn within(level: u8, index: u64, size: u64) -> Option<Self> {
        Place::within(index, hashes_at(level, size)).map(|place| Self { level, place })
    }

    /// The level; 0 has the hashes of the leaves.
    #[must_use]
    pub fn level(self) -> u8 {
        self.level
    }

    /// The number of the tile in its level, from 0.
    #[must_use]
    pub fn index(self) -> u64 {
        self.place.index
    }

    /// The number of its hashes, 1 to 256.
    #[must_use]
    pub fn width(self) -> u16 {
        self.place.width
    }

    /// Whether it has all 256 hashes: then it stays as it is, however large the tree grows.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.place.is_full()
    }

    /// The size of its content. Nothing but so many bytes is this tile.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::from(self.place.width) * HASH_BYTES
    }
}

/// The tiles that a tree of `new` leaves has and the tree of `old` leaves had not, level by level:
/// what a writer must write, and from `old` = 0 all there are.
pub fn tiles_since(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    (0..LEVELS).flat_map(move |level| {
        Place::since(hashes_at(level, old), hashes_at(level, new))
            .map(move |place| TileId { level, place })
    })
}

/// How many hashes the tiles of a level have together, in a tree of this size.
pub(crate) fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, self.place)
    }
}

impl FromStr for TileId {
    type Err = NotATile;

    fn from_str(path: &str) -> Result<Self, NotATile> {
        let (level, place) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(NotATile)?;
        let level = text::decimal(level).filter(|level| *level < PATH_LEVELS).ok_or(NotATile)?;
        Ok(Self { level: level as u8, place: place.parse().map_err(|_| NotATile)? })
    }
}
