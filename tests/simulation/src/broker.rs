//! The records themselves, as a broker or one machine's disk holds them: five classes, each with
//! an order of its own, and one order of everything for whoever checks.
//!
//! It keeps the port's rules to the letter; what is nasty about it is what it may be told to do:
//! to lose a tail, to lose what was not synced, and to bring records back as healing does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{
    AppendError, Appended, At, Class, Key, Kind, Position, Record, Recorded, Seal, batch,
    follower::{Cursor, hash_of},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    chance::Chance,
    faults::{Fault, Faults, Mutation},
    intents::intents_of,
    place::Place,
};

/// What became of a record that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stands.
    Stands,
    /// The broker lost it after it had acknowledged it.
    Lost,
    /// It was not synced when the power went.
    Cut,
}

/// A record that was appended once.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The record.
    pub recorded: Arc<Recorded>,
    /// When it was appended.
    pub since: Instant,
    /// What became of it.
    pub fate: Fate,
}

/// Everything that was ever appended. An ordinal counts from 1, and is never used again.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) order: Vec<Entry>,
    classes: BTreeMap<Class, Vec<usize>>,
    entities: BTreeMap<(Class, EntityName), Vec<Position>>,
    commands: BTreeMap<RecordId, Position>,
    ordinals: BTreeMap<RecordId, u64>,
    /// The plans that intend each delivery.
    intents: BTreeMap<String, Vec<u64>>,
    pub(crate) places: BTreeMap<(&'static str, Class), Place>,
    /// For each loss of a class, the first position that was lost.
    losses: BTreeMap<Class, Vec<Position>>,
    syncing: bool,
    /// Whether the log may be mutated, once.
    may_mutate: bool,
}

/// See the module.
pub struct Broker {
    state: Mutex<State>,
    /// One for each class: wakes its followers.
    stirs: BTreeMap<Class, watch::Sender<u64>>,
    /// The ordinal up to which everything is on disk.
    stored: watch::Sender<u64>,
    /// Counts losses.
    pub(crate) lost: watch::Sender<u64>,
    faults: Faults,
    chance: Chance,
    mutation: Option<Mutation>,
}

impl Broker {
    /// An empty one.
    #[must_use]
    pub fn new(seed: u64, faults: &Faults, mutation: Option<Mutation>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            stirs: Class::ALL.into_iter().map(|class| (class, watch::Sender::new(0))).collect(),
            stored: watch::Sender::new(0),
            lost: watch::Sender::new(0),
            faults: faults.clone(),
            chance: Chance::of(seed, "disk"),
            mutation,
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was ever appended, in order.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().order.clone()
    }

    /// What stands, in the order in which it was appended.
    #[must_use]
    pub fn standing(&self) -> Vec<Arc<Recorded>> {
        let state = self.lock();
        let standing = state.order.iter().filter(|entry| entry.fate == Fate::Stands);
        standing.map(|entry| Arc::clone(&entry.recorded)).collect()
    }

    /// How many records were ever appended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().order.len()
    }

    /// From now on the log may be broken on purpose, where that is asked for.
    pub fn begin_to_mutate(&self) {
        self.lock().may_mutate = true;
    }

    /// Appends as the port says.
    ///
    /// # Errors
    /// As the port says; never `Unavailable`.
    pub fn append(self: &Arc<Self>, records: &[Record]) -> Result<Appended, AppendError> {
        let class = batch::class_of(records)?;
        let mut state = self.lock();
        let appended = if class == Class::Command {
            state.append_commands(records)
        } else if let Some(at) = state.standing_already(records)? {
            Appended { at, repeats: vec![] }
        } else {
            let mut last = None;
            for record in records {
                last = Some(self.append_commit(&mut state, record));
            }
            let at = last.ok_or_else(|| AppendError::Refused("the batch is empty".to_owned()))?;
            Appended { at, repeats: vec![] }
        };
        self.grown(state, class);
        Ok(appended)
    }

    /// Destroys sealed parts as the port says. How many there were.
    pub fn erase(&self, alert: AlertId) -> u64 {
        let mut erased = 0;
        for entry in &mut self.lock().order {
            let recorded = &mut entry.recorded;
            if recorded.seal.bytes().is_some() && recorded.key.entity.is_of(alert) {
                *recorded = Arc::new(Recorded { seal: Seal::Missing, ..Recorded::clone(recorded) });
                erased += 1;
            }
        }
        erased
    }

    fn append_commit(&self, state: &mut State, record: &Record) -> At {
        let of_alert = record.key.entity.as_str().starts_with("alert-") && state.may_mutate;
        let at = state.push(record);
        if let (true, Some(Mutation::DoubledCommit), Kind::Commit { version }) =
            (of_alert, self.mutation, record.kind)
        {
            state.may_mutate = false;
            let id = RecordId::of_purpose("a second commit");
            let kind = Kind::Commit { version: version + 1 };
            state.push(&Record { id, kind, ..record.clone() });
        }
        at
    }

    /// Tells followers, and begins to sync.
    fn grown(self: &Arc<Self>, mut state: MutexGuard<'_, State>, class: Class) {
        let head = state.order.len() as u64;
        let slow = self.faults.ever(Fault::SlowDisk);
        let begin = slow && !state.syncing;
        state.syncing |= begin;
        drop(state);
        if begin {
            tokio::spawn(Arc::clone(self).sync());
        } else if !slow {
            self.stored.send_replace(head);
        }
        self.stir(class);
    }

    /// One sync after the other, until everything is on disk.
    async fn sync(self: Arc<Self>) {
        loop {
            let head = self.lock().order.len() as u64;
            let ms = match (self.faults.now(Fault::SlowDisk), self.chance.once_in(8)) {
                (false, _) => 1,
                (true, false) => self.chance.between(1, 60),
                (true, true) => self.chance.between(500, 7_000),
            };
            sleep(Duration::from_millis(ms)).await;
            self.stored.send_if_modified(|stored| {
                let later = *stored < head;
                *stored = head.max(*stored);
                later
            });
            let mut state = self.lock();
            if state.order.len() as u64 == head {
                state.syncing = false;
                return;
            }
        }
    }

    /// Wakes the followers of a class.
    pub(crate) fn stir(&self, class: Class) {
        if let Some(stir) = self.stirs.get(&class) {
            stir.send_modify(|count| *count += 1);
        }
    }

    pub(crate) fn stir_all(&self) {
        Class::ALL.into_iter().for_each(|class| self.stir(class));
    }

    pub(crate) fn stirred(&self, class: Class) -> watch::Receiver<u64> {
        match self.stirs.get(&class) {
            Some(stir) => stir.subscribe(),
            None => self.stored.subscribe(),
        }
    }

    /// Everything under one key.
    #[must_use]
    pub fn load(&self, key: &Key, id: Option<RecordId>) -> Vec<Arc<Recorded>> {
        let state = self.lock();
        let positions: Vec<Position> = match (key.class, id) {
            (Class::Command, Some(id)) => state.commands.get(&id).copied().into_iter().collect(),
            _ => {
                let entity = (key.class, key.entity.clone());
                state.entities.get(&entity).cloned().unwrap_or_default()
            }
        };
        let at = |position: &Position| state.at(key.class, *position);
        positions.iter().filter_map(at).map(|entry| Arc::clone(&entry.recorded)).collect()
    }

    /// Waits until a record is on disk.
    pub async fn until_stored(&self, id: RecordId) {
        // The sender lives as long as `self`.
        let _ = self.stored.subscribe().wait_for(|stored| self.is_stored_at(id, *stored)).await;
    }

    /// Whether a record is on disk.
    #[must_use]
    pub fn is_stored(&self, id: RecordId) -> bool {
        self.is_stored_at(id, *self.stored.borrow())
    }

    fn is_stored_at(&self, id: RecordId, stored: u64) -> bool {
        self.lock().ordinals.get(&id).is_some_and(|ordinal| *ordinal <= stored)
    }

    /// What a call to a group must have behind it: a plan on disk.
    ///
    /// # Errors
    /// There is none; says what there is.
    pub fn intended(&self, delivery: &str) -> Result<(), String> {
        let stored = *self.stored.borrow();
        let state = self.lock();
        let plans = state.intents.get(delivery).map(Vec::as_slice).unwrap_or_default();
        let on_disk = |ordinal: &u64| {
            let index = usize::try_from(ordinal.saturating_sub(1)).unwrap_or(usize::MAX);
            let cut = state.order.get(index).is_none_or(|entry| entry.fate == Fate::Cut);
            *ordinal <= stored && !cut
        };
        if plans.iter().any(on_disk) {
            return Ok(());
        }
        Err(format!("{delivery} left before its plan was on disk: {plans:?}, {stored} on disk"))
    }

    /// For each loss of a tail of this class, the first position that was lost.
    #[must_use]
    pub(crate) fn losses_of(&self, class: Class) -> Vec<Position> {
        self.lock().losses.get(&class).cloned().unwrap_or_default()
    }

    /// The record that a cursor stands on, if it fits.
    #[must_use]
    pub(crate) fn on(&self, class: Class, cursor: Cursor) -> Option<Arc<Recorded>> {
        let there = Arc::clone(&self.lock().at(class, cursor.position)?.recorded);
        (hash_of(&there.open) == cursor.hash).then_some(there)
    }

    /// Loses up to so many of the last records of a class, as long as `healable` says that
    /// somebody will say them again. Says how many were lost.
    pub fn lose(&self, class: Class, many: usize, healable: impl Fn(RecordId) -> bool) -> usize {
        let mut state = self.lock();
        let tail: Vec<usize> = state.classes.get(&class).into_iter().flatten().copied().collect();
        let mut lost = 0;
        for index in tail.into_iter().rev().take(many) {
            let Some(entry) = state.order.get_mut(index) else { break };
            if !healable(entry.recorded.id) {
                break;
            }
            entry.fate = Fate::Lost;
            lost += 1;
        }
        if lost == 0 {
            return 0;
        }
        state.read_again();
        let head = state.head(class);
        state.losses.entry(class).or_default().push(head + 1);
        for ((_, of), place) in &mut state.places {
            if *of == class {
                place.cut(head);
            }
        }
        drop(state);
        self.stir(class);
        self.lost.send_modify(|count| *count += 1);
        lost
    }

    /// Forgets the last decision on an alert, behind everybody's back.
    pub fn forget_a_commit(&self) {
        let mut state = self.lock();
        let decided = |entry: &&mut Entry| {
            let key = &entry.recorded.key;
            key.class == Class::Alert && key.entity.as_str().starts_with("alert-")
        };
        if let Some(entry) = state.order.iter_mut().rev().find(decided) {
            entry.fate = Fate::Lost;
        }
        state.read_again();
    }

    /// The power goes: what is not on disk is gone, and places go back a little.
    pub fn power_cut(&self) {
        let stored = usize::try_from(*self.stored.borrow()).unwrap_or(usize::MAX);
        let mut state = self.lock();
        for entry in state.order.iter_mut().skip(stored) {
            entry.fate = Fate::Cut;
        }
        state.read_again();
        let heads: BTreeMap<Class, Position> =
            Class::ALL.into_iter().map(|class| (class, state.head(class))).collect();
        for ((_, class), place) in &mut state.places {
            place.cut(heads.get(class).copied().unwrap_or(0));
            place.restart(self.chance.below(4));
        }
        for class in Class::ALL {
            let head = heads.get(&class).copied().unwrap_or(0);
            state.losses.entry(class).or_default().push(head + 1);
        }
    }
}

impl State {
    pub(crate) fn head(&self, class: Class) -> Position {
        self.classes.get(&class).map_or(0, |of_class| of_class.len() as Position)
    }

    pub(crate) fn at(&self, class: Class, position: Position) -> Option<&Entry> {
        let index = usize::try_from(position.checked_sub(1)?).ok()?;
        self.order.get(*self.classes.get(&class)?.get(index)?)
    }

    /// The history of an entity: the ids of its commits, in order.
    pub(crate) fn history(&self, key: &Key) -> Vec<RecordId> {
        let positions = self.entities.get(&(key.class, key.entity.clone()));
        let ids = positions.into_iter().flatten().filter_map(|at| self.at(key.class, *at));
        ids.map(|entry| entry.recorded.id).collect()
    }

    fn push(&mut self, record: &Record) -> At {
        let class = record.key.class;
        let position = self.head(class) + 1;
        let recorded = Arc::new(Recorded {
            position,
            id: record.id,
            key: record.key.clone(),
            kind: record.kind,
            open: record.open.clone(),
            seal: record.sealed.clone().map_or(Seal::None, Seal::Here),
            signature: record.signature.clone(),
        });
        let ordinal = self.order.len() as u64 + 1;
        for delivery in intents_of(&recorded) {
            self.intents.entry(delivery).or_default().push(ordinal);
        }
        // Appended again after it was lost, it is as durable as it was.
        self.ordinals.entry(record.id).or_insert(ordinal);
        self.order.push(Entry { recorded, since: Instant::now(), fate: Fate::Stands });
        self.index(self.order.len() - 1);
        At { class, position, id: record.id }
    }

    fn index(&mut self, index: usize) {
        let Some(entry) = self.order.get(index) else { return };
        let recorded = Arc::clone(&entry.recorded);
        let class = recorded.key.class;
        self.classes.entry(class).or_default().push(index);
        if recorded.kind == Kind::Command {
            self.commands.insert(recorded.id, recorded.position);
        } else {
            let entity = (class, recorded.key.entity.clone());
            self.entities.entry(entity).or_default().push(recorded.position);
        }
    }

    /// Indexes what stands anew, and forgets the rest.
    fn read_again(&mut self) {
        self.classes.clear();
        self.entities.clear();
        self.commands.clear();
        for index in 0..self.order.len() {
            if self.order.get(index).is_some_and(|entry| entry.fate == Fate::Stands) {
                self.index(index);
            }
        }
        let cut = self.order.iter().filter(|entry| entry.fate == Fate::Cut);
        let cut: Vec<RecordId> = cut.map(|entry| entry.recorded.id).collect();
        cut.iter().for_each(|id| {
            self.ordinals.remove(id);
        });
    }

    fn append_commands(&mut self, records: &[Record]) -> Appended {
        let mut at = At { class: Class::Command, position: 0, id: RecordId::of_purpose("none") };
        let mut repeats = Vec::new();
        for record in records {
            let first = self.commands.get(&record.id).copied();
            let first = first.and_then(|position| self.at(Class::Command, position));
            let one = match first.map(|entry| Arc::clone(&entry.recorded)) {
                Some(first) => {
                    let at = At { class: Class::Command, position: first.position, id: first.id };
                    repeats.push(first);
                    at
                }
                None => self.push(record),
            };
            if one.position > at.position {
                at = one;
            }
        }
        Appended { at, repeats }
    }

    /// The batch as it stands already, under the same ids; `None` where nothing of it does.
    fn standing_already(&self, records: &[Record]) -> Result<Option<At>, AppendError> {
        let (mut last, mut fresh) = (None, BTreeMap::<&EntityName, u64>::new());
        for record in records {
            let Kind::Commit { version } = record.kind else { continue };
            let history = self.history(&record.key);
            let place = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
            let conflict = || {
                let many = history.len();
                AppendError::Conflict(format!("{} has {many} commits", record.key.entity))
            };
            match history.get(place) {
                Some(id) if *id == record.id => {
                    let positions =
                        self.entities.get(&(record.key.class, record.key.entity.clone()));
                    let position = positions.and_then(|all| all.get(place)).copied().unwrap_or(0);
                    last = Some(At { class: record.key.class, position, id: record.id });
                }
                Some(_) => return Err(conflict()),
                None => {
                    let ahead = fresh.entry(&record.key.entity).or_default();
                    *ahead += 1;
                    if version != history.len() as u64 + *ahead {
                        return Err(conflict());
                    }
                }
            }
        }
        if last.is_some() && !fresh.is_empty() {
            return Err(AppendError::Conflict("some of the batch stands already".to_owned()));
        }
        Ok(last)
    }
}
