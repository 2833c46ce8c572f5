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
    alert::{Alert, AlertEvent, Closing, NearExpiry, Review},
    decider::Decider,
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

/// What is due, and when: the live alerts, folded, and when each is to be looked at.
#[derive(Default)]
struct Due {
    alerts: BTreeMap<AlertId, Waiting>,
    times: BTreeSet<(Millis, AlertId)>,
    /// Alerts with communes that a further commit must name.
    further: BTreeSet<AlertId>,
    live: bool,
}

struct Waiting {
    home: Home,
    alert: Alert,
    near_expiry: NearExpiry,
    /// When something of it is due.
    at: Option<Millis>,
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
    /// Takes in an event that was recorded at `decided_at`.
    fn apply(&mut self, id: AlertId, home: Home, event: &AlertEvent, decided_at: Millis) {
        let (alert, mut near_expiry, at) = match self.alerts.remove(&id) {
            Some(waiting) => (waiting.alert, waiting.near_expiry, waiting.at),
            None => (Alert::default(), NearExpiry::default(), None),
        };
        if let Some(at) = at {
            self.times.remove(&(at, id));
        }
        self.further.remove(&id);
        let alert = alert.evolve(event);
        near_expiry.stands(&alert, decided_at);
        let at = alert.due_at().into_iter().chain(near_expiry.due_at()).min();
        // What was resolved may be opened again; everything else that is over stays over.
        let may_come_back = matches!(alert, Alert::Closed { how: Closing::Resolved, .. });
        if at.is_none() && !may_come_back {
            return;
        }
        self.times.extend(at.map(|at| (at, id)));
        if further(&alert).is_some() {
            self.further.insert(id);
        }
        self.alerts.insert(id, Waiting { home, alert, near_expiry, at });
    }

    /// When something is due next; never before the history has been read.
    fn next(&self) -> Option<Millis> {
        self.times.first().map(|(at, _)| *at).filter(|_| self.live)
    }

    /// The commands that are due now.
    fn commands(&self, now: Millis) -> Vec<Draft> {
        if !self.live {
            return vec![];
        }
        let due = self.times.iter().take_while(|(at, _)| *at <= now).take(COMMANDS_MAX);
        let due = due.filter_map(|(_, id)| self.alerts.get_key_value(id));
        let timed = due.flat_map(|(id, waiting)| {
            let asks = asks(*id, waiting, now).into_iter();
            asks.map(|(purpose, body)| draft(*id, waiting.home, &purpose, now, body))
        });
        let further = self.further.iter().take(COMMANDS_MAX).filter_map(|id| {
            let waiting = self.alerts.get(id)?;
            let (step, holds) = further(&waiting.alert)?;
            let purpose = format!("relay/{id}/{step}/{holds}");
            let body = Body::RelayAlertFurther(v1::RelayAlertFurther { step });
            Some(draft(*id, waiting.home, &purpose, now, body))
        });
        timed.chain(further).collect()
    }
}

/// The step that names further communes, and how often the alert was put on hold.
fn further(alert: &Alert) -> Option<(u32, u32)> {
    match alert {
        Alert::Active(live) if !live.to_follow.is_empty() && !live.on_hold => {
            Some((live.steps + 1, live.holds))
        }
        _ => None,
    }
}

/// What is asked of an alert now, each with its purpose. What was asked while an alert was on hold
/// did nothing: afterwards it is asked anew, under another purpose.
fn asks(id: AlertId, waiting: &Waiting, now: Millis) -> Vec<(String, Body)> {
    let alert = &waiting.alert;
    let mut asks = Vec::new();
    if let Some(at) = alert.expires_at().filter(|at| *at <= now) {
        let body = Body::ExpireAlert(v1::ExpireAlert { expires_at_ms: at.0 });
        asks.push((format!("expire/{id}/{}", at.0), body));
    }
    let Alert::Active(live) = alert else { return asks };
    let expires_at = live.content.facts.expires_at;
    if waiting.near_expiry.due_at().is_some_and(|at| at <= now) && now < expires_at {
        let body = Body::NearAlertExpiry(v1::NearAlertExpiry { expires_at_ms: expires_at.0 });
        // An alert may come back to an expiry that it had before: that one is asked about anew.
        let revision = live.content.revision;
        asks.push((format!("near-expiry/{id}/{revision}/{}", expires_at.0), body));
    }
    if live.next.at.is_some_and(|at| at <= now) && !live.on_hold {
        let step = live.grown + 1;
        let body = Body::GrowAlert(v1::GrowAlert { step });
        asks.push((format!("widen/{id}/{step}/{}", live.holds), body));
    }
    if let Review::Owed { due, missed: false, .. } = &live.review
        && *due <= now
    {
        let body = Body::MissAlertReview(v1::MissAlertReview { due_ms: due.0 });
        asks.push((format!("review/{id}/{}", due.0), body));
    }
    asks
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
        let decided_at = Millis(commit.decided_at_ms);
        let Ok(events) = events_of(commit) else { return };
        let mut due = self.shared.due();
        for event in events {
            if let Ok(event) = Alert::recall(&event) {
                due.apply(alert, recorded.key.home, &event, decided_at);
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
