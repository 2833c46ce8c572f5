//! Retention: what the policy's term after an alert's end has passed for is erased, unless two
//! persons hold it. Asked for by itself; the decider has the last word.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    alert::Alert,
    decider::Decider,
    erasure::Erasure,
    ids::{AlertId, EntityName, Home, Millis, RecordId},
};
use event_log::command::Draft;
use registry::Policies;
use wire::{
    Spoken,
    spoken::id_bytes,
    v1::{self, command::Body},
};

use crate::asking::{COMMANDS_MAX, Commit, Due, draft};

const DAY_MS: i64 = 24 * 3_600_000;

/// The alerts that are over and not erased.
pub(crate) struct Retention {
    policies: Arc<Policies>,
    alerts: BTreeMap<AlertId, Ended>,
    erasures: BTreeMap<AlertId, Erasure>,
    times: BTreeSet<(Millis, AlertId)>,
}

struct Ended {
    home: Home,
    /// The term is over at this time; `None` where the policy has no term.
    at: Option<Millis>,
    /// The newest record with a say in it: a legal hold that was lifted is one.
    newest: RecordId,
}

impl Retention {
    pub(crate) fn new(policies: &Arc<Policies>) -> Self {
        Self {
            policies: Arc::clone(policies),
            alerts: BTreeMap::new(),
            erasures: BTreeMap::new(),
            times: BTreeSet::new(),
        }
    }

    fn ended(&mut self, commit: &Commit<'_>, id: AlertId, alert: &Alert) {
        let Alert::Closed { live, .. } = alert else {
            self.let_go(id);
            return;
        };
        // What is corrected later has ended all the same.
        if self.alerts.contains_key(&id) {
            return;
        }
        let facts = &live.content.facts;
        let policy = self.policies.of(facts.home.commune);
        let days = policy.retention_days.get(&facts.kind);
        let at = days.map(|days| commit.at.plus_ms(i64::from(*days) * DAY_MS));
        self.alerts.insert(id, Ended { home: commit.home, at, newest: commit.id });
        self.stands(id);
    }

    /// Looks anew whether, and when, something is due of an alert.
    fn stands(&mut self, id: AlertId) {
        let Some(at) = self.alerts.get(&id).and_then(|ended| ended.at) else { return };
        let erasure = self.erasures.get(&id);
        let free = |erasure: &Erasure| erasure.order().is_none() && !erasure.hold.is_in_force();
        if erasure.is_none_or(free) {
            self.times.insert((at, id));
        } else {
            self.times.remove(&(at, id));
        }
    }

    fn let_go(&mut self, id: AlertId) {
        if let Some(at) = self.alerts.remove(&id).and_then(|ended| ended.at) {
            self.times.remove(&(at, id));
        }
    }
}

impl Due for Retention {
    const TASK: &'static str = "alerting-retention";
    const LATE: &'static str = "what the policy erases cannot be asked for yet";

    fn take_in(&mut self, commit: &Commit<'_>) {
        if let Some((id, alert)) = commit.alert {
            self.ended(commit, id, alert);
            return;
        }
        let Some(id) = commit.entity.erasure_of().filter(|_| !commit.events.is_empty()) else {
            return;
        };
        let erasure = self.erasures.remove(&id).unwrap_or_default();
        let events = commit.events.iter().filter_map(|event| Erasure::recall(event).ok());
        let erasure = events.fold(erasure, |erasure, event| erasure.evolve(&event));
        self.erasures.insert(id, erasure);
        if let Some(ended) = self.alerts.get_mut(&id) {
            ended.newest = commit.id;
        }
        self.stands(id);
    }

    fn begin_anew(&mut self) {
        *self = Self::new(&self.policies);
    }

    fn next(&self) -> Option<Millis> {
        self.times.first().map(|(at, _)| *at)
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        let over = self.times.iter().take_while(|(at, _)| *at <= now).take(COMMANDS_MAX);
        let retired = over.filter_map(|(_, id)| {
            let Ended { home, newest, .. } = self.alerts.get(id)?;
            let command = RecordId::of_purpose(&format!("retire/{id}/{newest}"));
            let of = (EntityName::erasure(*id), *home);
            let body = Body::RetireAlert(v1::RetireAlert { alert: id_bytes(id.0) });
            Some(draft(command, of, id.0.as_bytes(), now, body))
        });
        retired.collect()
    }
}
