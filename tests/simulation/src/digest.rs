//! The digest of a history: a line for each record ever appended, and for each call. Ids that are
//! made by chance count by the order of their first appearance; salts, and how long a call took
//! by the real clock, count for nothing.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use bytes::Bytes;
use domain::ids::RecordId;
use event_log::{Kind, Recorded};
use prost::Message;
use wire::v1::{self, commit::Outcome, event::Event};

use crate::{broker::Entry, target::Arrival};

/// The lines.
#[must_use]
pub fn lines(entries: &[Entry], arrivals: &[Arrival]) -> Vec<String> {
    let mut names = Names::default();
    let mut lines = Vec::with_capacity(entries.len() + arrivals.len());
    for entry in entries {
        lines.push(line(&entry.recorded, &mut names));
    }
    lines.extend(arrivals.iter().map(|call| {
        format!("{} ms: call {} {:?} {}", call.at_ms, call.group, call.answer, call.delivery)
    }));
    lines
}

/// The records as people read them who look for what went wrong.
#[must_use]
pub fn in_full(entries: &[Entry]) -> Vec<String> {
    let said = |entry: &Entry| {
        let recorded = &entry.recorded;
        let (fate, class, entity) = (entry.fate, recorded.key.class.as_str(), &recorded.key.entity);
        if let Kind::Commit { version } = recorded.kind {
            let commit = v1::Commit::decode(recorded.open.clone()).unwrap_or_default();
            let cause = RecordId::from_slice(&commit.causation);
            let cause = cause.map_or_else(String::new, |cause| cause.to_string());
            let (at, outcome) = (commit.decided_at_ms, commit.outcome);
            return format!("{at}: {class} {entity} {version} {fate:?} for {cause}: {outcome:?}");
        }
        let command = v1::Command::decode(recorded.open.clone()).unwrap_or_default();
        let (at, id, body) = (command.written_at_ms, recorded.id, command.body);
        format!("{at}: {class} {entity} {fate:?} {id}: {body:?}")
    };
    entries.iter().map(said).collect()
}

/// Ids by chance, in the order of their first appearance.
#[derive(Default)]
struct Names(HashMap<[u8; 16], u64>);

fn line(recorded: &Recorded, names: &mut Names) -> String {
    let (at, bytes) = match recorded.kind {
        Kind::Command => {
            let command = v1::Command::decode(recorded.open.clone()).unwrap_or_default();
            let at = command.written_at_ms;
            (at, v1::Command { commitment: Bytes::new(), ..command }.encode_to_vec())
        }
        Kind::Commit { .. } => {
            let commit = v1::Commit::decode(recorded.open.clone()).unwrap_or_default();
            (commit.decided_at_ms, without_clocks(commit).encode_to_vec())
        }
    };
    names.meet(recorded);
    let version = match recorded.kind {
        Kind::Command => 0,
        Kind::Commit { version } => version,
    };
    let (class, entity) = (recorded.key.class.as_str(), &recorded.key.entity);
    format!("{at}: {class} {entity} {version} {:016x}", names.hash_of(&bytes))
}

fn without_clocks(mut commit: v1::Commit) -> v1::Commit {
    commit.commitment = Bytes::new();
    if let Some(Outcome::Events(events)) = &mut commit.outcome {
        for event in &mut events.events {
            match &mut event.event {
                Some(Event::ReceiptsRecorded(receipts)) => {
                    receipts.receipts.iter_mut().for_each(|receipt| receipt.took_ms = 0);
                }
                // Its bytes hold the same, and the lost record has a line of its own.
                Some(Event::Recovered(recovered)) => recovered.original = Bytes::new(),
                _ => {}
            }
        }
    }
    commit
}

impl Names {
    fn meet(&mut self, recorded: &Recorded) {
        let next = self.0.len() as u64;
        self.0.entry(*recorded.id.0.as_bytes()).or_insert(next);
    }

    /// A hash of the bytes, with every known id in them replaced by its name.
    fn hash_of(&self, bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..) {
            let Some(first) = rest.first() else { break };
            // In protobuf an id of 16 bytes stands behind its length.
            let id = if *first == 16 { rest.get(1..17) } else { None };
            let name = id.and_then(|id| <[u8; 16]>::try_from(id).ok());
            match name.and_then(|id| self.0.get(&id)) {
                Some(name) => {
                    name.hash(&mut hasher);
                    at += 17;
                }
                None => {
                    hasher.write_u8(*first);
                    at += 1;
                }
            }
        }
        hasher.finish()
    }
}
