//! What a broker lost, on the wire.

use domain::{
    ids::{Millis, RecordId},
    loss::{Loss, Losses},
};

use crate::{
    NotDecodable, Spoken,
    spoken::id_bytes,
    v1::{self, event::Event},
};

impl Spoken for Losses {
    /// Nobody asks for a loss.
    fn hear(_: &v1::Command) -> Result<Loss, NotDecodable> {
        Err(NotDecodable("a command to a broker's losses"))
    }

    fn say(loss: &Loss) -> Event {
        Event::BrokerLossFound(v1::BrokerLossFound {
            noticed_at_ms: loss.noticed_at.0,
            streams: loss.streams.clone(),
            sent: loss.sent,
            recovered: loss.recovered,
            gone: loss.gone,
            records: loss.records.iter().map(|id| id_bytes(id.0)).collect(),
        })
    }

    fn recall(event: &Event) -> Result<Loss, NotDecodable> {
        let Event::BrokerLossFound(found) = event else {
            return Err(NotDecodable("an event of a broker's losses"));
        };
        let record = |id: &bytes::Bytes| {
            RecordId::from_slice(id).ok_or(NotDecodable("the id of a lost record"))
        };
        Ok(Loss {
            noticed_at: Millis(found.noticed_at_ms),
            streams: found.streams.clone(),
            sent: found.sent,
            recovered: found.recovered,
            gone: found.gone,
            records: found.records.iter().map(record).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_loss_is_recalled() {
        let loss = Loss {
            noticed_at: Millis(7),
            streams: vec!["CMD".to_owned(), "ALERT".to_owned()],
            sent: 3,
            recovered: 1,
            gone: 2,
            records: vec![RecordId::of_purpose("a"), RecordId::of_purpose("b")],
        };
        assert_eq!(Losses::recall(&Losses::say(&loss)), Ok(loss));
    }
}
