//! The desk: takes what is planned, sees that it may leave, and sends it.
//!
//! It is driven by the log alone: what is open in the books and not under way is sent when it is
//! due, its record is durable, and this instance holds the lease.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chassis::Host;
use domain::{
    delivery::{Delivery, Target},
    ids::Millis,
    lane::LaneDelivery,
    values::News,
};
use event_log::{At, Durable, shell::Shell};
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::{
    FanOutOptions,
    book::{Book, BookId, Books},
    channels::webhook::Webhook,
    receive::Seen,
    sheets::Sheets,
};

const DURABLE_PATIENCE: Duration = Duration::from_secs(10);
/// Slow attempts, which no longer count among those in flight.
const SLOW_MAX: usize = 2_048;

/// A book to be looked at, once this record is durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) book: BookId,
    pub(crate) after: Option<At>,
}

/// One attempt about to be made.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) book: BookId,
    pub(crate) target: Target,
    pub(crate) revision: u64,
    pub(crate) news: News,
    /// 1 for the first.
    pub(crate) number: u32,
    pub(crate) planned_at: Millis,
    pub(crate) give_up_at: Millis,
}

/// Sends what is planned.
pub(crate) struct Desk {
    pub(crate) host: Host,
    pub(crate) books: Books,
    pub(crate) sheets: Sheets,
    pub(crate) webhook: Webhook,
    pub(crate) receipts: mpsc::Sender<Seen>,
    pub(crate) deliveries: Shell<Delivery>,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) slow: Arc<Semaphore>,
    /// Books to be looked at again at a time.
    due: Mutex<BTreeMap<(Millis, BookId), ()>>,
    due_changed: Notify,
    /// One renewal of a lease at a time.
    pub(crate) leasing: tokio::sync::Mutex<()>,
}

impl Desk {
    pub(crate) fn new(
        host: &Host,
        books: &Books,
        webhook: Webhook,
        receipts: mpsc::Sender<Seen>,
        options: &FanOutOptions,
    ) -> Self {
        Self {
            host: host.clone(),
            books: books.clone(),
            sheets: Sheets::new(host, &options.verify_base),
            webhook,
            receipts,
            deliveries: Shell::new(Arc::clone(&host.log)),
            in_flight: Arc::new(Semaphore::new(options.in_flight_max)),
            slow: Arc::new(Semaphore::new(SLOW_MAX)),
            due: Mutex::default(),
            due_changed: Notify::new(),
            leasing: tokio::sync::Mutex::new(()),
        }
    }

    /// Looks at a book: sends what is due now, and remembers what is due later.
    pub(crate) fn look_at(self: &Arc<Self>, job: Job) {
        let desk = Arc::clone(self);
        let stop = self.host.drain.token();
        if stop.is_cancelled() {
            return;
        }
        tokio::spawn(async move {
            if let Some(after) = job.after {
                // Nothing leaves before the record of its intent is durable.
                while desk.host.log.durable(after, DURABLE_PATIENCE).await != Durable::Stored {
                    if stop.is_cancelled() {
                        return;
                    }
                    tracing::warn!("waiting for the log before sending");
                }
            }
            // While history is read, what looks open may have ended long ago.
            desk.host.caught_up().await;
            desk.send_due(job.book).await;
        });
    }

    async fn send_due(self: &Arc<Self>, id: BookId) {
        let now = self.host.clock.now();
        let due = self.due_in(id, now);
        if due.is_empty() {
            return;
        }
        if !self.hold_lease(id).await {
            return;
        }
        for attempt in self.take(id, due) {
            let Ok(permit) = Arc::clone(&self.in_flight).acquire_owned().await else { return };
            let desk = Arc::clone(self);
            self.host.drain.spawn("delivery", async move { desk.attempt(attempt, permit).await });
        }
    }

    /// What is due now; the rest is looked at again in time.
    fn due_in(&self, id: BookId, now: Millis) -> Vec<Attempt> {
        let books = self.books.lock();
        let Some(book) = books.get(&id) else { return vec![] };
        let mut due = Vec::new();
        let mut next: Option<Millis> = None;
        for (target, delivery) in book.open() {
            match delivery.due_at() {
                Some(at) if at <= now => due.push(attempt(id, target, delivery)),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        drop(books);
        if let Some(at) = next {
            self.look_again(id, at);
        }
        due
    }

    /// Marks as under way what still is as it was.
    fn take(&self, id: BookId, due: Vec<Attempt>) -> Vec<Attempt> {
        let mut books = self.books.lock();
        let Some(book) = books.get_mut(&id) else { return vec![] };
        due.into_iter().filter(|attempt| take_one(book, attempt)).collect()
    }

    /// Looks at a book again at `at`.
    pub(crate) fn look_again(&self, id: BookId, at: Millis) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).insert((at, id), ());
        self.due_changed.notify_one();
    }

    /// Looks at books when they are due, until the process drains.
    pub(crate) async fn run(self: Arc<Self>) {
        let stop = self.host.drain.token();
        loop {
            let now = self.host.clock.now();
            let (ready, next) = {
                let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
                let later = due.split_off(&(now.plus_ms(1), LEAST));
                let ready = std::mem::replace(&mut *due, later);
                (ready, due.keys().next().map(|(at, _)| *at))
            };
            for (_, book) in ready.into_keys() {
                self.look_at(Job { book, after: None });
            }
            let wait = async {
                match next {
                    Some(at) => self.host.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.due_changed.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// The least book there is, to cut the queue by time.
const LEAST: BookId = (domain::ids::AlertId(uuid::Uuid::nil()), domain::ids::Home::NATION.commune);

fn attempt(id: BookId, target: &Target, delivery: &LaneDelivery) -> Attempt {
    Attempt {
        book: id,
        target: target.clone(),
        revision: delivery.revision,
        news: delivery.news,
        number: delivery.attempts + 1,
        planned_at: delivery.planned_at,
        give_up_at: delivery.give_up_at,
    }
}

fn take_one(book: &mut Book, attempt: &Attempt) -> bool {
    let same = book
        .lanes
        .get(&attempt.target, attempt.revision)
        .is_some_and(|delivery| !delivery.ended() && delivery.attempts + 1 == attempt.number);
    same && book.in_flight.insert(attempt.target.clone())
}
