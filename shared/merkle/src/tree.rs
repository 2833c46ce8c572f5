//! A tree that grows: the compact range of RFC 9162 section 2.1, one hash a complete subtree.
//!
//! It holds at most 63 hashes and cannot prove anything: proofs are read from tiles.

use crate::hash::{EMPTY_ROOT, Hash, node};

/// The most leaves of a tree: sizes fit a signed 64-bit number, as other implementations count.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// The right edge of a tree: the roots of its complete subtrees, the largest first, one for each
/// bit that is set in the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

/// The hashes are not those of a tree of this size: their number is another, or it is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{hashes} hashes are not the edge of a tree of {size} leaves")]
pub struct NotAnEdge {
    /// The number of leaves.
    pub size: u64,
    /// The number of hashes.
    pub hashes: usize,
}

impl Frontier {
    /// A tree again from its size and what [`Frontier::edge`] gave. Whether the hashes are the
    /// right ones, only the root can tell.
    ///
    /// # Errors
    /// There is not one hash for each bit that is set in the size.
    pub fn from_parts(size: u64, edge: Vec<Hash>) -> Result<Self, NotAnEdge> {
        if size > SIZE_MAX || edge.len() != size.count_ones() as usize {
            return Err(NotAnEdge { size, hashes: edge.len() });
        }
        Ok(Self { size, edge })
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, the largest first.
    #[must_use]
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// Appends the hash of a leaf: one node on average, 63 at most.
    pub fn push(&mut self, leaf: Hash) {
        // Each complete subtree at the end that is as large as what has grown is joined to it.
        let joined = self.size.trailing_ones() as usize;
        let kept = self.edge.len().saturating_sub(joined);
        let grown = self.edge.drain(kept..).rev().fold(leaf, |right, left| node(left, right));
        self.edge.push(grown);
        self.size += 1;
    }

    /// The root, [`EMPTY_ROOT`] without leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        join(self.edge.iter().rev().copied())
    }
}

/// The root over complete subtrees, the smallest and last first.
pub(crate) fn join(smallest_first: impl Iterator<Item = Hash>) -> Hash {
    smallest_first.reduce(|right, left| node(left, right)).unwrap_or(EMPTY_ROOT)
}
