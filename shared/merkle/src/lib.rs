//! The transparency log's mathematics and its text formats: trees and proofs of RFC 9162, and
//! C2SP's tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof, tlog-policy and
//! tlog-witness.
//!
//! No files, no HTTP, no clock, no chance, no async: seeds and times are arguments, tiles come
//! from a closure. What a parser here accepts, it prints again byte for byte.

pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod hash;
pub mod key;
pub mod note;
mod place;
pub mod policy;
pub mod proof;
pub mod proof_file;
mod text;
pub mod tile;
pub mod tile_writer;
pub mod tree;
pub mod verification;
pub mod witness;

pub use crate::{
    bundle::BundleId,
    checkpoint::{Checkpoint, SignedCheckpoint},
    hash::Hash,
    key::{LogKey, VerifierKey, WitnessKey},
    note::{Note, SignatureLine},
    place::WIDTH_MAX,
    policy::Policy,
    proof_file::ProofFile,
    tile::TileId,
    tile_writer::{Tile, TileWriter},
    tree::Frontier,
};

#[cfg(test)]
mod bundle_tests;
#[cfg(test)]
mod checkpoint_tests;
#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod note_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod proof_file_tests;
#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tile_tests;
#[cfg(test)]
mod tree_tests;
#[cfg(test)]
mod witness_tests;
