//! What users of a journal hold.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    committer::Committer,
    entry::Gathered,
    errors::{AppendError, CutError, OpenError, ReadError, ReplaceError, Stopped, at},
    forget::{self, Forgotten},
    options::Options,
    queue::{Queue, locked},
    recovery::{self, Recovery},
    replace,
    store::Store,
};

/// An open journal. Clones are the same journal; when the last is dropped, what is ordered is
/// still brought to disk, and the drop waits for that.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    durable: watch::Receiver<u64>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// What the committer's thread shares with the journal.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) store: Store,
    /// Says how many entries are on disk; taken away when the committer ends.
    pub(crate) durable: Mutex<Option<watch::Sender<u64>>>,
    /// How many batches were synced.
    pub(crate) syncs: AtomicU64,
}

impl Shared {
    /// Tells everybody that so many entries are on disk.
    pub(crate) fn announce(&self, end: u64) {
        if let Some(durable) = locked(&self.durable).as_ref() {
            durable.send_replace(end);
        }
    }
}

impl Journal {
    /// Opens or creates the directory, checks every entry, and cuts a torn tail beyond what was
    /// promised. Everything found is on disk when it returns. Blocks; call it before serving.
    ///
    /// # Errors
    /// [`OpenError`]; after `Locked` and `Corrupt` the directory is as it was.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let opened = recovery::open(dir, &options)?;
        let recovery = opened.recovery;
        let (sender, durable) = watch::channel(recovery.entries);
        let shared = Arc::new(Shared {
            queue: Queue::new(recovery.entries, options.hold..=options.hold_max.max(options.hold)),
            store: opened.store,
            durable: Mutex::new(Some(sender)),
            syncs: AtomicU64::new(0),
        });
        let committer = Committer::new(Arc::clone(&shared), options, opened.spare, opened.lock);
        let committer = thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || committer.run())
            .map_err(at(dir))?;
        let committer = Mutex::new(Some(committer));
        Ok((Self(Arc::new(Inner { shared, durable, committer })), recovery))
    }

    /// Orders an entry of 1 byte to [`crate::PAYLOAD_BYTES_MAX`]. Returns its index at once:
    /// 0, 1, 2, … in the order of the calls. Does not wait for the disk.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was ordered.
    pub fn append(&self, payload: Bytes) -> Result<u64, AppendError> {
        self.0.shared.queue.append(payload)
    }

    /// Orders a group of entries under consecutive indexes; returns the first. They come to disk
    /// in one batch, and after a crash all of them are there or none; at most
    /// [`crate::GROUP_BYTES_MAX`].
    ///
    /// # Errors
    /// [`AppendError`]; nothing was ordered.
    pub fn append_all(&self, payloads: Vec<Bytes>) -> Result<u64, AppendError> {
        self.0.shared.queue.append_all(payloads)
    }

    /// What is ordered by now need not wait out [`Options::hold`]. What is ordered later must.
    pub fn release(&self) {
        self.0.shared.queue.release();
    }

    /// Waits until an entry is on disk, and everything before it.
    ///
    /// # Errors
    /// [`Stopped`]: the journal was closed, and there is no such entry.
    pub async fn durable(&self, index: u64) -> Result<(), Stopped> {
        let mut ends = self.0.durable.clone();
        match ends.wait_for(|end| *end > index).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Stopped),
        }
    }

    /// The number of entries on disk.
    #[must_use]
    pub fn durable_end(&self) -> u64 {
        *self.0.durable.borrow()
    }

    /// The number of entries ordered.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.0.shared.queue.end()
    }

    /// Follows the number of entries on disk; the present one counts as seen. It ends when the
    /// journal is closed, and falls only by [`Journal::cut`].
    #[must_use]
    pub fn subscribe_durable(&self) -> watch::Receiver<u64> {
        let mut ends = self.0.durable.clone();
        ends.mark_unchanged();
        ends
    }

    /// Reads an entry, on disk or not yet.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, index: u64) -> Result<Bytes, ReadError> {
        let entries = self.read_from(index, 1, 0)?;
        entries.into_iter().next().ok_or_else(|| ReadError::Beyond { index, end: self.end() })
    }

    /// Reads entries from `index` on, on disk or not yet: at most `limit`, and no more than
    /// `bytes`, but at least one where there is one; none from a damaged one on. Empty at the end
    /// and beyond.
    ///
    /// # Errors
    /// [`ReadError`] of the first; never `Beyond`.
    pub fn read_from(
        &self,
        index: u64,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Bytes>, ReadError> {
        let mut gathered = Gathered::new(limit, bytes);
        loop {
            let before = gathered.entries.len();
            let next = index.saturating_add(before as u64);
            // What is in memory ends the walk; what is on disk is read a segment at a time.
            if limit == 0 {
                return Ok(gathered.entries);
            }
            let Some(synced) = self.0.shared.queue.gather(next, &mut gathered) else {
                return Ok(gathered.entries);
            };
            let store = &self.0.shared.store;
            if let Err(why) = store.gather(next..synced, synced - 1, &mut gathered, bytes, copy) {
                return gathered.before(why);
            }
            if gathered.entries.len() == before || !gathered.wants(0) {
                return Ok(gathered.entries);
            }
        }
    }

    /// Lends the entries with these indices, which rise, on disk or not yet, one after the other to
    /// `take`, and answers what it made of each: of as many of the first as come cheaply, but at
    /// least one where there is one; of none from a damaged one on. What lies between costs little.
    ///
    /// # Errors
    /// [`ReadError`] of the first.
    pub fn lend<T>(
        &self,
        indices: &[u64],
        bytes: usize,
        mut take: impl FnMut(u64, &[u8]) -> T,
    ) -> Result<Vec<T>, ReadError> {
        let Some((first, last)) = indices.first().zip(indices.last()) else { return Ok(vec![]) };
        if *last >= self.durable_end() {
            return Ok(vec![take(*first, &self.read(*first)?)]);
        }
        let mut gathered = Gathered::new(indices.len(), bytes);
        let store = &self.0.shared.store;
        match store.gather(indices.iter().copied(), *last, &mut gathered, bytes, take) {
            Ok(()) => Ok(gathered.entries),
            Err(why) => gathered.before(why),
        }
    }

    /// Forgets the entries from `index` on, and the whole group that `index` lies within; returns
    /// how many are left, which then may be fewer than `index`. Only right after [`Journal::open`].
    /// The caller vouches that nobody was promised these entries: the watermark is lowered, and
    /// their indexes are given out again. Blocks.
    ///
    /// # Errors
    /// [`CutError`]; nothing was cut.
    pub fn cut(&self, index: u64) -> Result<u64, CutError> {
        // With this lock held nothing is appended, so that the committer sleeps.
        let mut state = self.0.shared.queue.state();
        let end = state.untouched().ok_or(CutError::InUse)?;
        if index > end {
            return Err(CutError::Beyond { index, end });
        }
        if index == end {
            return Ok(end);
        }
        let left = self.0.shared.store.cut(index)?;
        state.restart(left);
        self.0.shared.announce(left);
        Ok(left)
    }

    /// Replaces entries that are on disk, each by one of the same length: what stood there is
    /// written over, and gone when this returns. Whoever reads at the same time gets the old form
    /// or the new one; nobody else waits for longer than the last sync of a file. Blocks.
    ///
    /// # Errors
    /// [`ReplaceError`]; each entry is as it was, or replaced.
    pub fn replace(&self, entries: &BTreeMap<u64, Bytes>) -> Result<(), ReplaceError> {
        let end = self.durable_end();
        if let Some((index, _)) = entries.last_key_value().filter(|(index, _)| **index >= end) {
            return Err(ReplaceError::NotOnDisk { index: *index, end });
        }
        replace::replace(&self.0.shared.store, entries)
    }

    /// The index of the first entry there is: 0, until something is forgotten.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.0.shared.store.begin()
    }

    /// Forgets the oldest entries, a whole file at a time, and none from `index` on: what stood
    /// there is written over, and gone when this returns. Blocks; nobody else waits.
    ///
    /// # Errors
    /// The system refused; the next start ends what was begun.
    pub fn forget_before(&self, index: u64) -> io::Result<Forgotten> {
        forget::before(&self.0.shared.store, index.min(self.durable_end()))
    }

    /// How many syncs there were since the journal was opened: how well appends share them.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.shared.syncs.load(Ordering::Relaxed)
    }

    /// Brings what is ordered to disk and ends the committer; the directory may then be opened
    /// again. Other clones can still read, but append no more.
    pub async fn close(self) {
        self.0.shared.queue.close();
        let mut ends = self.0.durable.clone();
        while ends.changed().await.is_ok() {}
        self.0.join();
    }
}

fn copy(_: u64, payload: &[u8]) -> Bytes {
    Bytes::copy_from_slice(payload)
}

impl Inner {
    /// Waits for the committer's thread, which has been told to end.
    fn join(&self) {
        if let Some(committer) = locked(&self.committer).take() {
            // A panic there has ended the process already.
            let _ = committer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.join();
    }
}
