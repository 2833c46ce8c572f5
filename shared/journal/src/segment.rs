//! A segment: a file with a header and frames, named by the index of its first entry.
//!
//! An entry never lies in two segments, nor does a group. Where entries lie is kept for every
//! 16th only; the rest is found by walking from there.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use crate::queue::locked;

/// The size of a header: magic, version (u32), 0 (u32), base (u64), CRC-32C of these (u32),
/// 0 (u32); numbers little endian.
pub(crate) const HEADER_BYTES: u64 = 32;

/// Written with zeros and synced, waiting to become a segment.
pub(crate) const SPARE: &str = "spare";
/// Being written with zeros.
pub(crate) const SPARE_NEW: &str = "spare.new";

/// The place of every so many-th entry is kept in memory.
const SPARSE_ENTRIES: u64 = 16;

const MAGIC: &[u8; 8] = b"kengjrnl";
const VERSION: u32 = 1;

/// The path of the segment that begins with entry `base`.
pub(crate) fn path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.seg"))
}

/// The index in a segment's name; `None` for the name of something else.
pub(crate) fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// A segment's header.
pub(crate) fn header(base: u64) -> [u8; HEADER_BYTES as usize] {
    let mut bytes = [0; HEADER_BYTES as usize];
    let (version, base) = (VERSION.to_le_bytes(), base.to_le_bytes());
    let fields = [MAGIC.as_slice(), &version, &[0; 4], &base].concat();
    let crc = crc32c::crc32c(&fields).to_le_bytes();
    for (place, byte) in bytes.iter_mut().zip(fields.into_iter().chain(crc)) {
        *place = byte;
    }
    bytes
}

/// Where a segment's entries lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Whether the header is written.
    pub(crate) headed: bool,
    /// How many entries there are.
    pub(crate) count: u64,
    /// The offset behind the last frame.
    pub(crate) end: u64,
    /// The offset of every [`SPARSE_ENTRIES`]th entry.
    sparse: Vec<u64>,
}

impl Places {
    /// A segment without entries.
    pub(crate) fn empty(headed: bool) -> Self {
        Self { headed, count: 0, end: HEADER_BYTES, sparse: Vec::new() }
    }

    /// One more entry, whose frame has so many bytes.
    pub(crate) fn push(&mut self, frame_bytes: u64) {
        if self.count.is_multiple_of(SPARSE_ENTRIES) {
            self.sparse.push(self.end);
        }
        self.count += 1;
        self.end += frame_bytes;
    }

    /// Forgets all but the first `count` entries, which end at `end`.
    pub(crate) fn truncate(&mut self, count: u64, end: u64) {
        self.count = count;
        self.end = end;
        let kept = usize::try_from(count.div_ceil(SPARSE_ENTRIES)).unwrap_or(usize::MAX);
        self.sparse.truncate(kept);
    }

    /// The nearest known place at or before the entry with this ordinal: ordinal and offset.
    pub(crate) fn near(&self, ordinal: u64) -> (u64, u64) {
        let slot = ordinal / SPARSE_ENTRIES;
        usize::try_from(slot)
            .ok()
            .and_then(|slot| self.sparse.get(slot))
            .map_or((0, HEADER_BYTES), |offset| (slot * SPARSE_ENTRIES, *offset))
    }

    /// The offset of the nearest known place behind the entry with this ordinal.
    pub(crate) fn behind(&self, ordinal: u64) -> u64 {
        let next = usize::try_from(ordinal / SPARSE_ENTRIES + 1).ok();
        next.and_then(|slot| self.sparse.get(slot)).copied().unwrap_or(self.end)
    }
}

/// A segment.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The index of the first entry.
    pub(crate) base: u64,
    /// The file.
    pub(crate) path: PathBuf,
    /// The file's length, which never changes.
    pub(crate) bytes: u64,
    /// Changed by the committer, after the sync, and by a cut.
    places: Mutex<Places>,
}

impl Segment {
    /// A segment in `dir`.
    pub(crate) fn new(dir: &Path, base: u64, bytes: u64, places: Places) -> Self {
        Self { base, path: path(dir, base), bytes, places: Mutex::new(places) }
    }

    /// Where its entries lie.
    pub(crate) fn places(&self) -> MutexGuard<'_, Places> {
        locked(&self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_headers_say_the_base() {
        let path = path(Path::new("d"), 42);
        assert_eq!(path.to_str(), Some("d/00000000000000000042.seg"));
        assert_eq!(base_of("00000000000000000042.seg"), Some(42));
        assert_eq!(base_of("42.seg"), None);
        assert_eq!(base_of("+0000000000000000042.seg"), None);
        assert_eq!(base_of("promised"), None);
        assert_ne!(header(1), header(2));
        assert_eq!(header(7)[16..24], 7u64.to_le_bytes());
        assert_eq!(header(7)[28..], [0; 4]);
    }

    #[test]
    fn places_are_near() {
        let mut places = Places::empty(true);
        for _ in 0..200 {
            places.push(16);
        }
        assert_eq!(places.near(0), (0, 32));
        assert_eq!(places.near(15), (0, 32));
        assert_eq!(places.near(199), (192, 32 + 192 * 16));
        let behind = [0, 15, 16, 191, 192, 199].map(|ordinal| places.behind(ordinal));
        assert_eq!(behind, [16, 16, 32, 192, 200, 200].map(|ordinal| 32 + ordinal * 16));
        places.truncate(64, 32 + 64 * 16);
        assert_eq!(places.sparse.len(), 4);
        places.push(16);
        assert_eq!(places.near(64), (64, 32 + 64 * 16));
    }
}
