//! Who answered a drill for a commune, and when last: folded from the log, as the directory is.
//!
//! A drill is an alert of status exercise or test. It decides nothing: preflight shows it.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{AlertId, Millis, OfficerId};
use event_log::{Class, Kind, Recorded};
use prost::Message;
use wire::{
    commit::events_of,
    v1::{AlertFacts, AlertStatus, Commit, event::Event},
};

/// The drills of this log.
#[derive(Debug, Default)]
pub struct Drills {
    alerts: BTreeSet<AlertId>,
    answered: BTreeMap<OfficerId, Millis>,
}

impl Drills {
    /// When each officer last answered a drill; whoever never did is not here.
    #[must_use]
    pub fn answered(&self) -> &BTreeMap<OfficerId, Millis> {
        &self.answered
    }

    /// Takes in one record. What it cannot read is reported where it is decided upon.
    pub(crate) fn apply(&mut self, recorded: &Recorded) {
        let Kind::Commit { .. } = recorded.kind else { return };
        if recorded.key.class != Class::Alert {
            return;
        }
        let entity = recorded.key.entity.as_str();
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
