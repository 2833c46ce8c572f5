//! Proofs of inclusion and of consistency, made from tiles (RFC 9162 sections 2.1.3.1 and 2.1.4.1).
//!
//! A proof reads at most two tiles a level: in a log of ten million leaves, six of 8 KiB. What is
//! read is not verified: a proof from wrong tiles is a proof that does not verify.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    hash::{HASH_BYTES, Hash},
    place::WIDTH_MAX,
    tile::TileId,
    tree::{Frontier, join},
};

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unprovable<E> {
    /// The tree has no such leaf, or grew from no such size; also from size 0, from which
    /// everything grows and nothing is proved. A mistake of the caller.
    #[error("a tree of {size} leaves has no such proof")]
    OutOfRange {
        /// The size of the tree.
        size: u64,
    },
    /// What was read is too short for the tile, or does not end with a hash.
    #[error("{tile} is read as {bytes} bytes")]
    Damaged {
        /// What was read.
        tile: TileId,
        /// The length of what was read.
        bytes: usize,
    },
    /// The reader's word.
    #[error(transparent)]
    Read(E),
}

/// The inclusion proof PATH(index, D\[size\]) of RFC 9162 section 2.1.3.1: the sibling of the leaf
/// first, the child of the root last.
///
/// `read` answers the content of a tile. It may answer a wider version of the tile than it was
/// asked for: what is beyond the width is not looked at.
///
/// # Errors
/// `index` is not less than `size`; a tile cannot be read, or is too short.
pub fn inclusion<R, B, E>(index: u64, size: u64, read: R) -> Result<Vec<Hash>, Unprovable<E>>
where
    R: FnMut(TileId) -> Result<B, E>,
    B: AsRef<[u8]>,
{
    if index >= size {
        return Err(Unprovable::OutOfRange { size });
    }
    let mut tiles = Tiles::new(size, read);
    let (mut begin, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            proof.push(tiles.root(middle, end)?);
            end = middle;
        } else {
            proof.push(tiles.root(begin, middle)?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The consistency proof PROOF(old, D\[new\]) of RFC 9162 section 2.1.4.1; empty where the sizes
/// are equal. `read` is as for [`inclusion`], asked for tiles of the larger tree.
///
/// # Errors
/// `old` is 0 or more than `new`; a tile cannot be read, or is too short.
pub fn consistency<R, B, E>(old: u64, new: u64, read: R) -> Result<Vec<Hash>, Unprovable<E>>
where
    R: FnMut(TileId) -> Result<B, E>,
    B: AsRef<[u8]>,
{
    if old == 0 || old > new {
        return Err(Unprovable::OutOfRange { size: new });
    }
    let mut tiles = Tiles::new(new, read);
    let (mut begin, mut end) = (0, new);
    let mut proof = Vec::new();
    while old < end {
        let middle = begin + split(end - begin);
        if old <= middle {
            proof.push(tiles.root(middle, end)?);
            end = middle;
        } else {
            proof.push(tiles.root(begin, middle)?);
            begin = middle;
        }
    }
    // The verifier knows the old root; only another subtree that ends there must be told.
    if begin > 0 {
        proof.push(tiles.root(begin, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of a tree of `size` leaves; reads at most one tile a level. `read` is as for
/// [`inclusion`].
///
/// # Errors
/// A tile cannot be read, or is too short.
pub fn root_of<R, B, E>(size: u64, read: R) -> Result<Hash, Unprovable<E>>
where
    R: FnMut(TileId) -> Result<B, E>,
    B: AsRef<[u8]>,
{
    Tiles::new(size, read).root(0, size)
}

/// Where a tree of so many leaves, at least 2, is split: the largest power of two below.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Reads a tile, and makes sure that it has the hashes that were asked for.
pub(crate) fn read_tile<R, B, E>(read: &mut R, tile: TileId) -> Result<B, Unprovable<E>>
where
    R: FnMut(TileId) -> Result<B, E>,
    B: AsRef<[u8]>,
{
    let content = read(tile).map_err(Unprovable::Read)?;
    let bytes = content.as_ref().len();
    if bytes < tile.bytes() || bytes > WIDTH_MAX as usize * HASH_BYTES || bytes % HASH_BYTES != 0 {
        return Err(Unprovable::Damaged { tile, bytes });
    }
    Ok(content)
}

/// The tiles of a tree of this size, each read once.
struct Tiles<R, B> {
    size: u64,
    read: R,
    seen: BTreeMap<TileId, B>,
}

impl<R, B, E> Tiles<R, B>
where
    R: FnMut(TileId) -> Result<B, E>,
    B: AsRef<[u8]>,
{
    fn new(size: u64, read: R) -> Self {
        Self { size, read, seen: BTreeMap::new() }
    }

    /// MTH(D\[begin:end\]), for the ranges that trees are split into.
    fn root(&mut self, begin: u64, end: u64) -> Result<Hash, Unprovable<E>> {
        let mut complete = Vec::new();
        let mut next = begin;
        while next < end {
            let height = (end - next).ilog2();
            complete.push(self.complete(height, next >> height)?);
            next += 1 << height;
        }
        Ok(join(complete.into_iter().rev()))
    }

    /// The root of the complete subtree of 2^height leaves with this number, counted from 0.
    fn complete(&mut self, height: u32, number: u64) -> Result<Hash, Unprovable<E>> {
        let inside = height % 8;
        let first = number << inside;
        let tile = TileId::within((height / 8) as u8, first / WIDTH_MAX, self.size)
            .ok_or(Unprovable::OutOfRange { size: self.size })?;
        let content = match self.seen.entry(tile) {
            Entry::Occupied(seen) => seen.into_mut(),
            Entry::Vacant(new) => new.insert(read_tile(&mut self.read, tile)?),
        };
        let (hashes, _) = content.as_ref().as_chunks::<HASH_BYTES>();
        let mut tree = Frontier::default();
        let skipped = (first % WIDTH_MAX) as usize;
        hashes.iter().skip(skipped).take(1 << inside).for_each(|hash| tree.push((*hash).into()));
        Ok(tree.root())
    }
}
