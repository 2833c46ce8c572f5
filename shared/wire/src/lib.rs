//! The words on the wire: generated protobuf types, conversions to and from the domain, sealing,
//! signing.
//!
//! No I/O. What is hashed, signed and compared are the bytes as first encoded, never re-encoded.

pub mod actor;
pub mod alert;
pub mod commit;
pub mod delivery;
pub mod directory;
pub mod drill;
pub mod erasure;
pub mod fields;
pub mod freeze;
pub mod key;
pub mod looks;
pub mod loss;
pub mod matching;
pub mod passkey;
pub mod relay;
pub mod roster;
pub mod seal;
pub mod signing;
pub mod spoken;
pub mod values;

/// The generated types of `proto/keng/v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("keng.v1");
}

pub use spoken::{NotDecodable, Spoken};

/// The descriptor set of `proto/`, for reflection and for replay as JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keng.v1.bin"));
