//! Who may meet: the alerts in force and those that ended within a day, and which of them are
//! still to be compared.
//!
//! No log and no clock: whoever follows alerts tells it what it saw, and gives the proposals on.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Candidate,
    decision::{Pair, Proposed},
    propose,
};
use crate::{
    alert::{Alert, AlertFacts, Closing},
    ids::{AlertId, Home, Millis},
    reach::Borders,
};

/// So long after its end an alert still meets new ones: the child that was given back to the
/// wrong family may be another commune's.
pub const ENDED_WITHIN_MS: i64 = 24 * 3_600_000;

/// An alert as far as matching looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What is open of it.
    pub facts: AlertFacts,
    /// When it ended; `None` while it is in force.
    pub ended_at: Option<Millis>,
}

impl Standing {
    /// How an alert stands after something happened to it at `at`; `None` where it meets nobody:
    /// it was never in force, or what it said was wrong.
    #[must_use]
    pub fn of(alert: &Alert, at: Millis) -> Option<Self> {
        if alert.communes().is_empty() {
            return None;
        }
        let ended_at = match alert {
            Alert::Closed { how: Closing::Cancelled, .. } => return None,
            Alert::Closed { .. } => Some(at),
            _ => None,
        };
        Some(Self { facts: alert.content()?.facts.clone(), ended_at })
    }
}

/// Alerts that may meet, and what was proposed of them.
#[derive(Debug, Default)]
pub struct Meeting {
    standing: BTreeMap<AlertId, Standing>,
    /// Alerts in force that say something new, each with the change that made it so.
    uncompared: BTreeMap<AlertId, u64>,
    changes: u64,
    proposed: BTreeSet<Pair>,
}

/// Alerts that were compared, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    alerts: Vec<(AlertId, u64)>,
    /// What was not proposed yet.
    pub proposals: Vec<Proposed>,
}

impl Compared {
    /// Whether there was nothing to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }
}

impl Meeting {
    /// Whether some say something new, and were not compared yet.
    #[must_use]
    pub fn has_to_compare(&self) -> bool {
        !self.uncompared.is_empty()
    }

    /// Takes in how an alert stands now.
    pub fn saw(&mut self, alert: AlertId, standing: Option<Standing>) {
        let Some(mut standing) = standing else {
            self.standing.remove(&alert);
            self.uncompared.remove(&alert);
            return;
        };
        let before = self.standing.get(&alert);
        if standing.ended_at.is_some() {
            self.uncompared.remove(&alert);
            // What is corrected after the end does not end later.
            standing.ended_at = before.and_then(|it| it.ended_at).or(standing.ended_at);
        } else if before != Some(&standing) {
            self.changes += 1;
            self.uncompared.insert(alert, self.changes);
        }
        self.standing.insert(alert, standing);
    }

    /// Something was proposed of these, or refused: nobody is asked twice.
    pub fn was_proposed(&mut self, pair: Pair) {
        self.proposed.insert(pair);
    }

    /// Forgets what ended long ago.
    pub fn forget_ended(&mut self, now: Millis) {
        self.standing.retain(|_, standing| may_meet(standing, now));
    }

    /// Compares at most `alerts_max` of those that say something new with all others.
    #[must_use]
    pub fn compare(&self, alerts_max: usize, now: Millis, borders: &dyn Borders) -> Compared {
        let alerts = self.uncompared.iter().take(alerts_max);
        self.compared(alerts.map(|(alert, change)| (*alert, *change)).collect(), now, borders)
    }

    /// Compares this alert with all others, where it says something new. Done as each is seen, in
    /// the order of the log, everybody who follows finds the same.
    #[must_use]
    pub fn compare_one(&self, alert: AlertId, now: Millis, borders: &dyn Borders) -> Compared {
        let change = self.uncompared.get(&alert);
        self.compared(change.map(|change| (alert, *change)).into_iter().collect(), now, borders)
    }

    fn compared(
        &self,
        alerts: Vec<(AlertId, u64)>,
        now: Millis,
        borders: &dyn Borders,
    ) -> Compared {
        let mut compared = Compared { alerts, proposals: vec![] };
        if compared.is_empty() {
            return compared;
        }
        let met = self.standing.iter().filter(|(_, it)| may_meet(it, now));
        let others: Vec<Candidate<'_>> =
            met.map(|(alert, it)| Candidate { alert: *alert, facts: &it.facts }).collect();
        let mut pairs = BTreeSet::new();
        for (alert, _) in &compared.alerts {
            let Some(standing) = self.standing.get(alert) else { continue };
            let new = Candidate { alert: *alert, facts: &standing.facts };
            for proposal in propose(new, &others, borders) {
                let Some(pair) = Pair::of(*alert, proposal.with) else { continue };
                let Some(homes) = self.homes(pair) else { continue };
                if self.proposed.contains(&pair) || !pairs.insert(pair) {
                    continue;
                }
                compared.proposals.push(Proposed {
                    pair,
                    homes,
                    kind: proposal.kind,
                    score_per_mille: proposal.likeness.score_per_mille,
                    reasons: proposal.likeness.reasons,
                });
            }
        }
        compared
    }

    /// What came of it is given on; what has changed meanwhile is compared again.
    pub fn settle(&mut self, compared: &Compared) {
        for (alert, change) in &compared.alerts {
            if self.uncompared.get(alert) == Some(change) {
                self.uncompared.remove(alert);
            }
        }
        self.proposed.extend(compared.proposals.iter().map(|proposed| proposed.pair));
    }

    fn homes(&self, pair: Pair) -> Option<[Home; 2]> {
        let [first, second] = pair.alerts();
        let home = |alert| self.standing.get(&alert).map(|it| it.facts.home);
        Some([home(first)?, home(second)?])
    }
}

fn may_meet(standing: &Standing, now: Millis) -> bool {
    standing.ended_at.is_none_or(|ended_at| now <= ended_at.plus_ms(ENDED_WITHIN_MS))
}

#[cfg(test)]
#[path = "meeting_tests.rs"]
mod tests;
