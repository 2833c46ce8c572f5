//! Asking: what alerting asks for by itself, since time has passed or records belong together.
//!
//! One projection reads each commit of the class of alerts once, and folds each alert once; what
//! may follow is a [`Due`], and one task for each gives its commands. Every instance does all of
//! it; the commands have ids of their purpose, so that many have the effect of one.

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
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    matching::meeting::ENDED_WITHIN_MS,
};
use event_log::{
    AppendError, Recorded, command::Draft, follower::Cursor, projection::Project,
    record::BATCH_RECORDS_MAX,
};
use prost::Message;
use tokio::sync::Notify;
use wire::{
    Spoken,
    commit::events_of,
    v1::{self, command::Body, event::Event},
};

const RETRY: Duration = Duration::from_secs(1);
/// Commands of one kind that are given at once.
pub(crate) const COMMANDS_MAX: usize = 128;
/// An alert that ended so long ago is no longer known here: its expiry has passed, so that nobody
/// can open it again.
const KEPT_MS: i64 = 30 * ENDED_WITHIN_MS;

/// A commit of the class of alerts, read.
pub(crate) struct Commit<'a> {
    pub(crate) entity: &'a EntityName,
    pub(crate) home: Home,
    /// Its record.
    pub(crate) id: RecordId,
    /// When it was decided.
    pub(crate) at: Millis,
    /// The command that it answers.
    pub(crate) cause: RecordId,
    pub(crate) events: &'a [Event],
    /// The alert that it is of, as it stands after it.
    pub(crate) alert: Option<(AlertId, &'a Arc<Alert>)>,
    /// Whether history has been read.
    pub(crate) live: bool,
}

/// Something that may follow from what is recorded.
pub(crate) trait Due: Send + 'static {
    /// The task that gives the commands.
    const TASK: &'static str;
    /// What is traced where they cannot be given now.
    const LATE: &'static str;

    /// Takes a commit in. A commit of an alert comes once.
    fn take_in(&mut self, commit: &Commit<'_>);
    /// The alert ended long ago.
    fn forget(&mut self, _: AlertId) {}
    /// Everything is forgotten, and comes again from the start.
    fn begin_anew(&mut self);
    /// When something is due next.
    fn next(&self) -> Option<Millis>;
    /// The commands that are due now; again until the log says that they were decided.
    fn commands(&mut self, now: Millis) -> Vec<Draft>;
}

/// A command that alerting gives.
pub(crate) fn draft(
    id: RecordId,
    (entity, home): (EntityName, Home),
    correlation: &[u8],
    now: Millis,
    body: Body,
) -> Draft {
    Draft {
        id,
        entity,
        home,
        actor: wire::actor::service("alerting"),
        at: now,
        correlation: Bytes::copy_from_slice(correlation),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    }
}

/// Nothing is due before history has been read: what looks due may be done long ago.
pub(crate) struct Watched<D> {
    pub(crate) due: D,
    pub(crate) live: bool,
}

impl<D: Due> Watched<D> {
    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.due.next().filter(|_| self.live)
    }

    /// The commands that are due now.
    pub(crate) fn commands(&mut self, now: Millis) -> Vec<Draft> {
        if self.live { self.due.commands(now) } else { vec![] }
    }
}

struct Shared<D> {
    watched: Mutex<Watched<D>>,
    changed: Notify,
}

impl<D> Shared<D> {
    fn watched(&self) -> MutexGuard<'_, Watched<D>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the projection does with each thing that may follow.
trait Watch: Send + Sync {
    fn take_in(&self, commit: &Commit<'_>);
    fn forget(&self, alert: AlertId);
    fn begin_anew(&self);
    fn caught_up(&self);
}

impl<D: Due> Watch for Shared<D> {
    fn take_in(&self, commit: &Commit<'_>) {
        self.watched().due.take_in(commit);
        self.changed.notify_one();
    }

    fn forget(&self, alert: AlertId) {
        self.watched().due.forget(alert);
    }

    fn begin_anew(&self) {
        let mut watched = self.watched();
        watched.due.begin_anew();
        watched.live = false;
    }

    fn caught_up(&self) {
        self.watched().live = true;
        self.changed.notify_one();
    }
}

/// An alert, and the ordinal of its last commit.
#[derive(Default)]
struct Folded {
    version: u64,
    alert: Arc<Alert>,
    ended_at: Option<Millis>,
}

/// Follows the class of alerts for all that may follow from it.
pub(crate) struct Asking {
    watches: Vec<Arc<dyn Watch>>,
    alerts: BTreeMap<AlertId, Folded>,
    ended: BTreeSet<(Millis, AlertId)>,
    cursor: Option<Cursor>,
    read: ReadModel,
    live: bool,
}

impl Asking {
    pub(crate) fn new(host: &Host) -> Self {
        Self {
            watches: vec![],
            alerts: BTreeMap::new(),
            ended: BTreeSet::new(),
            cursor: None,
            read: host.read_model("asking"),
            live: false,
        }
    }

    /// Adds what may follow, and starts the task that asks for it.
    pub(crate) fn watch<D: Due>(&mut self, host: &Host, due: D) {
        let watched = Mutex::new(Watched { due, live: false });
        let shared = Arc::new(Shared { watched, changed: Notify::new() });
        self.watches.push(Arc::clone(&shared) as _);
        let giving = Giving { shared, host: host.clone() };
        host.drain.spawn(D::TASK, giving.run());
    }

    /// Folds a commit of an alert; `None` where it was seen before: records come again after
    /// trouble.
    fn fold(
        &mut self,
        id: AlertId,
        (version, at): (u64, Millis),
        events: &[Event],
    ) -> Option<Arc<Alert>> {
        let folded = self.alerts.entry(id).or_default();
        if folded.version >= version {
            return None;
        }
        folded.version = version;
        let events = events.iter().filter_map(|event| Alert::recall(event).ok());
        let before = Arc::unwrap_or_clone(std::mem::take(&mut folded.alert));
        folded.alert = Arc::new(events.fold(before, |alert, event| alert.evolve(&event)));
        // From its end on, whatever is corrected later.
        let is_over = matches!(*folded.alert, Alert::Closed { .. });
        let ended_at = is_over.then(|| folded.ended_at.unwrap_or(at));
        if let Some(before) = std::mem::replace(&mut folded.ended_at, ended_at) {
            self.ended.remove(&(before, id));
        }
        self.ended.extend(ended_at.map(|ended_at| (ended_at, id)));
        Some(Arc::clone(&folded.alert))
    }

    fn forget_ended(&mut self, now: Millis) {
        while let Some((ended_at, alert)) = self.ended.first().copied() {
            if now <= ended_at.plus_ms(KEPT_MS) {
                return;
            }
            self.ended.pop_first();
            self.alerts.remove(&alert);
            self.watches.iter().for_each(|watch| watch.forget(alert));
        }
    }
}

impl Project for Asking {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        let (entity, home) = (&recorded.key.entity, recorded.key.home);
        // What cannot be decoded is reported where it is decided upon.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        let Some(cause) = RecordId::from_slice(&commit.causation) else { return };
        let (version, at) = (commit.version, Millis(commit.decided_at_ms));
        let Ok(events) = events_of(commit) else { return };
        let id = entity.alert_id().filter(|id| *entity == EntityName::alert(*id));
        let folded = match id {
            Some(id) => match self.fold(id, (version, at), &events) {
                Some(alert) => Some((id, alert)),
                None => return,
            },
            None => None,
        };
        let alert = folded.as_ref().map(|(id, alert)| (*id, alert));
        let (id, live) = (recorded.id, self.live);
        let commit = Commit { entity, home, id, at, cause, events: &events, alert, live };
        self.watches.iter().for_each(|watch| watch.take_in(&commit));
        self.forget_ended(at);
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        self.live = false;
        self.alerts.clear();
        self.ended.clear();
        self.watches.iter().for_each(|watch| watch.begin_anew());
    }

    fn caught_up(&mut self) {
        self.live = true;
        self.watches.iter().for_each(|watch| watch.caught_up());
        self.read.caught_up();
    }
}

/// Gives commands when something is due.
struct Giving<D> {
    shared: Arc<Shared<D>>,
    host: Host,
}

impl<D: Due> Giving<D> {
    /// Runs until the process drains.
    async fn run(self) {
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
        let mut commands = self.shared.watched().commands(now);
        commands.truncate(BATCH_RECORDS_MAX);
        if commands.is_empty() {
            let next = self.shared.watched().next();
            let due = async {
                match next {
                    // There may be much to look at; others have work to do, too.
                    Some(at) if at <= now => tokio::task::yield_now().await,
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
            tracing::warn!(why, "{}", D::LATE);
        }
        // The answer comes with the log; until then the same commands have the effect of one.
        let changed = self.shared.changed.notified();
        tokio::select! { () = changed => {}, () = tokio::time::sleep(RETRY) => {} }
    }
}
