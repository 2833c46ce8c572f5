//! Who took part in which drill last, so that an officer without a recent one is warned, and the
//! approver sees it. A drill counts from its raise or its acknowledgement, as intake wrote it down.

use std::collections::HashMap;

use domain::{
    ids::{AlertId, Millis},
    preflight::{DRILL_DAYS_MAX, Finding},
};
use serde_json::{Value, json};
use wire::v1::{self, command::Body};

use crate::{board::Rows, row::Asked, view::time};

/// The code of the warning.
const NO_RECENT_DRILL: &str = "no-recent-drill";
const DAY_MS: u64 = 86_400_000;

/// The last drill of each officer.
#[derive(Default)]
pub(crate) struct Drills(HashMap<String, Millis>);

impl Drills {
    /// An officer took part in a drill.
    pub(crate) fn took_part(&mut self, officer: &str, at: Millis) {
        let last = self.0.entry(officer.to_owned()).or_insert(at);
        *last = at.max(*last);
    }

    /// When an officer last did.
    pub(crate) fn last(&self, officer: &str) -> Option<Millis> {
        self.0.get(officer).copied()
    }
}

impl Rows {
    /// Says of a raise when its officer had the last drill before it; a drill is one itself. What
    /// comes again after trouble stays as it was.
    pub(crate) fn dated(&mut self, alert: AlertId, asked: &mut Asked) {
        let before = self.get(alert).and_then(|row| row.asked.as_ref());
        asked.last_drill = match before {
            Some(before) => before.last_drill,
            None => self.drills.last(&asked.by),
        };
        if !asked.facts.status.is_actual() {
            self.drills.took_part(&asked.by, asked.at);
        }
    }

    /// Takes note of a drill that somebody acknowledges; answers whether the command is one.
    pub(crate) fn drilled(&mut self, command: &v1::Command) -> bool {
        let Some(Body::AcknowledgeRelay(yes)) = &command.body else { return false };
        let alert = AlertId::from_slice(&yes.alert).and_then(|alert| self.get(alert)?.facts());
        let is_drill = alert.is_some_and(|facts| !facts.status.is_actual());
        if let (true, Some(actor)) = (is_drill, &command.actor) {
            self.drills.took_part(&actor.officer, Millis(command.written_at_ms));
        }
        is_drill
    }
}

/// What must be said of an alert to who raised it and who approves it.
pub(crate) struct Warning {
    finding: Finding,
    last_drill: Option<Millis>,
}

/// The warnings about an alert. A drill itself has none: it is what the warning asks for.
pub(crate) fn warnings(asked: &Asked) -> Vec<Warning> {
    let last_drill = asked.last_drill;
    let ago_ms = last_drill.map(|last| asked.at.since_ms(last));
    let is_recent = ago_ms.is_some_and(|ago_ms| ago_ms <= DRILL_DAYS_MAX * DAY_MS);
    let days = ago_ms.map(|ago_ms| ago_ms / DAY_MS);
    if is_recent || !asked.facts.status.is_actual() {
        return vec![];
    }
    vec![Warning { finding: Finding::SenderNotDrilled { days }, last_drill }]
}

impl Warning {
    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        json!({
            "code": NO_RECENT_DRILL,
            "detail": self.finding.sentence("").to_string(),
            "last_drill": self.last_drill.map(time),
        })
    }

    /// Over gRPC.
    pub(crate) fn message(&self) -> v1::WarningView {
        v1::WarningView {
            code: NO_RECENT_DRILL.to_owned(),
            detail: self.finding.sentence("").to_string(),
            last_drill: self.last_drill.map(time).unwrap_or_default(),
        }
    }
}
