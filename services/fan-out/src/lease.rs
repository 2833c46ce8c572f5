//! Leases: only the holder sends; another takes over when the lease has run out.

use std::{sync::Arc, time::Duration};

use domain::{
    delivery::{Delivery, DeliveryCommand, DeliveryKnown, Lease},
    ids::{Home, Millis, RecordId},
};
use event_log::Durable;

use crate::{
    book::{Book, BookId},
    plan::observation,
    send::Desk,
};

const DURABLE_PATIENCE: Duration = Duration::from_secs(10);
/// A lease with less left than this is renewed before anything leaves.
const RENEW_MS: i64 = 3_000;
/// While attempts are under way a lease with less left than this is renewed.
const RENEW_UNDER_WAY_MS: i64 = 6_000;
/// After another's lease has run out, it gets so long to renew it.
const GRACE_MS: i64 = 300;

impl Desk {
    /// Whether this instance may send for this book now: it holds the lease, or has taken it.
    /// Where another holds it, the book is looked at again when that lease has run out.
    pub(crate) async fn hold_lease(&self, id: BookId) -> bool {
        if self.holds(id, self.host.clock.now()) {
            return true;
        }
        let _one_at_a_time = self.leasing.lock().await;
        if self.holds(id, self.host.clock.now()) {
            return true;
        }
        self.take_lease(id).await
    }

    /// Takes or renews the lease, unless another holds it.
    async fn take_lease(&self, id: BookId) -> bool {
        let now = self.host.clock.now();
        let Some((home, plan, lease)) = self.lease_of(id) else { return false };
        let others = lease.filter(|lease| *lease.instance != *self.host.instance);
        if let Some(other) = others.filter(|lease| lease.holds(now)) {
            self.look_again(id, other.until.plus_ms(GRACE_MS));
            return false;
        }
        let take = DeliveryCommand::TakeLease { instance: self.host.instance.to_string() };
        let ask = observation(id.0, home, plan, take, now, false);
        let known = |_: &Delivery, _: &_| DeliveryKnown::at(now);
        let taken = match self.deliveries.execute(ask, known).await {
            Ok(decided) => decided,
            Err(why) => {
                tracing::warn!(%why, "no lease yet");
                self.look_again_in(id, GRACE_MS);
                return false;
            }
        };
        let (Some(at), Some(event)) = (taken.at, taken.events.first()) else {
            self.look_again_in(id, RENEW_MS);
            return false;
        };
        if self.host.log.durable(at, DURABLE_PATIENCE).await != Durable::Stored {
            self.look_again_in(id, RENEW_MS);
            return false;
        }
        // The log tells the same a moment later, and it changes nothing then.
        if let Some(book) = self.books.lock().get_mut(&id) {
            book.lanes.apply(event, now);
        }
        true
    }

    /// Renews the leases of books with attempts under way, so that nobody takes them over before
    /// these have ended.
    pub(crate) fn renew_leases(self: Arc<Self>) {
        let soon = self.host.clock.now().plus_ms(RENEW_UNDER_WAY_MS);
        let ends_soon = |book: &Book| book.lanes.lease.as_ref().is_some_and(|l| l.until <= soon);
        let books: Vec<BookId> = {
            let shelf = self.books.lock();
            let under_way = shelf.iter().filter(|(_, book)| book.is_running());
            under_way.filter(|(_, book)| ends_soon(book)).map(|(id, _)| *id).collect()
        };
        for id in books {
            let desk = Arc::clone(&self);
            tokio::spawn(async move { desk.take_lease(id).await });
        }
    }

    pub(crate) fn holds(&self, id: BookId, now: Millis) -> bool {
        self.books.lock().get(&id).is_some_and(|book| self.is_held_here(book, now))
    }

    /// Whether this instance holds the lease of a book, for long enough to begin something.
    pub(crate) fn is_held_here(&self, book: &Book, now: Millis) -> bool {
        book.lanes.lease.as_ref().is_some_and(|lease| {
            *lease.instance == *self.host.instance && lease.until > now.plus_ms(RENEW_MS)
        })
    }

    fn lease_of(&self, id: BookId) -> Option<(Home, RecordId, Option<Lease>)> {
        let books = self.books.lock();
        let book = books.get(&id)?;
        Some((book.home, book.plan, book.lanes.lease.clone()))
    }
}
