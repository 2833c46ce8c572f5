//! Forgetting the oldest entries, a whole segment at a time, once nobody needs them.
//!
//! Where the journal begins is on disk before a segment goes: whatever is interrupted, the next
//! start knows that what is missing was forgotten and not lost.

use std::{fs, io, io::Write, path::Path};

use crate::{
    frame::HEAD_BYTES,
    segment::{HEADER_BYTES, Segment, base_of},
    store::Store,
    zeros::{open_file, sync_dir, wipe},
};

/// The file that says where the journal begins: a u64, little endian, and its CRC-32C. It is not
/// there as long as nothing was forgotten.
pub(crate) const BEGINS: &str = "begins";
const BEGINS_NEW: &str = "begins.new";

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// The index of the first entry that is left.
    pub begin: u64,
    /// How many bytes of entries went, with what fills their frames up.
    pub bytes: u64,
}

/// The index of the first entry there is. An error of kind `InvalidData` where that is damaged.
pub(crate) fn read(dir: &Path) -> io::Result<u64> {
    let bytes = match fs::read(dir.join(BEGINS)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    bytes
        .split_first_chunk::<8>()
        .filter(|(begin, crc)| *crc == crc32c::crc32c(*begin).to_le_bytes())
        .map(|(begin, _)| u64::from_le_bytes(*begin))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn write(dir: &Path, begin: u64) -> io::Result<()> {
    let begin = begin.to_le_bytes();
    let mut file = open_file(&dir.join(BEGINS_NEW), true)?;
    file.set_len(0)?;
    file.write_all(&[begin.as_slice(), &crc32c::crc32c(&begin).to_le_bytes()].concat())?;
    file.sync_all()?;
    fs::rename(dir.join(BEGINS_NEW), dir.join(BEGINS))?;
    sync_dir(dir)
}

/// Removes the segments before `begin`: those that another run had forgotten and not removed.
pub(crate) fn tidy(dir: &Path, begin: u64) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(base_of).is_some_and(|base| base < begin) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Forgets every segment that ends at or before `index`, but the one that is written to.
pub(crate) fn before(store: &Store, index: u64) -> io::Result<Forgotten> {
    let _replacing = store.replacing();
    let forgotten = store.before(index);
    let Some(last) = forgotten.last() else {
        return Ok(Forgotten { begin: store.begin(), bytes: 0 });
    };
    let bytes = forgotten.iter().map(|segment| payload_bytes(segment)).sum();
    let begin = last.base + last.places().count;
    write(&store.dir, begin)?;
    store.forget(begin);
    for segment in &forgotten {
        remove(&segment.path)?;
    }
    sync_dir(&store.dir)?;
    Ok(Forgotten { begin, bytes })
}

/// The bytes of a segment's entries, with what fills their frames up.
fn payload_bytes(segment: &Segment) -> u64 {
    let places = segment.places();
    places.end.saturating_sub(HEADER_BYTES + places.count * HEAD_BYTES as u64)
}

/// What is forgotten is written over first: it may have been destroyed by right elsewhere.
fn remove(path: &Path) -> io::Result<()> {
    let file = open_file(path, false)?;
    wipe(&file, 0, file.metadata()?.len())?;
    fs::remove_file(path)
}

impl Store {
    /// The segments that end at or before `index`, but the last.
    fn before(&self, index: u64) -> Vec<std::sync::Arc<Segment>> {
        let mut segments = self.segments();
        segments.pop();
        segments.retain(|segment| segment.base + segment.places().count <= index);
        segments
    }
}
