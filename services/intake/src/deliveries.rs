//! The deliveries of an alert, folded from the log when somebody looks.
//!
//! Nothing of them is kept on the board: an alert has thousands, and nobody looks at most. Only
//! what live streams show at this moment is remembered, so that many of them cost one reading.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chassis::Host;
use domain::{
    delivery::{Delivery, DeliveryEvent, Target},
    ids::{AlertId, CommuneCode, EntityName, Home, Millis},
    lane::{Lanes, Receipt},
    receipts::Receipts,
};
use event_log::{At, Class, Key, LoadError, Position, Recorded};
use prost::Message;
use wire::{
    Spoken,
    commit::events_of,
    v1::{self, event::Event},
};

/// Communes whose deliveries are remembered.
const REMEMBERED_MAX: usize = 64;

/// A target, and the revision of what it is told.
type TargetRevision = (Target, u64);

/// The deliveries of an alert to one commune, as far as the log had them.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    pub(crate) lanes: Lanes,
    /// What must be durable before anything of this is shown.
    pub(crate) newest: HashMap<Class, At>,
    changed: HashMap<(Class, Position), Vec<TargetRevision>>,
}

/// What live streams show at this moment.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<HashMap<(AlertId, CommuneCode), Arc<Deliveries>>>);

/// One fact of a delivery's history.
enum Fact {
    Delivery(DeliveryEvent),
    Receipts(Vec<Receipt>),
}

impl Deliveries {
    /// Reads them from the log.
    ///
    /// # Errors
    /// The log cannot be read now.
    pub(crate) async fn load(host: &Host, alert: AlertId, home: Home) -> Result<Self, LoadError> {
        let commune = home.commune;
        let plans =
            Key { class: Class::Delivery, home, entity: EntityName::delivery(alert, commune) };
        let receipts =
            Key { class: Class::Receipt, home, entity: EntityName::receipt(alert, commune) };
        let (plans, receipts) =
            tokio::try_join!(host.log.load(&plans, None), host.log.load(&receipts, None))?;
        let mut deliveries = Self::default();
        let mut facts: Vec<(Millis, Fact)> = Vec::new();
        for recorded in plans.iter().chain(&receipts) {
            facts.extend(deliveries.take_note(recorded));
        }
        // Between classes there is no order but that of time.
        facts.sort_by_key(|(at, _)| *at);
        for (at, fact) in facts {
            match fact {
                Fact::Delivery(event) => deliveries.lanes.apply(&event, at),
                Fact::Receipts(receipts) => {
                    receipts.iter().for_each(|receipt| deliveries.lanes.receive(receipt));
                }
            }
        }
        Ok(deliveries)
    }

    /// The facts of a record; what cannot be decoded is alarmed by whoever sends.
    fn take_note(&mut self, recorded: &Recorded) -> Vec<(Millis, Fact)> {
        let (class, position) = (recorded.key.class, recorded.position);
        self.newest.insert(class, At { class, position, id: recorded.id });
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return vec![] };
        let at = Millis(commit.decided_at_ms);
        let events = events_of(commit).unwrap_or_default();
        let facts: Vec<_> = events.iter().filter_map(fact).collect();
        let changed = facts.iter().flat_map(changed).collect();
        self.changed.insert((class, position), changed);
        facts.into_iter().map(|fact| (at, fact)).collect()
    }

    /// What the record at this place changed; `None` where it was not read yet.
    pub(crate) fn changed_by(&self, at: At) -> Option<&[TargetRevision]> {
        self.changed.get(&(at.class, at.position)).map(Vec::as_slice)
    }
}

impl Remembered {
    /// The deliveries as they stood after the record at `at`, or later.
    ///
    /// # Errors
    /// The log cannot be read now, or does not have that record any more.
    pub(crate) async fn after(
        &self,
        host: &Host,
        (alert, home): (AlertId, Home),
        at: At,
    ) -> Result<Arc<Deliveries>, LoadError> {
        let place = (alert, home.commune);
        let known = self.lock().get(&place).cloned();
        if let Some(known) = known.filter(|known| known.changed_by(at).is_some()) {
            return Ok(known);
        }
        let read = Arc::new(Deliveries::load(host, alert, home).await?);
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(place, Arc::clone(&read));
        Ok(read)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(AlertId, CommuneCode), Arc<Deliveries>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fact(event: &Event) -> Option<Fact> {
    match event {
        Event::ReceiptsRecorded(_) => Receipts::recall(event).ok().map(Fact::Receipts),
        _ => Delivery::recall(event).ok().map(Fact::Delivery),
    }
}

fn changed(fact: &Fact) -> Vec<TargetRevision> {
    match fact {
        Fact::Delivery(DeliveryEvent::Planned { plan, .. }) => {
            plan.targets.iter().map(|target| (target.clone(), plan.revision)).collect()
        }
        Fact::Delivery(DeliveryEvent::Stopped { targets, revision, .. }) => {
            targets.iter().map(|target| (target.clone(), *revision)).collect()
        }
        Fact::Delivery(
            DeliveryEvent::PostAttested { target, revision }
            | DeliveryEvent::Requeued { target, revision, .. },
        ) => vec![(target.clone(), *revision)],
        // What is about to be tried looks as before.
        Fact::Delivery(DeliveryEvent::Begun(_) | DeliveryEvent::LeaseTaken { .. }) => vec![],
        Fact::Receipts(receipts) => {
            receipts.iter().map(|receipt| (receipt.target.clone(), receipt.revision)).collect()
        }
    }
}
