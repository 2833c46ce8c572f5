//! What the tests share: the RFC's definitions word by word, tiles in memory, and hex.

use std::{collections::BTreeMap, convert::Infallible};

use crate::{
    hash::{EMPTY_ROOT, Hash, leaf, node},
    tile::TileId,
    tile_writer::TileWriter,
};

/// The bytes of a hex text.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The hash that a hex text spells.
pub(crate) fn hash(text: &str) -> Hash {
    hex(text).as_slice().try_into().unwrap()
}

/// The hashes that base64 texts spell.
pub(crate) fn base64_hashes(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Leaves that differ from each other.
pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
}

/// MTH(D) of RFC 9162 section 2.1.1.
pub(crate) fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(mth(left), mth(right))
        }
    }
}

/// PATH(m, D) of RFC 9162 section 2.1.3.1.
pub(crate) fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, last) =
        if m < k { (path(m, left), mth(right)) } else { (path(m - k, right), mth(left)) };
    proof.push(last);
    proof
}

/// SUBPROOF(m, D, b) of RFC 9162 section 2.1.4.1.
pub(crate) fn subproof(m: usize, leaves: &[Hash], b: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if b { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, last) = if m <= k {
        (subproof(m, left, b), mth(right))
    } else {
        (subproof(m - k, right, false), mth(left))
    };
    proof.push(last);
    proof
}

/// The largest power of two smaller than this.
fn split(leaves: usize) -> usize {
    let mut k = 1;
    while k * 2 < leaves {
        k *= 2;
    }
    k
}

/// A log's tiles in memory, as a writer wrote them.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) writer: TileWriter,
    pub(crate) tiles: BTreeMap<TileId, Vec<u8>>,
}

impl Log {
    /// Appends leaves, and writes a checkpoint's tiles.
    pub(crate) fn append(&mut self, leaves: &[Hash]) {
        let before = self.writer.size();
        for leaf in leaves {
            for tile in self.writer.push(*leaf) {
                self.tiles.insert(tile.id, tile.bytes);
            }
        }
        for tile in self.writer.partial_since(before) {
            self.tiles.insert(tile.id, tile.bytes);
        }
    }

    pub(crate) fn of(leaves: &[Hash]) -> Self {
        let mut log = Self::default();
        log.append(leaves);
        log
    }

    /// Reads a tile that was written: exactly this one.
    pub(crate) fn read<'a>(&'a self) -> impl FnMut(TileId) -> Result<&'a Vec<u8>, Infallible> {
        |id| Ok(self.tiles.get(&id).unwrap_or_else(|| panic!("{id} was never written")))
    }
}

/// What a byte is replaced by: what separates, ends, pads or counts in one of the formats.
const REPLACEMENTS: &[u8] = b"\0\t\n\r +-./019=Aax\x7f\x80\xe2\xff";

/// Texts that differ from this one in a single byte.
pub(crate) fn byte_changes(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let replaced = REPLACEMENTS.iter().flat_map(|by| changes(text, |byte| *byte = *by));
    replaced.filter(move |changed| changed != text)
}

/// Every text that differs from this one in the last bit of a single byte, so few that a signature
/// can be verified for each.
pub(crate) fn bit_changes(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    changes(text, |byte| *byte ^= 1)
}

fn changes(text: &[u8], change: impl Fn(&mut u8)) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).map(move |place| {
        let mut changed = text.to_vec();
        change(&mut changed[place]);
        changed
    })
}
