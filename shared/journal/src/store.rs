//! The segments of an open journal: finding, reading and cutting entries that are on disk.
//!
//! Writing is the committer's. Files are opened when they are needed and few are kept open.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use crate::{
    entry::Gathered,
    errors::ReadError,
    fatal::end_process,
    frame::Parsed,
    promise::{PROMISED, Promise},
    queue::locked,
    reader::{Frames, RUN_BYTES, SCAN_BYTES, Walk},
    segment::Segment,
    zeros::{open_file, sync_dir, wipe},
};

/// How many files are kept open.
const OPEN_FILES_MAX: usize = 8;
/// How much is read at a time for a single entry: the way from one known place to the next.
const ENTRY_CHUNK_BYTES: usize = 16 << 10;

/// The segments of a journal, and the watermark.
#[derive(Debug)]
pub(crate) struct Store {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// The watermark; written by the committer, and by a cut.
    pub(crate) promise: Promise,
    /// In order, each beginning where the one before ends; the last one is written to. Changed
    /// by the committer, and by a cut.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// By base; the last used first.
    files: Mutex<VecDeque<(u64, Arc<File>)>>,
    /// Held while a segment is written to, and while one takes the place of another.
    writing: Mutex<()>,
    /// Held for reading while a file is read.
    reading: RwLock<()>,
    /// Held while entries are replaced.
    replacing: Mutex<()>,
}

impl Store {
    /// The store of a checked directory.
    pub(crate) fn new(dir: PathBuf, promise: Promise, segments: Vec<Arc<Segment>>) -> Self {
        Self {
            dir,
            promise,
            segments: RwLock::new(segments),
            files: Mutex::default(),
            writing: Mutex::default(),
            reading: RwLock::default(),
            replacing: Mutex::default(),
        }
    }

    /// Nobody else writes to a segment, or puts one in the place of another, for as long.
    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        locked(&self.writing)
    }

    /// Nobody else replaces entries for as long.
    pub(crate) fn replacing(&self) -> MutexGuard<'_, ()> {
        locked(&self.replacing)
    }

    /// The file of this segment is another one now.
    pub(crate) fn reopen(&self, base: u64) {
        locked(&self.files).retain(|(kept, _)| *kept != base);
    }

    /// Waits until whoever reads now has finished.
    pub(crate) fn readers_left(&self) {
        drop(self.reading.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The segment that is written to.
    pub(crate) fn active(&self) -> Option<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// From now on this segment is written to. It takes the place of one without entries.
    pub(crate) fn activate(&self, segment: Segment) {
        locked(&self.files).retain(|(base, _)| *base != segment.base);
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.retain(|kept| kept.base != segment.base);
        segments.push(Arc::new(segment));
    }

    /// The segments, in order.
    pub(crate) fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The index of the first entry there is.
    pub(crate) fn begin(&self) -> u64 {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.first().map_or(0, |segment| segment.base)
    }

    /// From now on the journal begins here; nobody reads what is before when this returns.
    pub(crate) fn forget(&self, begin: u64) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.retain(|segment| segment.base >= begin);
        drop(segments);
        locked(&self.files).retain(|(base, _)| *base >= begin);
        self.readers_left();
    }

    /// A segment's file, for reading and writing.
    pub(crate) fn file(&self, segment: &Segment) -> io::Result<Arc<File>> {
        let mut files = locked(&self.files);
        let known = files.iter().position(|(base, _)| *base == segment.base);
        let (base, file) = match known.and_then(|place| files.remove(place)) {
            Some(known) => known,
            None => (segment.base, Arc::new(open_file(&segment.path, false)?)),
        };
        files.push_front((base, Arc::clone(&file)));
        files.truncate(OPEN_FILES_MAX);
        Ok(file)
    }

    /// Reads the entries with these indices, which rise up to `last` and are on disk, as far as
    /// they lie in one segment, and gathers what `take` makes of each.
    pub(crate) fn gather<T>(
        &self,
        indices: impl IntoIterator<Item = u64>,
        last: u64,
        gathered: &mut Gathered<T>,
        bytes_expected: usize,
        mut take: impl FnMut(u64, &[u8]) -> T,
    ) -> Result<(), ReadError> {
        let _reading = self.reading.read().unwrap_or_else(PoisonError::into_inner);
        let mut indices = indices.into_iter().peekable();
        let Some(first) = indices.peek().copied() else { return Ok(()) };
        let Some(segment) = self.holding(first) else {
            return Err(ReadError::Forgotten { index: first, begin: self.begin() });
        };
        let end = (last + 1).min(segment.base + segment.places().count);
        if first >= end {
            return Err(ReadError::Corrupt { index: first, segment: segment.path.clone() });
        }
        let file = self
            .file(&segment)
            .map_err(|source| ReadError::Io { path: segment.path.clone(), source })?;
        let chunk = bytes_expected.clamp(ENTRY_CHUNK_BYTES, RUN_BYTES);
        let mut walk = Walk::new(&segment, &file, chunk, end - 1);
        while gathered.wants(0)
            && let Some(index) = indices.next_if(|index| *index < end)
        {
            let payload = walk.to(index)?;
            if !gathered.wants(payload.len()) {
                break;
            }
            gathered.push(take(index, payload), payload.len());
        }
        Ok(())
    }

    /// Forgets the entries from `index` on, which is at most their number, and the whole group
    /// that `index` lies within. Returns how many are left. Nobody may write meanwhile.
    pub(crate) fn cut(&self, index: u64) -> Result<u64, ReadError> {
        let Some(segment) = self.holding(index) else {
            return Err(ReadError::Forgotten { index, begin: self.begin() });
        };
        let file = self
            .file(&segment)
            .map_err(|source| ReadError::Io { path: segment.path.clone(), source })?;
        let (count, offset) = group_boundary(&segment, &file, index)?;
        let end = segment.base + count;

        // From here on a failure is one of writing.
        let fail = |path: &Path, error: io::Error| -> ! { end_process("a cut", path, &error) };
        if let Err(error) = self.promise.set_synced(end) {
            fail(&self.dir.join(PROMISED), error);
        }
        // The newest first, each for good before the next: never a hole in the middle.
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        while segments.last().is_some_and(|last| last.base > segment.base) {
            if let Some(last) = segments.pop()
                && let Err(error) = fs::remove_file(&last.path).and_then(|()| sync_dir(&self.dir))
            {
                fail(&last.path, error);
            }
        }
        locked(&self.files).retain(|(base, _)| *base <= segment.base);
        let mut places = segment.places();
        if let Err(error) = wipe(&file, offset, places.end) {
            fail(&segment.path, error);
        }
        places.truncate(count, offset);
        Ok(end)
    }

    /// The segment that an entry is in; the last one for what is not written yet.
    pub(crate) fn holding(&self, index: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let behind = segments.partition_point(|segment| segment.base <= index);
        segments.get(behind.checked_sub(1)?).cloned()
    }
}

/// The ordinal and offset of the entry at `index`, or of the first of its group.
fn group_boundary(segment: &Segment, file: &File, index: u64) -> Result<(u64, u64), ReadError> {
    let mut frames = Frames::new(file, segment.bytes, SCAN_BYTES);
    let (first, mut offset) = segment.places().near(0);
    let mut boundary = (first, offset);
    for ordinal in first..index - segment.base {
        let parsed = frames
            .head(offset)
            .map_err(|source| ReadError::Io { path: segment.path.clone(), source })?;
        let Parsed::Head(head) = parsed else {
            let (index, segment) = (segment.base + ordinal, segment.path.clone());
            return Err(ReadError::Corrupt { index, segment });
        };
        offset += head.frame_bytes();
        if !head.continues() {
            boundary = (ordinal + 1, offset);
        }
    }
    Ok(boundary)
}
