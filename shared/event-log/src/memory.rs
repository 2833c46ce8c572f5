//! The log in memory, for tests. All classes share one order: a position is an ordinal of the whole
//! log.
//!
//! "Durable" is a mark here: it follows the head, or waits to be told
//! ([`MemoryLog::hold_durability`]), and what lies beyond it is gone after
//! [`MemoryLog::after_power_cut`].

use std::{
    collections::HashMap,
    iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::ids::{AlertId, EntityName, RecordId};
use futures::future::{BoxFuture, ready};
use tokio::{sync::watch, time::timeout};

use crate::{
    batch,
    erasing::Parts,
    follower::{Follower, Following, hash_of},
    local::{self, GIVEN_BACK_MS, Places, Shelf},
    log::{AppendError, Appended, At, Durable, EraseError, EventLog, FollowError, LoadError},
    record::{Class, Key, Kind, Position, Record, Recorded, Seal},
};

/// A log in memory. Its durability is that of the process; it is ordered and concurrent as the
/// port says.
#[derive(Debug)]
pub struct MemoryLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    places: Places,
    durable: watch::Sender<Position>,
}

#[derive(Debug, Default)]
struct State {
    /// The record at position p stands at p - 1.
    records: Vec<Arc<Recorded>>,
    entities: HashMap<Key, Vec<Position>>,
    commands: HashMap<RecordId, Position>,
    classes: HashMap<Class, Vec<Position>>,
    parts: Parts,
    held: bool,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::of(Vec::new(), Vec::new())
    }
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn of(records: Vec<Arc<Recorded>>, places: Vec<(String, Class, Position)>) -> Self {
        let mut state = State::default();
        records.into_iter().for_each(|recorded| state.push(recorded));
        let head = state.head();
        let inner = Inner {
            state: Mutex::new(state),
            places: Places::new(head, Duration::from_millis(GIVEN_BACK_MS)),
            durable: watch::Sender::new(head),
        };
        for (name, class, position) in places {
            inner.places.restore(name, class, position.min(head));
        }
        Self(Arc::new(inner))
    }

    /// From now on nothing becomes durable by itself.
    pub fn hold_durability(&self) {
        self.0.lock().held = true;
    }

    /// Everything up to `position` is durable now.
    pub fn make_durable_up_to(&self, position: Position) {
        let head = self.0.lock().head();
        self.0.durable.send_modify(|durable| *durable = position.min(head).max(*durable));
    }

    /// Ends what `hold_durability` began: all is durable, and will be.
    pub fn release_durability(&self) {
        self.0.lock().held = false;
        self.make_durable_up_to(Position::MAX);
    }

    /// Every record, in order.
    #[must_use]
    pub fn records(&self) -> Vec<Arc<Recorded>> {
        self.0.lock().records.clone()
    }

    /// The log as it would be found after it was closed in order. This one's followers end.
    #[must_use]
    pub fn after_close(&self) -> Self {
        self.0.places.close();
        Self::of(self.records(), self.0.places.done())
    }

    /// The log as it would be found after a power cut: what was not durable is gone. This one's
    /// followers end.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        self.0.places.close();
        let durable = *self.0.durable.borrow();
        let mut records = self.records();
        records.retain(|recorded| recorded.position <= durable);
        Self::of(records, self.0.places.done())
    }
}

impl State {
    fn head(&self) -> Position {
        self.records.len() as Position
    }

    fn at(&self, position: Position) -> Option<&Arc<Recorded>> {
        let index = usize::try_from(position.checked_sub(1)?).ok()?;
        self.records.get(index)
    }

    fn push(&mut self, recorded: Arc<Recorded>) {
        let position = recorded.position;
        self.classes.entry(recorded.key.class).or_default().push(position);
        if recorded.seal.bytes().is_some() {
            self.parts.lies_at(&recorded.key.entity, position);
        }
        match recorded.kind {
            Kind::Command => {
                self.commands.insert(recorded.id, position);
            }
            Kind::Commit { .. } => {
                self.entities.entry(recorded.key.clone()).or_default().push(position);
            }
        }
        self.records.push(recorded);
    }

    fn append(&mut self, record: Record) -> Arc<Recorded> {
        let Record { id, key, kind, open, sealed, signature } = record;
        let seal = sealed.map_or(Seal::None, Seal::Here);
        let position = self.head() + 1;
        let recorded = Arc::new(Recorded { position, id, key, kind, open, seal, signature });
        self.push(Arc::clone(&recorded));
        recorded
    }

    fn erase(&mut self, alert: AlertId) -> u64 {
        let positions = self.parts.erase(alert);
        for position in &positions {
            let index = usize::try_from(position.saturating_sub(1)).ok();
            if let Some(recorded) = index.and_then(|index| self.records.get_mut(index)) {
                *recorded = Arc::new(Recorded { seal: Seal::Missing, ..Recorded::clone(recorded) });
            }
        }
        self.parts.gone(alert, &positions);
        positions.len() as u64
    }

    fn append_commands(&mut self, records: Vec<Record>) -> Option<Appended> {
        let mut last: Option<Arc<Recorded>> = None;
        let mut repeats = Vec::new();
        for record in records {
            let first = self.commands.get(&record.id).and_then(|position| self.at(*position));
            let recorded = match first.cloned() {
                Some(first) => {
                    repeats.push(Arc::clone(&first));
                    first
                }
                None => self.append(record),
            };
            last = last.filter(|last| last.position > recorded.position).or(Some(recorded));
        }
        last.map(|last| Appended { at: at(&last), repeats })
    }

    /// The batch as it stands already, under the same ids, or `None` where none of it does.
    fn standing(&self, records: &[Record]) -> Result<Option<At>, AppendError> {
        let mut last = None;
        let mut fresh: HashMap<&Key, u64> = HashMap::new();
        for record in records {
            let Kind::Commit { version } = record.kind else { continue };
            let history = self.entities.get(&record.key).map(Vec::as_slice).unwrap_or_default();
            let place = usize::try_from(version - 1).ok().and_then(|place| history.get(place));
            match place.and_then(|position| self.at(*position)) {
                Some(recorded) if recorded.id == record.id => last = Some(at(recorded)),
                Some(_) => return Err(conflict(record, history.len())),
                None => {
                    let ahead = fresh.entry(&record.key).or_default();
                    *ahead += 1;
                    if version != history.len() as u64 + *ahead {
                        return Err(conflict(record, history.len()));
                    }
                }
            }
        }
        match (last, records.first()) {
            (Some(_), Some(first)) if !fresh.is_empty() => Err(conflict(first, 0)),
            (last, _) => Ok(last),
        }
    }
}

fn conflict(record: &Record, history: usize) -> AppendError {
    AppendError::Conflict(format!("{} has {history} commits", record.key.entity))
}

fn at(recorded: &Recorded) -> At {
    At { class: recorded.key.class, position: recorded.position, id: recorded.id }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, mut records: Vec<Record>) -> Result<Appended, AppendError> {
        let class = batch::class_of(&records)?;
        let mut state = self.lock();
        state.parts.strip(&mut records);
        let appended = if class == Class::Command {
            state.append_commands(records)
        } else if let Some(at) = state.standing(&records)? {
            Some(Appended { at, repeats: Vec::new() })
        } else {
            let last = records.into_iter().map(|record| state.append(record)).last();
            last.map(|last| Appended { at: at(&last), repeats: Vec::new() })
        };
        let (head, held) = (state.head(), state.held);
        drop(state);
        if !held {
            self.durable.send_modify(|durable| *durable = head.max(*durable));
        }
        self.places.advance(head, class);
        appended.ok_or_else(|| AppendError::Refused("the batch is empty".to_owned()))
    }
}

impl Shelf for Inner {
    type Run = iter::Empty<Arc<Recorded>>;

    fn places(&self) -> &Places {
        &self.places
    }

    fn next_of(&self, class: Class, after: Position) -> Option<Position> {
        let state = self.lock();
        let of_class = state.classes.get(&class)?;
        of_class.get(of_class.partition_point(|position| *position <= after)).copied()
    }

    fn read(&self, position: Position) -> Result<(Arc<Recorded>, Self::Run), FollowError> {
        let found = self.lock().at(position).cloned();
        let gone = || FollowError::Unavailable(format!("no record at {position}"));
        found.map(|recorded| (recorded, iter::empty())).ok_or_else(gone)
    }

    fn hash_at(&self, position: Position) -> Result<Option<[u8; 32]>, FollowError> {
        Ok(self.lock().at(position).map(|recorded| hash_of(&recorded.open)))
    }
}

impl EventLog for MemoryLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move { self.0.append(records) })
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        let state = self.0.lock();
        let positions: Vec<Position> = match (key.class, id) {
            (Class::Command, Some(id)) => state.commands.get(&id).copied().into_iter().collect(),
            _ => state.entities.get(key).cloned().unwrap_or_default(),
        };
        let found = positions.iter().filter_map(|position| state.at(*position).cloned()).collect();
        Box::pin(ready(Ok(found)))
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        Box::pin(ready(local::follow(Arc::clone(&self.0), &following)))
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        let mut durable = self.0.durable.subscribe();
        Box::pin(async move {
            let reached = durable.wait_for(|durable| *durable >= at.position);
            match timeout(patience, reached).await {
                Ok(Ok(_)) => Durable::Stored,
                _ => Durable::Unknown,
            }
        })
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        _: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        let erased = self.0.lock().erase(alert);
        Box::pin(ready(Ok(erased)))
    }
}
