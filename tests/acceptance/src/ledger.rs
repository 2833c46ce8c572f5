//! The ledger: what the log says is still to be done, so that a timeline knows when all is quiet.
//!
//! It reads the log and nothing else; that it names every kind of pending work is what makes
//! "nobody was told" a statement and not a matter of patience.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result};
use chassis::Host;
use domain::{
    alert::{Alert, AlertEvent, Live, NearExpiry},
    decider::Decider,
    delivery::{DeliveryEvent, StopReason},
    ids::{AlertId, CommuneCode, EntityName, GroupId, Millis, RecordId},
    lane::Lanes,
    matching::decision::Pair,
    relay::{
        Answer,
        protocol::{RelayEvent, RelayProtocol},
    },
};
use event_log::{Class, Kind, Recorded, memory::MemoryLog};
use prost::Message;
use wire::{
    Spoken,
    v1::{self, commit::Outcome, event::Event},
};

use crate::{
    encounter::Encounters, fallbacks::Fallbacks, silence::Silences, thaw::Thaws, turn::Turns,
};

type BookId = (AlertId, CommuneCode);

/// What the log says, folded.
#[derive(Default)]
pub struct Ledger {
    read: usize,
    /// How many commits each command has; those of the directory too.
    commits: BTreeMap<RecordId, usize>,
    alerts: BTreeMap<AlertId, Alert>,
    near_expiries: BTreeMap<AlertId, NearExpiry>,
    /// News of these revisions that no plan tells yet.
    unplanned: BTreeSet<(BookId, u64)>,
    /// Refusals that have stopped nothing yet.
    unstopped: BTreeSet<BookId>,
    lanes: BTreeMap<BookId, Lanes>,
    encounters: Encounters,
    silences: Silences,
    thaws: Thaws,
    turns: Turns,
    fallbacks: Fallbacks,
}

/// What a timeline knows beside the log.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The virtual time.
    pub now: Millis,
    /// Whether anybody decides.
    pub alerting: bool,
    /// Groups whose calls a test holds: nothing of them is waited for.
    pub held: &'a BTreeSet<String>,
}

impl Ledger {
    /// An empty one; the host's map says who borders whom, its policies what waits, its directory
    /// which other ways there are to a group.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let encounters = Encounters::of(Arc::clone(&host.map));
        let turns = Turns::of(Arc::clone(&host.policies));
        let fallbacks = Fallbacks::of(host.directory.clone());
        Self { encounters, turns, fallbacks, ..Self::default() }
    }

    /// Reads on to the log's end.
    ///
    /// # Errors
    /// A record cannot be decoded.
    pub fn read(&mut self, log: &MemoryLog) -> Result<()> {
        let records = log.records();
        for recorded in records.iter().skip(self.read) {
            self.record(recorded).with_context(|| format!("reading {}", recorded.key.entity))?;
        }
        self.read = records.len();
        Ok(())
    }

    /// How many commits each command has.
    #[must_use]
    pub fn commits(&self) -> &BTreeMap<RecordId, usize> {
        &self.commits
    }

    /// Every alert as it stands.
    #[must_use]
    pub fn alerts(&self) -> &BTreeMap<AlertId, Alert> {
        &self.alerts
    }

    /// The lanes of an alert in a commune.
    #[must_use]
    pub fn lanes(&self) -> &BTreeMap<BookId, Lanes> {
        &self.lanes
    }

    /// Something that is due and not done yet, in words; `None` where all is quiet.
    #[must_use]
    pub fn unsettled(&self, known: Known<'_>) -> Option<String> {
        if known.alerting {
            if let Some(pair) = self.encounters.expected() {
                return Some(format!("the proposal of {}", pair.entity()));
            }
            if let Some((command, _)) = self.commits.iter().find(|(_, commits)| **commits == 0) {
                return Some(format!("the decision on command {command}"));
            }
            let late = self.alerts.iter().find(|(_, alert)| {
                let follows = |live: &Live| !live.to_follow.is_empty() && !live.on_hold;
                matches!(alert, Alert::Active(live) if follows(live))
                    || alert.due_at().is_some_and(|at| at <= known.now)
            });
            if let Some((id, _)) = late {
                return Some(format!("what is due of alert {id}, or its further communes"));
            }
            let mut questions = self.near_expiries.iter();
            let late = questions.find(|(_, near)| near.due_at().is_some_and(|at| at <= known.now));
            if let Some((id, _)) = late {
                return Some(format!("the question before the end of alert {id}"));
            }
            if let Some((freeze, _)) = self.thaws.due().find(|(_, at)| *at <= known.now) {
                return Some(format!("the end of {freeze}"));
            }
            let silent = self.silences.due(&self.alerts).find(|(_, at)| *at <= known.now);
            if let Some(((alert, commune), _)) = silent {
                return Some(format!("the escalation of {alert} in {commune}"));
            }
        }
        if let Some(((alert, commune), revision)) = self.unplanned.first() {
            return Some(format!("a plan for revision {revision} of {alert} in {commune}"));
        }
        if let Some((alert, commune)) = self.unstopped.first() {
            return Some(format!("the stop of {alert} in {commune}"));
        }
        let due = self.open(known).find(|(_, at)| *at <= known.now);
        if let Some((group, _)) = due {
            return Some(format!("an attempt to reach group {group}"));
        }
        let other = self.other_ways(known).find(|(_, at)| *at <= known.now);
        other.map(|(group, _)| format!("another way to reach group {group}"))
    }

    /// When something falls due next.
    #[must_use]
    pub fn next_due(&self, known: Known<'_>) -> Option<Millis> {
        let expiries = self.alerts.values().filter_map(Alert::due_at);
        let questions = self.near_expiries.values().filter_map(NearExpiry::due_at);
        let attempts = self.open(known).map(|(_, at)| at);
        let steps = self.silences.due(&self.alerts).map(|(_, at)| at);
        let thaws = self.thaws.due().map(|(_, at)| at);
        let other = self.other_ways(known).map(|(_, at)| at);
        let lives = expiries.chain(questions).chain(attempts).chain(other);
        lives.chain(steps).chain(thaws).filter(|at| *at > known.now).min()
    }

    fn open<'a>(&'a self, known: Known<'a>) -> impl Iterator<Item = (&'a str, Millis)> {
        self.lanes
            .values()
            .flat_map(Lanes::open)
            .filter_map(|(target, delivery)| Some((target.group.as_str(), delivery.due_at()?)))
            .filter(move |(group, _)| !known.held.contains(*group))
    }

    fn other_ways(&self, known: Known<'_>) -> impl Iterator<Item = (GroupId, Millis)> {
        let due = self.lanes.values().flat_map(move |lanes| self.fallbacks.due(lanes, known.now));
        due.filter(move |(group, _)| !known.held.contains(group.as_str()))
    }

    fn record(&mut self, recorded: &Recorded) -> Result<()> {
        if recorded.kind == Kind::Command {
            self.commits.entry(recorded.id).or_default();
            return Ok(());
        }
        let commit = v1::Commit::decode(recorded.open.clone())?;
        if let Some([one, other]) = recorded.key.entity.matched() {
            let pair = Pair::of(one, other).context("a match of one alert")?;
            self.encounters.proposed(pair);
        }
        if recorded.key.class == Class::Delivery {
            // Fan-out plans on its own account; what a person asks of a delivery is a command.
            let asked = RecordId::from_slice(&commit.causation);
            if let Some(commits) = asked.and_then(|asked| self.commits.get_mut(&asked)) {
                *commits += 1;
            }
        }
        if recorded.key.class == Class::Alert {
            let cause = RecordId::from_slice(&commit.causation).context("a commit's causation")?;
            *self.commits.entry(cause).or_default() += 1;
        }
        let Some(Outcome::Events(events)) = commit.outcome else { return Ok(()) };
        for event in events.events.iter().filter_map(|event| event.event.as_ref()) {
            self.event(recorded, event, Millis(commit.decided_at_ms))?;
        }
        Ok(())
    }

    fn event(&mut self, recorded: &Recorded, event: &Event, at: Millis) -> Result<()> {
        let entity = &recorded.key.entity;
        if self.thaws.heard(entity, event)? {
            return Ok(());
        }
        let Some(alert) = entity.alert_id() else { return Ok(()) };
        let book = (alert, recorded.key.home.commune);
        match recorded.key.class {
            Class::Alert if *entity == EntityName::alert(alert) => {
                self.alert(alert, &Alert::recall(event)?, at);
                self.encounters.stands(alert, self.alerts.get(&alert), at);
            }
            Class::Alert => {
                let event = RelayProtocol::recall(event)?;
                if self.turns.heard(book, &event)
                    && !self.lanes.contains_key(&book)
                    && let Some(Alert::Active(live)) = self.alerts.get(&alert)
                {
                    self.unplanned.insert((book, live.content.revision));
                }
                if matches!(&event, RelayEvent::Answered(is) if is.answer == Answer::Refuse) {
                    self.unstopped.insert(book);
                }
                self.silences.heard(book, &event);
            }
            Class::Delivery => {
                let event = domain::delivery::Delivery::recall(event)?;
                match &event {
                    DeliveryEvent::Planned { plan, .. } => {
                        self.unplanned.retain(|(b, rev)| *b != book || *rev > plan.revision);
                    }
                    DeliveryEvent::Stopped { reason: StopReason::Refused, .. } => {
                        self.unstopped.remove(&book);
                    }
                    _ => {}
                }
                self.lanes.entry(book).or_default().apply(&event, at);
            }
            Class::Receipt => {
                let receipts = domain::receipts::Receipts::recall(event)?;
                let lanes = self.lanes.get_mut(&book).context("a receipt without a plan")?;
                receipts.iter().for_each(|receipt| lanes.receive(receipt));
            }
            Class::Command | Class::News => {}
        }
        Ok(())
    }

    fn alert(&mut self, id: AlertId, event: &AlertEvent, at: Millis) {
        let before = self.alerts.remove(&id).unwrap_or_default();
        let now = before.clone().evolve(event);
        self.silences.stands(id, &before, &now, at);
        self.near_expiries.entry(id).or_default().stands(&now, at);
        let revision = now.content().map_or(0, |content| content.revision);
        let told = match event {
            AlertEvent::Issued { communes, .. }
            | AlertEvent::RelayedFurther { communes, .. }
            | AlertEvent::Widened { communes, .. } => communes.as_slice(),
            // Its own groups, and nobody else's.
            AlertEvent::Instructed { commune, .. } => {
                let named = now.communes();
                let own = named.iter().position(|reached| reached.home.commune == *commune);
                own.and_then(|own| named.get(own..=own)).unwrap_or_default()
            }
            AlertEvent::Changed { .. }
            | AlertEvent::Released { .. }
            | AlertEvent::Reopened { .. }
            | AlertEvent::Cancelled { .. }
            | AlertEvent::Resolved { .. }
            | AlertEvent::Expired { .. } => now.communes(),
            AlertEvent::ApprovalAsked { .. }
            | AlertEvent::ChangeAsked { .. }
            | AlertEvent::Approved { .. }
            | AlertEvent::Declined { .. }
            | AlertEvent::ReviewOwed { .. }
            | AlertEvent::Reviewed { .. }
            | AlertEvent::ReviewMissed { .. }
            | AlertEvent::ExpiryNear { .. }
            | AlertEvent::Sighted { .. }
            | AlertEvent::BudgetExceeded(_)
            | AlertEvent::CorrectionAttested { .. }
            | AlertEvent::Held { .. } => &[],
        };
        let books = told.iter().map(|reached| (id, reached.home.commune));
        let (turns, lanes) = (&self.turns, &self.lanes);
        let is_told = |book: &BookId| lanes.contains_key(book) || !turns.waits(*book, &now);
        self.unplanned.extend(books.filter(is_told).map(|book| (book, revision)));
        self.alerts.insert(id, now);
    }
}
