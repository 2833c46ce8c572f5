//! Found and missing meet: whoever is issued or updated is compared with the other alerts, and
//! what may be the same is proposed to the officers of both.
//!
//! Nothing follows from a proposal by itself. Every instance compares all; the commands have ids
//! of their pair, so that many have the effect of one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chassis::{Host, host::ReadModel};
use domain::{
    alert::Alert,
    decider::Decider,
    ids::{AlertId, EntityName, Millis},
    matching::{
        decision::{Pair, Proposed},
        meeting::{Compared, ENDED_WITHIN_MS, Meeting, Standing},
    },
};
use event_log::{AppendError, Recorded, command::Draft, follower::Cursor, projection::Project};
use prost::Message;
use registry::Map;
use tokio::sync::Notify;
use wire::{
    Spoken,
    commit::events_of,
    matching::propose_said,
    v1::{self, command::Body},
};

const RETRY: Duration = Duration::from_secs(1);
/// Alerts that are compared with all others at once at the start; in between, records are read.
const COMPARED_MAX: usize = 32;
/// Commands that are given at once.
const COMMANDS_MAX: usize = 256;
/// An alert that ended so long ago is no longer known here: whoever opens it again later does not
/// meet by that.
const KEPT_MS: i64 = 30 * ENDED_WITHIN_MS;

/// Alerts as far as they are read, and what is to be compared.
#[derive(Default)]
struct Known {
    alerts: BTreeMap<AlertId, Folded>,
    meeting: Meeting,
    /// What is still to be given on.
    pending: BTreeMap<Pair, Proposed>,
    live: bool,
}

/// An alert, and the ordinal of its last commit.
#[derive(Default)]
struct Folded {
    version: u64,
    alert: Alert,
    ended_at: Option<Millis>,
}

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    changed: Notify,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows alerts and matches.
pub(crate) struct Matches {
    shared: Arc<Shared>,
    map: Arc<Map>,
    cursor: Option<Cursor>,
    read: ReadModel,
}

/// Compares, and gives the proposals as commands.
pub(crate) struct Comparing {
    shared: Arc<Shared>,
    host: Host,
}

pub(crate) fn matches(host: &Host) -> (Matches, Comparing) {
    let shared = Arc::<Shared>::default();
    let read = host.read_model("matches");
    let map = Arc::clone(&host.map);
    let matches = Matches { shared: Arc::clone(&shared), map, cursor: None, read };
    (matches, Comparing { shared, host: host.clone() })
}

impl Known {
    fn commit(&mut self, alert: AlertId, commit: v1::Commit, map: &Map) {
        let (version, at) = (commit.version, Millis(commit.decided_at_ms));
        let Ok(events) = events_of(commit) else { return };
        let folded = self.alerts.entry(alert).or_default();
        // Records come again after trouble: what was seen changes nothing.
        if folded.version >= version {
            return;
        }
        folded.version = version;
        for event in events.iter().filter_map(|event| Alert::recall(event).ok()) {
            folded.alert = std::mem::take(&mut folded.alert).evolve(&event);
        }
        let over = matches!(folded.alert, Alert::Closed { .. });
        folded.ended_at = over.then(|| folded.ended_at.unwrap_or(at));
        self.meeting.saw(alert, Standing::of(&folded.alert, at));
        // Before the history has been read nobody knows what was proposed.
        if self.live {
            let compared = self.meeting.compare_one(alert, at, map);
            self.give(compared);
        }
    }

    fn give(&mut self, compared: Compared) {
        self.meeting.settle(&compared);
        let proposals = compared.proposals.into_iter();
        self.pending.extend(proposals.map(|proposed| (proposed.pair, proposed)));
    }

    fn forget_ended(&mut self, now: Millis) {
        let kept = |ended_at: Millis| now <= ended_at.plus_ms(KEPT_MS);
        self.alerts.retain(|_, folded| folded.ended_at.is_none_or(kept));
        self.meeting.forget_ended(now);
    }
}

impl Project for Matches {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        let entity = &recorded.key.entity;
        let of_match = entity.matched().and_then(|[one, other]| Pair::of(one, other));
        if let Some(pair) = of_match {
            // Proposed, or refused: either way nobody is asked again.
            let mut known = self.shared.known();
            known.meeting.was_proposed(pair);
            known.pending.remove(&pair);
            return;
        }
        let Some(alert) = entity.alert_id().filter(|id| *entity == EntityName::alert(*id)) else {
            return;
        };
        // What cannot be decoded is reported where it is decided upon.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        self.shared.known().commit(alert, commit, &self.map);
        self.shared.changed.notify_one();
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        *self.shared.known() = Known::default();
    }

    fn caught_up(&mut self) {
        self.shared.known().live = true;
        self.shared.changed.notify_one();
        self.read.caught_up();
    }
}

impl Comparing {
    /// Runs until the process drains.
    pub(crate) async fn run(self) {
        let stop = self.host.drain.token();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.give() => {}
            }
        }
    }

    async fn give(&self) {
        let now = self.host.clock.now();
        let (proposals, is_idle) = {
            let mut known = self.shared.known();
            known.forget_ended(now);
            let mut is_idle = true;
            if known.live {
                let compared = known.meeting.compare(COMPARED_MAX, now, self.host.map.as_ref());
                is_idle = compared.is_empty();
                known.give(compared);
            }
            let pending = known.pending.values().take(COMMANDS_MAX);
            (pending.cloned().collect::<Vec<_>>(), is_idle)
        };
        if proposals.is_empty() && !is_idle {
            // Thousands may be compared at the start; others have work to do, too.
            return tokio::task::yield_now().await;
        }
        if proposals.is_empty() {
            return self.shared.changed.notified().await;
        }
        let records = proposals.iter().map(|proposed| draft(proposed, now).record()).collect();
        if let Err(
            AppendError::Conflict(why) | AppendError::Unavailable(why) | AppendError::Refused(why),
        ) = self.host.log.append(records).await
        {
            tracing::warn!(why, "matches cannot be proposed yet");
            return tokio::time::sleep(RETRY).await;
        }
        let mut known = self.shared.known();
        for proposed in proposals {
            known.pending.remove(&proposed.pair);
        }
    }
}

fn draft(proposed: &Proposed, now: Millis) -> Draft {
    let ([first, _], [home, _]) = (proposed.pair.alerts(), proposed.homes);
    Draft {
        id: proposed.pair.proposal_id(),
        entity: proposed.pair.entity(),
        home,
        actor: wire::actor::service("alerting"),
        at: now,
        correlation: Bytes::copy_from_slice(first.0.as_bytes()),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body: Body::ProposeMatch(propose_said(proposed)),
    }
}
