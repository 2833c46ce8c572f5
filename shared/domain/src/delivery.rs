//! The delivery of an alert's news to one commune: plans, the lease of who sends, stops.
//!
//! What became of each attempt is in the receipts, which `lane` folds with the plans.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use crate::{
    decider::{Decider, Refusal},
    ids::{AlertId, ChannelId, CommuneCode, GroupId, Home, Millis, RecordId},
    values::News,
};

pub use crate::gate::may_be_told;

/// Who holds the lease may send for so long without renewing it.
pub const LEASE_MS: i64 = 10_000;
/// The most targets that one record plans for.
pub const TARGETS_PER_RECORD_MAX: usize = 128;

/// One channel of one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The group.
    pub group: GroupId,
    /// The channel within the group.
    pub channel: ChannelId,
    /// The channel's type, as `webhook`.
    pub channel_type: Arc<str>,
}

/// The stable id of one delivery: alert, revision, group and channel; the same at every retry.
#[must_use]
pub fn delivery_id(alert: AlertId, revision: u64, target: &Target) -> String {
    format!("{alert}:{revision}:{}:{}", target.group, target.channel)
}

/// Something asked of a delivery. Fan-out asks; there is no person behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryCommand {
    /// Tell this news.
    Plan(Plan),
    /// Tell the newest news to those who may have been told by a plan that was lost, and that is
    /// back behind it.
    CatchUp {
        /// The instance that would send.
        instance: String,
    },
    /// Send from now on.
    TakeLease {
        /// The instance.
        instance: String,
    },
    /// Do not send what has not left.
    Stop {
        /// Why.
        reason: StopReason,
        /// The revisions up to this one.
        revision: u64,
        /// These only; all where it is empty.
        targets: Vec<Target>,
        /// Whether it is certain that nothing of it ever left.
        never_left: bool,
    },
}

/// What is to be told, to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The alert.
    pub alert: AlertId,
    /// Where the alert is at home.
    pub alert_home: Home,
    /// The commune whose groups are told.
    pub commune: CommuneCode,
    /// The revision of the alert.
    pub revision: u64,
    /// What it tells.
    pub news: News,
    /// The record in the alert's history that made this news.
    pub cause: RecordId,
    /// The instance that would send.
    pub instance: String,
    /// No attempt after this.
    pub give_up_at: Millis,
    /// No attempt before this: it is quiet in the commune (R16).
    pub not_before: Option<Millis>,
    /// Whom of the commune.
    pub audience: Audience,
    /// For [`Audience::Named`]: these. All others follow from the plans before.
    pub targets: Vec<Target>,
}

/// Who is told some news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// The targets that the plan names.
    Named,
    /// Everybody planned for before who may have been reached.
    MayHaveBeenReached,
    /// Everybody planned for before who was certainly not reached.
    NotReached,
    /// Everybody planned for before.
    Everybody,
}

/// Why something was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// The commune refused the alert.
    Refused,
    /// The alert's time passed.
    Expired,
    /// A later revision took its place.
    Superseded,
    /// The group or its channel is gone from the directory.
    NoSuchTarget,
    /// The gate is shut: an exercise, and the group takes no part.
    Gate,
    /// The issuing commune put it on hold.
    Held,
}

impl StopReason {
    /// The reason's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::NoSuchTarget => "no-such-target",
            Self::Gate => "gate",
            Self::Held => "on-hold",
        }
    }
}

impl std::str::FromStr for StopReason {
    type Err = crate::values::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use StopReason::{Expired, Gate, Held, NoSuchTarget, Refused, Superseded};
        [Refused, Expired, Superseded, NoSuchTarget, Gate, Held]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(crate::values::UnknownWord)
    }
}

/// What is recorded of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// These targets are about to be told; the record of the first attempt.
    Planned {
        /// What, and to whom: at most [`TARGETS_PER_RECORD_MAX`].
        plan: Plan,
        /// Until when `plan.instance` may send.
        lease_until: Millis,
    },
    /// Another instance sends.
    LeaseTaken {
        /// Which.
        instance: String,
        /// Until when.
        lease_until: Millis,
    },
    /// What had not left was stopped.
    Stopped {
        /// Why.
        reason: StopReason,
        /// The revisions up to this one.
        revision: u64,
        /// These only; all where it is empty.
        targets: Vec<Target>,
        /// Whether it is certain that nothing of it ever left.
        never_left: bool,
    },
}

/// What a decision knows beside the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryKnown {
    /// When it is decided.
    pub now: Millis,
    /// Planned targets that have certainly not been reached, from the receipts.
    pub not_reached: BTreeSet<Target>,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// Another instance sends, and its lease has not run out.
    #[error("another instance holds the lease")]
    LeaseHeld,
}

impl From<NotDelivered> for Refusal {
    fn from(NotDelivered::LeaseHeld: NotDelivered) -> Self {
        Self { code: "lease-held", field: "" }
    }
}

/// A lease: who sends, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The instance.
    pub instance: String,
    /// Until when.
    pub until: Millis,
}

/// The delivery to one commune, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Who sends.
    pub lease: Option<Lease>,
    /// The newest revision that was planned; 0 for none.
    pub revision: u64,
    /// The plan for it, without its targets.
    pub newest: Option<Plan>,
    /// Everybody who was ever planned for.
    pub targets: BTreeSet<Target>,
    /// Those whose plan stands behind a newer one. Nobody plans what is older: such a plan was
    /// lost meanwhile, so that whoever planned the newer one did not know of them.
    pub behind: BTreeSet<Target>,
    /// The revision up to which everything was stopped by a refusal; 0 for none.
    pub refused_up_to: u64,
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
                self.targets.difference(&known.not_reached).cloned().collect()
            }
            Audience::NotReached => {
                self.targets.intersection(&known.not_reached).cloned().collect()
            }
            Audience::Everybody => self.targets.iter().cloned().collect(),
        };
        if is_refused && !plan.news.sets_right() {
            targets.clear();
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
        let targets: Vec<Target> = self.behind.difference(&known.not_reached).cloned().collect();
        let chunks: Vec<&[Target]> = targets.chunks(TARGETS_PER_RECORD_MAX).collect();
        self.planned(newest, instance, &chunks, known.now)
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
            DeliveryCommand::TakeLease { instance } => match &self.lease {
                Some(lease) if lease.instance != *instance && lease.until > known.now => {
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
                self.targets.extend(plan.targets.iter().cloned());
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
            DeliveryEvent::Stopped { reason: StopReason::Refused, revision, .. } => {
                self.refused_up_to = self.refused_up_to.max(*revision);
            }
            DeliveryEvent::Stopped { .. } => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(n: usize) -> Target {
        Target {
            group: format!("g-{n}").parse().unwrap(),
            channel: "webhook-1".parse().unwrap(),
            channel_type: "webhook".into(),
        }
    }

    fn plan(revision: u64, news: News, targets: usize) -> DeliveryCommand {
        let alert = AlertId::raised_by(RecordId::of_purpose("a"));
        DeliveryCommand::Plan(Plan {
            alert,
            alert_home: Home::NATION,
            commune: "25126".parse().unwrap(),
            revision,
            news,
            cause: RecordId::of_purpose("c"),
            instance: "one".into(),
            give_up_at: Millis(1_000),
            not_before: None,
            audience: match news {
                News::Issued => Audience::Named,
                _ => Audience::MayHaveBeenReached,
            },
            targets: (0..targets).map(target).collect(),
        })
    }

    fn known(now: i64, not_reached: &[usize]) -> DeliveryKnown {
        let not_reached = not_reached.iter().copied().map(target).collect();
        DeliveryKnown { now: Millis(now), not_reached }
    }

    fn given(commands: &[DeliveryCommand]) -> Delivery {
        commands.iter().fold(Delivery::default(), |delivery, command| {
            let events = delivery.decide(command, &known(0, &[])).unwrap();
            events.iter().fold(delivery, Delivery::evolve)
        })
    }

    fn told(events: &[DeliveryEvent]) -> Vec<usize> {
        let size = |event: &DeliveryEvent| match event {
            DeliveryEvent::Planned { plan, .. } => plan.targets.len(),
            _ => panic!("no plan: {event:?}"),
        };
        events.iter().map(size).collect()
    }

    #[test]
    fn a_plan_is_cut_into_records_and_made_once() {
        let fresh = Delivery::default();
        let events = fresh.decide(&plan(1, News::Issued, 300), &known(0, &[])).unwrap();
        assert_eq!(told(&events), [128, 128, 44]);
        let planned = events.iter().fold(fresh, Delivery::evolve);
        assert_eq!(planned.decide(&plan(1, News::Issued, 300), &known(0, &[])), Ok(vec![]));
    }

    #[test]
    fn a_cancel_goes_to_those_who_may_have_been_reached() {
        let delivery = given(&[plan(1, News::Issued, 5)]);
        let events = delivery.decide(&plan(2, News::Cancelled, 0), &known(0, &[1, 3])).unwrap();
        assert_eq!(told(&events), [3]);
    }

    #[test]
    fn a_cancel_that_was_planned_first_keeps_the_alert_from_leaving_after_it() {
        let delivery = given(&[plan(2, News::Cancelled, 0)]);
        assert_eq!(delivery.decide(&plan(1, News::Issued, 5), &known(0, &[])), Ok(vec![]));
    }

    #[test]
    fn a_refusal_stops_what_has_not_left_but_not_the_cancel() {
        let refuse = DeliveryCommand::Stop {
            reason: StopReason::Refused,
            revision: 1,
            targets: vec![],
            never_left: false,
        };
        let before = given(std::slice::from_ref(&refuse));
        let events = before.decide(&plan(1, News::Issued, 5), &known(0, &[])).unwrap();
        assert_eq!(told(&events), [0]);
        let after = given(&[plan(1, News::Issued, 5), refuse]);
        let events = after.decide(&plan(2, News::Cancelled, 0), &known(0, &[])).unwrap();
        assert_eq!(told(&events), [5]);
    }

    #[test]
    fn only_the_holder_sends_until_the_lease_has_run_out() {
        let take = DeliveryCommand::TakeLease { instance: "two".into() };
        let delivery = given(&[plan(1, News::Issued, 1)]);
        assert_eq!(delivery.decide(&take, &known(1, &[])), Err(NotDelivered::LeaseHeld));
        assert_eq!(delivery.decide(&take, &known(LEASE_MS, &[])).unwrap().len(), 1);
        // The holder that restarts goes on at once.
        let again = DeliveryCommand::TakeLease { instance: "one".into() };
        assert_eq!(delivery.decide(&again, &known(1, &[])).unwrap().len(), 1);
    }

    #[test]
    fn a_later_plan_leaves_the_lease_where_it_is() {
        let delivery = given(&[plan(1, News::Issued, 1)]);
        let DeliveryCommand::Plan(mut other) = plan(2, News::Cancelled, 0) else { panic!() };
        other.instance = "two".into();
        let events = delivery.decide(&DeliveryCommand::Plan(other), &known(5, &[])).unwrap();
        let DeliveryEvent::Planned { plan, lease_until } = &events[0] else { panic!() };
        assert_eq!((plan.instance.as_str(), *lease_until), ("one", Millis(LEASE_MS)));
    }

    /// A plan for revision 1 that was lost, and is back behind the end as revision 2.
    fn behind_the_end() -> Delivery {
        let issued = Delivery::default().decide(&plan(1, News::Issued, 5), &known(0, &[])).unwrap();
        let ended = given(&[plan(2, News::Cancelled, 0)]);
        issued.iter().fold(ended, Delivery::evolve)
    }

    #[test]
    fn who_was_told_by_a_plan_that_was_lost_hears_of_the_end_when_it_is_back() {
        let catch_up = DeliveryCommand::CatchUp { instance: "one".into() };
        let delivery = behind_the_end();
        let events = delivery.decide(&catch_up, &known(9, &[1])).unwrap();
        let DeliveryEvent::Planned { plan: told, .. } = &events[0] else { panic!() };
        assert_eq!((told.revision, told.news), (2, News::Cancelled));
        assert_eq!(told.targets, [target(0), target(2), target(3), target(4)]);
        // Once, and who was certainly not reached hears of nothing.
        let after = events.iter().fold(delivery, Delivery::evolve);
        assert_eq!(after.decide(&catch_up, &known(9, &[1])), Ok(vec![]));
        // Where no plan was lost there is nobody to tell.
        let whole = given(&[plan(1, News::Issued, 5), plan(2, News::Cancelled, 0)]);
        assert_eq!(whole.decide(&catch_up, &known(9, &[])), Ok(vec![]));
    }

    #[test]
    fn news_that_follows_a_plan_that_is_back_is_for_everybody() {
        let delivery = behind_the_end();
        let events = delivery.decide(&plan(3, News::Corrected, 0), &known(9, &[])).unwrap();
        assert_eq!(told(&events), [5]);
        let after = events.iter().fold(delivery, Delivery::evolve);
        let catch_up = DeliveryCommand::CatchUp { instance: "one".into() };
        assert_eq!(after.decide(&catch_up, &known(9, &[])), Ok(vec![]));
    }

    #[test]
    fn after_a_refusal_a_plan_that_is_back_brings_the_end_alone() {
        let refuse = DeliveryCommand::Stop {
            reason: StopReason::Refused,
            revision: 2,
            targets: vec![],
            never_left: false,
        };
        let issued = Delivery::default().decide(&plan(1, News::Issued, 2), &known(0, &[])).unwrap();
        let catch_up = DeliveryCommand::CatchUp { instance: "one".into() };
        for (news, planned) in [(News::Updated, vec![]), (News::Resolved, vec![2])] {
            let before = given(&[refuse.clone(), plan(2, news, 0)]);
            let delivery = issued.iter().fold(before, Delivery::evolve);
            assert_eq!(told(&delivery.decide(&catch_up, &known(9, &[])).unwrap()), planned);
        }
    }
}
