//! Reading the journal in order, a few entries at a time; only what is on disk.

use std::{collections::VecDeque, sync::Arc, vec};

use event_log::EventLog;
use futures::{StreamExt, future::ready, stream::BoxStream};
use history::{Asked, Line, ReplayError, replay_of_log};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{Audit, entry};

const READ_ENTRIES: usize = 128;
const READ_BYTES: usize = 1 << 20;
/// Lines that wait for whoever reads them.
const LINES_AHEAD_MAX: usize = 256;

/// Which entries are looked at.
enum Entries {
    /// All of these positions: from the next to the last.
    Run { next: u64, last: u64 },
    /// An alert's.
    Some(vec::IntoIter<u64>),
}

/// The lines that were asked for, up to the end as it was when this was made. Reading blocks.
pub struct Replay {
    audit: Audit,
    asked: Asked,
    entries: Entries,
    lines: VecDeque<Line>,
    failed: bool,
}

impl Audit {
    /// Replays history, in order. Bounded memory; an alert's records are found by an index, all
    /// else is looked through.
    #[must_use]
    pub fn replay(&self, asked: Asked) -> Replay {
        let last = self.shared.journal.durable_end();
        let entries = match asked.filter.alert {
            Some(alert) => {
                let mut positions = self.shared.book().of_alert(alert);
                positions.retain(|position| *position > asked.after && *position <= last);
                Entries::Some(positions.into_iter())
            }
            None => Entries::Run { next: asked.after.saturating_add(1), last },
        };
        Replay { audit: self.clone(), asked, entries, lines: VecDeque::new(), failed: false }
    }
}

impl Replay {
    /// Looks at some more entries; false at the end.
    fn read(&mut self) -> Result<bool, ReplayError> {
        let journal = &self.audit.shared.journal;
        let (first, bytes) = match &mut self.entries {
            Entries::Run { next, last } if *next <= *last => {
                let first = *next;
                let left = usize::try_from(*last - first + 1).unwrap_or(READ_ENTRIES);
                let bytes = journal.read_from(first - 1, left.min(READ_ENTRIES), READ_BYTES);
                let bytes = bytes.map_err(damaged)?;
                if bytes.is_empty() {
                    return Ok(false);
                }
                *next += bytes.len() as u64;
                (first, bytes)
            }
            Entries::Run { .. } => return Ok(false),
            Entries::Some(positions) => {
                let Some(first) = positions.next() else { return Ok(false) };
                (first, vec![journal.read(first.saturating_sub(1)).map_err(damaged)?])
            }
        };
        for (position, bytes) in (first..).zip(bytes) {
            let entry = entry::decode(bytes).map_err(damaged)?;
            self.lines.extend(self.asked.filter.lines(position, &entry.recorded));
        }
        Ok(true)
    }
}

fn damaged(error: impl std::fmt::Display) -> ReplayError {
    ReplayError::Journal(error.to_string())
}

impl Iterator for Replay {
    type Item = Result<Line, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            if let Some(line) = self.lines.pop_front() {
                return Some(Ok(line));
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// Where history is read from: the audit's journal, or, in a process without one, the log itself.
#[derive(Clone)]
pub enum Replayer {
    /// The audit of this process.
    Audit(Audit),
    /// The log. It is put in order anew each time, and its positions are those of that replay.
    Log(Arc<dyn EventLog>),
}

impl Replayer {
    /// The lines that were asked for, up to the end as it is now.
    #[must_use]
    pub fn lines(&self, asked: Asked) -> BoxStream<'static, Result<Line, ReplayError>> {
        match self {
            Self::Audit(audit) => {
                let replay = audit.replay(asked);
                let (lines, receiver) = mpsc::channel(LINES_AHEAD_MAX);
                // Reading blocks. It ends early where nobody listens any more.
                tokio::task::spawn_blocking(move || {
                    for line in replay {
                        if lines.blocking_send(line).is_err() {
                            return;
                        }
                    }
                });
                ReceiverStream::new(receiver).boxed()
            }
            Self::Log(log) => replay_of_log(Arc::clone(log), asked.filter, usize::MAX)
                .filter(move |line| {
                    ready(line.as_ref().map_or(true, |line| line.position > asked.after))
                })
                .boxed(),
        }
    }
}
