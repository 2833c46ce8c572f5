//! Erasing in this process: whatever the log says is erased is destroyed here too, at once, after a
//! restart, after having been away, and in a directory restored from an older copy.
//!
//! Who decides what is erased: `domain::erasure`. How stores destroy: `EventLog::erase`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    decider::Decider,
    erasure::{Course, Erasure},
    ids::{AlertId, EntityName, Home, RecordId},
};
use event_log::{At, Class, Durable, EventLog, Key, Recorded, command::Draft, follower::hash_of};
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::{Notify, watch};
use wire::{
    Spoken,
    commit::events_of,
    spoken::id_bytes,
    v1::{self, command::Body},
};

use crate::{
    Clock,
    erasures::{Erasures, Noted},
    host::ReadModel,
    sheets::alert_events,
};

/// After trouble it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// So long the order's record is waited for.
pub(crate) const DURABLE_MAX: Duration = Duration::from_secs(10);

/// What a service keeps of alerts beside the log.
pub trait Copies: Send + Sync {
    /// Destroys what is kept of these alerts: words in memory, pictures in their store. Answers
    /// how many pictures were found. What is gone is gone: it is asked again at each start.
    ///
    /// # Errors
    /// Why not all is known to be gone; it is tried again.
    fn forget<'a>(&'a self, alerts: &'a [AlertId]) -> BoxFuture<'a, Result<u64, String>>;

    /// Whether this service says in the log that it is done: the one that has the pictures.
    fn finishes(&self) -> bool;
}

/// An alert whose erasure was ordered.
#[derive(Debug, Clone, Copy)]
struct Ordered {
    home: Home,
    /// The record that says so: nothing is destroyed before it is durable.
    at: At,
    /// The first record that said so: its id, and SHA-256 of its open part.
    order: (RecordId, [u8; 32]),
    /// The stores that are shared are known to be clean.
    finished: bool,
}

/// What this process has to destroy. Cloning shares it.
#[derive(Clone, Default)]
pub struct Erasing(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    /// How often it was looked at what is to be destroyed.
    rounds: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    erasures: BTreeMap<AlertId, Erasure>,
    ordered: BTreeMap<AlertId, Ordered>,
    /// What was proposed of two alerts each.
    matches: BTreeMap<AlertId, BTreeSet<EntityName>>,
    waiting: BTreeSet<AlertId>,
    copies: Vec<Arc<dyn Copies>>,
    /// Holders that have not been told of what was ordered before.
    fresh: Vec<Arc<dyn Copies>>,
    live: bool,
    /// The log was another one than before: nothing counts as destroyed there.
    anew: bool,
}

impl Erasing {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this service's copies are destroyed too; also of what was ordered before.
    pub fn add(&self, copies: Arc<dyn Copies>) {
        self.lock().fresh.push(copies);
        self.0.changed.notify_one();
    }

    /// Whether the alert's erasure was ordered, as far as this process has read.
    #[must_use]
    pub fn is_ordered(&self, alert: AlertId) -> bool {
        self.lock().ordered.contains_key(&alert)
    }

    /// Waits until everything that was ordered so far is destroyed, in every store of the services
    /// that were added; for as long as that takes. Where the log could not be read yet: at once.
    pub async fn settled(&self) {
        let mut rounds = self.0.rounds.subscribe();
        let done = |_: &u64| {
            let state = self.lock();
            !state.live || (state.fresh.is_empty() && state.waiting.is_empty())
        };
        // The sender lives as long as `self`, so that the wait cannot end early.
        let _ = rounds.wait_for(done).await;
    }

    /// Takes in a record of class `Alert`.
    pub(crate) fn saw(&self, recorded: &Recorded) {
        let entity = &recorded.key.entity;
        for alert in entity.matched().into_iter().flatten() {
            self.lock().matches.entry(alert).or_default().insert(entity.clone());
        }
        let Some(alert) = entity.erasure_of() else { return };
        // What cannot be decoded is alarmed by whoever decides on it.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        let events = events_of(commit).unwrap_or_default();
        let mut state = self.lock();
        let erasure = state.erasures.remove(&alert).unwrap_or_default();
        let events = events.iter().filter_map(|event| Erasure::recall(event).ok());
        let erasure = events.fold(erasure, |erasure, event| erasure.evolve(&event));
        if erasure.order().is_some() {
            let finished =
                matches!(erasure.course, Course::Erased(_)) && !state.live && !state.anew;
            let key = &recorded.key;
            let at = At { class: key.class, position: recorded.position, id: recorded.id };
            let first = state.ordered.get(&alert).map(|ordered| ordered.order);
            let order = first.unwrap_or_else(|| (recorded.id, hash_of(&recorded.open)));
            state.ordered.insert(alert, Ordered { home: key.home, at, order, finished });
            state.waiting.insert(alert);
        }
        state.erasures.insert(alert, erasure);
        drop(state);
        self.0.changed.notify_one();
    }

    /// The log turned out to be another one, or to have lost its tail: what was ordered stays so.
    pub(crate) fn begin_anew(&self) {
        let mut state = self.lock();
        state.erasures.clear();
        state.live = false;
        // Whoever put back an older log may have put back what was destroyed there.
        state.anew = true;
    }

    /// The end of the log, as it was at the start, has been passed.
    pub(crate) fn caught_up(&self) {
        self.lock().live = true;
        self.0.changed.notify_one();
    }

    /// Destroys, for as long as it is polled. The process is not ready before it has caught up.
    pub(crate) async fn run(self, host: Hosted, read: ReadModel) {
        loop {
            let mut is_done = true;
            if let Err(why) = self.attend(&host).await {
                tracing::warn!(why, "not everything that was erased is destroyed here yet");
                metrics::counter!("keng_erasing_delayed_total").increment(1);
                is_done = false;
            }
            if is_done && self.lock().live {
                read.caught_up();
            }
            self.0.rounds.send_modify(|rounds| *rounds += 1);
            if is_done {
                self.0.changed.notified().await;
            } else {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    async fn attend(&self, host: &Hosted) -> Result<(), String> {
        let fresh = std::mem::take(&mut self.lock().fresh);
        for copies in fresh {
            let before: Vec<AlertId> = self.lock().ordered.keys().copied().collect();
            if !before.is_empty()
                && let Err(why) = copies.forget(&before).await
            {
                self.lock().fresh.push(copies);
                return Err(why);
            }
            let mut state = self.lock();
            // What was ordered and not finished before there was anybody to finish it.
            let open = state.ordered.iter().filter(|(_, ordered)| !ordered.finished);
            let open: Vec<AlertId> = open.map(|(alert, _)| *alert).collect();
            state.waiting.extend(open);
            state.copies.push(copies);
        }
        let waiting: Vec<AlertId> = self.lock().waiting.iter().copied().collect();
        for alert in waiting {
            let Some(ordered) = self.lock().ordered.get(&alert).copied() else { continue };
            self.destroy(host, alert, ordered).await?;
            self.lock().waiting.remove(&alert);
        }
        Ok(())
    }

    async fn destroy(&self, host: &Hosted, alert: AlertId, ordered: Ordered) -> Result<(), String> {
        if host.log.durable(ordered.at, DURABLE_MAX).await != Durable::Stored {
            return Err("its order is not on disk yet".to_owned());
        }
        if let Some(erasures) = &host.erasures {
            let noted = Noted { alert, home: ordered.home, order: ordered.order };
            // Before anything is gone, and before anybody is told that it is.
            let noting = Arc::clone(erasures).note(noted).await;
            noting.map_err(|why| format!("{}: {why}", erasures.path().display()))?;
        }
        let own = match ordered.finished {
            true => host.log.erase(alert, &[]).await.map_err(|why| why.to_string())?,
            false => 1,
        };
        let mut parts = 0;
        // What this process still had, others may have got from it.
        if own > 0 {
            let entities = self.entities(host, alert, ordered.home).await?;
            let erased = host.log.erase(alert, &entities).await;
            parts = erased.map_err(|why| why.to_string())?;
        }
        let copies = self.lock().copies.clone();
        let mut pictures = 0;
        for copies in &copies {
            pictures += copies.forget(&[alert]).await?;
        }
        tracing::info!(%alert, parts, pictures, "destroyed what was erased");
        metrics::counter!("keng_erased_parts_total").increment(parts);
        if !self.is_finished(alert) && copies.iter().any(|copies| copies.finishes()) {
            self.finish(host, alert, ordered.home, (parts, pictures)).await?;
        }
        Ok(())
    }

    fn is_finished(&self, alert: AlertId) -> bool {
        let state = self.lock();
        let erasure = state.erasures.get(&alert);
        erasure.is_some_and(|erasure| matches!(erasure.course, Course::Erased(_)))
    }

    /// Everything of the alert that may have sealed parts.
    async fn entities(
        &self,
        host: &Hosted,
        alert: AlertId,
        home: Home,
    ) -> Result<Vec<EntityName>, String> {
        let key = Key { class: Class::Alert, home, entity: EntityName::alert(alert) };
        let history = host.log.load(&key, None).await.map_err(|why| why.to_string())?;
        let mut communes = BTreeSet::from([home.commune]);
        for recorded in &history {
            let (events, _) = alert_events(recorded).ok_or("an alert's history is not read")?;
            let reached = events.iter().flat_map(|event| event.puts_to());
            communes.extend(reached.map(|reached| reached.home.commune));
        }
        let mut entities =
            vec![EntityName::alert(alert), EntityName::erasure(alert), EntityName::looks(alert)];
        for commune in communes {
            entities.push(EntityName::relay(alert, commune));
            entities.push(EntityName::delivery(alert, commune));
        }
        entities.extend(self.lock().matches.get(&alert).into_iter().flatten().cloned());
        Ok(entities)
    }

    /// Says that it is done; alerting decides it once, however many say so.
    async fn finish(
        &self,
        host: &Hosted,
        alert: AlertId,
        home: Home,
        (parts, pictures): (u64, u64),
    ) -> Result<(), String> {
        let id = RecordId::of_purpose(&format!("finish-erasure/{alert}"));
        let alert_bytes = id_bytes(alert.0);
        let done = v1::FinishErasure { alert: alert_bytes.clone(), parts, pictures };
        let draft = Draft {
            id,
            entity: EntityName::erasure(alert),
            home,
            actor: wire::actor::service("intake"),
            at: host.clock.now(),
            correlation: alert_bytes,
            causation: Bytes::new(),
            valid_until: None,
            sealing: None,
            sealed_fields: vec![],
            body: Body::FinishErasure(done),
        };
        let appended = host.log.append(vec![draft.record()]).await;
        appended.map(drop).map_err(|why| why.to_string())
    }
}

/// What of the host erasing needs.
pub(crate) struct Hosted {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) erasures: Option<Arc<Erasures>>,
}
