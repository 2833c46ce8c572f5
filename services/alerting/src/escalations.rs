//! Escalations: who does not answer an alert in time is asked again through somebody else.
//!
//! It follows alerts and relays, and gives `EscalateRelay` when a step is due. A restart neither
//! forgets nor repeats a step. Whether the step is still needed is decided anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use domain::{
    alert::Alert,
    decider::Decider,
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    relay::{
        escalation::{Step, escalation_id, next_escalation},
        protocol::{RelayEvent, RelayProtocol},
    },
    values::AlertKind,
};
use event_log::command::Draft;
use registry::Policies;
use wire::{
    Spoken,
    relay::step_said,
    spoken::home_said,
    v1::{self, command::Body},
};

use crate::asking::{COMMANDS_MAX, Commit, Due, draft};

/// How an alert stands, as far as its relays are concerned.
struct Stand {
    home: Home,
    kind: AlertKind,
    is_active: bool,
    /// The communes that it is put to.
    named: Vec<Home>,
}

/// An alert and its relays.
struct Followed {
    stand: Stand,
    relays: BTreeMap<CommuneCode, Silence>,
}

/// A relay, answered or not.
#[derive(Default)]
struct Silence {
    home: Option<Home>,
    /// From when on an answer is waited for; `None` before the alert names the commune.
    since: Option<Millis>,
    relay: RelayProtocol,
    /// What the set of what is due holds of it.
    due: Option<(Millis, Step)>,
    /// A step that was decided upon without an event: it is not asked for again.
    settled: Option<(Millis, Step)>,
}

/// What is due, and when.
#[derive(Default)]
pub(crate) struct Escalations {
    alerts: BTreeMap<AlertId, Followed>,
    steps: BTreeSet<(Millis, AlertId, CommuneCode)>,
    /// How long silence is borne is the receiving commune's to say.
    policies: Arc<Policies>,
}

impl Escalations {
    pub(crate) fn new(policies: &Arc<Policies>) -> Self {
        Self { policies: Arc::clone(policies), ..Self::default() }
    }

    /// The alert stands like this from `at` on.
    fn stands(&mut self, alert: AlertId, stand: Stand, at: Millis) {
        let followed = self.alerts.remove(&alert);
        let (was_active, mut relays) = match followed {
            Some(before) => (before.stand.is_active, before.relays),
            None => (false, BTreeMap::new()),
        };
        // Who raised it has it.
        for home in stand.named.iter().filter(|home| home.commune != stand.home.commune) {
            let silence = relays.entry(home.commune).or_default();
            silence.home = Some(*home);
            // An alert that was over and is in force again is waited for from then on.
            if silence.since.is_none() || (stand.is_active && !was_active) {
                silence.since = Some(at);
            }
        }
        let communes: Vec<CommuneCode> = relays.keys().copied().collect();
        self.alerts.insert(alert, Followed { stand, relays });
        communes.into_iter().for_each(|commune| self.reckon(alert, commune));
    }

    /// A command to a relay was decided, with these events.
    fn heard(&mut self, alert: AlertId, commune: CommuneCode, cause: RecordId, of: &[RelayEvent]) {
        let Some(followed) = self.alerts.get_mut(&alert) else { return };
        let silence = followed.relays.entry(commune).or_default();
        let asked = |(at, step)| escalation_id(alert, commune, step, at) == cause;
        silence.settled = silence.due.filter(|due| asked(*due)).or(silence.settled);
        let relay = std::mem::take(&mut silence.relay);
        silence.relay = of.iter().fold(relay, RelayProtocol::evolve);
        self.reckon(alert, commune);
    }

    fn reckon(&mut self, alert: AlertId, commune: CommuneCode) {
        let Some(followed) = self.alerts.get_mut(&alert) else { return };
        let Some(silence) = followed.relays.get_mut(&commune) else { return };
        if let Some((at, _)) = silence.due.take() {
            self.steps.remove(&(at, alert, commune));
        }
        let since = silence.since.filter(|_| followed.stand.is_active);
        let times = self.policies.of(commune).answer_times;
        let next = since
            .and_then(|since| next_escalation(&silence.relay, since, followed.stand.kind, &times));
        silence.due = next.filter(|next| silence.settled != Some(*next));
        if let Some((at, _)) = silence.due {
            self.steps.insert((at, alert, commune));
        }
    }

    fn command(&self, alert: AlertId, commune: CommuneCode, now: Millis) -> Option<Draft> {
        let followed = self.alerts.get(&alert)?;
        let silence = followed.relays.get(&commune)?;
        let (at, step) = silence.due?;
        let body = Body::EscalateRelay(v1::EscalateRelay {
            alert: Bytes::copy_from_slice(alert.0.as_bytes()),
            alert_home: Some(home_said(followed.stand.home)),
            step: step_said(step),
            due_at_ms: at.0,
        });
        let of = (EntityName::relay(alert, commune), silence.home?);
        Some(draft(escalation_id(alert, commune, step, at), of, alert.0.as_bytes(), now, body))
    }
}

impl Due for Escalations {
    const TASK: &'static str = "alerting-escalations";
    const LATE: &'static str = "silence cannot be escalated yet";

    fn take_in(&mut self, commit: &Commit<'_>) {
        let (entity, home) = (commit.entity, commit.home);
        if let Some((id, alert)) = commit.alert {
            let Some(content) = alert.content() else { return };
            let stand = Stand {
                home,
                kind: content.facts.kind,
                is_active: matches!(**alert, Alert::Active { .. }),
                named: alert.communes().iter().map(|reached| reached.home).collect(),
            };
            return self.stands(id, stand, commit.at);
        }
        let Some(alert) = entity.alert_id() else { return };
        if *entity == EntityName::relay(alert, home.commune) {
            let events = commit.events.iter();
            let events: Vec<RelayEvent> =
                events.filter_map(|event| RelayProtocol::recall(event).ok()).collect();
            self.heard(alert, home.commune, commit.cause, &events);
        }
    }

    fn forget(&mut self, alert: AlertId) {
        self.alerts.remove(&alert);
    }

    fn begin_anew(&mut self) {
        *self = Self::new(&Arc::clone(&self.policies));
    }

    fn next(&self) -> Option<Millis> {
        self.steps.first().map(|(at, ..)| *at)
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        let due = self.steps.iter().take_while(|(at, ..)| *at <= now).take(COMMANDS_MAX);
        due.filter_map(|(_, alert, commune)| self.command(*alert, *commune, now)).collect()
    }
}

#[cfg(test)]
#[path = "escalations_tests.rs"]
mod tests;
