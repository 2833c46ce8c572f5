//! The delivery of an alert's news to one commune: plans, the lease of who sends, stops.
//!
//! What became of each attempt is in the receipts, which `lane` folds with the plans.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    channel::ChannelType,
    decider::{Decider, Refusal},
    ids::Millis,
    schedule::FOLLOW_UP_MS_MAX,
    values::News,
};

pub use words::{
    Audience, Begun, BegunSoFar, DeliveryCommand, DeliveryEvent, Plan, StopReason, Target,
    delivery_id,
};

pub use crate::gate::may_be_told;

mod words;

/// Who holds the lease may send for so long without renewing it.
pub const LEASE_MS: i64 = 10_000;
/// The most targets that one record plans for.
pub const TARGETS_PER_RECORD_MAX: usize = 128;

/// What a decision knows beside the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryKnown {
    /// When it is decided.
    pub now: Millis,
    /// Planned targets that have certainly not been reached, from the receipts; and how many
    /// attempts whoever says so knows to have been begun.
    pub not_reached: BTreeMap<Target, u32>,
}

impl DeliveryKnown {
    /// Nothing but the time.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self { now, not_reached: BTreeMap::new() }
    }
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// Another instance sends, and its lease has not run out.
    #[error("another instance holds the lease")]
    LeaseHeld,
    /// Nothing was ever planned for this target, at this revision.
    #[error("there is no such delivery")]
    NoSuchDelivery,
    /// Something newer took its place.
    #[error("a later revision took its place")]
    Superseded,
    /// It was refused, or is on hold.
    #[error("it was stopped")]
    Stopped,
}

impl From<NotDelivered> for Refusal {
    fn from(not: NotDelivered) -> Self {
        let code = match not {
            NotDelivered::LeaseHeld => "lease-held",
            NotDelivered::NoSuchDelivery => "not-found",
            NotDelivered::Superseded => "superseded",
            NotDelivered::Stopped => "stopped",
        };
        Self { code, field: "" }
    }
}

/// A lease: who sends, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The instance.
    pub instance: String,
    /// Until when.
    pub until: Millis,
}

impl Lease {
    /// Whether it holds now. One that lasts longer than any lease was taken by a clock that was
    /// ahead, and is nobody's.
    #[must_use]
    pub fn holds(&self, now: Millis) -> bool {
        self.until > now && self.until <= now.plus_ms(2 * LEASE_MS)
    }
}

fn is_read_by_people(target: &Target) -> bool {
    target.channel_type.parse().is_ok_and(ChannelType::is_read_by_people)
}

/// The delivery to one commune, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Delivery {
    /// Who sends.
    pub lease: Option<Lease>,
    /// The newest revision that was planned; 0 for none.
    pub revision: u64,
    /// The plan for it, without its targets.
    pub newest: Option<Plan>,
    /// Everybody who was ever planned for, and the newest revision that was.
    pub targets: BTreeMap<Target, u64>,
    /// What each revision told.
    pub told: BTreeMap<u64, News>,
    /// Those whose plan stands behind a newer one. Nobody plans what is older: such a plan was
    /// lost meanwhile, so that whoever planned the newer one did not know of them.
    pub behind: BTreeSet<Target>,
    /// The revision up to which everything was stopped by a refusal; 0 for none.
    pub refused_up_to: u64,
    /// What was stopped for everybody, and up to which revision.
    pub stopped: BTreeMap<StopReason, u64>,
    /// What was begun, on channels where each attempt has a record of its own.
    pub begun: BTreeMap<Target, BegunSoFar>,
    /// What was posted by hand.
    pub posted: BTreeSet<(Target, u64)>,
}

impl Delivery {
    fn plan(&self, plan: &Plan, known: &DeliveryKnown) -> Vec<DeliveryEvent> {
        if plan.revision <= self.revision {
            return vec![];
        }
        // A refusal stops what has not left, and later news; who may have been told still hears
        // what is corrected, and the end.
        let is_refused = self.refused_up_to > 0;
        let audience = match (plan.audience, plan.news) {
            (Audience::Everybody, News::Corrected) if is_refused => Audience::MayHaveBeenReached,
            (audience, _) => audience,
        };
        let mut targets: Vec<Target> = match audience {
            Audience::Named => plan.targets.clone(),
            Audience::MayHaveBeenReached => {
                let may_have = self.everybody().filter(|one| !self.is_not_reached(one, known));
                may_have.cloned().collect()
            }
            Audience::NotReached => {
                let not = self.everybody().filter(|one| self.is_not_reached(one, known));
                not.cloned().collect()
            }
            Audience::Everybody => self.everybody().cloned().collect(),
        };
        if is_refused && !plan.news.sets_right() {
            targets.clear();
        }
        // People are told nothing of an expiry; machines take it off their screens.
        if plan.news == News::Expired {
            targets.retain(|target| !is_read_by_people(target));
        }
        // An empty plan is recorded too: it keeps an older revision from leaving after it.
        if targets.is_empty() {
            return self.planned(plan, &plan.instance, &[&[]], known.now);
        }
        let chunks: Vec<&[Target]> = targets.chunks(TARGETS_PER_RECORD_MAX).collect();
        self.planned(plan, &plan.instance, &chunks, known.now)
    }

    /// Whoever was told something older, and is in no plan for what is newest, hears of that; what
    /// goes on after a refusal is told to nobody there.
    fn catch_up(&self, instance: &str, known: &DeliveryKnown) -> Vec<DeliveryEvent> {
        let Some(newest) = &self.newest else { return vec![] };
        if self.refused_up_to > 0 && !newest.news.sets_right() {
            return vec![];
        }
        let may_have = |target: &&Target| !self.is_not_reached(target, known);
        let targets: Vec<Target> = self.behind.iter().filter(may_have).cloned().collect();
        let chunks: Vec<&[Target]> = targets.chunks(TARGETS_PER_RECORD_MAX).collect();
        self.planned(newest, instance, &chunks, known.now)
    }

    fn everybody(&self) -> impl Iterator<Item = &Target> {
        self.targets.keys()
    }

    /// Whether what this revision tells was stopped for everybody. What sets right is told all the
    /// same to those who may have been told before, whoever refused it or put it on hold.
    fn is_stopped(&self, revision: u64) -> bool {
        let sets_right = self.told.get(&revision).is_some_and(|news| news.sets_right());
        let spares = |reason: StopReason| sets_right && !reason.stops_what_sets_right();
        self.stopped.iter().any(|(reason, up_to)| *up_to >= revision && !spares(*reason))
    }

    /// Whether this revision is still to be told to a target: the newest there is for it, and the
    /// newest of all, or a correction that nothing newer took the place of.
    #[must_use]
    pub fn is_to_be_told(&self, target: &Target, revision: u64) -> bool {
        let sets_right = self.told.get(&revision).is_some_and(|news| news.sets_right());
        self.targets.get(target) == Some(&revision)
            && (revision == self.revision || sets_right)
            && !self.is_stopped(revision)
    }

    /// Whether a target was certainly not reached. Who says so must know of every attempt that was
    /// begun: between its look and this decision another may have been.
    fn is_not_reached(&self, target: &Target, known: &DeliveryKnown) -> bool {
        let begun = self.begun.get(target).map_or(0, |begun| begun.count);
        known.not_reached.get(target).is_some_and(|seen| *seen >= begun)
    }

    /// Only what is newest begins, and nothing that was stopped.
    fn begin(
        &self,
        instance: &str,
        attempts: &[Begun],
        now: Millis,
    ) -> Result<Vec<DeliveryEvent>, NotDelivered> {
        let is_ours = |lease: &Lease| lease.instance == instance && lease.until > now;
        if !self.lease.as_ref().is_some_and(is_ours) {
            return Err(NotDelivered::LeaseHeld);
        }
        let is_new = |begun: &Begun| {
            let so_far = self.begun.get(&begun.target).copied().unwrap_or_default();
            so_far.would_be_new(begun.revision, begun.attempt)
        };
        let may =
            |begun: &&Begun| self.is_to_be_told(&begun.target, begun.revision) && is_new(begun);
        let begun: Vec<Begun> = attempts.iter().filter(may).cloned().collect();
        let parts = begun.chunks(TARGETS_PER_RECORD_MAX);
        Ok(parts.map(|part| DeliveryEvent::Begun(part.to_vec())).collect())
    }

    /// Another way is tried for what is newest, once.
    fn fall_back(
        &self,
        (instance, revision): (&str, u64),
        targets: &[Target],
        now: Millis,
    ) -> Vec<DeliveryEvent> {
        let Some(newest) = self.newest.as_ref().filter(|newest| newest.revision == revision) else {
            return vec![];
        };
        let is_stopped =
            self.is_stopped(revision) || (self.refused_up_to > 0 && !newest.news.sets_right());
        let is_planned = |target: &Target| self.targets.get(target) == Some(&revision);
        let new: Vec<Target> = targets.iter().filter(|one| !is_planned(one)).cloned().collect();
        if is_stopped || new.is_empty() {
            return vec![];
        }
        let chunks: Vec<&[Target]> = new.chunks(TARGETS_PER_RECORD_MAX).collect();
        self.planned(newest, instance, &chunks, now)
    }

    fn attest(&self, target: &Target, revision: u64) -> Result<Vec<DeliveryEvent>, NotDelivered> {
        if !self.targets.contains_key(target) || revision > self.revision {
            return Err(NotDelivered::NoSuchDelivery);
        }
        if self.posted.contains(&(target.clone(), revision)) {
            return Ok(vec![]);
        }
        Ok(vec![DeliveryEvent::PostAttested { target: target.clone(), revision }])
    }

    /// Only what is newest is tried again. Of an alert that has expired meanwhile the plan's own
    /// end holds; a correction gets another week.
    fn requeue(
        &self,
        target: &Target,
        revision: u64,
        now: Millis,
    ) -> Result<Vec<DeliveryEvent>, NotDelivered> {
        let (Some(newest), Some(planned)) = (&self.newest, self.targets.get(target)) else {
            return Err(NotDelivered::NoSuchDelivery);
        };
        if revision != self.revision || *planned != revision {
            return Err(NotDelivered::Superseded);
        }
        if self.is_stopped(revision) || (self.refused_up_to > 0 && !newest.news.sets_right()) {
            return Err(NotDelivered::Stopped);
        }
        let give_up_at = match newest.news.sets_right() {
            true => now.plus_ms(FOLLOW_UP_MS_MAX),
            false => newest.give_up_at,
        };
        Ok(vec![DeliveryEvent::Requeued { target: target.clone(), revision, give_up_at }])
    }

    /// A record for each of these parts of a plan. Who holds the lease keeps it.
    fn planned(
        &self,
        plan: &Plan,
        instance: &str,
        parts: &[&[Target]],
        now: Millis,
    ) -> Vec<DeliveryEvent> {
        let (instance, lease_until) = match &self.lease {
            Some(lease) if lease.until > now => (lease.instance.clone(), lease.until),
            _ => (instance.to_owned(), now.plus_ms(LEASE_MS)),
        };
        let part = |targets: &&[Target]| DeliveryEvent::Planned {
            plan: Plan {
                instance: instance.clone(),
                audience: Audience::Named,
                ..plan.with_targets(targets)
            },
            lease_until,
        };
        parts.iter().map(part).collect()
    }
}

impl Plan {
    /// The same for these. Not `..self.clone()`, which would copy all targets for each record.
    fn with_targets(&self, targets: &[Target]) -> Self {
        Self {
            alert: self.alert,
            alert_home: self.alert_home,
            commune: self.commune,
            revision: self.revision,
            news: self.news,
            cause: self.cause,
            instance: self.instance.clone(),
            give_up_at: self.give_up_at,
            not_before: self.not_before,
            audience: self.audience,
            targets: targets.to_vec(),
        }
    }
}

impl Decider for Delivery {
    type Command = DeliveryCommand;
    type Event = DeliveryEvent;
    type Rejection = NotDelivered;
    type Facts = DeliveryKnown;

    fn decide(
        &self,
        command: &DeliveryCommand,
        known: &DeliveryKnown,
    ) -> Result<Vec<DeliveryEvent>, NotDelivered> {
        match command {
            DeliveryCommand::Plan(plan) => Ok(self.plan(plan, known)),
            DeliveryCommand::CatchUp { instance } => Ok(self.catch_up(instance, known)),
            DeliveryCommand::Begin { instance, attempts } => {
                self.begin(instance, attempts, known.now)
            }
            DeliveryCommand::FallBack { instance, revision, targets } => {
                Ok(self.fall_back((instance, *revision), targets, known.now))
            }
            DeliveryCommand::AttestPosted { target, revision } => self.attest(target, *revision),
            DeliveryCommand::Requeue { target, revision } => {
                self.requeue(target, *revision, known.now)
            }
            DeliveryCommand::TakeLease { instance } => match &self.lease {
                Some(lease) if lease.instance != *instance && lease.holds(known.now) => {
                    Err(NotDelivered::LeaseHeld)
                }
                _ => Ok(vec![DeliveryEvent::LeaseTaken {
                    instance: instance.clone(),
                    lease_until: known.now.plus_ms(LEASE_MS),
                }]),
            },
            DeliveryCommand::Stop { reason, revision, targets, never_left } => {
                if *reason == StopReason::Refused && self.refused_up_to >= *revision {
                    return Ok(vec![]);
                }
                Ok(vec![DeliveryEvent::Stopped {
                    reason: *reason,
                    revision: *revision,
                    targets: targets.clone(),
                    never_left: *never_left,
                }])
            }
        }
    }

    fn evolve(mut self, event: &DeliveryEvent) -> Self {
        match event {
            DeliveryEvent::Planned { plan, lease_until } => {
                self.lease = Some(Lease { instance: plan.instance.clone(), until: *lease_until });
                let newest = |target: &Target| {
                    let before = self.targets.get(target).copied().unwrap_or(0);
                    (target.clone(), plan.revision.max(before))
                };
                // Together they take little more than half the room: there may be thousands.
                let mut newest: BTreeMap<Target, u64> = plan.targets.iter().map(newest).collect();
                self.targets.append(&mut newest);
                self.told.insert(plan.revision, plan.news);
                match plan.revision.cmp(&self.revision) {
                    Ordering::Less => self.behind.extend(plan.targets.iter().cloned()),
                    Ordering::Equal => self.behind.retain(|behind| !plan.targets.contains(behind)),
                    // Who planned it knew of everybody.
                    Ordering::Greater => {
                        self.behind.clear();
                        self.revision = plan.revision;
                        self.newest = Some(plan.with_targets(&[]));
                    }
                }
            }
            DeliveryEvent::LeaseTaken { instance, lease_until } => {
                self.lease = Some(Lease { instance: instance.clone(), until: *lease_until });
            }
            DeliveryEvent::Begun(attempts) => {
                for begun in attempts {
                    let so_far = self.begun.entry(begun.target.clone()).or_default();
                    so_far.take(begun.revision, begun.attempt);
                    // Nobody begins what is older: its record was lost, and is back.
                    let planned = self.targets.get(&begun.target).copied().unwrap_or(0);
                    if begun.revision < planned.max(self.revision) {
                        self.behind.insert(begun.target.clone());
                    }
                }
            }
            DeliveryEvent::PostAttested { target, revision } => {
                self.posted.insert((target.clone(), *revision));
            }
            DeliveryEvent::Requeued { .. } => {}
            DeliveryEvent::Stopped { reason, revision, targets, .. } => {
                if *reason == StopReason::Refused {
                    self.refused_up_to = self.refused_up_to.max(*revision);
                }
                if targets.is_empty() {
                    let up_to = self.stopped.entry(*reason).or_default();
                    *up_to = (*up_to).max(*revision);
                }
            }
        }
        self
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
