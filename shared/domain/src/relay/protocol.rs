//! The relay's whole protocol: the answer, the escalation of silence, local instructions, and
//! relaying onward. The answer itself is decided by [`Relay`].
//!
//! An answer is to the alert, not to one revision of it: what is updated or corrected later is
//! not asked again. Who instructs or relays onward has the alert in hand: that acknowledges it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Answer, Answered, NotAnswered, Relay, RelayCommand, RelayKnown, escalation::Step};
use crate::{
    decider::Decider,
    ids::{CommuneCode, Home, Millis, OfficerId, RecordId},
    reach::Borders,
};

/// How often an alert is relayed onward, one commune after another, from one that it names.
pub const HOPS_MAX: u32 = 3;
/// The most communes that one officer relays onward to at once.
pub const ONWARD_COMMUNES_MAX: usize = 128;
/// The most local instructions of one commune about one alert; the newest counts.
pub const INSTRUCTIONS_MAX: u32 = 32;
/// The most people whom one step of an escalation asks.
pub const ASKED_MAX: usize = 16;

/// Something asked of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAsk {
    /// A commune's yes or no.
    Answer(RelayCommand),
    /// There was no answer in time; asked by the service `alerting`.
    Escalate {
        /// Who is asked now.
        step: Step,
        /// They; empty where the roster has nobody. At most [`ASKED_MAX`] are recorded.
        to: Vec<OfficerId>,
    },
    /// The commune adds something for its own groups.
    Instruct {
        /// The officer.
        by: String,
        /// The command whose sealed part holds the words.
        content: RecordId,
        /// Decided later than this, it is stale.
        valid_until: Option<Millis>,
    },
    /// The commune relays the alert to further communes.
    RelayOnward {
        /// The officer.
        by: String,
        /// The command itself; its sealed part may hold a note.
        note: RecordId,
        /// Decided later than this, it is stale.
        valid_until: Option<Millis>,
        /// To these; those that the alert names already are skipped.
        to: Vec<CommuneCode>,
    },
}

/// What is recorded of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// There is an answer.
    Answered(Answered),
    /// There was none in time.
    Escalated(Escalated),
    /// The commune's own groups are told this, too.
    Instructed(Instructed),
    /// The alert is put to further communes.
    RelayedOnward(RelayedOnward),
}

/// Somebody else was asked, because there was no answer in time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Escalated {
    /// Who is asked now.
    pub step: Step,
    /// They; empty where the roster had nobody.
    pub to: Vec<OfficerId>,
}

/// Local instructions, for the commune's own groups only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instructed {
    /// The officer.
    pub by: String,
    /// The command whose sealed part holds the words.
    pub content: RecordId,
}

/// The alert was relayed onward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedOnward {
    /// The officer.
    pub by: String,
    /// The command whose sealed part may hold a note.
    pub note: RecordId,
    /// To these: at least one, at most [`ONWARD_COMMUNES_MAX`], none that was named before.
    pub to: Vec<Home>,
    /// How often the alert was relayed onward to come to them: 1 to [`HOPS_MAX`].
    pub hops: u32,
}

/// What a decision knows beside the history.
#[derive(Clone)]
pub struct ProtocolKnown {
    /// How the alert stands.
    pub relay: RelayKnown,
    /// How often the alert was relayed onward to come here; 0 where it names the commune itself.
    pub hops: u32,
    /// The communes that it was put to, by itself or onward: none is named twice.
    pub named: BTreeSet<CommuneCode>,
    /// Whether its reach must not grow: a review is owed, or it is on hold.
    pub held: bool,
    /// The map in force.
    pub map: Arc<dyn Borders>,
}

/// A relay, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct RelayProtocol {
    /// The commune's answer.
    pub answer: Relay,
    /// The furthest step of the escalation.
    pub escalated: Option<Escalated>,
    /// The newest local instructions.
    pub instructed: Option<Instructed>,
    /// How many were given.
    pub instructions: u32,
    /// Where the commune relayed the alert onward to, and at which hop.
    pub onward: BTreeMap<CommuneCode, u32>,
}

impl RelayProtocol {
    /// The acknowledgement that lies in an act; nothing where the commune has acknowledged.
    fn acknowledged_by_acting(
        &self,
        (by, note): (&str, RecordId),
        valid_until: Option<Millis>,
        known: &ProtocolKnown,
    ) -> Result<Vec<RelayEvent>, NotAnswered> {
        let answer = Answer::Acknowledge;
        let command = RelayCommand { by: by.to_owned(), note, valid_until, answer };
        let answered = self.answer.decide(&command, &known.relay)?;
        if known.relay.closed {
            return Err(NotAnswered::Closed);
        }
        Ok(answered.into_iter().map(RelayEvent::Answered).collect())
    }

    fn escalate(&self, step: Step, to: &[OfficerId], known: &ProtocolKnown) -> Vec<RelayEvent> {
        let answered = self.answer != Relay::Unanswered;
        let done = self.escalated.as_ref().is_some_and(|before| before.step >= step);
        if answered || done || known.relay.closed || !known.relay.named {
            return vec![];
        }
        let to = to.iter().take(ASKED_MAX).cloned().collect();
        vec![RelayEvent::Escalated(Escalated { step, to })]
    }

    /// Those of `to` that the alert was not put to; each once, in the order of the codes.
    fn onward(&self, to: &[CommuneCode], known: &ProtocolKnown) -> Result<Vec<Home>, NotAnswered> {
        let fresh =
            |code: &CommuneCode| !known.named.contains(code) && !self.onward.contains_key(code);
        let asked: BTreeSet<CommuneCode> = to.iter().copied().collect();
        let mut homes = Vec::new();
        for code in asked {
            let home = known.map.home(code).ok_or(NotAnswered::UnknownCommune(code))?;
            if fresh(&code) {
                homes.push(home);
            }
        }
        Ok(homes)
    }
}

impl Decider for RelayProtocol {
    type Command = RelayAsk;
    type Event = RelayEvent;
    type Rejection = NotAnswered;
    type Facts = ProtocolKnown;

    fn decide(
        &self,
        ask: &RelayAsk,
        known: &ProtocolKnown,
    ) -> Result<Vec<RelayEvent>, NotAnswered> {
        match ask {
            RelayAsk::Answer(command) => {
                let answered = self.answer.decide(command, &known.relay)?;
                Ok(answered.into_iter().map(RelayEvent::Answered).collect())
            }
            RelayAsk::Escalate { step, to } => Ok(self.escalate(*step, to, known)),
            RelayAsk::Instruct { by, content, valid_until } => {
                let mut events =
                    self.acknowledged_by_acting((by, *content), *valid_until, known)?;
                if self.instructed.as_ref().is_some_and(|before| before.content == *content) {
                    return Ok(events);
                }
                if self.instructions >= INSTRUCTIONS_MAX {
                    return Err(NotAnswered::OverLimit { field: "instruction" });
                }
                let instructed = Instructed { by: by.clone(), content: *content };
                events.push(RelayEvent::Instructed(instructed));
                Ok(events)
            }
            RelayAsk::RelayOnward { by, note, valid_until, to } => {
                let mut events = self.acknowledged_by_acting((by, *note), *valid_until, known)?;
                if to.len() > ONWARD_COMMUNES_MAX {
                    return Err(NotAnswered::OverLimit { field: "communes" });
                }
                let to = self.onward(to, known)?;
                if to.is_empty() {
                    return Ok(events);
                }
                if known.held {
                    return Err(NotAnswered::ReachHeld);
                }
                let hops = known.hops.saturating_add(1);
                if hops > HOPS_MAX {
                    return Err(NotAnswered::TooManyHops);
                }
                let onward = RelayedOnward { by: by.clone(), note: *note, to, hops };
                events.push(RelayEvent::RelayedOnward(onward));
                Ok(events)
            }
        }
    }

    fn evolve(mut self, event: &RelayEvent) -> Self {
        match event {
            RelayEvent::Answered(answered) => self.answer = self.answer.evolve(answered),
            // Steps only rise, also where a lost one was appended again later.
            RelayEvent::Escalated(escalated) => {
                if self.escalated.as_ref().is_none_or(|before| before.step < escalated.step) {
                    self.escalated = Some(escalated.clone());
                }
            }
            RelayEvent::Instructed(instructed) => {
                self.instructed = Some(instructed.clone());
                self.instructions = self.instructions.saturating_add(1);
            }
            RelayEvent::RelayedOnward(onward) => {
                for home in &onward.to {
                    self.onward.entry(home.commune).or_insert(onward.hops);
                }
            }
        }
        self
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
