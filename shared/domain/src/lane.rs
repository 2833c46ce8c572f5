//! Lanes: what is known of each target of a delivery, folded from plans, stops and receipts.
//!
//! One lane per target, revisions in order, so that a cancel never overtakes its alert.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    delivery::{DeliveryEvent, Lease, Plan, StopReason, Target},
    ids::Millis,
    values::News,
};

/// A retry that is due within this margin may already have left. Whoever is about to retry looks
/// into the log first, so that on a log that orders at once the margin only has to cover that
/// look and the clocks.
pub const ABOUT_TO_LEAVE_MS: i64 = 500;
/// Receipts kept until the plan comes that they are receipts of.
const EARLY_MAX: usize = 10_000;

/// What is known of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The holder confirmed it.
    Delivered,
    /// It failed and certainly did not arrive.
    NotReached,
    /// It failed and may have arrived.
    Unknown,
    /// The target does not exist (any more): 404, 410.
    Gone,
}

/// What the holder of the lease saw of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who was told.
    pub target: Target,
    /// Which revision.
    pub revision: u64,
    /// 1 for the first.
    pub attempt: u32,
    /// What is known.
    pub outcome: Outcome,
    /// When the attempt ended.
    pub at: Millis,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The HTTP status; 0 where there was none.
    pub status: u32,
    /// A stable code: `connect`, `timeout`, `status`, `blocked`; empty where it was delivered.
    pub trouble: String,
    /// When it is tried again.
    pub next_attempt_at: Option<Millis>,
}

/// Where one delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// About to leave, or under way.
    Planned,
    /// It failed, or it is quiet in the commune: it is tried at this time.
    Waiting(Millis),
    /// Confirmed.
    Delivered(Millis),
    /// Over without a confirmation: the target is gone, or the time was up.
    Failed,
    /// Stopped before it had ended.
    Stopped(StopReason),
}

/// One revision of one alert for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDelivery {
    /// Which revision.
    pub revision: u64,
    /// What it tells.
    pub news: News,
    /// When it was planned.
    pub planned_at: Millis,
    /// No attempt after this.
    pub give_up_at: Millis,
    /// Where it stands.
    pub progress: Progress,
    /// Attempts whose end is known.
    pub attempts: u32,
    /// When the last of them ended.
    pub last_attempt_at: Option<Millis>,
    /// Whether an attempt may have arrived, as far as the ended ones tell.
    pub maybe_arrived: bool,
}

impl LaneDelivery {
    /// What is planned for a target, to which `before` was told. An update that takes the place of
    /// a correction which has not ended sets right, too: it is told as one, and for as long.
    fn of(plan: &Plan, before: &[Self], at: Millis) -> Self {
        let is_correction = |d: &&Self| d.news == News::Corrected && d.revision < plan.revision;
        let replaced = before.iter().rfind(|d| is_correction(d) && !d.ended());
        let replaced = replaced.filter(|_| plan.news == News::Updated);
        let (news, give_up_at, not_before) = match replaced {
            Some(old) => (old.news, old.give_up_at.max(plan.give_up_at), None),
            None => (plan.news, plan.give_up_at, plan.not_before),
        };
        Self {
            revision: plan.revision,
            news,
            planned_at: at,
            give_up_at,
            progress: not_before.map_or(Progress::Planned, Progress::Waiting),
            attempts: 0,
            last_attempt_at: None,
            maybe_arrived: false,
        }
    }

    /// Whether nothing more will be tried.
    #[must_use]
    pub fn ended(&self) -> bool {
        !matches!(self.progress, Progress::Planned | Progress::Waiting(_))
    }

    /// When the next attempt is due.
    #[must_use]
    pub fn due_at(&self) -> Option<Millis> {
        match self.progress {
            // At once, whatever a clock has been set to since.
            Progress::Planned => Some(Millis(0)),
            Progress::Waiting(at) => Some(at),
            _ => None,
        }
    }

    pub(crate) fn may_have_arrived(&self, now: Millis, margin_ms: i64) -> bool {
        match self.progress {
            // The plan is the record of the first attempt: it may be under way.
            Progress::Planned => true,
            Progress::Waiting(at) => self.maybe_arrived || at <= now.plus_ms(margin_ms),
            _ => self.maybe_arrived,
        }
    }

    /// The state's word in the interface.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.progress {
            Progress::Planned => "planned",
            Progress::Waiting(_) if self.attempts == 0 => "quiet-hours",
            Progress::Waiting(_) => "retrying",
            Progress::Delivered(_) => "delivered",
            Progress::Failed if self.maybe_arrived => "unknown",
            Progress::Failed => "failed",
            Progress::Stopped(reason) => reason.as_str(),
        }
    }
}

/// All lanes of one delivery, and who sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lanes {
    /// Who sends.
    pub lease: Option<Lease>,
    /// The newest revision planned.
    newest: u64,
    /// What was stopped for everybody, and up to which revision: also what comes behind it.
    stopped: BTreeMap<StopReason, u64>,
    /// Targets of plans that came behind a newer one: see [`Self::behind`].
    behind: BTreeSet<Target>,
    lanes: BTreeMap<Target, Vec<LaneDelivery>>,
    /// Receipts whose plan has not come yet: plans and receipts have no order between them.
    early: Vec<Receipt>,
}

impl Lanes {
    /// Takes a recorded fact of the delivery in.
    pub fn apply(&mut self, event: &DeliveryEvent, at: Millis) {
        match event {
            DeliveryEvent::Planned { plan, lease_until } => {
                self.lease = Some(Lease { instance: plan.instance.clone(), until: *lease_until });
                for target in &plan.targets {
                    // Most lanes have one delivery for ever, and there are thousands of lanes.
                    let lane = self.lanes.entry(target.clone()).or_insert_with(one_delivery);
                    if lane.iter().any(|delivery| delivery.revision == plan.revision) {
                        continue;
                    }
                    let delivery = LaneDelivery::of(plan, lane, at);
                    lane.push(delivery);
                }
                let early = std::mem::take(&mut self.early);
                early.iter().for_each(|receipt| self.receive(receipt));
                // A plan that comes after a newer one, because it was lost meanwhile, is over;
                // what it told may have arrived.
                if self.newest > plan.revision {
                    self.stop(plan.revision, &plan.targets, StopReason::Superseded, None, at);
                }
                self.stop_if_stopped(plan, at);
                self.fall_behind(plan);
                self.newest = self.newest.max(plan.revision);
                // Whoever is told the new revision, or was certainly not told the old one, is
                // not told the old one any more.
                let before = plan.revision.saturating_sub(1);
                if before > 0 {
                    self.stop(before, &[], StopReason::Superseded, None, at);
                }
            }
            DeliveryEvent::LeaseTaken { instance, lease_until } => {
                self.lease = Some(Lease { instance: instance.clone(), until: *lease_until });
            }
            DeliveryEvent::Stopped { reason, revision, targets, never_left } => {
                if targets.is_empty() {
                    let up_to = self.stopped.entry(*reason).or_default();
                    *up_to = (*up_to).max(*revision);
                }
                self.stop(*revision, targets, *reason, Some(*never_left), at);
            }
        }
    }

    /// A plan that was lost and is back may stand behind what stopped it.
    fn stop_if_stopped(&mut self, plan: &Plan, at: Millis) {
        // No targets would mean everybody.
        if plan.targets.is_empty() {
            return;
        }
        let stopped = self.stopped.iter().filter(|(_, up_to)| **up_to >= plan.revision);
        let reasons: Vec<StopReason> = stopped.map(|(reason, _)| *reason).collect();
        for reason in reasons {
            self.stop(plan.revision, &plan.targets, reason, None, at);
        }
    }

    fn fall_behind(&mut self, plan: &Plan) {
        match plan.revision.cmp(&self.newest) {
            Ordering::Less => {
                let of = |target: &Target| self.lanes.get(target).into_iter().flatten();
                let heard_since = |target: &Target| of(target).any(|d| d.revision > plan.revision);
                let behind = plan.targets.iter().filter(|target| !heard_since(target)).cloned();
                self.behind.extend(behind);
            }
            Ordering::Equal => self.behind.retain(|behind| !plan.targets.contains(behind)),
            // Who planned it knew of everybody.
            Ordering::Greater => self.behind.clear(),
        }
    }

    /// Targets that may have been reached by a plan that was lost, and that is back behind a newer
    /// one whose planner did not know of them.
    pub fn behind(&self, now: Millis, margin_ms: i64) -> impl Iterator<Item = &Target> {
        let lane = |target: &Target| self.lanes.get(target).into_iter().flatten();
        self.behind.iter().filter(move |target| {
            lane(target).any(|delivery| delivery.may_have_arrived(now, margin_ms))
        })
    }

    /// Whether the newest news was planned without knowing of this target.
    #[must_use]
    pub fn is_behind(&self, target: &Target) -> bool {
        self.behind.contains(target)
    }

    fn stop(
        &mut self,
        up_to: u64,
        only: &[Target],
        why: StopReason,
        never_left: Option<bool>,
        at: Millis,
    ) {
        for (target, lane) in &mut self.lanes {
            if !only.is_empty() && !only.contains(target) {
                continue;
            }
            for delivery in lane.iter_mut().filter(|d| d.revision <= up_to && !d.ended()) {
                // A commune that refuses still tells those who may have been told how it ended,
                // also where its refusal is taken in after the end.
                if why == StopReason::Refused && delivery.news.sets_right() {
                    continue;
                }
                if never_left != Some(true) {
                    delivery.maybe_arrived = delivery.may_have_arrived(at, ABOUT_TO_LEAVE_MS);
                }
                delivery.progress = Progress::Stopped(why);
            }
        }
    }

    /// Takes a receipt in. A receipt that was seen before changes nothing.
    pub fn receive(&mut self, receipt: &Receipt) {
        let Some(delivery) = self
            .lanes
            .get_mut(&receipt.target)
            .and_then(|lane| lane.iter_mut().find(|d| d.revision == receipt.revision))
        else {
            if self.early.len() < EARLY_MAX {
                self.early.push(receipt.clone());
            }
            return;
        };
        if receipt.attempt <= delivery.attempts {
            return;
        }
        let stopped_in_flight = matches!(delivery.progress, Progress::Stopped(_));
        let only_attempt = receipt.attempt == 1;
        delivery.attempts = receipt.attempt;
        delivery.last_attempt_at = Some(receipt.at);
        match receipt.outcome {
            Outcome::Delivered => {
                delivery.maybe_arrived = true;
                delivery.progress = Progress::Delivered(receipt.at);
                return;
            }
            Outcome::Unknown => delivery.maybe_arrived = true,
            // The one attempt that was under way when it was stopped did not arrive.
            Outcome::NotReached | Outcome::Gone if stopped_in_flight && only_attempt => {
                delivery.maybe_arrived = false;
            }
            Outcome::NotReached | Outcome::Gone => {}
        }
        if !stopped_in_flight {
            delivery.progress = receipt.next_attempt_at.map_or(Progress::Failed, Progress::Waiting);
        }
    }

    /// Targets that have certainly not been reached by anything of this alert, nor will be by
    /// what leaves within `margin_ms`.
    pub fn not_reached(&self, now: Millis, margin_ms: i64) -> impl Iterator<Item = &Target> {
        self.lanes
            .iter()
            .filter(move |(_, lane)| !lane.iter().any(|d| d.may_have_arrived(now, margin_ms)))
            .map(|(target, _)| target)
    }

    /// Everything, by target and revision.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, &LaneDelivery)> {
        self.lanes.iter().flat_map(|(target, lane)| lane.iter().map(move |d| (target, d)))
    }

    /// What is still to be tried: at most one revision a target.
    pub fn open(&self) -> impl Iterator<Item = (&Target, &LaneDelivery)> {
        self.iter().filter(|(_, delivery)| !delivery.ended())
    }

    /// Whether something is still to be tried for this target.
    #[must_use]
    pub fn has_open(&self, target: &Target) -> bool {
        self.lanes.get(target).is_some_and(|lane| lane.iter().any(|delivery| !delivery.ended()))
    }

    /// How many targets were ever planned for.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.lanes.len()
    }

    /// One delivery.
    #[must_use]
    pub fn get(&self, target: &Target, revision: u64) -> Option<&LaneDelivery> {
        self.lanes.get(target)?.iter().find(|delivery| delivery.revision == revision)
    }
}

fn one_delivery() -> Vec<LaneDelivery> {
    Vec::with_capacity(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AlertId, Home, RecordId};

    fn target(n: usize) -> Target {
        Target {
            group: format!("g-{n}").parse().unwrap(),
            channel: "webhook-1".parse().unwrap(),
            channel_type: "webhook".into(),
        }
    }

    fn planned(revision: u64, news: News, targets: &[usize]) -> DeliveryEvent {
        DeliveryEvent::Planned {
            plan: Plan {
                alert: AlertId::raised_by(RecordId::of_purpose("a")),
                alert_home: Home::NATION,
                commune: "25126".parse().unwrap(),
                revision,
                news,
                cause: RecordId::of_purpose("c"),
                instance: "one".into(),
                give_up_at: Millis(100_000),
                not_before: None,
                audience: crate::delivery::Audience::Named,
                targets: targets.iter().copied().map(target).collect(),
            },
            lease_until: Millis(10_000),
        }
    }

    fn receipt(n: usize, attempt: u32, outcome: Outcome, next: Option<i64>) -> Receipt {
        Receipt {
            target: target(n),
            revision: 1,
            attempt,
            outcome,
            at: Millis(5),
            took_ms: 1,
            status: 0,
            trouble: String::new(),
            next_attempt_at: next.map(Millis),
        }
    }

    #[test]
    fn who_may_have_been_reached_is_known_for_each_target() {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(1, News::Issued, &[0, 1, 2, 3, 4, 5]), Millis(0));
        lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
        lanes.receive(&receipt(2, 1, Outcome::NotReached, Some(50_000)));
        lanes.receive(&receipt(3, 1, Outcome::Unknown, Some(50_000)));
        lanes.receive(&receipt(4, 1, Outcome::Gone, None));
        lanes.receive(&receipt(5, 1, Outcome::NotReached, Some(10_400)));
        let not_reached: Vec<_> =
            lanes.not_reached(Millis(10_000), ABOUT_TO_LEAVE_MS).cloned().collect();
        // 0 may be under way, and the retry of 5 may have left already.
        assert_eq!(not_reached, [target(2), target(4)]);
    }

    #[test]
    fn what_waits_for_the_morning_has_reached_nobody() {
        let mut lanes = Lanes::default();
        let DeliveryEvent::Planned { mut plan, lease_until } = planned(1, News::Issued, &[0])
        else {
            panic!("a plan")
        };
        plan.not_before = Some(Millis(60_000));
        lanes.apply(&DeliveryEvent::Planned { plan, lease_until }, Millis(0));
        let lane = lanes.get(&target(0), 1).unwrap();
        assert_eq!((lane.state(), lane.due_at()), ("quiet-hours", Some(Millis(60_000))));
        let told = |at: i64| lanes.not_reached(Millis(at), ABOUT_TO_LEAVE_MS).count() == 0;
        assert_eq!([59_000, 60_000].map(told), [false, true]);
    }

    #[test]
    fn a_later_revision_takes_the_place_of_what_has_not_ended() {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(1, News::Issued, &[0, 1]), Millis(0));
        lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
        lanes.apply(&planned(2, News::Cancelled, &[0, 1]), Millis(9));
        let open: Vec<_> = lanes.open().map(|(t, d)| (t.clone(), d.revision)).collect();
        assert_eq!(open, [(target(0), 2), (target(1), 2)]);
        // What was in flight is still taken in.
        lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
        assert_eq!(lanes.get(&target(1), 1).unwrap().state(), "delivered");
    }

    #[test]
    fn an_update_in_the_place_of_a_correction_is_one() {
        let told = |correction: Outcome, next: Option<i64>| {
            let mut lanes = Lanes::default();
            lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
            lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
            lanes.apply(&planned(2, News::Corrected, &[0]), Millis(5));
            lanes.receive(&Receipt { revision: 2, ..receipt(0, 1, correction, next) });
            lanes.apply(&planned(3, News::Updated, &[0]), Millis(9));
            lanes.get(&target(0), 3).unwrap().news
        };
        assert_eq!(told(Outcome::NotReached, Some(7)), News::Corrected);
        assert_eq!(told(Outcome::Delivered, None), News::Updated);
        let mut lanes = Lanes::default();
        lanes.apply(&planned(2, News::Resolved, &[0]), Millis(0));
        lanes.apply(&planned(3, News::Updated, &[0]), Millis(9));
        // Opened again: nobody is to hear of an end that was none.
        assert_eq!(lanes.get(&target(0), 3).unwrap().news, News::Updated);
    }

    #[test]
    fn receipts_may_come_before_their_plan() {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
        lanes.receive(&Receipt { revision: 2, ..receipt(0, 1, Outcome::Delivered, None) });
        lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
        lanes.apply(&planned(1, News::Issued, &[1]), Millis(0));
        lanes.apply(&planned(2, News::Cancelled, &[0, 1]), Millis(9));
        assert_eq!(lanes.get(&target(1), 1).unwrap().state(), "delivered");
        assert_eq!(lanes.get(&target(0), 2).unwrap().state(), "delivered");
    }

    #[test]
    fn a_plan_that_comes_after_a_newer_one_is_over() {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(2, News::Cancelled, &[]), Millis(0));
        lanes.apply(&planned(1, News::Issued, &[0]), Millis(1));
        assert_eq!(lanes.open().count(), 0);
        assert_eq!(lanes.not_reached(Millis(9), 0).count(), 0);
    }

    #[test]
    fn who_may_have_been_told_by_a_plan_that_was_lost_is_behind_until_told() {
        let behind = |lanes: &Lanes| lanes.behind(Millis(99), 0).cloned().collect::<Vec<_>>();
        let mut lanes = Lanes::default();
        lanes.apply(&planned(2, News::Cancelled, &[3]), Millis(0));
        lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
        lanes.receive(&receipt(1, 1, Outcome::NotReached, None));
        lanes.apply(&planned(1, News::Issued, &[0, 1, 2, 3]), Millis(1));
        // 1 was certainly not reached, and 3 is planned for.
        assert_eq!(behind(&lanes), [target(0), target(2)]);
        lanes.receive(&receipt(1, 2, Outcome::Unknown, None));
        assert_eq!(behind(&lanes), [target(0), target(1), target(2)]);
        lanes.apply(&planned(2, News::Cancelled, &[0, 1]), Millis(2));
        assert_eq!(behind(&lanes), [target(2)]);
        lanes.apply(&planned(3, News::Corrected, &[2]), Millis(3));
        assert_eq!(behind(&lanes), []);
    }

    #[test]
    fn a_plan_that_is_back_behind_a_refusal_is_stopped() {
        let refused = DeliveryEvent::Stopped {
            reason: StopReason::Refused,
            revision: 1,
            targets: vec![],
            never_left: false,
        };
        let mut lanes = Lanes::default();
        lanes.apply(&refused, Millis(3));
        lanes.receive(&receipt(0, 1, Outcome::NotReached, Some(2_000)));
        lanes.receive(&receipt(1, 1, Outcome::Delivered, None));
        lanes.apply(&planned(1, News::Issued, &[0, 1, 2]), Millis(0));
        let states = |lanes: &Lanes| lanes.iter().map(|(_, d)| d.state()).collect::<Vec<_>>();
        assert_eq!(states(&lanes), ["refused", "delivered", "refused"]);
        // How it ended is told all the same.
        lanes.apply(&planned(2, News::Resolved, &[1, 2]), Millis(9));
        assert_eq!(lanes.open().count(), 2);
    }

    #[test]
    fn a_retry_under_way_when_it_is_stopped_may_arrive() {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
        lanes.receive(&receipt(0, 1, Outcome::NotReached, Some(2_000)));
        let stop = DeliveryEvent::Stopped {
            reason: StopReason::Refused,
            revision: 1,
            targets: vec![],
            never_left: false,
        };
        lanes.apply(&stop, Millis(2_100));
        assert_eq!(lanes.not_reached(Millis(9_000), ABOUT_TO_LEAVE_MS).count(), 0);
    }

    #[test]
    fn a_receipt_counts_once() {
        let mut lanes = Lanes::default();
        lanes.apply(&planned(1, News::Issued, &[0]), Millis(0));
        lanes.receive(&receipt(0, 1, Outcome::Delivered, None));
        lanes.receive(&receipt(0, 1, Outcome::NotReached, Some(7)));
        assert_eq!(lanes.get(&target(0), 1).unwrap().state(), "delivered");
    }
}
