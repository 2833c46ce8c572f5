//! Reading: what the log says, folded with the real `evolve` of every entity, and what it says is
//! still to be done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result};
use domain::{
    alert::{Alert, AlertEvent},
    decider::Decider,
    delivery::{Delivery, DeliveryEvent, StopReason},
    ids::{AlertId, CommuneCode, EntityName, Millis, RecordId},
    lane::Lanes,
    receipts::Receipts,
    relay::protocol::RelayProtocol,
};
use event_log::{Class, Kind, Recorded};
use prost::Message;
use wire::{
    Spoken,
    commit::events_of,
    v1::{
        self,
        commit::Outcome,
        event::{self, Event},
    },
};

use crate::broker::{Broker, Fate};

/// An alert in a commune.
pub type BookId = (AlertId, CommuneCode);

/// The commits that answer one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Commits {
    /// Its own.
    pub own: usize,
    /// Its own that was lost, and that others bring back. Where the command was decided again
    /// meanwhile, it has both.
    pub recovered: usize,
}

/// What the log says.
#[derive(Default)]
pub struct Reading {
    read: usize,
    /// The commits of each command.
    pub commits: BTreeMap<RecordId, Commits>,
    /// Every alert as it stands.
    pub alerts: BTreeMap<AlertId, Alert>,
    /// Where each alert was put to, with the revision that it was put under.
    pub told: BTreeMap<BookId, u64>,
    /// The lanes of each alert in each commune.
    pub lanes: BTreeMap<BookId, Lanes>,
    /// The newest revision that is to be planned, and that was planned.
    wanted: BTreeMap<BookId, u64>,
    planned: BTreeMap<BookId, u64>,
    /// Refusals, and what they have stopped. A refusal that is brought back stops nothing twice.
    refused: BTreeSet<BookId>,
    stopped: BTreeSet<BookId>,
}

impl Reading {
    /// Reads on to the end. What was lost before is not read; nothing may be lost afterwards.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn read(&mut self, broker: &Broker) -> Result<()> {
        let fresh: Vec<Arc<Recorded>> = {
            let state = broker.lock();
            let fresh = state.order.iter().skip(self.read);
            let standing = fresh.filter(|entry| entry.fate == Fate::Stands);
            let standing = standing.map(|entry| Arc::clone(&entry.recorded)).collect();
            self.read = state.order.len();
            standing
        };
        for recorded in &fresh {
            self.record(recorded).with_context(|| format!("reading {}", recorded.key.entity))?;
        }
        Ok(())
    }

    fn record(&mut self, recorded: &Recorded) -> Result<()> {
        if recorded.kind == Kind::Command {
            v1::Command::decode(recorded.open.clone())?;
            self.commits.entry(recorded.id).or_default();
            return Ok(());
        }
        let commit = v1::Commit::decode(recorded.open.clone())?;
        if recorded.key.class == Class::Alert {
            let lost = lost(&commit);
            let cause = lost.as_ref().unwrap_or(&commit).causation.as_ref();
            let cause = RecordId::from_slice(cause).context("a commit's causation")?;
            let commits = self.commits.entry(cause).or_default();
            commits.own += usize::from(lost.is_none());
            commits.recovered += usize::from(lost.is_some());
        }
        let at = Millis(commit.decided_at_ms);
        for event in &events_of(commit)? {
            self.event(recorded, event, at)?;
        }
        Ok(())
    }

    fn event(&mut self, recorded: &Recorded, event: &Event, at: Millis) -> Result<()> {
        let entity = &recorded.key.entity;
        let Some(alert) = entity.alert_id() else { return Ok(()) };
        let book = (alert, recorded.key.home.commune);
        match recorded.key.class {
            Class::Alert if *entity == EntityName::alert(alert) => {
                self.alert(alert, &Alert::recall(event)?);
            }
            Class::Alert => {
                let _ = RelayProtocol::default().evolve(&RelayProtocol::recall(event)?);
                if matches!(event, event::Event::RelayRefused(_)) {
                    self.refused.insert(book);
                }
            }
            Class::Delivery => {
                let event = Delivery::recall(event)?;
                let _ = Delivery::default().evolve(&event);
                self.delivery(book, &event, at);
            }
            Class::Receipt => {
                let lanes = self.lanes.entry(book).or_default();
                Receipts::recall(event)?.iter().for_each(|receipt| lanes.receive(receipt));
            }
            Class::Command | Class::News => {}
        }
        Ok(())
    }

    fn alert(&mut self, id: AlertId, event: &AlertEvent) {
        let before = self.alerts.remove(&id).unwrap_or_default();
        let now = before.evolve(event);
        let revision = now.content().map_or(0, |content| content.revision);
        if let AlertEvent::Issued { revision, communes, .. } = event {
            for reached in communes {
                let book = (id, reached.home.commune);
                self.told.entry(book).or_insert(*revision);
            }
        }
        for reached in now.communes() {
            let wanted = self.wanted.entry((id, reached.home.commune)).or_default();
            *wanted = revision.max(*wanted);
        }
        self.alerts.insert(id, now);
    }

    fn delivery(&mut self, book: BookId, event: &DeliveryEvent, at: Millis) {
        match event {
            DeliveryEvent::Planned { plan, .. } => {
                let planned = self.planned.entry(book).or_default();
                *planned = plan.revision.max(*planned);
            }
            DeliveryEvent::Stopped { reason: StopReason::Refused, .. } => {
                self.stopped.insert(book);
            }
            _ => {}
        }
        self.lanes.entry(book).or_default().apply(event, at);
    }

    /// Something that is due and not done yet; `None` where all is quiet.
    #[must_use]
    pub fn unsettled(&self, now: Millis) -> Option<String> {
        let open = |commits: &Commits| commits.own + commits.recovered == 0;
        if let Some((command, _)) = self.commits.iter().find(|(_, commits)| open(commits)) {
            return Some(format!("the decision on command {command}"));
        }
        let expired = |alert: &Alert| alert.expires_at().is_some_and(|at| at <= now);
        if let Some((id, _)) = self.alerts.iter().find(|(_, alert)| expired(alert)) {
            return Some(format!("the expiry of alert {id}"));
        }
        let behind =
            |book: &BookId, revision: u64| self.planned.get(book).copied().unwrap_or(0) < revision;
        if let Some((book, revision)) = self.wanted.iter().find(|(book, rev)| behind(book, **rev)) {
            return Some(format!("a plan for revision {revision} of {} in {}", book.0, book.1));
        }
        let mut unstopped = self.refused.difference(&self.stopped);
        if let Some(book) = unstopped.next() {
            return Some(format!("the stop of {} in {}", book.0, book.1));
        }
        let due = self.open().find(|(_, at)| *at <= now);
        due.map(|(group, _)| format!("an attempt to reach {group}"))
    }

    /// When something falls due next.
    #[must_use]
    pub fn next_due(&self, now: Millis) -> Option<Millis> {
        let expiries = self.alerts.values().filter_map(Alert::expires_at);
        expiries.chain(self.open().map(|(_, at)| at)).filter(|at| *at > now).min()
    }

    fn open(&self) -> impl Iterator<Item = (&str, Millis)> {
        let open = self.lanes.values().flat_map(Lanes::open);
        open.filter_map(|(target, delivery)| Some((target.group.as_str(), delivery.due_at()?)))
    }
}

/// The lost commit that this one brings back; the innermost, where that brought one back, too.
fn lost(commit: &v1::Commit) -> Option<v1::Commit> {
    let Some(Outcome::Events(events)) = &commit.outcome else { return None };
    let Some(event::Event::Recovered(recovered)) = events.events.first()?.event.as_ref() else {
        return None;
    };
    let original = v1::Commit::decode(recovered.original.clone()).ok()?;
    Some(lost(&original).unwrap_or(original))
}
