//! Escalations: who does not answer an alert in time is asked again through somebody else.
//!
//! It follows alerts and relays, and gives `EscalateRelay` when a step is due, and at once what is
//! due from `onward`. Every instance keeps
//! them all; the commands have ids of their purpose, so that many have the effect of one, and a
//! restart neither forgets nor repeats a step. Whether the step is still needed is decided anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chassis::{Host, host::ReadModel};
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
use event_log::{AppendError, Recorded, command::Draft, follower::Cursor, projection::Project};
use prost::Message;
use registry::Policies;
use tokio::sync::Notify;
use wire::{
    Spoken,
    commit::events_of,
    relay::step_said,
    spoken::home_said,
    v1::{self, command::Body},
};

use crate::onward::Onward;

const RETRY: Duration = Duration::from_secs(1);
/// Commands that are given at once.
const COMMANDS_MAX: usize = 128;

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
struct Due {
    alerts: BTreeMap<AlertId, Followed>,
    steps: BTreeSet<(Millis, AlertId, CommuneCode)>,
    onward: Onward,
    /// How long silence is borne is the receiving commune's to say.
    policies: Arc<Policies>,
    live: bool,
}

impl Due {
    /// The alert stands like this from `at` on.
    fn stands(&mut self, alert: AlertId, stand: Stand, cause: RecordId, at: Millis) {
        self.onward.decided(alert, cause, &stand.named);
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
        for event in of {
            if let RelayEvent::RelayedOnward(onward) = event {
                self.onward.relayed(alert, commune, onward, &followed.stand.named);
            }
        }
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

    /// When something is due next; never before the history has been read.
    fn next(&self) -> Option<Millis> {
        self.steps.first().map(|(at, ..)| *at).filter(|_| self.live)
    }

    /// The commands that are due now.
    fn commands(&self, now: Millis) -> Vec<Draft> {
        if !self.live {
            return vec![];
        }
        let due = self.steps.iter().take_while(|(at, ..)| *at <= now).take(COMMANDS_MAX);
        let steps = due.filter_map(|(_, alert, commune)| self.command(*alert, *commune, now));
        let home_of = |alert| self.alerts.get(&alert).map(|followed| followed.stand.home);
        steps.chain(self.onward.commands(home_of, now).take(COMMANDS_MAX)).collect()
    }

    fn command(&self, alert: AlertId, commune: CommuneCode, now: Millis) -> Option<Draft> {
        let followed = self.alerts.get(&alert)?;
        let silence = followed.relays.get(&commune)?;
        let (at, step) = silence.due?;
        Some(Draft {
            id: escalation_id(alert, commune, step, at),
            entity: EntityName::relay(alert, commune),
            home: silence.home?,
            actor: wire::actor::service("alerting"),
            at: now,
            correlation: Bytes::copy_from_slice(alert.0.as_bytes()),
            causation: Bytes::new(),
            valid_until: None,
            sealing: None,
            sealed_fields: vec![],
            body: Body::EscalateRelay(v1::EscalateRelay {
                alert: Bytes::copy_from_slice(alert.0.as_bytes()),
                alert_home: Some(home_said(followed.stand.home)),
                step: step_said(step),
                due_at_ms: at.0,
            }),
        })
    }
}

#[derive(Default)]
struct Shared {
    due: Mutex<Due>,
    changed: Notify,
}

impl Shared {
    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows alerts and relays.
pub(crate) struct Escalations {
    shared: Arc<Shared>,
    /// Alerts, and the version of each: a record that comes again changes nothing.
    alerts: BTreeMap<AlertId, (u64, Alert)>,
    cursor: Option<Cursor>,
    read: ReadModel,
}

/// Gives commands when a step is due.
pub(crate) struct Asking {
    shared: Arc<Shared>,
    host: Host,
}

pub(crate) fn escalations(host: &Host) -> (Escalations, Asking) {
    let due = Due { policies: Arc::clone(&host.policies), ..Due::default() };
    let shared = Arc::new(Shared { due: Mutex::new(due), changed: Notify::new() });
    let read = host.read_model("escalations");
    let alerts = BTreeMap::new();
    let escalations = Escalations { shared: Arc::clone(&shared), alerts, cursor: None, read };
    (escalations, Asking { shared, host: host.clone() })
}

impl Escalations {
    fn alert(&mut self, alert: AlertId, home: Home, commit: v1::Commit) {
        let (version, at) = (commit.version, Millis(commit.decided_at_ms));
        let Some(cause) = RecordId::from_slice(&commit.causation) else { return };
        let (seen, before) = self.alerts.remove(&alert).unwrap_or_default();
        if version <= seen {
            self.alerts.insert(alert, (seen, before));
            return;
        }
        // What cannot be decoded is reported where it is decided upon.
        let events = events_of(commit).unwrap_or_default();
        let events = events.iter().filter_map(|event| Alert::recall(event).ok());
        let now = events.fold(before, |alert, event| alert.evolve(&event));
        if let Some(content) = now.content() {
            let stand = Stand {
                home,
                kind: content.facts.kind,
                is_active: matches!(now, Alert::Active { .. }),
                named: now.communes().iter().map(|reached| reached.home).collect(),
            };
            self.shared.due().stands(alert, stand, cause, at);
        }
        self.alerts.insert(alert, (version, now));
    }

    fn relay(&self, alert: AlertId, home: Home, commit: v1::Commit) {
        let Some(cause) = RecordId::from_slice(&commit.causation) else { return };
        let events = events_of(commit).unwrap_or_default();
        let events: Vec<RelayEvent> =
            events.iter().filter_map(|event| RelayProtocol::recall(event).ok()).collect();
        self.shared.due().heard(alert, home.commune, cause, &events);
    }
}

impl Project for Escalations {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        let (entity, home) = (&recorded.key.entity, recorded.key.home);
        let Some(alert) = entity.alert_id() else { return };
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        if *entity == EntityName::alert(alert) {
            self.alert(alert, home, commit);
        } else if *entity == EntityName::relay(alert, home.commune) {
            self.relay(alert, home, commit);
        }
        self.shared.changed.notify_one();
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        self.alerts.clear();
        *self.shared.due() = Due::default();
    }

    fn caught_up(&mut self) {
        self.shared.due().live = true;
        self.shared.changed.notify_one();
        self.read.caught_up();
    }
}

impl Asking {
    /// Runs until the process drains.
    pub(crate) async fn run(self) {
        let stop = self.host.drain.token();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tick() => {}
            }
        }
    }

    async fn tick(&self) {
        let commands = self.shared.due().commands(self.host.clock.now());
        let changed = self.shared.changed.notified();
        if commands.is_empty() {
            let next = self.shared.due().next();
            let due = async {
                match next {
                    Some(at) => self.host.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! { () = due => {}, () = changed => {} }
            return;
        }
        let records = commands.into_iter().map(Draft::record).collect();
        if let Err(
            AppendError::Conflict(why) | AppendError::Unavailable(why) | AppendError::Refused(why),
        ) = self.host.log.append(records).await
        {
            tracing::warn!(why, "silence cannot be escalated yet");
        }
        // The answer comes with the log; until then the same commands have the effect of one.
        tokio::select! { () = changed => {}, () = tokio::time::sleep(RETRY) => {} }
    }
}

#[cfg(test)]
#[path = "escalations_tests.rs"]
mod tests;
