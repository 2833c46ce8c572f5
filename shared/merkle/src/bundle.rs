//! Entry bundles: the entries themselves, 256 in a file, each after its length (C2SP tlog-tiles).

use std::{fmt, str::FromStr};

use crate::place::Place;

/// The most bytes of one entry: its length is written in two.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

const ENTRIES: &str = "tile/entries/";
const SIGNATURES: &str = "tile/signatures/";

/// Which entry bundle, and how much of it: bundle n has the entries n · 256 and following, as
/// many as its width says. As text it is the path `tile/entries/<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId(Place);

/// The text is not the path of an entry bundle, or not the one spelling of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of an entry bundle")]
pub struct NotABundle;

/// An entry is longer than [`ENTRY_BYTES_MAX`]. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {bytes} bytes, more than {ENTRY_BYTES_MAX}")]
pub struct EntryTooLarge {
    /// The length of the entry.
    pub bytes: usize,
}

/// The bytes are not the bundle that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    /// The bytes end within an entry, or before the last.
    #[error("the entry bundle ends too early")]
    Short,
    /// Bytes follow the last entry.
    #[error("the entry bundle has {0} bytes after its last entry")]
    Trailing(usize),
}

impl BundleId {
    /// The bundle as it stands in a log of `size` entries: full, or as wide as that log has it;
    /// `None` where that log has no entry of it.
    #[must_use]
    pub fn within(index: u64, size: u64) -> Option<Self> {
        Place::within(index, size).map(Self)
    }

    /// The path of what lies beside these entries, an item for each and framed as they are:
    /// `tile/signatures/<N>[.p/<W>]`. Ours, not C2SP's.
    #[must_use]
    pub fn signatures(self) -> String {
        format!("{SIGNATURES}{}", self.0)
    }

    /// The bundle beside which this path lies.
    ///
    /// # Errors
    /// It is no path of [`BundleId::signatures`], or not the one spelling of it.
    pub fn of_signatures(path: &str) -> Result<Self, NotABundle> {
        below(SIGNATURES, path)
    }

    /// The number of the bundle, from 0.
    #[must_use]
    pub fn index(self) -> u64 {
        self.0.index
    }

    /// The number of its entries, 1 to 256.
    #[must_use]
    pub fn width(self) -> u16 {
        self.0.width
    }

    /// Whether it has all 256 entries: then it stays as it is, however large the log grows.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.0.is_full()
    }

    /// The entries, exactly as many as the width says.
    ///
    /// # Errors
    /// There are fewer, or more bytes follow.
    pub fn entries(self, bundle: &[u8]) -> Result<Vec<&[u8]>, BadBundle> {
        let (entries, rest) = self.split(bundle)?;
        if rest.is_empty() { Ok(entries) } else { Err(BadBundle::Trailing(rest.len())) }
    }

    /// This bundle from a wider one of the same number, which begins with it.
    ///
    /// # Errors
    /// That has fewer entries.
    pub fn of_wider(self, wider: &[u8]) -> Result<&[u8], BadBundle> {
        let (_, rest) = self.split(wider)?;
        wider.get(..wider.len() - rest.len()).ok_or(BadBundle::Short)
    }

    /// As many entries as the width says, and what follows them.
    fn split(self, bundle: &[u8]) -> Result<(Vec<&[u8]>, &[u8]), BadBundle> {
        let mut rest = bundle;
        let mut entries = Vec::with_capacity(self.width().into());
        for _ in 0..self.width() {
            let (length, after) = rest.split_first_chunk().ok_or(BadBundle::Short)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, after) = after.split_at_checked(length).ok_or(BadBundle::Short)?;
            entries.push(entry);
            rest = after;
        }
        Ok((entries, rest))
    }
}

/// Appends an entry to the content of a bundle.
///
/// # Errors
/// The entry is too long; the bundle is as it was.
pub fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLarge> {
    let bytes = entry.len();
    let length = u16::try_from(bytes).map_err(|_| EntryTooLarge { bytes })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bundles that a log of `new` entries has and the log of `old` entries had not.
pub fn bundles_since(old: u64, new: u64) -> impl Iterator<Item = BundleId> {
    Place::since(old, new).map(BundleId)
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ENTRIES}{}", self.0)
    }
}

impl FromStr for BundleId {
    type Err = NotABundle;

    fn from_str(path: &str) -> Result<Self, NotABundle> {
        below(ENTRIES, path)
    }
}

fn below(folder: &str, path: &str) -> Result<BundleId, NotABundle> {
    let place = path.strip_prefix(folder).ok_or(NotABundle)?;
    place.parse().map(BundleId).map_err(|_| NotABundle)
}
