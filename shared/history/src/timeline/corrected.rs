//! When everybody was corrected: the moment at which the list of the uncorrected became empty, and
//! stayed so. The list is the domain's, and the officer's.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    alert::AlertEvent,
    corrections::{Correction, uncorrected},
    delivery::Target,
    ids::{CommuneCode, Millis},
    lane::Lanes,
};

use super::view::{Missing, Moment, Said};
use crate::story::{Fact, What};

const NAME: &str = "all-corrected";

/// The list, as it changes.
#[derive(Default)]
struct List {
    correction: Option<Correction>,
    attested: BTreeMap<Target, u64>,
    lanes: BTreeMap<CommuneCode, Lanes>,
    /// How many remain, where any do.
    remaining: BTreeMap<CommuneCode, usize>,
    empty_since: Option<Said>,
}

/// When nobody was left of the newest correction or end.
pub(super) fn all_corrected(facts: &[Fact]) -> Moment {
    let mut list = List::default();
    in_order(facts).into_iter().for_each(|fact| list.take(fact));
    let remaining: usize = list.remaining.values().sum();
    let missing = match (list.correction, remaining) {
        (None, _) => Missing::NothingToCorrect,
        (Some(_), _) => Missing::SomeRemain,
    };
    Moment::of(NAME, list.empty_since.as_ref(), missing).with_remaining(remaining)
}

/// By time; of one millisecond decisions come before plans, and plans before receipts.
fn in_order(facts: &[Fact]) -> Vec<&Fact> {
    let mut ordered: Vec<&Fact> = facts.iter().collect();
    ordered.sort_by_key(|fact| {
        let rank = match fact.what {
            What::Delivery(..) => 1,
            What::Receipts(..) => 2,
            _ => 0,
        };
        (fact.at, rank)
    });
    ordered
}

impl List {
    fn take(&mut self, fact: &Fact) {
        match &fact.what {
            What::Alert(event) => {
                if let Some(correction) = Correction::of(event) {
                    self.correction = Some(correction);
                    self.empty_since = None;
                    self.look_at_all(fact);
                }
                if let AlertEvent::CorrectionAttested { revision, targets, .. } = &**event {
                    for target in targets {
                        let told = self.attested.entry(target.clone()).or_default();
                        *told = (*told).max(*revision);
                    }
                    self.look_at_all(fact);
                }
            }
            What::Delivery(commune, event) => {
                self.lanes.entry(*commune).or_default().apply(event, fact.at);
                self.look_at(*commune, fact);
            }
            What::Receipts(commune, receipts) => {
                let lanes = self.lanes.entry(*commune).or_default();
                receipts.iter().for_each(|receipt| lanes.receive(receipt));
                self.look_at(*commune, fact);
            }
            _ => {}
        }
    }

    fn look_at_all(&mut self, fact: &Fact) {
        let communes: Vec<CommuneCode> = self.lanes.keys().copied().collect();
        communes.into_iter().for_each(|commune| self.count(commune, fact.at));
        self.note(fact);
    }

    fn look_at(&mut self, commune: CommuneCode, fact: &Fact) {
        self.count(commune, fact.at);
        self.note(fact);
    }

    fn count(&mut self, commune: CommuneCode, now: Millis) {
        let (Some(correction), Some(lanes)) = (self.correction, self.lanes.get(&commune)) else {
            return;
        };
        let attested = self.attested.iter().filter(|(_, told)| **told >= correction.revision);
        let attested: BTreeSet<Target> = attested.map(|(target, _)| target.clone()).collect();
        match uncorrected(lanes, correction.revision, &attested, now).len() {
            0 => self.remaining.remove(&commune),
            remaining => self.remaining.insert(commune, remaining),
        };
    }

    fn note(&mut self, fact: &Fact) {
        if self.correction.is_none() {
            return;
        }
        if !self.remaining.is_empty() {
            self.empty_since = None;
        } else if self.empty_since.is_none() {
            self.empty_since = Some(Said::by(fact));
        }
    }
}
