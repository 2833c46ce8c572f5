//! Timers: what follows from the passing of time, and from a reach that one commit could not
//! name. Every instance keeps them all; the commands they give have ids of their purpose, so
//! that many have the effect of one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chassis::{Host, host::ReadModel};
use domain::{
    alert::{Alert, AlertEvent},
    ids::{AlertId, EntityName, Home, Millis, RecordId},
};
use event_log::{AppendError, Recorded, command::Draft, follower::Cursor, projection::Project};
use prost::Message;
use tokio::sync::Notify;
use wire::{
    Spoken,
    commit::events_of,
    v1::{self, command::Body},
};

const RETRY: Duration = Duration::from_secs(1);
/// Commands of each kind that are given at once.
const COMMANDS_MAX: usize = 128;

/// What is due, and when. Expiries are kept by time, and by alert so that they can be taken back.
#[derive(Default)]
struct Due {
    expiries: BTreeSet<(Millis, AlertId)>,
    alerts: BTreeMap<AlertId, Waiting>,
    /// Alerts with communes that a further commit must name.
    further: BTreeSet<AlertId>,
    live: bool,
}

struct Waiting {
    home: Home,
    expires_at: Millis,
    to_follow: usize,
    steps: u32,
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

/// Follows alerts.
pub(crate) struct Timers {
    shared: Arc<Shared>,
    cursor: Option<Cursor>,
    read: ReadModel,
}

/// Gives commands when something is due.
pub(crate) struct Ticking {
    shared: Arc<Shared>,
    host: Host,
}

pub(crate) fn timers(host: &Host) -> (Timers, Ticking) {
    let shared = Arc::<Shared>::default();
    let read = host.read_model("timers");
    let timers = Timers { shared: Arc::clone(&shared), cursor: None, read };
    (timers, Ticking { shared, host: host.clone() })
}

impl Due {
    fn apply(&mut self, alert: AlertId, home: Home, event: &AlertEvent) {
        match event {
            AlertEvent::ApprovalAsked { facts, .. } => {
                self.wait(alert, home, facts.expires_at, 0);
            }
            AlertEvent::Issued { facts, to_follow, .. } => {
                self.wait(alert, home, facts.expires_at, to_follow.len());
            }
            AlertEvent::RelayedFurther { step, communes } => {
                if let Some(waiting) = self.alerts.get_mut(&alert) {
                    waiting.steps = *step;
                    waiting.to_follow = waiting.to_follow.saturating_sub(communes.len());
                    if waiting.to_follow == 0 {
                        self.further.remove(&alert);
                    }
                }
            }
            AlertEvent::Cancelled { .. }
            | AlertEvent::Resolved { .. }
            | AlertEvent::Expired { .. } => self.forget(alert),
            AlertEvent::Approved { .. } => {}
        }
    }

    fn wait(&mut self, alert: AlertId, home: Home, expires_at: Millis, to_follow: usize) {
        self.forget(alert);
        self.expiries.insert((expires_at, alert));
        if to_follow > 0 {
            self.further.insert(alert);
        }
        self.alerts.insert(alert, Waiting { home, expires_at, to_follow, steps: 0 });
    }

    fn forget(&mut self, alert: AlertId) {
        if let Some(waiting) = self.alerts.remove(&alert) {
            self.expiries.remove(&(waiting.expires_at, alert));
            self.further.remove(&alert);
        }
    }

    /// When something is due next; never before the history has been read.
    fn next(&self) -> Option<Millis> {
        self.expiries.first().map(|(at, _)| *at).filter(|_| self.live)
    }

    /// The commands that are due now.
    fn commands(&self, now: Millis) -> Vec<Draft> {
        if !self.live {
            return vec![];
        }
        let due = self.expiries.iter().take_while(|(at, _)| *at <= now);
        let expired = due.take(COMMANDS_MAX).map(|(at, alert)| {
            let purpose = format!("expire/{alert}/{}", at.0);
            let body = Body::ExpireAlert(v1::ExpireAlert { expires_at_ms: at.0 });
            (*alert, purpose, body)
        });
        let further = self.further.iter().filter_map(|alert| {
            let step = self.alerts.get(alert)?.steps + 1;
            let purpose = format!("relay/{alert}/{step}");
            let body = Body::RelayAlertFurther(v1::RelayAlertFurther { step });
            Some((*alert, purpose, body))
        });
        expired
            .chain(further.take(COMMANDS_MAX))
            .filter_map(|(alert, purpose, body)| {
                let home = self.alerts.get(&alert)?.home;
                Some(draft(alert, home, &purpose, now, body))
            })
            .collect()
    }
}

fn draft(alert: AlertId, home: Home, purpose: &str, now: Millis, body: Body) -> Draft {
    Draft {
        id: RecordId::of_purpose(purpose),
        entity: EntityName::alert(alert),
        home,
        actor: wire::actor::service("alerting"),
        at: now,
        correlation: Bytes::copy_from_slice(alert.0.as_bytes()),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    }
}

impl Project for Timers {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        let entity = &recorded.key.entity;
        let Some(alert) = entity.alert_id().filter(|id| *entity == EntityName::alert(*id)) else {
            return;
        };
        // What cannot be decoded is reported where it is decided upon.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        let Ok(events) = events_of(commit) else { return };
        let mut due = self.shared.due();
        for event in events {
            if let Ok(event) = Alert::recall(&event) {
                due.apply(alert, recorded.key.home, &event);
            }
        }
        drop(due);
        self.shared.changed.notify_one();
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        *self.shared.due() = Due::default();
    }

    fn caught_up(&mut self) {
        self.shared.due().live = true;
        self.shared.changed.notify_one();
        self.read.caught_up();
    }
}

impl Ticking {
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
        let now = self.host.clock.now();
        let commands = self.shared.due().commands(now);
        if commands.is_empty() {
            let next = self.shared.due().next();
            let due = async {
                match next {
                    Some(at) => self.host.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! { () = due => {}, () = self.shared.changed.notified() => {} }
            return;
        }
        let records = commands.into_iter().map(Draft::record).collect();
        if let Err(
            AppendError::Conflict(why) | AppendError::Unavailable(why) | AppendError::Refused(why),
        ) = self.host.log.append(records).await
        {
            tracing::warn!(why, "what is due cannot be asked for yet");
        }
        // The answer comes with the log; until then the same commands have the effect of one.
        let changed = self.shared.changed.notified();
        tokio::select! { () = changed => {}, () = tokio::time::sleep(RETRY) => {} }
    }
}
