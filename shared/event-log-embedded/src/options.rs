//! What an embedded log is opened with.

use std::{sync::Arc, time::Duration};

use event_log::local::GIVEN_BACK_MS;
use journal::{Options, Reserve};
use keyring::Keyring;

/// What an embedded log is opened with.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// How long a sync may wait for the reactors of this process to reach the head, so that a
    /// command and what is decided on it share one.
    pub hold: Duration,
    /// Up to so long, where a sync takes as long.
    pub hold_max: Duration,
    /// The size of a segment file of either journal.
    pub segment_bytes: u64,
    /// Freed when the disk is full, so that corrections can still be written.
    pub reserve: Option<Arc<Reserve>>,
    /// What sealed parts are encrypted under, and were.
    pub keyring: Keyring,
    /// After this long a record that a reactor gave back comes again.
    pub given_back: Duration,
    /// Each sync takes so much longer. See [`EmbeddedOptions::with_sync_delay`].
    #[doc(hidden)]
    pub sync_delay: Duration,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            hold: Duration::from_micros(400),
            hold_max: Duration::from_millis(3),
            segment_bytes: 16 << 20,
            reserve: None,
            keyring: Keyring::default(),
            given_back: Duration::from_millis(GIVEN_BACK_MS),
            sync_delay: Duration::ZERO,
        }
    }
}

impl EmbeddedOptions {
    /// Makes each sync slower, as an ordinary disk would be. For benchmarks only: no option of the
    /// program may lead here.
    #[doc(hidden)]
    #[must_use]
    pub fn with_sync_delay(mut self, delay: Duration) -> Self {
        self.sync_delay = delay;
        self
    }

    /// The options of the journal of records.
    pub(crate) fn of_journal(&self) -> Options {
        Options { hold_max: self.hold_max, ..self.of_either(self.hold) }
    }

    /// The options of the journal of sealed parts: they come with the command alone, so that
    /// their sync waits for nobody, and runs while it is decided.
    pub(crate) fn of_sealed_journal(&self) -> Options {
        self.of_either(Duration::ZERO)
    }

    fn of_either(&self, hold: Duration) -> Options {
        Options {
            segment_bytes: self.segment_bytes,
            hold,
            reserve: self.reserve.clone(),
            ..Options::default()
        }
        .with_sync_delay(self.sync_delay)
    }
}
