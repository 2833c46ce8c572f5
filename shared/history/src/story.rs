//! An alert's records as facts: what each says, when it was said, and where that stands.
//!
//! Every record of an entity counts from its own time, but never from before the one before it:
//! a clock that was set back does not let a later fact be known without the earlier.

use std::collections::{BTreeMap, HashMap};

use domain::{
    alert::{Alert, AlertEvent, AlertFacts},
    delivery::{Delivery, DeliveryEvent},
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    lane::Receipt,
    receipts::Receipts,
    relay::protocol::{RelayEvent, RelayProtocol},
};
use event_log::{Kind, Recorded};
use prost::Message;
use wire::{
    NotDecodable, Spoken,
    commit::events_of,
    v1::{Actor, Command, Commit, command::Body, commit::Outcome, event::Event},
};

use crate::lines_of;

/// One fact, and the record that says so.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// From when on it was known.
    pub(crate) at: Millis,
    pub(crate) position: u64,
    pub(crate) record: RecordId,
    /// Who asked, or which service observed.
    pub(crate) by: String,
    pub(crate) home: Home,
    pub(crate) entity: EntityName,
    pub(crate) what: What,
}

/// What a record says.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A command was written down.
    Asked {
        /// The message's name, as `RaiseAlert`.
        kind: String,
        /// Which fields lie in its sealed part.
        sealed: Vec<String>,
        /// What a raise asks for.
        raise: Option<Box<AlertFacts>>,
    },
    /// A command has its answer, and this is why it was refused, if it was: code and field.
    Answered {
        command: RecordId,
        refusal: Option<(String, String)>,
    },
    Alert(Box<AlertEvent>),
    Relay(CommuneCode, RelayEvent),
    Delivery(CommuneCode, DeliveryEvent),
    Receipts(CommuneCode, Vec<Receipt>),
    /// This program cannot read it.
    Unreadable,
}

/// The facts of some alerts, each in the order of its records.
#[derive(Debug, Default)]
pub(crate) struct Stories {
    of: BTreeMap<AlertId, Vec<Fact>>,
    /// The time from which on the last record of each entity counts.
    last: HashMap<EntityName, Millis>,
}

impl Stories {
    /// Takes a record in; one that is no alert's says nothing here.
    pub(crate) fn take(&mut self, position: u64, recorded: &Recorded) {
        let Some(alert) = recorded.key.entity.alert_id() else { return };
        let mut facts = facts_of(position, recorded);
        // Commands are asked side by side: only decisions have an order.
        if matches!(recorded.kind, Kind::Commit { .. }) {
            for fact in &mut facts {
                let last = self.last.entry(fact.entity.clone()).or_insert(fact.at);
                *last = fact.at.max(*last);
                fact.at = *last;
            }
        }
        self.of.entry(alert).or_default().extend(facts);
    }

    /// The alerts, and the facts of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AlertId, &[Fact])> {
        self.of.iter().map(|(alert, facts)| (*alert, facts.as_slice()))
    }
}

fn facts_of(position: u64, recorded: &Recorded) -> Vec<Fact> {
    let said = match recorded.kind {
        Kind::Command => of_command(recorded),
        Kind::Commit { .. } => of_commit(recorded),
    };
    let Said { at, by, what } = said.unwrap_or_else(|_| Said {
        at: Millis(i64::MIN),
        by: String::new(),
        what: vec![What::Unreadable],
    });
    let fact = |what| Fact {
        at,
        position,
        record: recorded.id,
        by: by.clone(),
        home: recorded.key.home,
        entity: recorded.key.entity.clone(),
        what,
    };
    what.into_iter().map(fact).collect()
}

/// What one record says.
struct Said {
    at: Millis,
    by: String,
    what: Vec<What>,
}

fn of_command(recorded: &Recorded) -> Result<Said, NotDecodable> {
    let command = Command::decode(recorded.open.clone()).map_err(|_| NotDecodable("a command"))?;
    let raise = match &command.body {
        Some(Body::RaiseAlert(raise)) => {
            let facts = raise.facts.as_ref().ok_or(NotDecodable("facts"))?;
            Some(Box::new(wire::alert::facts_recalled(facts)?))
        }
        _ => None,
    };
    let kind = lines_of(0, recorded).into_iter().next().map(|line| line.kind).unwrap_or_default();
    let asked = What::Asked { kind, sealed: command.sealed_fields, raise };
    let at = Millis(command.written_at_ms);
    Ok(Said { at, by: officer(command.actor), what: vec![asked] })
}

fn of_commit(recorded: &Recorded) -> Result<Said, NotDecodable> {
    let commit = Commit::decode(recorded.open.clone()).map_err(|_| NotDecodable("a commit"))?;
    let (at, by) = (Millis(commit.decided_at_ms), officer(commit.actor.clone()));
    let refusal = match &commit.outcome {
        Some(Outcome::Refused(refused)) => Some((refused.code.clone(), refused.field.clone())),
        _ => None,
    };
    let command = RecordId::from_slice(&commit.causation);
    let mut what: Vec<What> =
        command.map(|command| What::Answered { command, refusal }).into_iter().collect();
    for event in &events_of(commit)? {
        what.push(of_event(recorded, event)?);
    }
    Ok(Said { at, by, what })
}

fn of_event(recorded: &Recorded, event: &Event) -> Result<What, NotDecodable> {
    let Some(commune) = recorded.key.entity.commune() else {
        return Ok(What::Alert(Box::new(Alert::recall(event)?)));
    };
    match event {
        Event::ReceiptsRecorded(_) => Ok(What::Receipts(commune, Receipts::recall(event)?)),
        _ => match Delivery::recall(event) {
            Ok(event) => Ok(What::Delivery(commune, event)),
            Err(_) => Ok(What::Relay(commune, RelayProtocol::recall(event)?)),
        },
    }
}

fn officer(actor: Option<Actor>) -> String {
    actor.map(|actor| actor.officer).unwrap_or_default()
}
