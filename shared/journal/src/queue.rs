//! What is ordered and not yet on disk: where appenders and the committer meet.
//!
//! No I/O. Who appends wakes the committer only where nothing waited before; the committer takes
//! all that waits at once.

use std::{
    mem,
    ops::RangeInclusive,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    entry::{Entry, Gathered, checked_bytes},
    errors::{AppendError, Stopped},
};

/// The most bytes of one group, frames included.
pub const GROUP_BYTES_MAX: usize = 32 << 20;

/// The most bytes that may wait for the disk, frames included.
pub const UNSYNCED_BYTES_MAX: usize = 64 << 20;

/// Takes a lock. No holder leaves its state half changed, so a poisoned one is as good.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the committer took.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The index of the first entry.
    pub(crate) first: u64,
    /// The entries; they end with a whole group.
    pub(crate) entries: Arc<Vec<Entry>>,
}

/// Entries that are ordered and not yet on disk.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// From the shortest to the longest.
    holds: RangeInclusive<Duration>,
}

/// Entries below `synced` are on disk. From `flying_base` on the committer has `flying`, of which
/// some may be on disk already; behind them comes `waiting`.
#[derive(Debug)]
pub(crate) struct State {
    synced: u64,
    /// How long a sync is waited with now.
    hold: Duration,
    flying_base: u64,
    flying: Arc<Vec<Entry>>,
    waiting: Vec<Entry>,
    unsynced_bytes: usize,
    /// When the first of `waiting` came.
    since: Option<Instant>,
    /// Entries below need not wait out the hold.
    released: u64,
    /// Something was appended since the journal was opened.
    touched: bool,
    closing: bool,
}

impl State {
    fn waiting_base(&self) -> u64 {
        self.flying_base + self.flying.len() as u64
    }

    fn end(&self) -> u64 {
        self.waiting_base() + self.waiting.len() as u64
    }

    /// The number of entries, if they may still be cut.
    pub(crate) fn untouched(&self) -> Option<u64> {
        (!self.touched && !self.closing).then_some(self.synced)
    }

    /// There are so many entries, all on disk: at the opening, and after a cut.
    pub(crate) fn restart(&mut self, end: u64) {
        self.synced = end;
        self.flying_base = end;
        self.released = end;
    }
}

impl Queue {
    /// A queue behind so many entries on disk.
    pub(crate) fn new(end: u64, holds: RangeInclusive<Duration>) -> Self {
        let state = State {
            synced: end,
            hold: *holds.start(),
            flying_base: end,
            flying: Arc::default(),
            waiting: Vec::new(),
            unsynced_bytes: 0,
            since: None,
            released: end,
            touched: false,
            closing: false,
        };
        Self { state: Mutex::new(state), wake: Condvar::new(), holds }
    }

    /// The state, for a cut.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Orders one entry.
    pub(crate) fn append(&self, payload: Bytes) -> Result<u64, AppendError> {
        let bytes = checked_bytes(&payload)?;
        self.push(bytes, std::iter::once(Entry { payload, continues: false }))
    }

    /// Orders several entries, kept together.
    pub(crate) fn append_all(&self, payloads: Vec<Bytes>) -> Result<u64, AppendError> {
        let mut bytes = 0;
        for payload in &payloads {
            bytes += checked_bytes(payload)?;
        }
        let last = payloads.len().checked_sub(1).ok_or(AppendError::Empty)?;
        if bytes > GROUP_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes, bytes_max: GROUP_BYTES_MAX });
        }
        let entries = payloads.into_iter().enumerate();
        let entries = entries.map(|(n, payload)| Entry { payload, continues: n < last });
        self.push(bytes, entries)
    }

    fn push(&self, bytes: usize, entries: impl Iterator<Item = Entry>) -> Result<u64, AppendError> {
        let mut state = self.state();
        if state.closing {
            return Err(Stopped.into());
        }
        if state.unsynced_bytes + bytes > UNSYNCED_BYTES_MAX {
            return Err(AppendError::Full);
        }
        let first = state.end();
        let first_to_wait = state.waiting.is_empty();
        if first_to_wait && !state.hold.is_zero() {
            state.since = Some(Instant::now());
        }
        state.unsynced_bytes += bytes;
        state.touched = true;
        state.waiting.extend(entries);
        drop(state);
        if first_to_wait {
            self.wake.notify_one();
        }
        Ok(first)
    }

    /// What is ordered by now need not wait out the hold.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.released = state.end();
        let someone_waits = !state.waiting.is_empty();
        drop(state);
        if someone_waits {
            self.wake.notify_one();
        }
    }

    /// No more entries are ordered; what waits need not wait out the hold.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.wake.notify_one();
    }

    /// The number of entries ordered.
    pub(crate) fn end(&self) -> u64 {
        self.state().end()
    }

    /// For the committer: waits until there is something to write and the hold is over, and takes
    /// it all. `None` at the end.
    pub(crate) fn take(&self) -> Option<Taken> {
        let mut state = self.state();
        loop {
            if state.waiting.is_empty() {
                if state.closing {
                    return None;
                }
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let hold = state.hold;
            let waited = state.since.map_or(hold, |since| since.elapsed());
            if state.closing || state.released > state.waiting_base() || waited >= hold {
                break;
            }
            let left = hold.saturating_sub(waited);
            state = match self.wake.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        // Everything flown before is settled, so the new flight begins where that ended.
        state.flying_base = state.synced;
        state.flying = Arc::new(mem::take(&mut state.waiting));
        state.since = None;
        Some(Taken { first: state.flying_base, entries: Arc::clone(&state.flying) })
    }

    /// For the committer: a sync took so long.
    pub(crate) fn took(&self, sync: Duration) {
        self.state().hold = sync.clamp(*self.holds.start(), *self.holds.end());
    }

    /// For the committer: entries below `end` are on disk, and can be read there.
    pub(crate) fn synced(&self, end: u64) {
        let mut state = self.state();
        state.synced = end;
        if end == state.waiting_base() {
            let bytes: u64 = state.flying.iter().map(Entry::frame_bytes).sum();
            state.unsynced_bytes = state.unsynced_bytes.saturating_sub(bytes as usize);
            state.flying_base = end;
            state.flying = Arc::default();
        }
    }

    /// Reads entries from `index` on as far as they are in memory. Where `index` is on disk:
    /// reads nothing, and says how many entries are there.
    pub(crate) fn gather(&self, index: u64, gathered: &mut Gathered) -> Option<u64> {
        let state = self.state();
        if index < state.synced {
            return Some(state.synced);
        }
        let skipped = usize::try_from(index - state.flying_base).unwrap_or(usize::MAX);
        for entry in state.flying.iter().chain(&state.waiting).skip(skipped) {
            if !gathered.wants(entry.payload.len()) {
                break;
            }
            gathered.push(entry.payload.clone(), entry.payload.len());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PAYLOAD_BYTES_MAX;

    /// Longer than any test.
    const FOR_EVER: Duration = Duration::from_secs(3600);

    fn payload() -> Bytes {
        Bytes::from_static(b"gong")
    }

    #[test]
    fn a_release_is_for_what_was_ordered_before_it() {
        let queue = Queue::new(0, FOR_EVER..=FOR_EVER);
        queue.release();
        queue.append(payload()).unwrap();
        let due = |queue: &Queue| {
            let state = queue.state();
            state.released > state.waiting_base()
        };
        assert!(!due(&queue), "the release came before the append");
        queue.release();
        assert!(due(&queue));
        assert_eq!(queue.append(payload()).unwrap(), 1);
        // The committer takes everything that waits, as soon as something need not wait.
        assert_eq!(queue.take().unwrap().entries.len(), 2);
        queue.append(payload()).unwrap();
        queue.release();
        queue.synced(2);
        assert!(due(&queue), "a release during a sync is not lost");
        assert_eq!(queue.take().unwrap().first, 2);
        queue.synced(3);
        queue.append(payload()).unwrap();
        assert!(!due(&queue));
    }

    #[test]
    fn limits_hold() {
        let queue = Queue::new(0, FOR_EVER..=FOR_EVER);
        assert_eq!(queue.append(Bytes::new()), Err(AppendError::Empty));
        assert_eq!(queue.append_all(Vec::new()), Err(AppendError::Empty));
        assert_eq!(queue.append_all(vec![payload(), Bytes::new()]), Err(AppendError::Empty));
        let large = Bytes::from(vec![1; PAYLOAD_BYTES_MAX + 1]);
        assert!(matches!(queue.append(large), Err(AppendError::TooLarge { .. })));
        let largest = Bytes::from(vec![1; PAYLOAD_BYTES_MAX]);
        let group = |entries| vec![largest.clone(); entries];
        assert!(matches!(queue.append_all(group(32)), Err(AppendError::TooLarge { .. })));
        assert_eq!(queue.append_all(group(31)), Ok(0));
        assert_eq!(queue.append_all(group(31)), Ok(31));
        assert_eq!(queue.append_all(group(31)), Err(AppendError::Full));
        assert_eq!(queue.end(), 62);
        queue.release();
        queue.take().unwrap();
        assert_eq!(queue.append_all(group(31)), Err(AppendError::Full));
        queue.synced(62);
        assert_eq!(queue.append_all(group(31)), Ok(62));
        queue.close();
        assert_eq!(queue.append(payload()), Err(Stopped.into()));
        queue.take().unwrap();
        assert!(queue.take().is_none());
    }
}
