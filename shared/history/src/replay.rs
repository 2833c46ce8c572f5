//! Replay from the log itself, for processes that keep no audit: sequenced on the fly.
//!
//! Nothing is kept or proved here; the audit's journal does that.

use std::{collections::VecDeque, sync::Arc};

use event_log::{EventLog, FollowError};
use futures::{Stream, stream};

use crate::{
    filter::Filter,
    line::Line,
    merge::{Merge, Met},
    sequencer::Sequencer,
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

struct Replay {
    merge: Merge,
    sequencer: Sequencer,
    filter: Filter,
    lines: VecDeque<Line>,
    left: usize,
    ended: bool,
}

/// The history of a log from its start to its end as it is now, at most `limit` lines. A commit
/// whose command is not in the log is not shown; that is traced.
///
/// Positions are ordinals of this replay; the same log gives the same ones.
pub fn replay_of_log(
    log: Arc<dyn EventLog>,
    filter: Filter,
    limit: usize,
) -> impl Stream<Item = Result<Line, ReplayError>> + Send + 'static {
    let replay = Replay {
        merge: Merge::to_the_end(log),
        sequencer: Sequencer::new(),
        filter,
        lines: VecDeque::new(),
        left: limit,
        ended: false,
    };
    stream::unfold(replay, |mut replay| async move {
        let line = replay.next().await?;
        Some((line, replay))
    })
}

impl Replay {
    async fn next(&mut self) -> Option<Result<Line, ReplayError>> {
        while !self.ended && self.left > 0 {
            if let Some(line) = self.lines.pop_front() {
                self.left -= 1;
                return Some(Ok(line));
            }
            // A log in memory never makes its reader wait; others have work to do, too.
            tokio::task::consume_budget().await;
            match self.merge.next(self.sequencer.is_full()).await {
                Met::Record(reading) => {
                    for placed in self.sequencer.offer(reading, 0) {
                        self.lines.extend(self.filter.lines(placed.number, &placed.recorded));
                    }
                }
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
        None
    }
}
