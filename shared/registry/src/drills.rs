//! Who answered a drill for a commune, and when last; what was measured last in each commune.
//! Folded from the log, as the directory is.
//!
//! A drill is an alert of status exercise or test. It decides nothing: preflight shows it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    drill::{Drill, DrillEvent, DrillResult},
    ids::{AlertId, CommuneCode, Millis, OfficerId},
};
use event_log::{Class, Kind, Recorded};
use prost::Message;
use wire::{
    Spoken,
    commit::events_of,
    v1::{AlertFacts, AlertStatus, Commit, event::Event},
};

/// The drills of this log.
#[derive(Debug, Default)]
pub struct Drills {
    alerts: BTreeSet<AlertId>,
    answered: BTreeMap<OfficerId, Millis>,
    measured: BTreeMap<CommuneCode, LastDrill>,
}

/// What was measured last in a commune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDrill {
    /// How far it reached.
    pub result: DrillResult,
    /// When it was measured.
    pub measured_at: Millis,
    /// Who had it measured.
    pub by: Option<OfficerId>,
}

impl Drills {
    /// When each officer last answered a drill; whoever never did is not here.
    #[must_use]
    pub fn answered(&self) -> &BTreeMap<OfficerId, Millis> {
        &self.answered
    }

    /// What was measured last in a commune; `None` where nothing ever was.
    #[must_use]
    pub fn last(&self, commune: CommuneCode) -> Option<&LastDrill> {
        self.measured.get(&commune)
    }

    /// What was measured last in each commune, by its code.
    pub fn measured(&self) -> impl Iterator<Item = &LastDrill> {
        self.measured.values()
    }

    /// Takes in one record. What it cannot read is reported where it is decided upon.
    pub(crate) fn apply(&mut self, recorded: &Recorded) {
        let Kind::Commit { .. } = recorded.kind else { return };
        if recorded.key.class != Class::Alert {
            return;
        }
        let entity = recorded.key.entity.as_str();
        if entity.starts_with("drill-") {
            return self.measure(recorded);
        }
        let is_relay = entity.starts_with("relay-");
        let Some(alert) = recorded.key.entity.alert_id() else { return };
        let is_drill = self.alerts.contains(&alert);
        // Of a drill only answers are news, and of anything else only whether it is one.
        if is_relay != is_drill {
            return;
        }
        let Ok(commit) = Commit::decode(recorded.open.clone()) else { return };
        let at = Millis(commit.decided_at_ms);
        let officer = commit.actor.as_ref().and_then(|actor| actor.officer.parse().ok());
        for event in events_of(commit).unwrap_or_default() {
            match (&event, &officer) {
                (Event::RelayAcknowledged(_) | Event::RelayRefused(_), Some(officer)) => {
                    self.answer(officer, at);
                }
                _ if !is_relay && begins_a_drill(&event) => {
                    self.alerts.insert(alert);
                }
                _ => {}
            }
        }
    }

    fn measure(&mut self, recorded: &Recorded) {
        let Ok(commit) = Commit::decode(recorded.open.clone()) else { return };
        let measured_at = Millis(commit.decided_at_ms);
        let by: Option<OfficerId> =
            commit.actor.as_ref().and_then(|actor| actor.officer.parse().ok());
        let events = events_of(commit).unwrap_or_default();
        for DrillEvent::Measured(result) in events.iter().filter_map(|it| Drill::recall(it).ok()) {
            let last = LastDrill { result, measured_at, by: by.clone() };
            self.measured.insert(last.result.commune, last);
        }
    }

    fn answer(&mut self, officer: &OfficerId, at: Millis) {
        let newest = self.answered.entry(officer.clone()).or_insert(at);
        *newest = at.max(*newest);
    }
}

/// A status that is not known is no drill.
fn begins_a_drill(event: &Event) -> bool {
    let status = |facts: &Option<AlertFacts>| facts.as_ref().map_or(0, |facts| facts.status);
    let status = match event {
        Event::AlertIssued(issued) => status(&issued.facts),
        Event::AlertApprovalAsked(asked) => status(&asked.facts),
        _ => return false,
    };
    matches!(AlertStatus::try_from(status), Ok(AlertStatus::Exercise | AlertStatus::Test))
}
