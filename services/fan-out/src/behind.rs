//! Those who are behind: a plan that the broker lost, and that is back behind newer news, told
//! people of whom the planner of that news did not know. They hear of it now.

use domain::{
    delivery::{Delivery, DeliveryCommand, DeliveryKnown},
    ids::{EntityName, Home, RecordId},
};
use event_log::{Class, Key};

use crate::{
    book::BookId,
    plan::{margin_ms, observation},
    send::Desk,
};

/// What could not be planned now is looked at again after this.
const AGAIN_MS: i64 = 1_000;

impl Desk {
    /// Plans the newest news for those who are behind. What is planned comes with the log. Every
    /// instance does so; the second finds nobody behind.
    pub(crate) async fn catch_up(&self, id: BookId) {
        let Some((home, plan)) = self.has_behind(id) else { return };
        let (alert, commune) = id;
        let entity = EntityName::delivery(alert, commune);
        // Loaded anew: what this instance knows of the delivery may be from before the loss.
        let key = Key { class: Class::Delivery, home, entity };
        if let Err(why) = self.deliveries.state(&key).await {
            tracing::warn!(%why, "who is behind cannot be told yet");
            return self.look_again_in(id, AGAIN_MS);
        }
        let catch_up = DeliveryCommand::CatchUp { instance: self.host.instance.to_string() };
        let ask = observation(alert, home, plan, catch_up, self.host.clock.now(), false);
        let known = |_: &Delivery, _: &_| {
            let now = self.host.clock.now();
            let not_reached = self.books.not_reached(id, now, margin_ms(&self.host));
            DeliveryKnown { now, not_reached }
        };
        if let Err(why) = self.deliveries.execute(ask, known).await {
            tracing::warn!(%why, "who is behind cannot be told yet");
            self.look_again_in(id, AGAIN_MS);
        }
    }

    fn has_behind(&self, id: BookId) -> Option<(Home, RecordId)> {
        let (now, margin_ms) = (self.host.clock.now(), margin_ms(&self.host));
        let books = self.books.lock();
        let book = books.get(&id).filter(|book| !book.held)?;
        book.lanes.behind(now, margin_ms).next().map(|_| (book.home, book.plan))
    }
}
