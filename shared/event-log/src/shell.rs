//! The shell around every decider, once for all: load → has this been decided? → decide →
//! append if unchanged → on conflict again, with a bound.
//!
//! Live entities are kept folded in memory. Nothing here waits for the disk: doors do.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use domain::{
    decider::Refusal,
    ids::{EntityName, Millis, RecordId},
    state_hash::StateHash,
};
use prost::Message;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;
use wire::{
    Spoken,
    seal::Sealing,
    spoken::id_bytes,
    v1::{self, commit::Outcome, event::Event},
};

use crate::{
    holding::Held,
    log::{AppendError, At, EventLog, LoadError},
    record::{Key, Kind, Record, Recorded},
};

/// How often a decision is made again because somebody else appended first.
const CONFLICT_RETRIES_MAX: u32 = 16;
/// Entities kept folded; beyond this, those that nobody is deciding on are let go.
const ENTITIES_FOLDED_MAX: usize = 20_000;

/// One decision that is asked for.
#[derive(Debug, Clone)]
pub struct Ask<C> {
    /// The entity.
    pub key: Key,
    /// The command's id, or the id of the record that was observed.
    pub cause: RecordId,
    /// What everything that follows belongs to.
    pub correlation: Bytes,
    /// Who asked.
    pub actor: v1::Actor,
    /// What is asked.
    pub command: C,
    /// When it is decided.
    pub now: Millis,
    /// SHA-256 of the map, where the decision uses it.
    pub map: Bytes,
    /// A sealed part for the commit.
    pub sealing: Option<Sealing>,
    /// What the log gets.
    pub answers: Answers,
    /// Whether the entity is most likely new: then it is not loaded first.
    pub fresh: bool,
}

/// What the log gets of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Exactly one commit: events, none because it was already true, or the refusal.
    Command,
    /// A commit for each event; nothing where there is none, or where it is refused.
    Observation,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided<E> {
    /// The new facts; empty where it was decided before.
    pub events: Vec<E>,
    /// Why it was refused, if it was: now, or when it was decided before.
    pub refusal: Option<v1::Refused>,
    /// What to wait for before anybody is told; `None` where nothing was appended.
    pub at: Option<At>,
}

/// Why nothing was decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The entity's history cannot be read by this program: nothing is decided on half a
    /// history. Ask again later; a newer program will.
    #[error("{entity} is held: {why}")]
    Held {
        /// The entity.
        entity: EntityName,
        /// What could not be decoded.
        why: String,
    },
    /// Ask again.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
}

impl From<LoadError> for ExecuteError {
    fn from(LoadError::Unavailable(why): LoadError) -> Self {
        Self::Unavailable(why)
    }
}

/// An entity, folded.
#[derive(Debug, Clone)]
pub struct Folded<D> {
    /// Its state.
    pub state: D,
    /// The ordinal of its last commit.
    pub version: u64,
    answered: HashMap<RecordId, Answered>,
}

/// What became of a command that was decided.
#[derive(Debug, Clone)]
struct Answered {
    at: At,
    refusal: Option<v1::Refused>,
}

impl<D: Default> Default for Folded<D> {
    fn default() -> Self {
        Self { state: D::default(), version: 0, answered: HashMap::new() }
    }
}

impl<D: Spoken> Folded<D> {
    /// Folds a history, oldest first.
    ///
    /// # Errors
    /// A record of it cannot be decoded.
    pub fn of(history: &[Arc<Recorded>]) -> Result<Self, wire::NotDecodable> {
        history.iter().try_fold(Self::default(), |folded, recorded| {
            let at = At { class: recorded.key.class, position: recorded.position, id: recorded.id };
            folded.with(&recorded.open, at)
        })
    }

    fn with(mut self, open: &Bytes, at: At) -> Result<Self, wire::NotDecodable> {
        let commit =
            v1::Commit::decode(open.clone()).map_err(|_| wire::NotDecodable("a commit"))?;
        let cause = RecordId::from_slice(&commit.causation)
            .ok_or(wire::NotDecodable("a commit's cause"))?;
        self.version = commit.version;
        let refusal = match &commit.outcome {
            Some(Outcome::Refused(refused)) => Some(refused.clone()),
            _ => None,
        };
        self.answered.insert(cause, Answered { at, refusal });
        match commit.outcome {
            Some(Outcome::Events(events)) => {
                for event in &events.events {
                    let event = event.event.as_ref().ok_or(wire::NotDecodable("an event"))?;
                    if let Event::Recovered(recovered) = event {
                        let version = self.version;
                        self = self.with(&recovered.original, at)?;
                        self.version = version;
                    } else {
                        self.state = self.state.evolve(&D::recall(event)?);
                    }
                }
            }
            Some(Outcome::AlreadyTrue(_) | Outcome::Refused(_)) => {}
            None => return Err(wire::NotDecodable("a commit's outcome")),
        }
        Ok(self)
    }
}

type Slot<D> = Arc<tokio::sync::Mutex<Option<Folded<D>>>>;

/// The shell of one kind of entity.
pub struct Shell<D> {
    log: Arc<dyn EventLog>,
    entities: Mutex<HashMap<EntityName, Slot<D>>>,
}

impl<D> Shell<D>
where
    D: Spoken + Clone + Send,
    D::Command: Send + Sync,
    D::Event: Send + Sync,
    D::Facts: Send + Sync,
{
    /// A shell over this log.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, entities: Mutex::new(HashMap::new()) }
    }

    /// The entity as it stands in the log, loaded anew: another instance may have decided since,
    /// and nothing guards what is only read.
    ///
    /// # Errors
    /// The log cannot be reached, or the entity is held.
    pub async fn state(&self, key: &Key) -> Result<Folded<D>, ExecuteError> {
        let mut slot = self.slot(&key.entity).lock_owned().await;
        *slot = None;
        Ok(self.folded(&mut slot, key, false).await?.clone())
    }

    /// Decides one thing.
    ///
    /// # Errors
    /// [`ExecuteError`]; nothing was decided then, or it is not known to be: ask again.
    pub async fn execute(
        &self,
        ask: Ask<D::Command>,
        facts: impl Fn(&D, &Ask<D::Command>) -> D::Facts + Send + Sync,
    ) -> Result<Decided<D::Event>, ExecuteError> {
        let mut decided = self.execute_all(vec![ask], facts).await?;
        decided.pop().ok_or_else(|| ExecuteError::Unavailable("nothing was asked".to_owned()))
    }

    /// Decides several things, which are appended whole or not at all. All entities are of one
    /// class. The answers come in the order of the asks.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn execute_all(
        &self,
        asks: Vec<Ask<D::Command>>,
        facts: impl Fn(&D, &Ask<D::Command>) -> D::Facts + Send + Sync,
    ) -> Result<Vec<Decided<D::Event>>, ExecuteError> {
        // In the order of their names, so that two batches never wait for each other.
        let names: BTreeMap<EntityName, &Ask<D::Command>> =
            asks.iter().map(|ask| (ask.key.entity.clone(), ask)).collect();
        let mut slots = BTreeMap::new();
        for name in names.keys() {
            slots.insert(name.clone(), self.slot(name).lock_owned().await);
        }
        let mut last = String::new();
        let mut was_kept = slots.values().any(|slot| slot.is_some());
        for attempt in 0..CONFLICT_RETRIES_MAX {
            for (name, slot) in &mut slots {
                if let Some(ask) = names.get(name) {
                    self.folded(slot, &ask.key, ask.fresh && attempt == 0).await?;
                }
            }
            let batch = Batch::decide(&asks, &slots, &facts)?;
            // An append is guarded by the version; that there is nothing to append is not, and
            // what was kept may be behind the log: it is decided once more on what stands there.
            if std::mem::take(&mut was_kept) && batch.is_unguarded() {
                slots.values_mut().for_each(|slot| **slot = None);
                continue;
            }
            if batch.records.is_empty() {
                return Ok(batch.decided);
            }
            match self.log.append(batch.records.clone()).await {
                Ok(appended) => return Ok(batch.settle(&mut slots, appended.at)),
                Err(AppendError::Conflict(why)) => last = why,
                Err(AppendError::Unavailable(why) | AppendError::Refused(why)) => {
                    slots.values_mut().for_each(|slot| **slot = None);
                    return Err(ExecuteError::Unavailable(why));
                }
            }
            slots.values_mut().for_each(|slot| **slot = None);
        }
        Err(ExecuteError::Unavailable(last))
    }

    /// What is kept folded now, each with its version; what is being decided on is left out.
    #[must_use]
    pub fn held(&self) -> Vec<Held>
    where
        D: std::hash::Hash,
    {
        let entities = self.entities.lock().unwrap_or_else(PoisonError::into_inner);
        let hashed = |(name, slot): (&EntityName, &Slot<D>)| {
            let slot = slot.try_lock().ok()?;
            // Without a commit there is nothing to compare.
            let folded = slot.as_ref().filter(|folded| folded.version > 0)?;
            Some(Held::at(name, folded.version, StateHash::of(&folded.state)))
        };
        entities.iter().filter_map(hashed).collect()
    }

    fn slot(&self, entity: &EntityName) -> Slot<D> {
        let mut entities = self.entities.lock().unwrap_or_else(PoisonError::into_inner);
        if entities.len() >= ENTITIES_FOLDED_MAX {
            entities.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(entities.entry(entity.clone()).or_default())
    }

    async fn folded<'a>(
        &self,
        slot: &'a mut OwnedMutexGuard<Option<Folded<D>>>,
        key: &Key,
        fresh: bool,
    ) -> Result<&'a Folded<D>, ExecuteError> {
        if slot.is_none() && !fresh {
            let history = self.log.load(key, None).await?;
            let folded = Folded::of(&history).map_err(|why| ExecuteError::Held {
                entity: key.entity.clone(),
                why: why.to_string(),
            })?;
            **slot = Some(folded);
        }
        Ok(slot.get_or_insert_with(Folded::default))
    }
}

/// What a round of decisions would append.
struct Batch<D: Spoken> {
    decided: Vec<Decided<D::Event>>,
    /// Which of the decided wait for this append.
    new: Vec<bool>,
    records: Vec<Record>,
    folded: BTreeMap<EntityName, Folded<D>>,
    causes: Vec<(EntityName, RecordId, Option<v1::Refused>)>,
}

impl<D: Spoken + Clone> Batch<D> {
    fn decide(
        asks: &[Ask<D::Command>],
        slots: &BTreeMap<EntityName, OwnedMutexGuard<Option<Folded<D>>>>,
        facts: &impl Fn(&D, &Ask<D::Command>) -> D::Facts,
    ) -> Result<Self, ExecuteError> {
        let mut batch = Self {
            decided: Vec::with_capacity(asks.len()),
            new: Vec::with_capacity(asks.len()),
            records: Vec::new(),
            folded: BTreeMap::new(),
            causes: Vec::new(),
        };
        for ask in asks {
            let name = &ask.key.entity;
            let mut folded = match batch.folded.remove(name) {
                Some(folded) => folded,
                None => slots.get(name).and_then(|slot| (**slot).clone()).unwrap_or_default(),
            };
            batch.one(ask, &mut folded, facts)?;
            batch.folded.insert(name.clone(), folded);
        }
        Ok(batch)
    }

    /// Whether somebody is answered with nothing that stands in the log.
    fn is_unguarded(&self) -> bool {
        self.decided.iter().any(|decided| decided.at.is_none() && decided.events.is_empty())
    }

    fn one(
        &mut self,
        ask: &Ask<D::Command>,
        folded: &mut Folded<D>,
        facts: &impl Fn(&D, &Ask<D::Command>) -> D::Facts,
    ) -> Result<(), ExecuteError> {
        let before = folded.answered.get(&ask.cause).cloned();
        if let (Some(Answered { at, refusal }), Answers::Command) = (before, ask.answers) {
            self.decided.push(Decided { events: vec![], refusal, at: Some(at) });
            self.new.push(false);
            return Ok(());
        }
        let decision = folded.state.decide(&ask.command, &facts(&folded.state, ask));
        let (events, refusal) = match decision {
            Ok(events) => (events, None),
            Err(rejection) => (vec![], Some(refused(rejection.into()))),
        };
        let said: Vec<v1::Event> =
            events.iter().map(|event| v1::Event { event: Some(D::say(event)) }).collect();
        let outcomes: Vec<Outcome> = match (ask.answers, &refusal) {
            (Answers::Observation, _) => said
                .into_iter()
                .map(|event| Outcome::Events(v1::Events { events: vec![event] }))
                .collect(),
            (Answers::Command, Some(refusal)) => vec![Outcome::Refused(refusal.clone())],
            (Answers::Command, None) if said.is_empty() => {
                vec![Outcome::AlreadyTrue(v1::AlreadyTrue {})]
            }
            (Answers::Command, None) => vec![Outcome::Events(v1::Events { events: said })],
        };
        self.new.push(!outcomes.is_empty());
        self.causes.push((ask.key.entity.clone(), ask.cause, refusal.clone()));
        for outcome in outcomes {
            folded.version += 1;
            self.records.push(commit(ask, folded.version, outcome));
        }
        let state = std::mem::take(&mut folded.state);
        folded.state = events.iter().fold(state, D::evolve);
        self.decided.push(Decided { events, refusal, at: None });
        Ok(())
    }

    /// Takes the new states over, now that the log has the records.
    fn settle(
        mut self,
        slots: &mut BTreeMap<EntityName, OwnedMutexGuard<Option<Folded<D>>>>,
        at: At,
    ) -> Vec<Decided<D::Event>> {
        for (entity, cause, refusal) in self.causes {
            if let Some(folded) = self.folded.get_mut(&entity) {
                folded.answered.insert(cause, Answered { at, refusal });
            }
        }
        for (entity, folded) in self.folded {
            if let Some(slot) = slots.get_mut(&entity) {
                **slot = Some(folded);
            }
        }
        for (decided, new) in self.decided.iter_mut().zip(self.new) {
            if new {
                decided.at = Some(at);
            }
        }
        self.decided
    }
}

fn refused(Refusal { code, field }: Refusal) -> v1::Refused {
    v1::Refused { code: code.to_owned(), field: field.to_owned() }
}

fn commit<C>(ask: &Ask<C>, version: u64, outcome: Outcome) -> Record {
    let id = RecordId(Uuid::now_v7());
    let commit = v1::Commit {
        id: id_bytes(id.0),
        entity: Some(entity_said(&ask.key)),
        version,
        causation: id_bytes(ask.cause.0),
        correlation: ask.correlation.clone(),
        actor: Some(ask.actor.clone()),
        decided_at_ms: ask.now.0,
        facts: Some(v1::FactsUsed { map: ask.map.clone() }),
        commitment: ask.sealing.as_ref().map(|s| s.commitment.clone()).unwrap_or_default(),
        sealed_fields: vec![],
        outcome: Some(outcome),
    };
    Record {
        id,
        key: ask.key.clone(),
        kind: Kind::Commit { version },
        open: commit.encode_to_vec().into(),
        sealed: ask.sealing.as_ref().map(|sealing| sealing.sealed.clone()),
        signature: None,
    }
}

/// The entity as commands and commits name it.
#[must_use]
pub fn entity_said(key: &Key) -> v1::Entity {
    v1::Entity {
        name: key.entity.to_string(),
        province: key.home.province.to_string(),
        commune: key.home.commune.to_string(),
    }
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
