//! The thread that writes: takes all that waits, writes it, syncs once, says so.
//!
//! The only writer of an open journal. Works one segment ahead: once a segment is half full, the
//! next is filled with zeros in the background.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Instant,
};

use crate::{
    entry::{Entry, first_group_bytes, fitting},
    fatal::{NoPanic, end_process},
    frame::Head,
    journal::Shared,
    lock::DirLock,
    options::Options,
    promise::PROMISED,
    segment::{self, HEADER_BYTES, Places, SPARE, SPARE_NEW, Segment},
    zeros::{allocate, sync_dir},
};

/// Frames are written so many at a time; one sync follows, however many there are.
const WRITE_BYTES: usize = 1 << 20;

/// The file that will be the next segment.
#[derive(Debug)]
pub(crate) enum Spare {
    /// There is none yet.
    None,
    /// It is being written with zeros.
    Coming(JoinHandle<io::Result<()>>),
    /// It lies ready under its name.
    Ready,
}

/// The state of the thread.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    options: Options,
    spare: Spare,
    /// Reused by every batch.
    buffer: Vec<u8>,
    /// Held as long as the thread lives: nobody else writes here.
    _lock: DirLock,
}

impl Committer {
    /// A committer that holds the directory's lock.
    pub(crate) fn new(shared: Arc<Shared>, options: Options, spare: Spare, lock: DirLock) -> Self {
        Self { shared, options, spare, buffer: Vec::new(), _lock: lock }
    }

    /// Works until the journal is closed and everything is on disk.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        // The last act: whoever waits for the end may open the directory again at once.
        let _last_act = NoPanic(&shared.durable);
        while let Some(taken) = shared.queue.take() {
            self.commit(taken.first, &taken.entries);
        }
        self.collect_spare();
        drop(self);
    }

    /// Brings entries to disk, in as many batches as segments are needed.
    fn commit(&mut self, mut first: u64, mut entries: &[Entry]) {
        while !entries.is_empty() {
            let active = self.shared.store.active();
            let room = active.as_ref().map_or(0, |active| active.bytes - active.places().end);
            let (batch, rest) = entries.split_at(fitting(entries, room));
            let Some(active) = active.filter(|_| !batch.is_empty()) else {
                self.roll(first, HEADER_BYTES + first_group_bytes(entries));
                continue;
            };
            if let Err(error) = self.write(&active, first, batch) {
                end_process("a write or sync", &active.path, &error);
            }
            first += batch.len() as u64;
            entries = rest;
            if let Err(error) = self.shared.store.promise.set(first) {
                end_process("a write", &self.shared.store.dir.join(PROMISED), &error);
            }
            self.shared.queue.synced(first);
            self.shared.announce(first);
            self.prepare(&active);
        }
    }

    /// Writes a batch behind what the segment has, and syncs it.
    fn write(&mut self, active: &Segment, first: u64, batch: &[Entry]) -> io::Result<()> {
        let _writing = self.shared.store.writing();
        let file = self.shared.store.file(active)?;
        let (headed, mut at) = {
            let places = active.places();
            (places.headed, places.end)
        };
        self.buffer.clear();
        if !headed {
            self.buffer.extend_from_slice(&segment::header(active.base));
            at = 0;
        }
        for (index, entry) in (first..).zip(batch) {
            let head = Head::new(index, &entry.payload, entry.continues, index == first);
            head.write(&entry.payload, &mut self.buffer);
            if self.buffer.len() >= WRITE_BYTES {
                file.write_all_at(&self.buffer, at)?;
                at += self.buffer.len() as u64;
                self.buffer.clear();
            }
        }
        file.write_all_at(&self.buffer, at)?;
        let begun = Instant::now();
        file.sync_data()?;
        if !self.options.sync_delay.is_zero() {
            thread::sleep(self.options.sync_delay);
        }
        self.shared.queue.took(begun.elapsed());
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        let mut places = active.places();
        places.headed = true;
        for entry in batch {
            places.push(crate::frame::frame_bytes(entry.payload.len()));
        }
        Ok(())
    }

    /// Begins a segment with room for at least so many bytes. Everything before it is synced.
    fn roll(&mut self, base: u64, bytes_min: u64) {
        let dir = self.shared.store.dir.clone();
        let path = segment::path(&dir, base);
        let bytes = bytes_min.next_multiple_of(4096).max(self.options.segment_bytes());
        self.collect_spare();
        let begun = match self.spare {
            Spare::Ready if bytes == self.options.segment_bytes() => {
                self.spare = Spare::None;
                fs::rename(dir.join(SPARE), &path)
            }
            _ => allocate(&dir.join(SPARE_NEW), bytes, self.options.reserve.as_deref())
                .and_then(|()| fs::rename(dir.join(SPARE_NEW), &path)),
        };
        // The name is on disk before the first entry is written under it.
        match begun.and_then(|()| sync_dir(&dir)) {
            Ok(()) => {
                let segment = Segment::new(&dir, base, bytes, Places::empty(false));
                self.shared.store.activate(segment);
            }
            Err(error) => end_process("a new segment", &path, &error),
        }
    }

    /// Has the next segment written with zeros, once this one is half full. Where that fails it
    /// is done again when the segment is needed, and only then with the reserve.
    fn prepare(&mut self, active: &Segment) {
        if !matches!(self.spare, Spare::None) || active.places().end * 2 < active.bytes {
            return;
        }
        let dir = self.shared.store.dir.clone();
        let bytes = self.options.segment_bytes();
        let work = move || {
            allocate(&dir.join(SPARE_NEW), bytes, None)?;
            fs::rename(dir.join(SPARE_NEW), dir.join(SPARE))?;
            sync_dir(&dir)
        };
        if let Ok(thread) = thread::Builder::new().name("journal-spare".into()).spawn(work) {
            self.spare = Spare::Coming(thread);
        }
    }

    /// Waits for the spare segment, if it is on its way.
    fn collect_spare(&mut self) {
        self.spare = match std::mem::replace(&mut self.spare, Spare::None) {
            Spare::Coming(thread) => match thread.join() {
                Ok(Ok(())) => Spare::Ready,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "journal: no segment was prepared");
                    Spare::None
                }
                Err(_) => Spare::None,
            },
            known => known,
        };
    }
}
