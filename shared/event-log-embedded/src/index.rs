//! Where records stand: by class, by a command's id, by entity and version, and where their sealed
//! parts are. Compact, since all of it stays in memory: names and ids are not kept, only hashes.
//!
//! No bytes of records: those are in the tail or in the journals.

use std::{collections::HashMap, mem};

use domain::ids::RecordId;
use event_log::{Class, Key, Kind, Position};
use sha2::{Digest, Sha256};

/// The first half of SHA-256 over a key: two keys share it as seldom as two ids are the same.
type KeyHash = [u8; 16];

/// A record that lies so far behind another one, or closer, is close behind it: to read what lies
/// between costs less than to begin anew.
const GAP_MAX: Position = 64;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// The entry of its sealed part, where that is here.
    pub(crate) part: Option<u64>,
}

/// The index of a log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The class of the record at each position, by its place in [`Class::ALL`].
    classes: Vec<u8>,
    commands: HashMap<[u8; 16], Position>,
    histories: HashMap<KeyHash, History>,
    /// For each record whose sealed part is here: its position, and the entry of the part. Rises
    /// with the positions.
    sealed: Vec<(Position, u64)>,
}

/// The positions of an entity's commits, in order.
#[derive(Debug)]
enum History {
    /// Most entities have one commit.
    One(Position),
    Many(Vec<Position>),
}

impl History {
    fn as_slice(&self) -> &[Position] {
        match self {
            Self::One(position) => std::slice::from_ref(position),
            Self::Many(positions) => positions,
        }
    }

    fn push(&mut self, position: Position) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, position]),
            Self::Many(positions) => positions.push(position),
        }
    }
}

impl Index {
    /// The position of the last record.
    pub(crate) fn head(&self) -> Position {
        self.classes.len() as Position
    }

    /// Adds the record at the next position.
    pub(crate) fn push(&mut self, id: RecordId, key: &Key, kind: Kind, sealed: Option<u64>) {
        self.classes.push(ordinal(key.class));
        let position = self.head();
        match kind {
            // The first record under an id wins; a second is never appended.
            Kind::Command => {
                self.commands.entry(id.0.into_bytes()).or_insert(position);
            }
            Kind::Commit { .. } => {
                self.histories
                    .entry(hash_of(key))
                    .and_modify(|history| history.push(position))
                    .or_insert(History::One(position));
            }
        }
        self.sealed.extend(sealed.map(|entry| (position, entry)));
    }

    /// Where a command stands.
    pub(crate) fn command(&self, id: RecordId) -> Option<Position> {
        self.commands.get(id.0.as_bytes()).copied()
    }

    /// Where an entity's commits stand.
    pub(crate) fn history(&self, key: &Key) -> &[Position] {
        self.histories.get(&hash_of(key)).map(History::as_slice).unwrap_or_default()
    }

    /// The record at a position, and those of its class that follow, each close behind the one
    /// before: at most `most`.
    pub(crate) fn run(&self, position: Position, most: usize) -> Vec<Place> {
        let behind = position.checked_sub(1).and_then(|before| usize::try_from(before).ok());
        let behind = behind.and_then(|before| self.classes.get(before..)).unwrap_or_default();
        let Some(class) = behind.first() else { return Vec::new() };
        let first = self.sealed.partition_point(|(sealed, _)| *sealed < position);
        let mut parts = self.sealed.get(first..).unwrap_or_default().iter().peekable();
        let same = (position..).zip(behind).filter(|(_, other)| *other == class);
        let mut last = position;
        same.take_while(|(position, _)| *position - mem::replace(&mut last, *position) <= GAP_MAX)
            .take(most)
            .map(|(position, _)| {
                while parts.next_if(|(sealed, _)| *sealed < position).is_some() {}
                let part = parts.next_if(|(sealed, _)| *sealed == position);
                Place { position, part: part.map(|(_, entry)| *entry) }
            })
            .collect()
    }

    /// The first record of a class behind a position.
    pub(crate) fn next_of(&self, class: Class, after: Position) -> Option<Position> {
        let behind = self.classes.get(usize::try_from(after).ok()?..)?;
        let wanted = ordinal(class);
        let distance = behind.iter().position(|class| *class == wanted)?;
        Some(after + distance as Position + 1)
    }
}

fn ordinal(class: Class) -> u8 {
    let place = Class::ALL.iter().position(|other| *other == class);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn hash_of(key: &Key) -> KeyHash {
    let digest = Sha256::new()
        .chain_update([ordinal(key.class)])
        .chain_update(key.home.province.as_str())
        .chain_update(key.home.commune.as_str())
        .chain_update(key.entity.as_str())
        .finalize();
    let mut hash = KeyHash::default();
    hash.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    hash
}

#[cfg(test)]
mod tests {
    use domain::ids::Home;

    use super::*;

    fn key(class: Class, entity: &str) -> Key {
        Key { class, home: Home::NATION, entity: entity.parse().unwrap() }
    }

    #[test]
    fn a_run_ends_where_the_next_of_its_class_is_far() {
        let mut index = Index::default();
        let far = [1, 1 + GAP_MAX, 2 + 2 * GAP_MAX];
        for position in 1..=3 * GAP_MAX {
            let class = if far.contains(&position) { Class::Alert } else { Class::Receipt };
            let kind = Kind::Commit { version: position };
            index.push(RecordId::of_purpose("x"), &key(class, "alert-a"), kind, None);
        }
        let run = |from| index.run(from, 9).iter().map(|place| place.position).collect::<Vec<_>>();
        assert_eq!((run(far[0]), run(far[2])), (far[..2].to_vec(), far[2..].to_vec()));
        assert_eq!(run(2), (2..=10).collect::<Vec<_>>());
    }

    #[test]
    fn records_are_found_by_all_that_they_are_looked_for() {
        let mut index = Index::default();
        let command = RecordId::of_purpose("ask");
        index.push(command, &key(Class::Command, "alert-a"), Kind::Command, Some(0));
        for version in 1..=3 {
            let kind = Kind::Commit { version };
            let sealed = (version == 2).then_some(1);
            index.push(RecordId::of_purpose("x"), &key(Class::Alert, "alert-a"), kind, sealed);
        }
        assert_eq!(index.head(), 4);
        assert_eq!(index.command(command), Some(1));
        assert_eq!(index.command(RecordId::of_purpose("x")), None);
        assert_eq!(index.history(&key(Class::Alert, "alert-a")), [2, 3, 4]);
        assert!(index.history(&key(Class::News, "alert-a")).is_empty());
        let place = |position, part| Place { position, part };
        assert_eq!(index.run(1, 9), [place(1, Some(0))]);
        assert_eq!(index.run(2, 2), [place(2, None), place(3, Some(1))]);
        assert_eq!((index.run(0, 9), index.run(5, 9)), (vec![], vec![]));
        assert_eq!(index.next_of(Class::Alert, 0), Some(2));
        assert_eq!(index.next_of(Class::Alert, 2), Some(3));
        assert_eq!(index.next_of(Class::Command, 1), None);
        assert_eq!(index.next_of(Class::Alert, 9), None);
    }
}
