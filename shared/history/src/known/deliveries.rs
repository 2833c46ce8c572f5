//! Deliveries as they were known: the lanes of one commune, folded up to a moment, and what was
//! learned of them later.

use std::collections::BTreeMap;

use domain::{
    delivery::{DeliveryEvent, Target},
    ids::{CommuneCode, Millis},
    lane::{LaneDelivery, Lanes, Outcome, Progress, Receipt},
};

use super::view::{Knowledge, KnownDelivery, Later};
use crate::{
    story::{Fact, What},
    time::Time,
};

/// The lanes of one commune, and how often a receipt said nothing new.
pub(super) struct Deliveries {
    pub(super) lanes: Lanes,
    repeats: BTreeMap<(Target, u64), u32>,
}

impl Deliveries {
    pub(super) fn of(commune: CommuneCode, facts: &[Fact], at: Millis) -> Self {
        let mut deliveries = Self { lanes: Lanes::default(), repeats: BTreeMap::new() };
        for fact in in_time(commune, facts).into_iter().filter(|fact| fact.at <= at) {
            match &fact.what {
                What::Delivery(_, event) => deliveries.lanes.apply(event, fact.at),
                What::Receipts(_, receipts) => {
                    receipts.iter().for_each(|receipt| deliveries.receive(receipt));
                }
                _ => {}
            }
        }
        deliveries
    }

    fn receive(&mut self, receipt: &Receipt) {
        let before = self.lanes.get(&receipt.target, receipt.revision).cloned();
        self.lanes.receive(receipt);
        let after = self.lanes.get(&receipt.target, receipt.revision);
        if before.is_some() && before.as_ref() == after {
            let place = (receipt.target.clone(), receipt.revision);
            *self.repeats.entry(place).or_default() += 1;
        }
    }

    /// The newest revision that was planned; 0 for none.
    pub(super) fn newest(&self) -> u64 {
        self.lanes.newest()
    }

    /// Everything, and what was learned of it later.
    pub(super) fn known(
        &self,
        commune: CommuneCode,
        facts: &[Fact],
        at: Millis,
    ) -> Vec<KnownDelivery> {
        let ended = Self::of(commune, facts, Millis(i64::MAX));
        let one = |(target, delivery): (&Target, &LaneDelivery)| {
            let in_the_end = ended.lanes.get(target, delivery.revision);
            let later = learned(commune, facts, at, (target, delivery.revision));
            KnownDelivery {
                commune: commune.to_string(),
                group: target.group.to_string(),
                channel: target.channel.to_string(),
                channel_type: target.channel_type.to_string(),
                revision: delivery.revision,
                news: delivery.news.as_str().to_owned(),
                state: delivery.state().to_owned(),
                known: knowledge(delivery),
                planned_at: Time(delivery.planned_at),
                next_attempt_at: match delivery.progress {
                    Progress::Waiting(at) => Some(Time(at)),
                    _ => None,
                },
                attempts: delivery.attempts,
                last_attempt_at: delivery.last_attempt_at.map(Time),
                reached_at: delivery.reached_at.map(Time),
                trouble: delivery.trouble.to_string(),
                repeats: self
                    .repeats
                    .get(&(target.clone(), delivery.revision))
                    .copied()
                    .unwrap_or_default(),
                later: later
                    .zip(in_the_end)
                    .map(|(later, ended)| Later { state: ended.state().to_owned(), ..later }),
            }
        };
        self.lanes.iter().map(one).collect()
    }
}

/// The facts of one commune's deliveries. Between classes there is no order but that of time; a
/// plan stands before the receipts of the same millisecond.
pub(crate) fn in_time(commune: CommuneCode, facts: &[Fact]) -> Vec<&Fact> {
    let plans = facts.iter().filter(|f| matches!(&f.what, What::Delivery(c, _) if *c == commune));
    let seen = facts.iter().filter(|f| matches!(&f.what, What::Receipts(c, _) if *c == commune));
    let mut both: Vec<&Fact> = plans.chain(seen).collect();
    both.sort_by_key(|fact| fact.at);
    both
}

/// How far it was known to have come; nothing is claimed that a record does not say.
pub(super) fn knowledge(delivery: &LaneDelivery) -> Knowledge {
    match delivery.progress {
        Progress::Delivered(_) | Progress::Read(_) | Progress::Posted(_) => Knowledge::Arrived,
        Progress::Accepted(_) | Progress::HandedOver { .. } => Knowledge::Taken,
        Progress::NeedsPerson => Knowledge::Unknown,
        _ if delivery.is_under_way() => Knowledge::Sent,
        // Its plan is the record of the first attempt.
        Progress::Planned if delivery.plan_begins => Knowledge::Sent,
        _ if delivery.maybe_arrived && delivery.attempts == 0 => Knowledge::Sent,
        _ if delivery.maybe_arrived => Knowledge::Unknown,
        _ if delivery.attempts == 0 => Knowledge::NotSent,
        _ => Knowledge::NotArrived,
    }
}

/// What was recorded of one delivery after the moment: the first that says that it may have
/// arrived, or else the first.
fn learned(
    commune: CommuneCode,
    facts: &[Fact],
    at: Millis,
    (target, revision): (&Target, u64),
) -> Option<Later> {
    let mut first: Option<Later> = None;
    for fact in in_time(commune, facts).into_iter().filter(|fact| fact.at > at) {
        for (outcome, ended_at, began_at) in said_of(fact, target, revision) {
            let later = Later {
                state: String::new(),
                outcome: outcome.to_owned(),
                ended_at: Time(ended_at),
                began_at: Time(began_at),
                recorded_at: Time(fact.at),
                position: fact.position,
                was_true: ended_at <= at,
            };
            if arrives(outcome) {
                return Some(later);
            }
            first.get_or_insert(later);
        }
    }
    first
}

/// What a record says of one delivery: the word, when the attempt ended, and when it began.
fn said_of(fact: &Fact, target: &Target, revision: u64) -> Vec<(&'static str, Millis, Millis)> {
    match &fact.what {
        What::Receipts(_, receipts) => receipts
            .iter()
            .filter(|receipt| receipt.target == *target && receipt.revision == revision)
            .map(|receipt| {
                let began = receipt.at.plus_ms(-i64::from(receipt.took_ms));
                (receipt.outcome.as_str(), receipt.at, began)
            })
            .collect(),
        What::Delivery(_, DeliveryEvent::PostAttested { target: posted, revision: of })
            if posted == target && *of == revision =>
        {
            vec![("attested-posted", fact.at, fact.at)]
        }
        What::Delivery(_, DeliveryEvent::Stopped { revision: up_to, targets, reason, .. })
            if *up_to >= revision && (targets.is_empty() || targets.contains(target)) =>
        {
            vec![(reason.as_str(), fact.at, fact.at)]
        }
        _ => vec![],
    }
}

fn arrives(outcome: &str) -> bool {
    [Outcome::Delivered, Outcome::Read, Outcome::Accepted, Outcome::HandedOver]
        .iter()
        .any(|arrived| arrived.as_str() == outcome)
        || outcome == "attested-posted"
}
