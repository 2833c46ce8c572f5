//! Books: for each alert and commune, the lanes of its targets, folded from the log.
//!
//! What has ended for good is let go of when its time is up; the log keeps it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chassis::{Host, host::ReadModel};
use domain::{
    delivery::{Delivery, DeliveryEvent, Target},
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    lane::{LaneDelivery, Lanes, Receipt},
    receipts::Receipts,
};
use event_log::{At, Class, Recorded, follower::Cursor, projection::Project};
use prost::Message;
use wire::{
    Spoken,
    v1::{self, commit::Outcome, event::Event},
};

use crate::send::{Desk, Job};

/// One alert in one commune.
pub(crate) type BookId = (AlertId, CommuneCode);

/// What is known of one alert in one commune.
#[derive(Clone)]
pub(crate) struct Book {
    /// Where the commune is.
    pub(crate) home: Home,
    /// Where the alert is at home.
    pub(crate) alert_home: Home,
    /// The lanes of its targets.
    pub(crate) lanes: Lanes,
    /// The last plan: what receipts are caused by.
    pub(crate) plan: RecordId,
    /// Targets whose attempt is under way, or ended and not yet in the log.
    pub(crate) in_flight: BTreeSet<Target>,
}

impl Book {
    /// What is to be tried for a target, if nothing of it is under way.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&Target, &LaneDelivery)> {
        self.lanes.open().filter(|(target, _)| !self.in_flight.contains(*target))
    }
}

/// All books of this process. Cloning shares them.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<HashMap<BookId, Book>>>);

impl Books {
    pub(crate) fn new(_: &Host) -> Self {
        Self::default()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<BookId, Book>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The planned targets of a commune that have certainly not been reached.
    pub(crate) fn not_reached(&self, id: BookId, now: Millis) -> BTreeSet<Target> {
        let books = self.lock();
        books
            .get(&id)
            .map(|book| book.lanes.not_reached(now).cloned().collect())
            .unwrap_or_default()
    }

    /// How many targets were planned for so far.
    pub(crate) fn targets(&self, id: BookId) -> usize {
        self.lock().get(&id).map_or(0, |book| book.lanes.targets())
    }

    fn planned(&self, recorded: &Recorded, event: &DeliveryEvent, at: Millis) -> Option<BookId> {
        let id = book_id(&recorded.key.entity)?;
        let mut books = self.lock();
        let book = match (books.get_mut(&id), event) {
            (Some(book), _) => book,
            (None, DeliveryEvent::Planned { plan, .. }) => books.entry(id).or_insert(Book {
                home: recorded.key.home,
                alert_home: plan.alert_home,
                lanes: Lanes::default(),
                plan: recorded.id,
                in_flight: BTreeSet::new(),
            }),
            (None, _) => return None,
        };
        if matches!(event, DeliveryEvent::Planned { .. }) {
            book.plan = recorded.id;
        }
        book.lanes.apply(event, at);
        Some(id)
    }

    fn received(&self, entity: &EntityName, receipts: &[Receipt]) -> Option<BookId> {
        let id = book_id(entity)?;
        let mut books = self.lock();
        let book = books.get_mut(&id)?;
        for receipt in receipts {
            book.lanes.receive(receipt);
            book.in_flight.remove(&receipt.target);
        }
        Some(id)
    }
}

fn book_id(entity: &EntityName) -> Option<BookId> {
    Some((entity.alert_id()?, entity.commune()?))
}

/// Follows plans, or receipts.
pub(crate) struct Following {
    books: Books,
    desk: Arc<Desk>,
    class: Class,
    cursor: Option<Cursor>,
    read: ReadModel,
    /// Receipts that came before their plan: between classes there is no order.
    early: HashMap<BookId, Vec<Receipt>>,
}

impl Following {
    pub(crate) fn new(host: &Host, books: &Books, desk: &Arc<Desk>, class: Class) -> Self {
        let read = host.read_model(if class == Class::Delivery { "plans" } else { "receipts" });
        Self {
            books: books.clone(),
            desk: Arc::clone(desk),
            class,
            cursor: None,
            read,
            early: HashMap::new(),
        }
    }

    fn event(&mut self, recorded: &Recorded, event: &Event, at: Millis) {
        let place = At { class: self.class, position: recorded.position, id: recorded.id };
        let touched = if self.class == Class::Delivery {
            Delivery::recall(event).ok().and_then(|event| self.books.planned(recorded, &event, at))
        } else {
            Receipts::recall(event).ok().and_then(|receipts| {
                let entity = &recorded.key.entity;
                let known = self.books.received(entity, &receipts);
                if let (None, Some(id)) = (known, book_id(entity)) {
                    self.early.entry(id).or_default().extend(receipts);
                }
                known
            })
        };
        if let Some(book) = touched {
            self.desk.look_at(Job { book, after: Some(place) });
        }
    }
}

impl Project for Following {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        // What cannot be decoded holds its entity: nothing is sent of it, and that is alarmed.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else {
            tracing::error!(entity = %recorded.key.entity, "a delivery is held: not decodable");
            let class = self.class.as_str();
            metrics::counter!("keng_records_held_total", "class" => class).increment(1);
            return;
        };
        let Some(Outcome::Events(events)) = commit.outcome else { return };
        for event in events.events.iter().filter_map(|event| event.event.as_ref()) {
            self.event(recorded, event, Millis(commit.decided_at_ms));
        }
        let waiting: Vec<BookId> = self.early.keys().copied().collect();
        for id in waiting.into_iter().filter(|id| self.books.lock().contains_key(id)) {
            let receipts = self.early.remove(&id).unwrap_or_default();
            let entity = EntityName::receipt(id.0, id.1);
            self.books.received(&entity, &receipts);
        }
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        self.early.clear();
        self.books.lock().clear();
    }

    fn caught_up(&mut self) {
        self.read.caught_up();
    }
}
