//! What a journal is opened with.

use std::{sync::Arc, time::Duration};

use crate::Reserve;

/// The least size of a segment: a page.
const SEGMENT_BYTES_MIN: u64 = 4096;

/// The greatest size of a segment that is asked for.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// What a journal is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The size of a segment file; rounded up to pages. A group that is larger gets a segment of
    /// its own size. May differ from one opening to the next.
    pub segment_bytes: u64,
    /// How long the committer may wait for [`crate::Journal::release`] after the first unsynced
    /// append, so that more share the sync. Zero: it begins at once.
    pub hold: Duration,
    /// Up to so long, where a sync takes as long: to wait for as long as a sync takes costs no
    /// more than to come too late for it. Below [`Options::hold`] it counts as that.
    pub hold_max: Duration,
    /// Each sync takes so much longer. See [`Options::with_sync_delay`].
    #[doc(hidden)]
    pub sync_delay: Duration,
    /// Freed when the disk is full, once, before a segment is given up.
    pub reserve: Option<Arc<Reserve>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            hold: Duration::ZERO,
            hold_max: Duration::ZERO,
            sync_delay: Duration::ZERO,
            reserve: None,
        }
    }
}

impl Options {
    /// Makes each sync sleep so long in addition, as an ordinary disk would. For benchmarks only:
    /// no option of the program may lead here.
    #[doc(hidden)]
    #[must_use]
    pub fn with_sync_delay(mut self, delay: Duration) -> Self {
        self.sync_delay = delay;
        self
    }

    /// The size of a segment in whole pages, within the limits.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
            .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
            .next_multiple_of(SEGMENT_BYTES_MIN)
    }
}
