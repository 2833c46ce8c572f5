//! Lanes: what is known of each target of a delivery, folded from plans, stops and receipts.
//!
//! One lane per target, revisions in order, so that a cancel never overtakes its alert.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    delivery::{Begun, BegunSoFar, DeliveryEvent, Lease, Plan, StopReason, Target},
    ids::Millis,
};

pub mod one;

pub use one::{LaneDelivery, OnRecord, Outcome, Progress, Receipt};

/// A retry that is due within this margin may already have left. Whoever is about to retry looks
/// into the log first, so that on a log that orders at once the margin only has to cover that
/// look and the clocks.
pub const ABOUT_TO_LEAVE_MS: i64 = 500;
/// Receipts kept until the plan comes that they are receipts of.
const EARLY_MAX: usize = 10_000;

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
    /// How many attempts were recorded before they were made, over all revisions.
    begun: BTreeMap<Target, BegunSoFar>,
    /// Attempts whose plan has not come yet.
    early_begun: Vec<(Begun, Millis)>,
    /// Receipts whose plan has not come yet: plans and receipts have no order between them.
    early: Vec<Receipt>,
}

impl Lanes {
    /// Takes a recorded fact of the delivery in.
    pub fn apply(&mut self, event: &DeliveryEvent, at: Millis) {
        match event {
            DeliveryEvent::Planned { plan, lease_until } => {
                self.lease = Some(Lease { instance: plan.instance.clone(), until: *lease_until });
                self.plan(plan, at);
                let early = std::mem::take(&mut self.early_begun);
                early.iter().for_each(|(begun, at)| self.begin(begun, *at));
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
                self.supersede(plan, at);
            }
            DeliveryEvent::LeaseTaken { instance, lease_until } => {
                self.lease = Some(Lease { instance: instance.clone(), until: *lease_until });
            }
            DeliveryEvent::Begun(attempts) => {
                attempts.iter().for_each(|begun| self.begin(begun, at));
            }
            DeliveryEvent::PostAttested { target, revision } => {
                if let Some(delivery) = self.get_mut(target, *revision) {
                    delivery.attest(at);
                }
            }
            DeliveryEvent::Requeued { target, revision, give_up_at } => {
                if let Some(delivery) = self.get_mut(target, *revision) {
                    delivery.requeue(at, *give_up_at);
                }
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

    fn plan(&mut self, plan: &Plan, at: Millis) {
        let mut opened = BTreeMap::new();
        for target in &plan.targets {
            let Some(lane) = self.lanes.get_mut(target) else {
                // Most lanes have one delivery for ever, and there are thousands of lanes.
                opened.insert(target, vec![LaneDelivery::of(plan, target, &[], at)]);
                continue;
            };
            if !lane.iter().any(|delivery| delivery.revision == plan.revision) {
                let delivery = LaneDelivery::of(plan, target, lane, at);
                lane.push(delivery);
            }
        }
        // Together they take little more than half the room.
        let owned = opened.into_iter().map(|(target, lane)| (target.clone(), lane));
        self.lanes.append(&mut owned.collect());
    }

    fn get_mut(&mut self, target: &Target, revision: u64) -> Option<&mut LaneDelivery> {
        self.lanes.get_mut(target)?.iter_mut().find(|delivery| delivery.revision == revision)
    }

    fn begin(&mut self, begun: &Begun, at: Millis) {
        let Begun { target, revision, attempt } = begun;
        let Some(delivery) = self.get_mut(target, *revision) else {
            if self.early_begun.len() < EARLY_MAX {
                self.early_begun.push((begun.clone(), at));
            }
            return;
        };
        delivery.begun = delivery.begun.max(*attempt);
        delivery.begun_at = delivery.begun_at.max(Some(at));
        self.begun.entry(target.clone()).or_default().take(*revision, *attempt);
        // Its record was lost, and is back behind news that did not know of it.
        if *revision < self.newest && !self.has_heard_since(target, *revision) {
            self.behind.insert(target.clone());
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
                let since = |target: &&Target| !self.has_heard_since(target, plan.revision);
                let behind: Vec<Target> = plan.targets.iter().filter(since).cloned().collect();
                self.behind.extend(behind);
            }
            Ordering::Equal => self.behind.retain(|behind| !plan.targets.contains(behind)),
            // Who planned it knew of everybody.
            Ordering::Greater => self.behind.clear(),
        }
    }

    fn has_heard_since(&self, target: &Target, revision: u64) -> bool {
        let lane = self.lanes.get(target).into_iter().flatten();
        lane.into_iter().any(|delivery| delivery.revision > revision)
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

    /// Whoever is told the new revision, or was certainly not told the old one, is not told the old
    /// one any more. A correction that is still to be told goes on for whom the new one is not.
    fn supersede(&mut self, plan: &Plan, at: Millis) {
        for (target, lane) in &mut self.lanes {
            let mut before = lane.iter_mut().filter(|d| d.revision < plan.revision && !d.ended());
            let Some(first) = before.next() else { continue };
            let is_told = plan.targets.contains(target);
            for delivery in [first].into_iter().chain(before) {
                if is_told || !delivery.news.sets_right() {
                    delivery.maybe_arrived = delivery.may_have_arrived(at, ABOUT_TO_LEAVE_MS);
                    delivery.progress = Progress::Stopped(StopReason::Superseded);
                }
            }
        }
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
                if delivery.news.sets_right() && !why.stops_what_sets_right() {
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
        delivery.receive(receipt);
    }

    /// Targets that have certainly not been reached by anything of this alert, nor will be by
    /// what leaves within `margin_ms`; and how many attempts are known here to have been begun.
    pub fn not_reached(&self, now: Millis, margin_ms: i64) -> impl Iterator<Item = (&Target, u32)> {
        self.lanes
            .iter()
            .filter(move |(_, lane)| !lane.iter().any(|d| d.may_have_arrived(now, margin_ms)))
            .map(|(target, _)| (target, self.begun.get(target).map_or(0, |begun| begun.count)))
    }

    /// The newest revision that was planned; 0 for none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// When something of this alert first may have arrived at a target.
    #[must_use]
    pub fn reached_at(&self, target: &Target) -> Option<Millis> {
        let lane = self.lanes.get(target)?.iter();
        lane.filter_map(|delivery| delivery.reached_at.or(delivery.begun_at)).min()
    }

    /// The first revision that a target was told, or is being told.
    #[must_use]
    pub fn first_revision(&self, target: &Target) -> Option<u64> {
        let lane = self.lanes.get(target)?;
        let told = lane.iter().filter(|d| d.maybe_arrived || d.begun > 0);
        told.map(|delivery| delivery.revision).min()
    }

    /// Everything, by target and revision.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, &LaneDelivery)> {
        self.lanes.iter().flat_map(|(target, lane)| lane.iter().map(move |d| (target, d)))
    }

    /// What the records say of every delivery, whatever the order in which plans and receipts came:
    /// between them there is none. Where a delivery stands follows from these, and from the clock.
    pub fn on_record(&self) -> impl Iterator<Item = OnRecord<'_>> {
        self.iter().map(|(target, delivery)| delivery.on_record(target))
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

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
