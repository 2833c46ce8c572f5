//! Replay from the log itself, for processes that keep no audit: sequenced on the fly.
//!
//! Nothing is kept or proved here; the audit's journal does that.

use std::{collections::VecDeque, sync::Arc};

use event_log::{EventLog, FollowError};
use futures::{Stream, StreamExt, stream};

use crate::{
    filter::Filter,
    line::Line,
    merge::{Merge, Met},
    sequencer::{Placed, Sequencer},
};

/// Why a replay ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Ask again.
    #[error("the log cannot be read: {0}")]
    Log(#[from] FollowError),
    /// The operator must act: the audit's own journal cannot be read.
    #[error("the audit's journal cannot be read: {0}")]
    Journal(String),
}

struct Records {
    merge: Merge,
    sequencer: Sequencer,
    placed: VecDeque<Placed>,
    ended: bool,
}

/// The records of a log from its start to its end as it is now, each in its place. A commit whose
/// command is not in the log is not shown; that is traced.
///
/// Positions are ordinals of this replay; the same log gives the same ones.
pub fn records_of_log(
    log: Arc<dyn EventLog>,
) -> impl Stream<Item = Result<Placed, ReplayError>> + Send + 'static {
    let records = Records {
        merge: Merge::to_the_end(log),
        sequencer: Sequencer::new(),
        placed: VecDeque::new(),
        ended: false,
    };
    stream::unfold(records, |mut records| async move {
        let placed = records.next().await?;
        Some((placed, records))
    })
}

/// The history of a log as lines, at most `limit` of them: see [`records_of_log`].
pub fn replay_of_log(
    log: Arc<dyn EventLog>,
    filter: Filter,
    limit: usize,
) -> impl Stream<Item = Result<Line, ReplayError>> + Send + 'static {
    let lines = move |placed: Result<Placed, ReplayError>| {
        stream::iter(match placed {
            Ok(placed) => {
                let lines = filter.lines(placed.number, &placed.recorded);
                lines.into_iter().map(Ok).collect()
            }
            Err(error) => vec![Err(error)],
        })
    };
    records_of_log(log).flat_map(lines).take(limit)
}

impl Records {
    async fn next(&mut self) -> Option<Result<Placed, ReplayError>> {
        loop {
            if let Some(placed) = self.placed.pop_front() {
                return Some(Ok(placed));
            }
            if self.ended {
                return None;
            }
            // A log in memory never makes its reader wait; others have work to do, too.
            tokio::task::consume_budget().await;
            match self.merge.next(self.sequencer.is_full()).await {
                Met::Record(reading) => self.placed.extend(self.sequencer.offer(reading, 0)),
                Met::CaughtUp => {
                    self.ended = true;
                    for late in self.sequencer.late(0, 0) {
                        tracing::warn!(id = %late.id, entity = %late.entity, why = late.why, "not shown");
                    }
                }
                Met::Anew(_) => {}
                Met::Trouble(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}
