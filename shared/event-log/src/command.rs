//! Writing a command down: its record, from what was asked.

use bytes::Bytes;
use domain::ids::{EntityName, Home, Millis, RecordId};
use prost::Message;
use wire::{seal::Sealing, spoken::id_bytes, v1};

use crate::{
    record::{Class, Key, Kind, Record},
    shell::entity_said,
};

/// A command about to be written down.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The id: the same for a repeat.
    pub id: RecordId,
    /// The entity that decides.
    pub entity: EntityName,
    /// Where that entity is at home.
    pub home: Home,
    /// Who asks.
    pub actor: v1::Actor,
    /// When.
    pub at: Millis,
    /// What everything that follows belongs to. 16 bytes.
    pub correlation: Bytes,
    /// The record that made a reactor ask; empty where a person asks.
    pub causation: Bytes,
    /// Decided later than this it is stale.
    pub valid_until: Option<Millis>,
    /// The sealed part.
    pub sealing: Option<Sealing>,
    /// Which fields lie in it.
    pub sealed_fields: Vec<String>,
    /// What.
    pub body: v1::command::Body,
}

impl Draft {
    /// The record.
    #[must_use]
    pub fn record(self) -> Record {
        let key = Key { class: Class::Command, home: self.home, entity: self.entity };
        let (sealed, commitment) = match self.sealing {
            Some(sealing) => (Some(sealing.sealed), sealing.commitment),
            None => (None, Bytes::new()),
        };
        let command = v1::Command {
            id: id_bytes(self.id.0),
            entity: Some(entity_said(&key)),
            written_at_ms: self.at.0,
            actor: Some(self.actor),
            correlation: self.correlation,
            causation: self.causation,
            commitment,
            sealed_fields: self.sealed_fields,
            valid_until_ms: self.valid_until.map_or(0, |at| at.0),
            body: Some(self.body),
        };
        let open = command.encode_to_vec().into();
        Record { id: self.id, key, kind: Kind::Command, open, sealed, signature: None }
    }
}
