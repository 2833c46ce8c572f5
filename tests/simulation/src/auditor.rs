//! The auditor: the audit's own order (`history::Merge` and `Sequencer`) over the nasty log, as
//! the audit follows it, without the audit's journal.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use event_log::{At, Durable, EventLog, Recorded};
use history::{Merge, Met, Reading, Sequencer};

use crate::nasty::NastyLog;

const PATIENCE: Duration = Duration::from_secs(5);

/// One order of everything. Cloning shares it.
#[derive(Clone, Default)]
pub struct Auditor(Arc<Mutex<Sequencer>>);

impl Auditor {
    /// Follows for as long as the runtime lives. What is not durable is not copied.
    pub async fn follow(self, log: NastyLog) {
        let mut merge = Merge::live(Arc::new(log.clone()), |_| None);
        loop {
            match merge.next(false).await {
                Met::Record(reading) => {
                    let recorded = &reading.recorded;
                    let (class, position) = (recorded.key.class, recorded.position);
                    let at = At { class, position, id: recorded.id };
                    while log.durable(at, PATIENCE).await != Durable::Stored {}
                    self.lock().offer(reading, 0);
                }
                Met::Anew(class) => self.lock().begin_anew(class),
                Met::CaughtUp | Met::Trouble(_) => {}
            }
        }
    }

    /// Reads the log from its start to its end.
    ///
    /// # Errors
    /// The log could not be read.
    pub async fn read(&self, log: NastyLog) -> Result<()> {
        let mut merge = Merge::to_the_end(Arc::new(log));
        loop {
            match merge.next(false).await {
                Met::Record(reading) => {
                    self.lock().offer(reading, 0);
                }
                Met::Anew(class) => self.lock().begin_anew(class),
                Met::CaughtUp => return Ok(()),
                Met::Trouble(trouble) => return Err(trouble).context("the audit"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sequencer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of these it has not placed.
    #[must_use]
    pub fn missing(&self, standing: &[Arc<Recorded>]) -> usize {
        let order = self.lock();
        standing.iter().filter(|recorded| order.place_of(recorded.id).is_none()).count()
    }

    /// What of these is out of order: a commit before its command.
    #[must_use]
    pub fn broken(&self, standing: &[Arc<Recorded>]) -> Vec<String> {
        let order = self.lock();
        let mut broken = Vec::new();
        for recorded in standing {
            let Some(place) = order.place_of(recorded.id) else {
                broken.push(format!("the audit has no place for {}", recorded.key.entity));
                continue;
            };
            let Some(command) = Reading::of(Arc::clone(recorded)).awaits else { continue };
            if order.place_of(command).is_none_or(|before| before > place) {
                broken.push(format!("the audit has {} before its command", recorded.key.entity));
            }
        }
        broken
    }
}
