//! One attempt: the last look before it leaves, the call, and what is known of it afterwards.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    delivery::{
        Delivery, DeliveryCommand, DeliveryKnown, StopReason, Target, delivery_id, may_be_told,
    },
    ids::{EntityName, Millis},
    lane::{Outcome as Known, Receipt},
    schedule::next_attempt,
};
use event_log::{Class, Key, shell::Folded};
use metrics::{Counter, Histogram};
use registry::Group;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    channels::{Intent, Named, NotRendered, Outcome, Sent, View},
    plan::observation,
    receive::Seen,
    send::{Attempt, Desk, Taken},
};

/// An attempt that takes longer no longer counts among those in flight, so that slow targets
/// delay no other.
const SLOW_AFTER: Duration = Duration::from_millis(50);
const LOOK_AGAIN_MS: i64 = 1_000;
/// A first attempt that is so young follows its plan at once.
const AT_ONCE_MS: i64 = 1_000;
/// The directory follows the class that the alert came in, so it is nearly there.
const DIRECTORY_PATIENCE: Duration = Duration::from_secs(5);

impl Desk {
    /// Makes one attempt, and hands over its receipt. Gives the permit back, where it did not
    /// have to be let go of for being slow.
    pub(crate) async fn attempt(
        &self,
        attempt: Attempt,
        permit: OwnedSemaphorePermit,
        slow: &Semaphore,
        when_slow: impl FnOnce(),
    ) -> Option<OwnedSemaphorePermit> {
        let now = self.host.clock.now();
        let group = match self.last_look(&attempt, now).await {
            Ok(Some(group)) => group,
            Ok(None) => {
                self.leave_be(&attempt);
                return Some(permit);
            }
            Err(reason) => {
                self.stop(&attempt, reason).await;
                return Some(permit);
            }
        };
        let mut permit = Some(permit);
        let when_slow = || {
            permit = None;
            when_slow();
        };
        let began = Instant::now();
        let sent = self.call(&attempt, &group, now, (slow, when_slow)).await;
        match sent {
            Some(sent) => self.attempted(attempt, &sent, began).await,
            None => self.stop(&attempt, StopReason::NoSuchTarget).await,
        }
        permit
    }

    /// Hands over what was seen of an attempt.
    async fn attempted(&self, attempt: Attempt, sent: &Sent, began: Instant) {
        let ended = self.host.clock.now();
        let known = sent.outcome.known();
        let next = match &sent.outcome {
            Outcome::Retry { after_s, .. } | Outcome::Unknown { after_s, .. } => {
                next_attempt(attempt.number, ended, *after_s, attempt.give_up_at)
            }
            Outcome::Defer { until, .. } => Some(*until).filter(|at| *at < attempt.give_up_at),
            Outcome::ChannelDown { .. } => {
                next_attempt(attempt.number, ended, None, attempt.give_up_at)
            }
            _ => None,
        };
        // Who was killed in the middle of an attempt left no receipt: that this one did not arrive
        // does not say that none did.
        let outcome = match known {
            Known::NotReached if attempt.revision <= attempt.taken.inherited => Known::Unknown,
            known => known,
        };
        self.measures.attempted(&attempt, known, ended);
        let provider_id = match &sent.outcome {
            Outcome::Accepted { provider_id }
            | Outcome::Duplicate { provider_id }
            | Outcome::HandedOver { provider_id } => provider_id.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let seen = Seen {
            book: attempt.taken.book,
            home: attempt.taken.home,
            plan: attempt.taken.plan,
            receipt: Receipt {
                target: attempt.target,
                revision: attempt.revision,
                attempt: attempt.number,
                outcome,
                at: ended,
                took_ms: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
                status: sent.status,
                trouble: sent.outcome.trouble().to_owned(),
                next_attempt_at: next,
                provider_id,
            },
        };
        // The receiver lives as long as the process; it records before it ends.
        let _ = self.receipts.send(seen).await;
    }

    /// The last look: what leaves must still be meant to, and this instance must hold the lease.
    /// Answers with the group; `Ok(None)`: not now.
    async fn last_look(
        &self,
        attempt: &Attempt,
        now: Millis,
    ) -> Result<Option<Arc<Group>>, StopReason> {
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        // A long queue may have outlived the lease, or been overtaken by other news.
        if !self.is_as_it_was(&attempt.taken, now) {
            let holds = self.hold_lease(attempt.taken.book).await;
            if !holds || !self.is_open(attempt) {
                return Ok(None);
            }
        }
        if attempt.give_up_at <= now {
            return Err(StopReason::Expired);
        }
        // Groups are recorded in the class of alerts: one that is unknown may be yet to be read.
        let ready = &attempt.taken.ready;
        if *self.host.directory_seen.borrow() < ready.position {
            let mut seen = self.host.directory_seen.clone();
            let seen = seen.wait_for(|seen| *seen >= ready.position);
            if tokio::time::timeout(DIRECTORY_PATIENCE, seen).await.is_err() {
                return Ok(None);
            }
        }
        let channel = &attempt.target.channel;
        let group = self.host.directory.read().group(&attempt.target.group).cloned();
        let Some(group) = group else { return Err(StopReason::NoSuchTarget) };
        if !group.facts.channels.iter().any(|known| known.id == *channel) {
            return Err(StopReason::NoSuchTarget);
        }
        // An address that is not here counts as erased only where a record says so.
        if group.address(channel).is_none() {
            tracing::error!(group = %attempt.target.group, "a channel's address is not here");
            metrics::counter!("keng_addresses_missing_total").increment(1);
            return Ok(None);
        }
        // The gate, at the last hop: an exercise never reaches the public.
        if !may_be_told(ready.status, group.facts.kind, group.facts.exercises) {
            return Err(StopReason::Gate);
        }
        // A first attempt follows its plan at once. Later than that, and before a retry, the log is
        // asked, so that an instance that is cut off, behind, or wrong about the time tells nobody
        // what others have called back meanwhile.
        let age_ms = now.0.saturating_sub(attempt.planned_at.0);
        let at_once = attempt.number == 1 && (0..AT_ONCE_MS).contains(&age_ms);
        if !at_once && self.newest_planned(attempt).await != Some(attempt.revision) {
            return Ok(None);
        }
        // The look may have taken longer than the lease lasts, or what leaves may have been called
        // back meanwhile.
        let now = self.host.clock.now();
        let still = self.is_as_it_was(&attempt.taken, now)
            || (self.holds(attempt.taken.book, now) && self.is_open(attempt));
        Ok(Some(group).filter(|_| still))
    }

    /// Whether nothing has happened to a book since this was taken from it, and this instance may
    /// still send for it.
    fn is_as_it_was(&self, taken: &Taken, now: Millis) -> bool {
        let books = self.books.lock();
        let Some(book) = books.get(&taken.book) else { return false };
        book.changes == taken.changes && self.is_held_here(book, now)
    }

    /// The newest revision that was planned for this book, from the log itself.
    async fn newest_planned(&self, attempt: &Attempt) -> Option<u64> {
        let (home, (alert, commune)) = (attempt.taken.home, attempt.taken.book);
        let entity = EntityName::delivery(alert, commune);
        let key = Key { class: Class::Delivery, home, entity };
        let history = self.host.log.load(&key, None).await.ok()?;
        Folded::<Delivery>::of(&history).ok().map(|folded| folded.state.revision)
    }

    fn is_open(&self, attempt: &Attempt) -> bool {
        let books = self.books.lock();
        let Some(book) = books.get(&attempt.taken.book) else { return false };
        let delivery = book.lanes.get(&attempt.target, attempt.revision);
        !book.held && delivery.is_some_and(|delivery| !delivery.ended())
    }

    /// Calls the channel; `None` where the group has no such channel any more, or no account here
    /// serves it. Lets go of the permit where it takes long.
    async fn call(
        &self,
        attempt: &Attempt,
        group: &Group,
        now: Millis,
        (slow, when_slow): (&Semaphore, impl FnOnce()),
    ) -> Option<Sent> {
        let (alert, commune) = attempt.taken.book;
        let Target { group: id, channel, .. } = &attempt.target;
        let (facts, address) = group.channels().find(|(facts, _)| facts.id == *channel)?;
        let (address, channel_type) = (address?, facts.channel_type.parse().ok()?);
        let way = self.accounts.way(&facts.account, channel_type)?;
        let ready = &attempt.taken.ready;
        let delivery = delivery_id(alert, attempt.revision, &attempt.target);
        let view = View {
            told: ready.told(),
            body: &ready.body,
            delivery: Named {
                id: &delivery,
                group: id.as_str(),
                commune: commune.as_str(),
                channel: channel.as_str(),
            },
            photo: None,
            task_url: None,
        };
        let message = match way.channel.render(&view) {
            Ok(message) => message,
            Err(NotRendered(why)) => {
                return Some(Outcome::Permanent { code: Cow::Borrowed(why) }.into());
            }
        };
        let intent = Intent {
            delivery: &delivery,
            alert,
            kind: ready.kind,
            revision: attempt.revision,
            first_revision: attempt.first_revision,
            attempt: attempt.number,
            now,
            expires_at: attempt.give_up_at,
            is_urgent: ready.kind.life_threatening() || attempt.news.sets_right(),
        };
        let mut call = way.channel.send(&message, address, intent);
        tokio::select! {
            sent = &mut call => return Some(sent),
            () = tokio::time::sleep(SLOW_AFTER) => {}
        }
        // The call goes on while a place among the slow ones is waited for.
        tokio::select! {
            sent = &mut call => Some(sent),
            _slow = slow.acquire() => {
                when_slow();
                Some(call.await)
            }
        }
    }

    /// Not now: another look comes in a while.
    fn leave_be(&self, attempt: &Attempt) {
        if let Some(book) = self.books.lock().get_mut(&attempt.taken.book) {
            book.in_flight.remove(&attempt.target);
        }
        // What has ended meanwhile makes room for the next revision, which goes at once.
        if !self.is_open(attempt) {
            self.look_again(attempt.taken.book, Millis(0));
            return;
        }
        // Rounded up, so that a book is looked at once for all its targets.
        let again = self.host.clock.now().plus_ms(LOOK_AGAIN_MS).0 / LOOK_AGAIN_MS + 1;
        self.look_again(attempt.taken.book, Millis(again * LOOK_AGAIN_MS));
    }

    /// Records that what has not left is not to leave.
    async fn stop(&self, attempt: &Attempt, reason: StopReason) {
        if !self.is_open(attempt) {
            return self.leave_be(attempt);
        }
        let Taken { book, home, plan, .. } = &*attempt.taken;
        let now = self.host.clock.now();
        let command = DeliveryCommand::Stop {
            reason,
            revision: attempt.revision,
            targets: vec![attempt.target.clone()],
            // Attempts before this one have their receipts; this one has not begun, unless an
            // instance before this one had begun the first and was killed.
            never_left: false,
        };
        let ask = observation(book.0, *home, *plan, command, now, false);
        let known = |_: &Delivery, _: &_| DeliveryKnown::at(now);
        if let Err(why) = self.deliveries.execute(ask, known).await {
            tracing::warn!(%why, "a delivery cannot be stopped yet");
        }
        self.leave_be(attempt);
    }
}

/// What is counted of attempts.
pub(crate) struct Measures {
    delivered_after: Histogram,
    /// Looked up once, since there are thousands of attempts.
    webhook_delivered: Counter,
}

impl Measures {
    pub(crate) fn new() -> Self {
        Self {
            delivered_after: metrics::histogram!("keng_stage_seconds", "stage" => "delivered"),
            webhook_delivered: attempts("webhook", "delivered"),
        }
    }

    fn attempted(&self, attempt: &Attempt, known: Known, ended: Millis) {
        let channel = &*attempt.target.channel_type;
        match (known, channel) {
            (Known::Delivered, "webhook") => self.webhook_delivered.increment(1),
            (known, channel) => attempts(channel, known.as_str()).increment(1),
        }
        if matches!(known, Known::Delivered | Known::Accepted | Known::HandedOver) {
            let since = Duration::from_millis(ended.since_ms(attempt.planned_at));
            self.delivered_after.record(since);
        }
    }
}

fn attempts(channel: &str, outcome: &'static str) -> Counter {
    let channel = channel.to_owned();
    metrics::counter!("keng_attempts_total", "outcome" => outcome, "channel" => channel)
}
