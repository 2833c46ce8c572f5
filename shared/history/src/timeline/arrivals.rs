//! When groups had it: the first arrival at each that somebody confirmed.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    delivery::DeliveryEvent,
    ids::{CommuneCode, GroupId},
    lane::Outcome,
};

use super::{
    first, last,
    view::{Missing, Moment, Said},
};
use crate::{
    story::{Fact, What},
    time::Time,
};

/// A group of a commune.
type Place = (CommuneCode, GroupId);

/// Who was to be told, and who had it.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    planned: BTreeSet<Place>,
    arrived: BTreeMap<Place, Said>,
    taken: BTreeSet<Place>,
}

/// The same of one commune.
#[derive(Debug, Default)]
pub(super) struct OfCommune {
    pub(super) first: Option<Said>,
    pub(super) last: Option<Said>,
    pub(super) groups: usize,
    pub(super) arrived: usize,
    pub(super) taken: usize,
}

impl Arrivals {
    pub(super) fn of(facts: &[Fact]) -> Self {
        let mut arrivals = Self::default();
        for fact in facts {
            match &fact.what {
                What::Delivery(commune, DeliveryEvent::Planned { plan, .. }) => {
                    let places = plan.targets.iter().map(|one| (*commune, one.group.clone()));
                    arrivals.planned.extend(places);
                }
                What::Delivery(commune, DeliveryEvent::PostAttested { target, .. }) => {
                    arrivals.arrive((*commune, target.group.clone()), Said::by(fact));
                }
                What::Receipts(commune, receipts) => {
                    for receipt in receipts {
                        let place = (*commune, receipt.target.group.clone());
                        match receipt.outcome {
                            Outcome::Delivered | Outcome::Read => {
                                let said = Said { at: Time(receipt.at), ..Said::by(fact) };
                                arrivals.arrive(place, said);
                            }
                            Outcome::Accepted | Outcome::HandedOver => {
                                arrivals.taken.insert(place);
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        arrivals
    }

    fn arrive(&mut self, place: Place, said: Said) {
        let first = self.arrived.entry(place).or_insert_with(|| said.clone());
        if said.at < first.at {
            *first = said;
        }
    }

    /// The first group and the last.
    pub(super) fn moments(&self, is_issued: bool) -> [Moment; 2] {
        let arrived: Vec<&Said> = self.arrived.values().collect();
        let missing = match (is_issued, self.planned.is_empty(), self.taken.is_empty()) {
            (false, ..) => Missing::NotYet,
            (true, true, _) => Missing::Nobody,
            (true, false, false) => Missing::NotConfirmed,
            (true, false, true) => Missing::NotYet,
        };
        let remain = self.planned.iter().filter(|place| !self.arrived.contains_key(place)).count();
        [
            Moment::of("first-group", first(&arrived), missing),
            Moment::of("last-group", last(&arrived), missing).with_remaining(remain),
        ]
    }

    pub(super) fn of_commune(&self, commune: CommuneCode) -> OfCommune {
        let is_it = |place: &&Place| place.0 == commune;
        let arrived = self.arrived.iter().filter(|(place, _)| is_it(place));
        let arrived: Vec<&Said> = arrived.map(|(_, said)| said).collect();
        let taken = self.taken.iter().filter(is_it);
        OfCommune {
            first: first(&arrived).cloned(),
            last: last(&arrived).cloned(),
            groups: self.planned.iter().filter(is_it).count(),
            arrived: arrived.len(),
            taken: taken.filter(|place| !self.arrived.contains_key(place)).count(),
        }
    }
}
