//! One attempt: the last look before it leaves, the call, and what is known of it afterwards.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::links::task_path;
use domain::{
    channel::ChannelType,
    delivery::{
        Begun, Delivery, DeliveryCommand, DeliveryKnown, StopReason, delivery_id, may_be_told,
    },
    guard::Precedence,
    ids::{EntityName, Millis},
    lane::{LaneDelivery, Outcome as Known, Receipt},
    schedule::{Pace, next_attempt, remind_at, settle_ms},
};
use event_log::{Class, Key, shell::Folded};
use metrics::{Counter, Histogram};
use registry::Group;
use tokio::sync::oneshot;

use crate::{
    begin::Beginning,
    breaker::chance,
    channels::{Caps, Intent, Named, NotRendered, Outcome, Photo, Rendered, Repeats, Sent, View},
    outlets::Outlet,
    plan::observation,
    receive::Seen,
    send::{Attempt, Desk, NoWay, Stands, Taken},
    settle::Settled,
};

const LOOK_AGAIN_MS: i64 = 1_000;
/// A first attempt that is so young follows its plan at once.
const AT_ONCE_MS: i64 = 1_000;
/// The directory follows the class that the alert came in, so it is nearly there.
const DIRECTORY_PATIENCE: Duration = Duration::from_secs(5);

/// The key by which links are signed has not been read yet, or was erased.
struct NoKey;

impl Desk {
    /// Makes one attempt, and hands over its receipt.
    pub(crate) async fn attempt(self: &Arc<Self>, outlet: &Arc<Outlet>, attempt: Attempt) {
        let now = self.host.clock.now();
        let group = match self.last_look(outlet, &attempt, now).await {
            Ok(Some(group)) => group,
            Ok(None) => return self.leave_be(&attempt),
            Err(reason) => return self.stop(&attempt, reason).await,
        };
        if attempt.stands == Stands::Interrupted {
            return self.interrupted(outlet, attempt).await;
        }
        let Some(address) = group.address(&attempt.target.channel) else {
            return self.leave_be(&attempt);
        };
        let delivery = delivery_id(attempt.taken.book.0, attempt.revision, &attempt.target);
        let Ok(task_url) = self.task_url(&attempt, &delivery) else {
            tracing::error!("the key of links is not here: no poster can be told");
            return self.leave_be(&attempt);
        };
        let photo = outlet.way.channel.caps().photo;
        let photo = self.pictures.of(&attempt.taken.ready, photo, attempt.give_up_at).await;
        let shown = (photo.as_ref(), task_url.as_deref());
        let message = match self.message(outlet, &attempt, &delivery, shown) {
            Ok(message) => message,
            Err(NotRendered(why)) => {
                let sent = Outcome::Permanent { code: Cow::Borrowed(why) }.into();
                return self.attempted(outlet, attempt, &sent, Instant::now()).await;
            }
        };
        let intent = intent(&attempt, &delivery, now);
        if attempt.stands == Stands::Unknown {
            let to = (&message, address, intent);
            match self.settle(outlet, &attempt, to).await {
                Settled::Repeat => {}
                Settled::As(outcome) => return self.settled(attempt, outcome).await,
            }
        }
        if !self.begin(outlet, &attempt).await {
            return self.leave_be(&attempt);
        }
        let began = Instant::now();
        let sent = outlet.way.channel.send(&message, address, intent).await;
        self.attempted(outlet, attempt, &sent, began).await;
    }

    /// What is said, as this channel says it.
    fn message(
        &self,
        outlet: &Outlet,
        attempt: &Attempt,
        delivery: &str,
        (photo, task_url): (Option<&Photo>, Option<&str>),
    ) -> Result<Rendered, NotRendered> {
        let (ready, target) = (&attempt.taken.ready, &attempt.target);
        let (_, commune) = attempt.taken.book;
        outlet.way.channel.render(&View {
            told: ready.told(),
            body: &ready.body,
            delivery: Named {
                id: delivery,
                group: target.group.as_str(),
                commune: commune.as_str(),
                channel: target.channel.as_str(),
            },
            photo,
            task_url,
            is_reminder: attempt.stands == Stands::HandedOver,
        })
    }

    /// The address of the page of a person's task, where this is one.
    fn task_url(&self, attempt: &Attempt, delivery: &str) -> Result<Option<String>, NoKey> {
        if *attempt.target.channel_type != *ChannelType::Poster.as_str() {
            return Ok(None);
        }
        let (code, (_, commune)) = (&attempt.taken.ready.sheet.code, attempt.taken.book);
        let directory = self.host.directory.read();
        let key = directory.link_key().ok_or(NoKey)?;
        let place = (code.as_str(), commune.as_str(), attempt.revision);
        let path = task_path(key, place, delivery, attempt.give_up_at);
        Ok(Some(format!("{}{path}", self.public_url)))
    }

    /// Whether the attempt may be made: where the plan is not its record, it has one of its own,
    /// and that is durable.
    async fn begin(&self, outlet: &Outlet, attempt: &Attempt) -> bool {
        if plan_begins(outlet) {
            return true;
        }
        let (may, told) = oneshot::channel();
        let beginning = Beginning {
            book: attempt.taken.book,
            home: attempt.taken.home,
            plan: attempt.taken.plan,
            begun: Begun {
                target: attempt.target.clone(),
                revision: attempt.revision,
                attempt: attempt.number,
            },
            may,
        };
        // Where the process drains nothing more is begun.
        self.beginning.send(beginning).await.is_ok() && told.await.unwrap_or(false)
    }

    /// Hands over what was seen of an attempt.
    async fn attempted(
        self: &Arc<Self>,
        outlet: &Arc<Outlet>,
        attempt: Attempt,
        sent: &Sent,
        began: Instant,
    ) {
        let ended = self.host.clock.now();
        let next = next_of(&attempt, &sent.outcome, outlet.way.channel.caps(), ended);
        // Who was killed in the middle of an attempt left no receipt: that this one did not arrive
        // does not say that none did. Where attempts have records of their own, that is known.
        let inherited = attempt.revision <= attempt.taken.inherited && plan_begins(outlet);
        let outcome = match sent.outcome.known() {
            Known::NotReached if inherited => Known::Unknown,
            known => known,
        };
        self.measures.attempted(&attempt, outcome, ended);
        self.heed(outlet, &attempt.target, &sent.outcome);
        let receipt = Receipt {
            target: attempt.target.clone(),
            revision: attempt.revision,
            attempt: attempt.number,
            outcome,
            at: ended,
            took_ms: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
            status: sent.status,
            trouble: sent.outcome.trouble().to_owned(),
            next_attempt_at: next,
            provider_id: sent.outcome.provider_id().unwrap_or_default().to_owned(),
        };
        self.hand_over(&attempt.taken, receipt).await;
    }

    /// Hands a receipt over, to be recorded.
    pub(crate) async fn hand_over(&self, taken: &Taken, receipt: Receipt) {
        let Taken { book, home, plan, .. } = *taken;
        // The receiver lives as long as the process; it records before it ends.
        let _ = self.receipts.send(Seen { book, home, plan, receipt, kept: None }).await;
    }

    /// There is no way to this target from here: its group or channel is gone, or this process has
    /// no account for it, which the operator must mend, and another process may have.
    pub(crate) async fn no_way(&self, attempt: Attempt, why: NoWay) {
        let may_have_arrived = attempt.stands != Stands::Settled;
        if why == NoWay::NoSuchTarget {
            return self.stop(&attempt, StopReason::NoSuchTarget).await;
        }
        metrics::counter!("keng_accounts_missing_total").increment(1);
        // Of what may have arrived nothing is said by whoever cannot even ask.
        if may_have_arrived {
            return self.leave_be(&attempt);
        }
        let now = self.host.clock.now();
        let receipt = Receipt {
            target: attempt.target.clone(),
            revision: attempt.revision,
            attempt: attempt.number,
            outcome: Known::NotReached,
            at: now,
            took_ms: 0,
            status: 0,
            trouble: "no-account".to_owned(),
            next_attempt_at: next_attempt(
                attempt.number,
                now,
                None,
                attempt.give_up_at,
                Pace::Exact,
            ),
            provider_id: String::new(),
        };
        self.hand_over(&attempt.taken, receipt).await;
    }

    /// The last look: what leaves must still be meant to, and this instance must hold the lease.
    /// Answers with the group; `Ok(None)`: not now.
    async fn last_look(
        &self,
        outlet: &Outlet,
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
        // Where an attempt has a record of its own, that is decided on the newest plan anyway.
        let at_once =
            (attempt.number == 1 && (0..AT_ONCE_MS).contains(&age_ms)) || !plan_begins(outlet);
        if !at_once && !self.is_still_planned(attempt).await {
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

    /// Whether nothing newer was planned for this target, by the log itself.
    async fn is_still_planned(&self, attempt: &Attempt) -> bool {
        let (home, (alert, commune)) = (attempt.taken.home, attempt.taken.book);
        let entity = EntityName::delivery(alert, commune);
        let key = Key { class: Class::Delivery, home, entity };
        let Ok(history) = self.host.log.load(&key, None).await else { return false };
        let folded = Folded::<Delivery>::of(&history);
        folded.is_ok_and(|folded| folded.state.is_to_be_told(&attempt.target, attempt.revision))
    }

    fn is_open(&self, attempt: &Attempt) -> bool {
        let books = self.books.lock();
        let Some(book) = books.get(&attempt.taken.book) else { return false };
        let delivery = book.lanes.get(&attempt.target, attempt.revision);
        let is_it =
            |delivery: &LaneDelivery| !delivery.ended() && delivery.attempts + 1 == attempt.number;
        !book.held && delivery.is_some_and(is_it)
    }

    /// Not now: another look comes in a while.
    fn leave_be(&self, attempt: &Attempt) {
        if let Some(book) = self.books.lock().get_mut(&attempt.taken.book) {
            book.lets_go(&attempt.target, attempt.revision, attempt.number);
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

fn intent<'a>(attempt: &Attempt, delivery: &'a str, now: Millis) -> Intent<'a> {
    let (ready, (alert, _)) = (&attempt.taken.ready, attempt.taken.book);
    Intent {
        delivery,
        alert,
        kind: ready.kind,
        revision: attempt.revision,
        first_revision: attempt.first_revision,
        attempt: attempt.number,
        now,
        expires_at: attempt.give_up_at,
        is_urgent: ready.kind.life_threatening() || attempt.news.sets_right(),
    }
}

/// When the next attempt is due: by the schedule, or as the provider wants. Where a repeat would
/// show twice, not before whoever can tell had time to.
fn next_of(attempt: &Attempt, outcome: &Outcome, caps: &Caps, ended: Millis) -> Option<Millis> {
    let pace = match attempt.rank().precedence {
        _ if !caps.shares_account => Pace::Exact,
        Precedence::News => Pace::News(chance()),
        _ => Pace::Spread(chance()),
    };
    let usual = |after_s| next_attempt(attempt.number, ended, after_s, attempt.give_up_at, pace);
    let in_time = |at: Millis| Some(at).filter(|at| *at < attempt.give_up_at);
    match outcome {
        Outcome::Retry { after_s, .. } => usual(*after_s),
        Outcome::Unknown { after_s, .. } => match caps.repeats {
            Repeats::Harmless => usual(*after_s),
            Repeats::ShownTwice => {
                let settled = ended.plus_ms(settle_ms(chance()));
                usual(*after_s).map(|at| at.max(settled)).or(Some(settled)).and_then(in_time)
            }
        },
        Outcome::Defer { until, .. } => in_time(*until),
        Outcome::ChannelDown { .. } => usual(None),
        Outcome::HandedOver { .. } => {
            let times = if attempt.stands == Stands::HandedOver { 2 } else { 1 };
            remind_at(times, attempt.taken.ready.kind, ended).and_then(in_time)
        }
        Outcome::Delivered
        | Outcome::Accepted { .. }
        | Outcome::Duplicate { .. }
        | Outcome::TargetGone { .. }
        | Outcome::Permanent { .. } => None,
    }
}

/// Whether a plan is the record of the first attempt at whoever is reached by this outlet.
fn plan_begins(outlet: &Outlet) -> bool {
    outlet.way.channel.caps().channel_type.plan_begins()
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
        if known == Known::HandedOver && attempt.stands == Stands::HandedOver {
            metrics::counter!("keng_reminders_total").increment(1);
            return;
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
