//! Records as the log sees them: an address, an id, and bytes it does not look into.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::{EntityName, Home, KeyId, Millis, RecordId};
use wire::v1::RecordClass;

/// The most bytes that the open part, or the sealed part, of a record may have.
pub const RECORD_BYTES_MAX: usize = 60_000;

/// The most records in one append.
pub const BATCH_RECORDS_MAX: usize = 500;

/// The class of a record: a stream on a broker, one order on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Commands, each under a subject of its own.
    Command,
    /// Commits of alerts, relays and the directory.
    Alert,
    /// Plans and leases.
    Delivery,
    /// What the holder of a lease saw.
    Receipt,
    /// Notices.
    News,
}

impl Class {
    /// Every class, in the order an alert meets them.
    pub const ALL: [Self; 5] =
        [Self::Command, Self::Alert, Self::Delivery, Self::Receipt, Self::News];

    /// The class as a word in lower case, as it stands in subjects and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Alert => "alert",
            Self::Delivery => "delivery",
            Self::Receipt => "receipt",
            Self::News => "news",
        }
    }

    /// The class as a journal keeps it.
    #[must_use]
    pub fn said(self) -> RecordClass {
        match self {
            Self::Command => RecordClass::Command,
            Self::Alert => RecordClass::Alert,
            Self::Delivery => RecordClass::Delivery,
            Self::Receipt => RecordClass::Receipt,
            Self::News => RecordClass::News,
        }
    }

    /// The class that a journal kept; `None` where it says none.
    #[must_use]
    pub fn recalled(class: RecordClass) -> Option<Self> {
        match class {
            RecordClass::Unspecified => None,
            RecordClass::Command => Some(Self::Command),
            RecordClass::Alert => Some(Self::Alert),
            RecordClass::Delivery => Some(Self::Delivery),
            RecordClass::Receipt => Some(Self::Receipt),
            RecordClass::News => Some(Self::News),
        }
    }
}

/// Where a record stands within its class: rises with each record, need not be dense.
/// 0 stands before the first record.
pub type Position = u64;

/// The address of a record: whose history it belongs to, and where that is at home.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The class, and so the stream.
    pub class: Class,
    /// Where the entity is at home.
    pub home: Home,
    /// The entity.
    pub entity: EntityName,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A command: kept once for its id, never compared with a version.
    Command,
    /// A commit: appended only if its entity has exactly `version - 1` commits.
    Commit {
        /// The entity's own ordinal; 1 for the first.
        version: u64,
    },
}

/// Who signed the bytes of a command's open part. It stands beside them and is no part of what is
/// compared: a repeat may be signed anew, and the first that came stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// By which key.
    pub key: KeyId,
    /// Over the bytes of the open part, as `wire::signing` verifies it: 64 bytes by Ed25519, an
    /// `Assertion` by a passkey.
    pub value: Bytes,
    /// How it came, where a person signed; `None` where the writer itself did.
    pub received: Option<Received>,
}

/// What was known when a signed command came. No part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// When.
    pub at: Millis,
    /// The ordinal of the key's record by which the key was known: the command has its place
    /// behind it.
    pub key_version: u64,
}

/// A record to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id. The first record under an id wins.
    pub id: RecordId,
    /// The address. `class` is `Command` exactly where `kind` is.
    pub key: Key,
    /// Command or commit.
    pub kind: Kind,
    /// The bytes of the open part, as first encoded; at most [`RECORD_BYTES_MAX`].
    pub open: Bytes,
    /// The bytes of the sealed part; at most [`RECORD_BYTES_MAX`].
    pub sealed: Option<Bytes>,
    /// Who signed the open part.
    pub signature: Option<Arc<Signature>>,
}

/// What is known of a record's sealed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// The record has none.
    None,
    /// Here it is.
    Here(Bytes),
    /// The record has one, and it is not here: not yet arrived, or erased. It counts as erased
    /// only if an `Erased` record says so.
    Missing,
}

impl Seal {
    /// The bytes, where they are here.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Here(bytes) => Some(bytes),
            Self::None | Self::Missing => None,
        }
    }
}

/// A record as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place within its class.
    pub position: Position,
    /// The id.
    pub id: RecordId,
    /// The address.
    pub key: Key,
    /// Command or commit.
    pub kind: Kind,
    /// The bytes of the open part, as first encoded.
    pub open: Bytes,
    /// The sealed part.
    pub seal: Seal,
    /// Who signed the open part.
    pub signature: Option<Arc<Signature>>,
}
