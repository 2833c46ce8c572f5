//! Books: for each alert and commune, the lanes of its targets, folded from the log.
//!
//! They are kept for as long as the process lives; the log keeps them for ever.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chassis::{Host, host::ReadModel};
use domain::{
    delivery::{Delivery, DeliveryEvent, Target},
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    lane::{LaneDelivery, Lanes, Receipt},
    receipts::Receipts,
    state_hash::StateHash,
};
use event_log::{At, Class, Held, Recorded, UpTo, follower::Cursor, projection::Project};
use prost::Message;
use wire::{
    NotDecodable, Spoken,
    commit::events_of,
    v1::{self, event::Event},
};

use crate::{
    READ,
    inbound::Names,
    send::{Desk, Job},
};

/// One alert in one commune.
pub(crate) type BookId = (AlertId, CommuneCode);

/// An attempt that this process has taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) revision: u64,
    pub(crate) number: u32,
    /// Whether it is being made. What only waits gives way to newer news.
    pub(crate) running: bool,
}

impl Mark {
    fn is_of(self, revision: u64, number: u32) -> bool {
        (self.revision, self.number) == (revision, number)
    }
}

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
    /// Targets whose attempt waits for its turn, is under way, or ended and is not yet in the log.
    pub(crate) in_flight: HashMap<Target, Mark>,
    /// Rises with everything that may concern what is under way: a plan, a stop, another's
    /// receipt. What was taken while it stood as it stands now is still as it was.
    pub(crate) changes: u64,
    /// Its newest records: nothing that was taken from this book leaves before they are durable.
    pub(crate) newest: BTreeMap<Class, At>,
    /// Up to this revision another process may have made attempts that left no receipt: the one
    /// that planned them, or this instance before it was killed.
    pub(crate) inherited: u64,
    /// Something of its history cannot be read by this program: nothing is sent on half of it.
    pub(crate) held: bool,
}

impl Book {
    /// What is to be tried for a target, if nothing of it is under way.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&Target, &LaneDelivery)> {
        let open = self.lanes.open().filter(|_| !self.held);
        open.filter(|(target, delivery)| {
            let is_it = |mark: &Mark| mark.is_of(delivery.revision, delivery.attempts + 1);
            !self.in_flight.get(*target).is_some_and(|mark| mark.running || is_it(mark))
        })
    }

    /// An attempt begins to be made; `false` where something else took its place in the queue.
    pub(crate) fn starts(&mut self, target: &Target, revision: u64, number: u32) -> bool {
        let mark = self.in_flight.get_mut(target).filter(|mark| mark.is_of(revision, number));
        mark.is_some_and(|mark| !std::mem::replace(&mut mark.running, true))
    }

    /// An attempt is not made after all.
    pub(crate) fn lets_go(&mut self, target: &Target, revision: u64, number: u32) {
        if self.in_flight.get(target).is_some_and(|mark| mark.is_of(revision, number)) {
            self.in_flight.remove(target);
        }
    }

    /// Whether an attempt is being made.
    pub(crate) fn is_running(&self) -> bool {
        self.in_flight.values().any(|mark| mark.running)
    }
}

/// All books of this process. Cloning shares them.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<Shelf>>);

/// The books, and what came before its book: between classes there is no order.
#[derive(Default)]
pub(crate) struct Shelf {
    books: HashMap<BookId, Book>,
    /// The communes of each alert.
    of_alerts: HashMap<AlertId, Vec<CommuneCode>>,
    /// Receipts, and the last record of them.
    early: HashMap<BookId, (Vec<Receipt>, At)>,
    held_early: BTreeSet<BookId>,
}

impl Shelf {
    pub(crate) fn get(&self, id: &BookId) -> Option<&Book> {
        self.books.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &BookId) -> Option<&mut Book> {
        self.books.get_mut(id)
    }

    /// The books of one alert.
    pub(crate) fn of_alert(&self, alert: AlertId) -> impl Iterator<Item = (BookId, &Book)> {
        let communes = self.of_alerts.get(&alert).into_iter().flatten();
        communes.filter_map(move |commune| {
            let id = (alert, *commune);
            Some((id, self.books.get(&id)?))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&BookId, &Book)> {
        self.books.iter()
    }
}

impl Books {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something of this book cannot be read: it is held until a newer program runs.
    fn hold(&self, id: BookId) {
        let mut shelf = self.lock();
        match shelf.books.get_mut(&id) {
            Some(book) => {
                book.held = true;
                book.changes += 1;
            }
            None => {
                shelf.held_early.insert(id);
            }
        }
    }

    /// The planned targets of a commune that have certainly not been reached, nor will be by what
    /// leaves within `margin_ms`.
    pub(crate) fn not_reached(
        &self,
        id: BookId,
        now: Millis,
        margin_ms: i64,
    ) -> BTreeMap<Target, u32> {
        let shelf = self.lock();
        let book = shelf.books.get(&id);
        let of = |(target, begun): (&Target, u32)| (target.clone(), begun);
        // What is in its call now may arrive, whatever a clock that was set back says of it.
        let is_running =
            |book: &Book, target: &Target| book.in_flight.get(target).is_some_and(|m| m.running);
        let known = |book: &Book| {
            let not_reached = book.lanes.not_reached(now, margin_ms);
            not_reached.filter(|(target, _)| !is_running(book, target)).map(of).collect()
        };
        book.map(known).unwrap_or_default()
    }

    /// The lanes, as far as they are folded; what is held on half of its history is left out.
    pub(crate) fn held(&self) -> Vec<Held> {
        let shelf = self.lock();
        let one = |((alert, commune), book): (&BookId, &Book)| Held {
            entity: EntityName::delivery(*alert, *commune),
            up_to: UpTo::Lanes {
                delivery: book.newest.get(&Class::Delivery).map_or(0, |at| at.position),
                receipt: book.newest.get(&Class::Receipt).map_or(0, |at| at.position),
            },
            state: StateHash::of(&book.lanes.on_record().collect::<Vec<_>>()),
        };
        shelf.books.iter().filter(|(_, book)| !book.held).map(one).collect()
    }

    /// How many targets were planned for so far.
    pub(crate) fn targets(&self, id: BookId) -> usize {
        self.lock().get(&id).map_or(0, |book| book.lanes.targets())
    }

    fn planned(
        &self,
        recorded: &Recorded,
        (event, at): (&DeliveryEvent, Millis),
        is_ours: impl Fn(&str) -> bool,
    ) -> Option<BookId> {
        let id = book_id(&recorded.key.entity)?;
        let mut shelf = self.lock();
        let shelf = &mut *shelf;
        if let DeliveryEvent::Planned { plan, .. } = event {
            let held = shelf.held_early.remove(&id);
            if !shelf.books.contains_key(&id) {
                shelf.of_alerts.entry(id.0).or_default().push(id.1);
            }
            let book = shelf.books.entry(id).or_insert_with(|| Book {
                home: recorded.key.home,
                alert_home: plan.alert_home,
                lanes: Lanes::default(),
                plan: recorded.id,
                in_flight: HashMap::new(),
                changes: 0,
                inherited: 0,
                newest: BTreeMap::new(),
                held,
            });
            book.plan = recorded.id;
            if !is_ours(&plan.instance) {
                book.inherited = book.inherited.max(plan.revision);
            }
            if let Some((receipts, place)) = shelf.early.remove(&id) {
                receipts.iter().for_each(|receipt| book.lanes.receive(receipt));
                book.newest.insert(Class::Receipt, place);
            }
        }
        let book = shelf.books.get_mut(&id)?;
        if let DeliveryEvent::LeaseTaken { instance, .. } = event
            && !is_ours(instance)
        {
            let newest = book.lanes.iter().map(|(_, delivery)| delivery.revision).max();
            book.inherited = book.inherited.max(newest.unwrap_or(0));
        }
        book.newest.insert(Class::Delivery, place_of(recorded));
        book.lanes.apply(event, at);
        if !matches!(event, DeliveryEvent::LeaseTaken { .. }) {
            book.changes += 1;
        }
        Some(id)
    }

    /// Takes receipts in; answers whether something is still to be tried for one of their
    /// targets: what failed, or a later revision that waited for its turn, or was never planned
    /// for it.
    fn received(&self, id: BookId, receipts: &[Receipt], place: At) -> bool {
        let mut shelf = self.lock();
        let Some(book) = shelf.books.get_mut(&id) else {
            let (early, last) = shelf.early.entry(id).or_insert_with(|| (vec![], place));
            early.extend(receipts.iter().cloned());
            *last = place;
            return false;
        };
        book.newest.insert(Class::Receipt, place);
        for receipt in receipts {
            let ended = (receipt.revision, receipt.attempt);
            match book.in_flight.get(&receipt.target) {
                Some(mark) if (mark.revision, mark.number) <= ended => {
                    book.in_flight.remove(&receipt.target);
                    // Most alerts have nothing under way for most of their life.
                    if book.in_flight.is_empty() {
                        book.in_flight = HashMap::new();
                    }
                }
                _ => book.changes += 1,
            }
            book.lanes.receive(receipt);
        }
        let concerned = |receipt: &Receipt| {
            let (target, lanes) = (&receipt.target, &book.lanes);
            let is_dead = || lanes.get(target, receipt.revision).is_some_and(LaneDelivery::is_dead);
            lanes.has_open(target) || lanes.is_behind(target) || is_dead()
        };
        receipts.iter().any(concerned)
    }
}

fn place_of(recorded: &Recorded) -> At {
    At { class: recorded.key.class, position: recorded.position, id: recorded.id }
}

fn book_id(entity: &EntityName) -> Option<BookId> {
    Some((entity.alert_id()?, entity.commune()?))
}

/// Follows plans, or receipts.
pub(crate) struct Following {
    books: Books,
    names: Arc<Mutex<Names>>,
    desk: Arc<Desk>,
    class: Class,
    cursor: Option<Cursor>,
    read: ReadModel,
}

impl Following {
    pub(crate) fn new(
        host: &Host,
        (books, names): (&Books, &Arc<Mutex<Names>>),
        desk: &Arc<Desk>,
        class: Class,
    ) -> Self {
        let read = host.read_model(if class == Class::Delivery { "plans" } else { "receipts" });
        let (books, names, desk) = (books.clone(), Arc::clone(names), Arc::clone(desk));
        Self { books, names, desk, class, cursor: None, read }
    }

    fn event(&self, recorded: &Recorded, event: &Event, at: Millis) -> Result<(), NotDecodable> {
        let after = place_of(recorded);
        let touched = if self.class == Class::Delivery {
            let planned_here = |instance: &str| {
                *instance == *self.desk.host.instance && self.desk.host.is_caught_up(&READ)
            };
            self.books.planned(recorded, (&Delivery::recall(event)?, at), planned_here)
        } else {
            let receipts = Receipts::recall(event)?;
            self.remember(recorded, &receipts);
            book_id(&recorded.key.entity).filter(|id| self.books.received(*id, &receipts, after))
        };
        if let Some(book) = touched {
            self.desk.look_at(Job { book, after: Some(after) });
        }
        Ok(())
    }

    /// Whoever named a message may tell more of it later.
    fn remember(&self, recorded: &Recorded, receipts: &[Receipt]) {
        let Some(id) = book_id(&recorded.key.entity) else { return };
        let mut named =
            receipts.iter().filter(|receipt| !receipt.provider_id.is_empty()).peekable();
        if named.peek().is_none() {
            return;
        }
        let place = (id, recorded.key.home, recorded.id);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        for receipt in named {
            let account = self.desk.account_of(&receipt.target);
            for seen in names.remember(place, &account, receipt) {
                // Where whoever records is that far behind, the provider's next call says it again.
                let _ = self.desk.receipts.try_send(seen);
            }
        }
    }

    fn take_in(&self, recorded: &Recorded) -> Result<(), NotDecodable> {
        let commit = v1::Commit::decode(recorded.open.clone());
        let commit = commit.map_err(|_| NotDecodable("a commit"))?;
        let at = Millis(commit.decided_at_ms);
        events_of(commit)?.iter().try_for_each(|event| self.event(recorded, event, at))
    }
}

impl Project for Following {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        // What else was observed, as a broker's losses, is no delivery's.
        let Some(id) = book_id(&recorded.key.entity) else { return };
        if let Err(why) = self.take_in(recorded) {
            tracing::error!(entity = %recorded.key.entity, %why, "a delivery is held");
            let class = self.class.as_str();
            metrics::counter!("keng_records_held_total", "class" => class).increment(1);
            self.books.hold(id);
        }
    }

    fn begin_anew(&mut self) {
        // Plans and receipts come again, and change nothing where they were seen; what the broker
        // has lost comes again from the outbox. To forget one class would forget the other.
        self.cursor = None;
    }

    fn caught_up(&mut self) {
        self.read.caught_up();
    }
}
