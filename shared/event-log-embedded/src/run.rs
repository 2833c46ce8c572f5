//! Records that were read together, and are decoded one by one.
//!
//! Who reads a whole log has let go of each record before the next is made, so that the allocator
//! gives out the same memory again; and who keeps one keeps its bytes and no others.

use std::{sync::Arc, vec};

use bytes::Bytes;
use domain::ids::RecordId;
use event_log::{Recorded, Seal};
use journal::Journal;
use keyring::Keyring;

use crate::{
    entry::{self, NotAnEntry, decode_sealed},
    index::Place,
    store::Unreadable,
};

/// How much is read at once for a follower that is behind the tail.
pub(crate) const RUN_RECORDS_MAX: usize = 128;
const RUN_BYTES_MAX: usize = 64 << 10;
/// How long an entry is, about: most are shorter.
const ENTRY_BYTES: usize = 512;

/// A sealed part, decrypted, and whose it is; `None` where it was destroyed.
type Part = (RecordId, Option<Bytes>);

/// Records as they lie in the journals, checked and not yet decoded.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The entries of the records, one right behind the other.
    entries: Vec<u8>,
    /// Where each record stands, and where its entry ends.
    records: vec::IntoIter<(Place, usize)>,
    /// Where the next entry begins.
    at: usize,
    /// The sealed parts of those that have one.
    parts: vec::IntoIter<Result<Part, Unreadable>>,
}

impl Run {
    /// Reads the records at these places, as many of the first as come cheaply.
    pub(crate) fn read(
        mut places: Vec<Place>,
        (log, sealed): (&Journal, &Journal),
        keyring: &Keyring,
    ) -> Result<Self, Unreadable> {
        let indices: Vec<u64> = places.iter().map(|place| place.position - 1).collect();
        let mut entries = Vec::with_capacity(RUN_BYTES_MAX.min(places.len() * ENTRY_BYTES));
        let ends = log.lend(&indices, RUN_BYTES_MAX, |_, entry| {
            entries.extend_from_slice(entry);
            entries.len()
        })?;
        places.truncate(ends.len());
        let parts: Vec<u64> = places.iter().filter_map(|place| place.part).collect();
        let parts = read_parts(&parts, sealed, keyring).into_iter();
        let records: Vec<(Place, usize)> = places.into_iter().zip(ends).collect();
        Ok(Self { entries, records: records.into_iter(), at: 0, parts })
    }

    /// The next record.
    pub(crate) fn record(&mut self) -> Option<Result<Arc<Recorded>, Unreadable>> {
        let (place, end) = self.records.next()?;
        let entry = self.entries.get(self.at..end).unwrap_or_default();
        self.at = end;
        let part = place.part.and_then(|_| self.parts.next());
        Some(record(place, entry, part))
    }
}

impl Iterator for Run {
    type Item = Arc<Recorded>;

    /// Ends before the first that cannot be read.
    fn next(&mut self) -> Option<Arc<Recorded>> {
        if let Some(Ok(record)) = self.record() {
            return Some(record);
        }
        *self = Self::default();
        None
    }
}

fn record(
    place: Place,
    entry: &[u8],
    part: Option<Result<Part, Unreadable>>,
) -> Result<Arc<Recorded>, Unreadable> {
    let mut recorded = entry::decode(entry, place.position)?;
    if let Some(part) = part
        && let Some(Recorded { id, seal: seal @ Seal::Missing, .. }) = Arc::get_mut(&mut recorded)
    {
        let (of, sealed) = part?;
        *seal = sealed.filter(|_| of == *id).map_or(Seal::Missing, Seal::Here);
    }
    Ok(recorded)
}

/// The sealed parts in these entries; the first that cannot be read is the last.
fn read_parts(
    entries: &[u64],
    sealed: &Journal,
    keyring: &Keyring,
) -> Vec<Result<Part, Unreadable>> {
    let open = |entry: &[u8]| {
        let part = decode_sealed(entry)?;
        Ok::<Part, NotAnEntry>((part.id, part.open(keyring)?))
    };
    let mut read = Vec::with_capacity(entries.len());
    while let Some(left) = entries.get(read.len()..).filter(|left| !left.is_empty()) {
        match sealed.lend(left, RUN_BYTES_MAX, |_, entry| open(entry)) {
            Ok(some) => read.extend(some.into_iter().map(|part| part.map_err(Into::into))),
            Err(why) => {
                read.push(Err(why.into()));
                break;
            }
        }
    }
    read
}
