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

impl Writer {
    /// Destroys sealed parts whose open part is not in the log.
    pub(crate) fn take_back(
        &self,
        records: &[Record],
        open: &Result<Vec<Put>, NotPut>,
        sealed: &Result<Vec<Option<u64>>, NotPut>,
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
            if let (true, Some(sequence)) = (orphan, *seal) {
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
    ) -> Result<Vec<Option<u64>>, NotPut> {
        let mut seals: Vec<Option<u64>> = vec![None; records.len()];
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
                    for (place, sequence) in stored {
                        if let Some(slot) = seals.get_mut(place) {
                            *slot = Some(sequence);
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
    ) -> Result<Vec<(usize, u64)>, Unpublished> {
        let (places, messages): (Vec<usize>, Vec<Message>) = rest.into_iter().unzip();
        if singly || messages.len() == 1 {
            let mut stored = Vec::with_capacity(messages.len());
            for (place, message) in places.into_iter().zip(messages) {
                // Under one id and one open part there is one sealed part: a duplicate is it.
                stored.push((place, self.broker.publish(message, patience).await?.sequence));
            }
            return Ok(stored);
        }
        let count = messages.len() as u64;
        let acked = self.broker.publish_batch(messages, patience).await?;
        let first = (acked.sequence + 1).saturating_sub(count);
        Ok(places.into_iter().zip(first..).collect())
    }
}
