//! What the broker had lost of what this process said, until the log has a record of it.

use bytes::Bytes;
use domain::{
    ids::{Millis, RecordId},
    loss,
};
use prost::Message;

use super::{Entry, Outbox, OutboxTrouble};

/// As it is written down.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Lost {
    #[prost(int64, tag = "1")]
    noticed_at_ms: i64,
    #[prost(string, repeated, tag = "2")]
    streams: Vec<String>,
    #[prost(uint64, tag = "3")]
    sent: u64,
    #[prost(uint64, tag = "4")]
    recovered: u64,
    #[prost(uint64, tag = "5")]
    gone: u64,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    records: Vec<Bytes>,
}

/// A loss that was found out and healed, and that the log does not say yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Its number in this outbox.
    pub number: u64,
    /// What was lost, and what became of it.
    pub what: loss::Loss,
}

impl Lost {
    pub(super) fn loss(&self, number: u64) -> Loss {
        let what = loss::Loss {
            noticed_at: Millis(self.noticed_at_ms),
            streams: self.streams.clone(),
            sent: self.sent,
            recovered: self.recovered,
            gone: self.gone,
            records: self.records.iter().filter_map(|id| RecordId::from_slice(id)).collect(),
        };
        Loss { number, what }
    }
}

impl Outbox {
    /// Writes a loss down; it is told again after a restart until [`Outbox::told`] says otherwise.
    pub(crate) fn lost(&self, what: loss::Loss) -> Result<Loss, OutboxTrouble> {
        let lost = Lost {
            noticed_at_ms: what.noticed_at.0,
            streams: what.streams.clone(),
            sent: what.sent,
            recovered: what.recovered,
            gone: what.gone,
            records: what.records.iter().map(|id| id.0.as_bytes().to_vec().into()).collect(),
        };
        let number = self.append(&Entry { lost: Some(lost), ..Entry::default() })?;
        Ok(Loss { number, what })
    }

    /// The log has a record of the loss with this number.
    pub(crate) fn told(&self, number: u64) {
        if let Err(error) = self.append(&Entry { told: Some(number), ..Entry::default() }) {
            tracing::warn!(%error, "that a loss is recorded was not written down");
        }
    }
}
