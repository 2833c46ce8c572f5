//! One total order of all classes: no commit before its command, no version n + 1 of an entity
//! before version n, no command before the record of the key that it is signed by, each record
//! once.
//!
//! Pure: no I/O, no clock. What comes early waits; what it waits for is never skipped. Each
//! entity waits for itself alone.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use domain::ids::{EntityName, RecordId};
use event_log::{Class, Key, Kind, Position, Recorded, follower::Cursor};
use sha2::{Digest, Sha256};

use crate::reading::Reading;

/// Beyond this many commits in waiting, only commands are worth reading: see
/// [`Sequencer::is_full`].
pub const WAITING_RECORDS_MAX: usize = 4_096;
/// The same, in bytes.
pub const WAITING_BYTES_MAX: usize = 32 << 20;

/// The first 16 bytes of SHA-256(class, entity): an entity's name in few bytes.
type EntityKey = [u8; 16];

/// The order so far. Its memory grows with the records placed (about 25 bytes each, for their
/// ids) and with the entities (the same again each); what waits is bounded.
#[derive(Debug, Default)]
pub struct Sequencer {
    placed: HashMap<RecordId, u64>,
    placed_count: u64,
    versions: HashMap<EntityKey, u64>,
    classes: BTreeMap<Class, InClass>,
    waiting: Waiting,
}

/// How far one class was read.
#[derive(Debug, Default)]
struct InClass {
    /// The last record offered.
    read: Option<Cursor>,
    /// Those that wait, each with what was read before it.
    waiting: BTreeMap<Position, Option<Cursor>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By entity, in the order of their versions.
    of_entity: HashMap<EntityKey, Vec<Waits>>,
    /// Which entities wait for a command.
    for_command: HashMap<RecordId, Vec<EntityKey>>,
    ids: HashSet<RecordId>,
    /// How many of them are commits, and their bytes.
    commits: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waits {
    reading: Reading,
    since_ms: u64,
    told: bool,
}

/// A record in its place.
#[derive(Debug, Clone)]
pub struct Placed {
    /// 1 for the first of the order; dense.
    pub number: u64,
    /// The record.
    pub recorded: Arc<Recorded>,
    /// Where following its class may go on once this is kept: everything up to there is placed.
    /// `None`: from the start.
    pub resume: Option<Cursor>,
}

/// A record that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The record.
    pub id: RecordId,
    /// Its entity.
    pub entity: EntityName,
    /// What it waits for, as a sentence without personal data.
    pub why: String,
}

impl Sequencer {
    /// An empty order.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a record that was placed before, in its order; `resume` as it was placed.
    pub fn restore(&mut self, id: RecordId, key: &Key, kind: Kind, resume: Option<Cursor>) {
        self.classes.entry(key.class).or_default().read = resume;
        self.number(id, key, kind);
    }

    /// Offers a record, in the order of its class. Answers with what has its place now, in
    /// order: nothing where it was there already or has to wait, more where others had waited
    /// for it. `now_ms` is any clock that does not go back.
    pub fn offer(&mut self, reading: Reading, now_ms: u64) -> Vec<Placed> {
        let recorded = Arc::clone(&reading.recorded);
        let in_class = self.classes.entry(recorded.key.class).or_default();
        let before = in_class.read.replace(Cursor::on(&recorded));
        if self.placed.contains_key(&recorded.id) || self.waiting.ids.contains(&recorded.id) {
            return Vec::new();
        }
        let entity = concern(&reading);
        if !self.is_free(&reading, entity) {
            let in_class = self.classes.entry(recorded.key.class).or_default();
            in_class.waiting.insert(recorded.position, before);
            self.waiting.add(Waits { reading, since_ms: now_ms, told: false }, entity);
            return Vec::new();
        }
        let mut placed = vec![self.place(recorded)];
        let mut freeing = 0;
        while let Some(last) = placed.get(freeing).map(|placed| Arc::clone(&placed.recorded)) {
            freeing += 1;
            for entity in self.waiting.concerned_by(&last) {
                while let Some(next) = self.take_free(entity) {
                    placed.push(self.place(next.reading.recorded));
                }
            }
        }
        placed
    }

    /// The class begins again from its start: what waits there comes again, what was placed stays.
    pub fn begin_anew(&mut self, class: Class) {
        self.classes.remove(&class);
        self.waiting.forget(class);
    }

    /// Where following may go on in this process: behind the last record offered.
    #[must_use]
    pub fn cursor(&self, class: Class) -> Option<Cursor> {
        self.classes.get(&class).and_then(|in_class| in_class.read)
    }

    /// The place of a record; `None` where it has none yet.
    #[must_use]
    pub fn place_of(&self, id: RecordId) -> Option<u64> {
        self.placed.get(&id).copied()
    }

    /// How many records are placed.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.placed_count
    }

    /// How many records wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.ids.len()
    }

    /// So many commits wait that only commands should be offered now. A command waits for nothing
    /// that stands behind those commits, so that what is missing can still come.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting.commits >= WAITING_RECORDS_MAX || self.waiting.bytes >= WAITING_BYTES_MAX
    }

    /// Those that have waited for `ms` or longer, each told once. They go on waiting.
    pub fn late(&mut self, now_ms: u64, ms: u64) -> Vec<Late> {
        let (placed, versions) = (&self.placed, &self.versions);
        let mut late = Vec::new();
        for (entity, all) in &mut self.waiting.of_entity {
            for waits in all {
                if waits.told || now_ms.saturating_sub(waits.since_ms) < ms {
                    continue;
                }
                waits.told = true;
                let missing = waits.reading.awaits.filter(|id| !placed.contains_key(id));
                let after = versions.get(entity).copied().unwrap_or(0);
                let why = match (missing, &waits.reading.behind) {
                    (Some(command), _) => format!("its command {command} has not been seen"),
                    (None, Some((key, version))) => {
                        format!("version {version} of {key}, which signs it, has not been seen")
                    }
                    (None, None) => format!("the entity's version {} has not been seen", after + 1),
                };
                let Recorded { id, key, .. } = &*waits.reading.recorded;
                late.push(Late { id: *id, entity: key.entity.clone(), why });
            }
        }
        late
    }

    fn is_free(&self, reading: &Reading, entity: EntityKey) -> bool {
        let Kind::Commit { version } = reading.recorded.kind else {
            let last = self.versions.get(&entity).copied().unwrap_or(0);
            return reading.behind.as_ref().is_none_or(|(_, version)| last >= *version);
        };
        // A version may come twice: a broker that lost its tail gives ordinals out again.
        let next = self.versions.get(&entity).map_or(1, |last| last.saturating_add(1));
        version <= next && reading.awaits.is_none_or(|command| self.placed.contains_key(&command))
    }

    fn take_free(&mut self, entity: EntityKey) -> Option<Waits> {
        let all = self.waiting.of_entity.get(&entity)?;
        let index = all.iter().position(|waits| self.is_free(&waits.reading, entity))?;
        let waits = self.waiting.take(entity, index)?;
        let Recorded { key, position, .. } = &*waits.reading.recorded;
        if let Some(in_class) = self.classes.get_mut(&key.class) {
            in_class.waiting.remove(position);
        }
        Some(waits)
    }

    fn place(&mut self, recorded: Arc<Recorded>) -> Placed {
        let number = self.number(recorded.id, &recorded.key, recorded.kind);
        let in_class = self.classes.entry(recorded.key.class).or_default();
        let resume = match in_class.waiting.first_key_value() {
            Some((_, before)) => *before,
            None => in_class.read,
        };
        Placed { number, recorded, resume }
    }

    fn number(&mut self, id: RecordId, key: &Key, kind: Kind) -> u64 {
        self.placed_count += 1;
        self.placed.insert(id, self.placed_count);
        if let Kind::Commit { version } = kind {
            let last = self.versions.entry(key_of(key)).or_default();
            *last = version.max(*last);
        }
        self.placed_count
    }
}

impl Waiting {
    fn add(&mut self, waits: Waits, entity: EntityKey) {
        self.ids.insert(waits.reading.recorded.id);
        if waits.reading.recorded.kind != Kind::Command {
            self.commits += 1;
            self.bytes = self.bytes.saturating_add(waits.reading.bytes());
        }
        if let Some(command) = waits.reading.awaits {
            self.for_command.entry(command).or_default().push(entity);
        }
        let all = self.of_entity.entry(entity).or_default();
        let version = |waits: &Waits| match waits.reading.recorded.kind {
            Kind::Command => 0,
            Kind::Commit { version } => version,
        };
        let at = all.partition_point(|other| version(other) <= version(&waits));
        all.insert(at, waits);
    }

    fn take(&mut self, entity: EntityKey, index: usize) -> Option<Waits> {
        let all = self.of_entity.get_mut(&entity)?;
        if index >= all.len() {
            return None;
        }
        let waits = all.remove(index);
        if all.is_empty() {
            self.of_entity.remove(&entity);
        }
        self.ids.remove(&waits.reading.recorded.id);
        if waits.reading.recorded.kind != Kind::Command {
            self.commits = self.commits.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(waits.reading.bytes());
        }
        if let Some(command) = waits.reading.awaits
            && let Some(entities) = self.for_command.get_mut(&command)
        {
            if let Some(at) = entities.iter().position(|other| *other == entity) {
                entities.swap_remove(at);
            }
            if entities.is_empty() {
                self.for_command.remove(&command);
            }
        }
        Some(waits)
    }

    /// The entities for which something may have changed.
    fn concerned_by(&self, placed: &Recorded) -> Vec<EntityKey> {
        if self.ids.is_empty() {
            return Vec::new();
        }
        match placed.kind {
            Kind::Command => self.for_command.get(&placed.id).cloned().unwrap_or_default(),
            Kind::Commit { .. } => vec![key_of(&placed.key)],
        }
    }

    fn forget(&mut self, class: Class) {
        let entities: Vec<EntityKey> = self.of_entity.keys().copied().collect();
        for entity in entities {
            let in_class = |waits: &Waits| waits.reading.recorded.key.class == class;
            let first = |waiting: &Self| waiting.of_entity.get(&entity)?.iter().position(in_class);
            while let Some(index) = first(self) {
                self.take(entity, index);
            }
        }
    }
}

/// The entity that a record waits for: its own, or, of a signed command, that of the key.
fn concern(reading: &Reading) -> EntityKey {
    match &reading.behind {
        Some((key, _)) => short(Class::Alert, key),
        None => key_of(&reading.recorded.key),
    }
}

fn key_of(key: &Key) -> EntityKey {
    short(key.class, &key.entity)
}

fn short(class: Class, entity: &EntityName) -> EntityKey {
    let digest = Sha256::new()
        .chain_update(class.as_str())
        .chain_update([0])
        .chain_update(entity.as_str())
        .finalize();
    let mut short = [0; 16];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}
