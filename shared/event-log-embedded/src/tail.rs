//! The newest records, in memory, so that followers at the head never read the disk.

use std::{collections::VecDeque, sync::Arc};

use domain::ids::AlertId;
use event_log::{Position, Recorded, Seal};

/// The most bytes that the tail holds; what is older is read back from the journals.
const TAIL_BYTES_MAX: usize = 8 << 20;

/// What a record takes in memory beside its bytes, about.
const RECORD_OVERHEAD_BYTES: usize = 256;

/// The newest records, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    records: VecDeque<Arc<Recorded>>,
    bytes: usize,
}

impl Tail {
    /// Adds the next record, and drops the oldest where there are too many bytes.
    pub(crate) fn push(&mut self, recorded: Arc<Recorded>) {
        self.bytes += bytes_of(&recorded);
        self.records.push_back(recorded);
        while self.bytes > TAIL_BYTES_MAX
            && let Some(oldest) = self.records.pop_front()
        {
            self.bytes -= bytes_of(&oldest);
        }
    }

    /// Forgets the sealed parts of what belongs to the alert.
    pub(crate) fn erase(&mut self, alert: AlertId) {
        for recorded in &mut self.records {
            if recorded.seal.bytes().is_some() && recorded.key.entity.is_of(alert) {
                self.bytes -= bytes_of(recorded);
                *recorded = Arc::new(Recorded { seal: Seal::Missing, ..Recorded::clone(recorded) });
                self.bytes += bytes_of(recorded);
            }
        }
    }

    /// The record at a position, if it is among the newest.
    pub(crate) fn get(&self, position: Position) -> Option<&Arc<Recorded>> {
        let first = self.records.front()?.position;
        self.records.get(usize::try_from(position.checked_sub(first)?).ok()?)
    }
}

fn bytes_of(recorded: &Recorded) -> usize {
    let sealed = recorded.seal.bytes().map_or(0, |bytes| bytes.len());
    RECORD_OVERHEAD_BYTES + recorded.open.len() + sealed
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::ids::{Home, RecordId};
    use event_log::{Class, Key, Kind};

    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many_bytes() {
        let mut tail = Tail::default();
        let bytes = Bytes::from(vec![0; 50_000]);
        for position in 11..=1_011 {
            tail.push(Arc::new(Recorded {
                position,
                id: RecordId::of_purpose("x"),
                key: Key {
                    class: Class::Alert,
                    home: Home::NATION,
                    entity: "alert-a".parse().unwrap(),
                },
                kind: Kind::Commit { version: position },
                open: bytes.clone(),
                seal: Seal::None,
                signature: None,
            }));
        }
        assert!(tail.bytes <= TAIL_BYTES_MAX && tail.bytes > TAIL_BYTES_MAX / 2);
        assert!(tail.get(10).is_none() && tail.get(11).is_none() && tail.get(1_012).is_none());
        assert_eq!(tail.get(1_011).unwrap().position, 1_011);
        assert_eq!(tail.get(900).unwrap().position, 900);
    }
}
