//! Which sealed parts lie where, and whose were destroyed: what every log keeps in memory, so that
//! destroying reads nothing else, and nothing comes again. No bytes of parts, and no disk.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use domain::ids::{AlertId, EntityName};
use prost::Message;
use wire::{
    commit::events_of,
    v1::{self, event::Event},
};

use crate::record::{Record, Recorded};

/// The sealed parts of each alert; what belongs to none is not erased, and not kept here.
#[derive(Debug, Default)]
pub struct Parts {
    /// The entries of a journal that hold parts.
    places: HashMap<AlertId, Vec<u64>>,
    erased: HashSet<AlertId>,
}

impl Parts {
    /// A part of the entity lies at this entry.
    pub fn lies_at(&mut self, entity: &EntityName, entry: u64) {
        for alert in alerts_of(entity) {
            self.places.entry(alert).or_default().push(entry);
        }
    }

    /// From now on no part of the alert is taken any more. Where those lie that there are.
    pub fn erase(&mut self, alert: AlertId) -> Vec<u64> {
        self.erased.insert(alert);
        self.places.get(&alert).cloned().unwrap_or_default()
    }

    /// Those parts of the alert are gone from disk.
    pub fn gone(&mut self, alert: AlertId, entries: &[u64]) {
        if let Some(places) = self.places.get_mut(&alert) {
            places.retain(|entry| !entries.contains(entry));
            if places.is_empty() {
                self.places.remove(&alert);
            }
        }
    }

    /// Entries before this one are not there any more.
    pub fn forget_before(&mut self, entry: u64) {
        self.places.retain(|_, places| {
            places.retain(|place| *place >= entry);
            !places.is_empty()
        });
    }

    /// Of how many alerts the parts were destroyed.
    #[must_use]
    pub fn erased(&self) -> usize {
        self.erased.len()
    }

    /// Whether the parts of this entity were destroyed.
    #[must_use]
    pub fn is_erased(&self, entity: &EntityName) -> bool {
        !self.erased.is_empty() && alerts_of(entity).iter().any(|alert| self.erased.contains(alert))
    }

    /// Takes the sealed part off what comes too late.
    pub fn strip(&self, records: &mut [Record]) {
        let late = records.iter_mut().filter(|record| self.is_erased(&record.key.entity));
        late.for_each(|record| record.sealed = None);
    }
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
    let one = entity.alert_id().or(entity.erasure_of()).or(entity.looks_of());
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

    fn alert(name: &str) -> AlertId {
        AlertId::raised_by(RecordId::of_purpose(name))
    }

    #[test]
    fn parts_of_an_alert_are_found_until_they_are_gone_and_none_is_taken_after() {
        let (a, b) = (alert("a"), alert("b"));
        let of_both = EntityName::matching(a, b);
        let relay = EntityName::relay(a, "25126".parse().unwrap());
        let mut parts = Parts::default();
        parts.lies_at(&EntityName::alert(a), 3);
        parts.lies_at(&EntityName::alert(b), 4);
        parts.lies_at(&relay, 9);
        parts.lies_at(&of_both, 10);
        parts.lies_at(&"group-g".parse().unwrap(), 11);
        assert!(!parts.is_erased(&relay));
        assert_eq!(parts.erase(a), [3, 9, 10]);
        parts.gone(a, &[3]);
        assert_eq!(parts.erase(a), [9, 10], "until they are gone");
        parts.gone(a, &[9, 10]);
        assert!(parts.erase(a).is_empty());
        assert_eq!(parts.erased(), 1);
        assert!(parts.is_erased(&relay) && parts.is_erased(&EntityName::erasure(a)));
        assert!(parts.is_erased(&EntityName::looks(a)) && !parts.is_erased(&EntityName::looks(b)));
        assert!(parts.is_erased(&of_both) && !parts.is_erased(&EntityName::alert(b)));
        let record = |entity: &EntityName| Record {
            id: RecordId::of_purpose(entity.as_str()),
            key: Key { class: Class::Command, home: Home::NATION, entity: entity.clone() },
            kind: Kind::Command,
            open: Bytes::from_static(b"open"),
            sealed: Some(Bytes::from_static(b"sealed")),
            signature: None,
        };
        let other = EntityName::alert(b);
        let mut late = [record(&relay), record(&other)];
        parts.strip(&mut late);
        assert_eq!(late[0], Record { sealed: None, ..record(&relay) });
        assert_eq!(late[1], record(&other));
    }

    #[test]
    fn no_part_is_mistaken_for_a_destroyed_one() {
        let sealing = wire::seal::seal(&v1::SealedContent::default(), [0; 32]);
        assert!(!is_destroyed(&sealing.sealed), "its first byte is a field's tag");
        assert!(is_destroyed(&destroyed(&sealing.sealed)));
    }
}
