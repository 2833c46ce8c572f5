//! Which sealed parts lie where, and whose were destroyed: what every log keeps in memory, so that
//! destroying reads nothing else, and nothing comes again. No bytes of parts, and no disk.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use domain::ids::{AlertId, EntityName};
use prost::Message;
use sha2::{Digest, Sha256};
use wire::{
    commit::events_of,
    v1::{self, event::Event},
};

use crate::record::{Record, Recorded};

/// The first half of SHA-256 over an entity's name: names are not kept.
type NameHash = [u8; 16];

/// The sealed parts of each entity.
#[derive(Debug, Default)]
pub struct Parts {
    /// The entries of a journal that hold parts.
    places: HashMap<NameHash, Vec<u64>>,
    erased: HashSet<NameHash>,
}

impl Parts {
    /// A part of the entity lies at this entry.
    pub fn lies_at(&mut self, entity: &EntityName, entry: u64) {
        self.places.entry(hash_of(entity)).or_default().push(entry);
    }

    /// From now on no part of these entities is taken any more. Where those lie that there are.
    pub fn erase(&mut self, entities: &[EntityName]) -> Vec<u64> {
        let hashes = entities.iter().map(hash_of);
        let mut entries = Vec::new();
        for hash in hashes {
            self.erased.insert(hash);
            entries.extend(self.places.get(&hash).into_iter().flatten());
        }
        entries
    }

    /// Those parts are gone from disk.
    pub fn gone(&mut self, entities: &[EntityName], entries: &[u64]) {
        for entity in entities {
            let hash = hash_of(entity);
            if let Some(places) = self.places.get_mut(&hash) {
                places.retain(|entry| !entries.contains(entry));
                if places.is_empty() {
                    self.places.remove(&hash);
                }
            }
        }
    }

    /// Whether the parts of this entity were destroyed.
    #[must_use]
    pub fn is_erased(&self, entity: &EntityName) -> bool {
        !self.erased.is_empty() && self.erased.contains(&hash_of(entity))
    }

    /// Takes the sealed part off what comes too late.
    pub fn strip(&self, records: &mut [Record]) {
        if self.erased.is_empty() {
            return;
        }
        let late = records.iter_mut().filter(|record| self.is_erased(&record.key.entity));
        late.for_each(|record| record.sealed = None);
    }
}

fn hash_of(entity: &EntityName) -> NameHash {
    let digest = Sha256::digest(entity.as_str());
    let mut hash = NameHash::default();
    hash.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    hash
}

/// What stands in the place of a destroyed part: as many zeros, which no part ever was.
#[must_use]
pub fn destroyed(part: &[u8]) -> Bytes {
    vec![0; part.len()].into()
}

/// Whether this stands in the place of a destroyed part.
#[must_use]
pub fn is_destroyed(part: &[u8]) -> bool {
    !part.is_empty() && part.iter().all(|byte| *byte == 0)
}

/// The alerts whose erasure an entity's sealed parts go with.
#[must_use]
pub fn alerts_of(entity: &EntityName) -> Vec<AlertId> {
    let one = entity.alert_id().or(entity.erasure_of());
    one.into_iter().chain(entity.matched().into_iter().flatten()).collect()
}

/// Whether this commit orders an erasure, or says that it is done.
#[must_use]
pub fn orders_erasure(commit: &Recorded) -> bool {
    let commit = v1::Commit::decode(commit.open.clone());
    let events = commit.ok().and_then(|commit| events_of(commit).ok()).unwrap_or_default();
    events.iter().any(|event| matches!(event, Event::EraseOrdered(_) | Event::AlertErased(_)))
}

#[cfg(test)]
mod tests {
    use domain::ids::{Home, RecordId};

    use super::*;
    use crate::record::{Class, Key, Kind};

    fn name(name: &str) -> EntityName {
        name.parse().unwrap()
    }

    #[test]
    fn parts_of_an_entity_are_found_until_they_are_gone_and_none_is_taken_after() {
        let mut parts = Parts::default();
        parts.lies_at(&name("alert-a"), 3);
        parts.lies_at(&name("alert-b"), 4);
        parts.lies_at(&name("alert-a"), 9);
        let both = [name("alert-a"), name("relay-a")];
        assert!(!parts.is_erased(&both[0]));
        assert_eq!(parts.erase(&both), [3, 9]);
        assert_eq!(parts.erase(&both), [3, 9], "until they are gone");
        parts.gone(&both, &[3]);
        assert_eq!(parts.erase(&both), [9]);
        parts.gone(&both, &[9]);
        assert!(parts.erase(&both).is_empty());
        assert!(parts.is_erased(&both[1]) && !parts.is_erased(&name("alert-b")));
        let record = |entity: &str| Record {
            id: RecordId::of_purpose(entity),
            key: Key { class: Class::Command, home: Home::NATION, entity: name(entity) },
            kind: Kind::Command,
            open: Bytes::from_static(b"open"),
            sealed: Some(Bytes::from_static(b"sealed")),
        };
        let mut late = [record("relay-a"), record("alert-b")];
        parts.strip(&mut late);
        assert_eq!(late[0], Record { sealed: None, ..record("relay-a") });
        assert_eq!(late[1], record("alert-b"));
    }

    #[test]
    fn no_part_is_mistaken_for_a_destroyed_one() {
        let sealing = wire::seal::seal(&v1::SealedContent::default(), [0; 32]);
        assert!(!is_destroyed(&sealing.sealed), "its first byte is a field's tag");
        assert!(is_destroyed(&destroyed(&sealing.sealed)));
    }
}
