//! Putting sealed parts into their stream, beside the open parts, and taking back those whose open
//! part is not in the log.

use std::time::Duration;

use event_log::record::Record;
use tokio::time::Instant;

use crate::{
    broker::Unpublished,
    message::{self, Message},
    subject::Stream,
    writer::{ATTEMPT_MAX, BATCH_REFUSALS_MAX, NotPut, Over, Put, Writer, pause},
};

/// Where a sealed part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) sequence: u64,
    /// This call put it there. One that stood there before may belong to a record in the log.
    fresh: bool,
}

impl Writer {
    /// Destroys sealed parts whose open part is not in the log. What this call is not known to
    /// have put stays: better a part without a record than a record without its part.
    pub(crate) fn take_back(
        &self,
        records: &[Record],
        open: &Result<Vec<Put>, NotPut>,
        sealed: &Result<Vec<Option<Part>>, NotPut>,
    ) {
        let Ok(seals) = sealed else { return };
        for (place, (record, seal)) in records.iter().zip(seals).enumerate() {
            let orphan = match open {
                Ok(puts) => match puts.get(place) {
                    Some(Put::Repeat { first, .. }) => first.open != record.open,
                    _ => false,
                },
                Err(NotPut::Conflict(_) | NotPut::Refused(_)) => true,
                Err(NotPut::Unknown(_)) => false,
            };
            if let (true, Some(Part { sequence, fresh: true })) = (orphan, *seal) {
                let broker = self.broker.clone();
                tokio::spawn(async move {
                    if let Err(error) = broker.destroy(Stream::Sealed, sequence).await {
                        tracing::warn!(sequence, error, "a sealed part without a record stays");
                    }
                });
            }
        }
    }

    /// Puts the sealed parts; for each record, where its part stands.
    pub(crate) async fn put_sealed(
        &self,
        records: &[Record],
        over: Over,
        deadline: Instant,
    ) -> Result<Vec<Option<Part>>, NotPut> {
        let mut seals: Vec<Option<Part>> = vec![None; records.len()];
        let (mut number, mut singly) = (0, false);
        let labelled = matches!(over, Over::Open);
        loop {
            let rest: Vec<(usize, Message)> = records
                .iter()
                .enumerate()
                .filter(|(place, _)| seals.get(*place).is_some_and(Option::is_none))
                .filter_map(|(place, record)| Some((place, message::sealed(record, labelled)?)))
                .collect();
            if rest.is_empty() {
                return Ok(seals);
            }
            let connection = self.leave(over, deadline).await?;
            let patience = ATTEMPT_MAX.min(deadline.saturating_duration_since(Instant::now()));
            let trouble = match self.try_sealed(rest, singly, patience).await {
                Ok(stored) if self.believes(over, connection) => {
                    for (place, part) in stored {
                        if let Some(slot) = seals.get_mut(place) {
                            *slot = Some(part);
                        }
                    }
                    continue;
                }
                Ok(_) => "the connection was lost".to_owned(),
                Err(Unpublished::Look) => {
                    singly = true;
                    "sealed parts stored before".to_owned()
                }
                Err(Unpublished::Told(why)) => {
                    singly |= number >= BATCH_REFUSALS_MAX;
                    why
                }
                Err(Unpublished::Unknown(why)) => why,
            };
            number += 1;
            pause(number, deadline, trouble).await?;
        }
    }

    async fn try_sealed(
        &self,
        rest: Vec<(usize, Message)>,
        singly: bool,
        patience: Duration,
    ) -> Result<Vec<(usize, Part)>, Unpublished> {
        let (places, messages): (Vec<usize>, Vec<Message>) = rest.into_iter().unzip();
        if singly || messages.len() == 1 {
            let mut stored = Vec::with_capacity(messages.len());
            for (place, message) in places.into_iter().zip(messages) {
                // Under one id and one open part there is one sealed part: a duplicate is it.
                let acked = self.broker.publish(message, patience).await?;
                stored.push((place, Part { sequence: acked.sequence, fresh: !acked.duplicate }));
            }
            return Ok(stored);
        }
        let count = messages.len() as u64;
        let acked = self.broker.publish_batch(messages, patience).await?;
        let first = (acked.sequence + 1).saturating_sub(count);
        let parts = (first..).map(|sequence| Part { sequence, fresh: !acked.duplicate });
        Ok(places.into_iter().zip(parts).collect())
    }
}
