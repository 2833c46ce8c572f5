//! An alert as it stood on a board.

use std::collections::BTreeMap;

use domain::{
    alert::{Alert, AlertEvent, AlertFacts},
    decider::Decider,
    ids::{AlertId, CommuneCode, Home, Millis, RecordId},
    reach::CommuneReached,
    relay::{
        Answer, Relay,
        escalation::{AnswerTimes, standing},
        protocol::{RelayEvent, RelayProtocol},
    },
};

use super::{
    deliveries::Deliveries,
    directory::Directory,
    view::{
        Counts, Knowledge, KnownAlert, KnownDelivery, KnownEscalation, KnownRelay, LaterAnswer,
    },
    withheld::withheld,
};
use crate::{
    story::{Fact, What},
    time::Time,
};

/// Where an alert was put, and what became of it there.
pub(super) struct Put {
    pub(super) reached: CommuneReached,
    at: Millis,
    position: u64,
    pub(super) relay: RelayProtocol,
    answered_at: Option<Millis>,
    escalated: Vec<KnownEscalation>,
    instructed_at: Option<Millis>,
}

/// An alert, folded up to a moment.
#[derive(Default)]
pub(super) struct Stood {
    pub(super) alert: Alert,
    home: Option<Home>,
    raise: Option<(AlertFacts, Millis, String)>,
    refused: bool,
    issued_at: Option<Millis>,
    words: BTreeMap<RecordId, Vec<String>>,
    position: u64,
    pub(super) puts: BTreeMap<CommuneCode, Put>,
}

impl Stood {
    fn of(id: AlertId, facts: &[Fact], at: Millis) -> Self {
        let mut stood = Self::default();
        facts.iter().filter(|fact| fact.at <= at).for_each(|fact| stood.take(id, fact));
        stood
    }

    fn take(&mut self, id: AlertId, fact: &Fact) {
        match &fact.what {
            What::Asked { sealed, raise, .. } => {
                self.words.insert(fact.record, sealed.clone());
                let raises = AlertId::raised_by(fact.record) == id;
                if let Some(facts) = raise.as_ref().filter(|_| raises) {
                    self.raise = Some(((**facts).clone(), fact.at, fact.by.clone()));
                    self.home = Some(fact.home);
                }
            }
            What::Answered { command, refusal } => {
                // Only the command that raised the alert gives it its id.
                self.refused |= refusal.is_some() && AlertId::raised_by(*command) == id;
            }
            What::Alert(event) => self.event(event, fact),
            What::Relay(commune, event) => {
                if let Some(put) = self.puts.get_mut(commune) {
                    put.take(event, fact.at);
                }
            }
            What::Delivery(..) | What::Receipts(..) | What::Unreadable => return,
        }
        self.position = self.position.max(fact.position);
    }

    fn event(&mut self, event: &AlertEvent, fact: &Fact) {
        self.home = Some(fact.home);
        for reached in event.puts_to() {
            let new = Put {
                reached: *reached,
                at: fact.at,
                position: fact.position,
                relay: RelayProtocol::default(),
                answered_at: None,
                escalated: vec![],
                instructed_at: None,
            };
            self.puts.entry(reached.home.commune).or_insert(new);
        }
        if matches!(event, AlertEvent::Issued { .. }) {
            self.issued_at = self.issued_at.or(Some(fact.at));
        }
        self.alert = std::mem::take(&mut self.alert).evolve(event);
    }

    pub(super) fn facts(&self) -> Option<&AlertFacts> {
        let standing = self.alert.content().map(|content| &content.facts);
        standing.or(self.raise.as_ref().map(|(facts, ..)| facts))
    }

    fn state(&self) -> &'static str {
        match (&self.alert, self.refused) {
            (Alert::Unissued, true) => "refused",
            (alert, _) => alert.state(),
        }
    }

    /// The names of the sealed fields of the words that stood.
    fn words(&self, id: AlertId) -> Vec<String> {
        let content = match self.alert.content() {
            Some(content) => Some(content.content),
            None => self.words.keys().copied().find(|id_| AlertId::raised_by(*id_) == id),
        };
        content.and_then(|content| self.words.get(&content)).cloned().unwrap_or_default()
    }
}

impl Put {
    fn take(&mut self, event: &RelayEvent, at: Millis) {
        match event {
            RelayEvent::Answered(_) => self.answered_at = Some(at),
            RelayEvent::Escalated(escalated) => self.escalated.push(KnownEscalation {
                step: escalated.step.as_str().to_owned(),
                officers: escalated.to.iter().map(ToString::to_string).collect(),
                at: Time(at),
            }),
            RelayEvent::Instructed(_) => self.instructed_at = Some(at),
            RelayEvent::RelayedOnward(_) => {}
        }
        self.relay = std::mem::take(&mut self.relay).evolve(event);
    }
}

/// The alert, where it was on the board of this commune; on everybody's where none is named.
pub(super) fn alert(
    id: AlertId,
    facts: &[Fact],
    (at, commune): (Millis, Option<CommuneCode>),
    directory: &Directory,
) -> Option<KnownAlert> {
    let stood = Stood::of(id, facts, at);
    let home = stood.home?;
    let is_own = commune.is_none_or(|commune| home.commune == commune);
    let is_put = commune.is_some_and(|commune| stood.puts.contains_key(&commune));
    if !is_own && !is_put {
        return None;
    }
    // The issuing commune sees all; others see what is their own.
    let sees = |code: &CommuneCode| is_own || commune == Some(*code);
    let mut deliveries: Vec<KnownDelivery> = Vec::new();
    let mut relays = Vec::new();
    let mut held_back = Vec::new();
    for (code, put) in stood.puts.iter().filter(|(code, _)| sees(code)) {
        let told = Deliveries::of(*code, facts, at);
        relays.push(relay(&stood, (*code, put), told.newest(), later_answer(*code, facts, at)));
        held_back.extend(withheld(&stood, (*code, put), directory, &told));
        deliveries.extend(told.known(*code, facts, at));
    }
    let live = stood.alert.live();
    let known = KnownAlert {
        id: id.to_string(),
        code: id.code(),
        commune: home.commune.to_string(),
        seen_as: match (commune, is_own) {
            (None, _) => "asked",
            (Some(_), true) => "own",
            (Some(_), false) => "relayed",
        }
        .to_owned(),
        kind: stood.facts().map(|facts| facts.kind.as_str()).unwrap_or_default().to_owned(),
        status: stood.facts().map(|facts| facts.status.as_str()).unwrap_or_default().to_owned(),
        state: stood.state().to_owned(),
        revision: stood.alert.content().map_or(1, |content| content.revision),
        expires_at: stood.facts().map(|facts| Time(facts.expires_at)),
        raised_at: stood.raise.as_ref().map(|(_, at, _)| Time(*at)),
        raised_by: stood.raise.as_ref().map(|(.., by)| by.clone()).unwrap_or_default(),
        issued_at: stood.issued_at.map(Time),
        on_hold: live.is_some_and(|live| live.on_hold),
        review: live.map(|live| live.review.as_str()).unwrap_or_default().to_owned(),
        pending: live.and_then(|live| live.pending.as_ref().map(|(revision, ..)| *revision)),
        words: stood.words(id),
        position: stood.position,
        relays,
        counts: counts(&deliveries, held_back.len()),
        deliveries,
        withheld: held_back,
    };
    Some(known)
}

fn relay(
    stood: &Stood,
    (code, put): (CommuneCode, &Put),
    planned_revision: u64,
    later: Option<LaterAnswer>,
) -> KnownRelay {
    let kind = stood.facts().map(|facts| facts.kind);
    // Silence is shown once it is recorded, as the services show it.
    let stands = kind.map(|kind| {
        let times = AnswerTimes::default();
        standing(&put.relay, put.at, kind, &times, Millis(i64::MIN)).as_str()
    });
    let is_home = stood.home.is_some_and(|home| home.commune == code);
    let answered_by = match &put.relay.answer {
        Relay::Answered(answered) => answered.by.clone(),
        Relay::Unanswered => String::new(),
    };
    KnownRelay {
        commune: code.to_string(),
        reason: put.reached.reason.as_str().to_owned(),
        relayed_at: Time(put.at),
        position: put.position,
        standing: if is_home { "raised" } else { stands.unwrap_or_default() }.to_owned(),
        answered_at: put.answered_at.map(Time),
        answered_by,
        escalated: put.escalated.clone(),
        instructed_at: put.instructed_at.map(Time),
        onward_to: put.relay.onward.keys().map(ToString::to_string).collect(),
        planned_revision,
        later: later.filter(|_| put.answered_at.is_none()),
    }
}

/// The first answer of a commune that was given only later.
fn later_answer(commune: CommuneCode, facts: &[Fact], at: Millis) -> Option<LaterAnswer> {
    facts.iter().filter(|fact| fact.at > at).find_map(|fact| match &fact.what {
        What::Relay(of, RelayEvent::Answered(answered)) if *of == commune => Some(LaterAnswer {
            answer: match answered.answer {
                Answer::Acknowledge => "acknowledged",
                Answer::Refuse => "refused",
            }
            .to_owned(),
            at: Time(fact.at),
        }),
        _ => None,
    })
}

/// Of each target its newest revision counts.
fn counts(deliveries: &[KnownDelivery], withheld: usize) -> Counts {
    let mut newest: BTreeMap<(&str, &str, &str), &KnownDelivery> = BTreeMap::new();
    for one in deliveries {
        let target = (one.commune.as_str(), one.group.as_str(), one.channel.as_str());
        let newer = newest.get(&target).is_none_or(|other| other.revision < one.revision);
        if newer {
            newest.insert(target, one);
        }
    }
    let of = |known: Knowledge| newest.values().filter(|one| one.known == known).count();
    Counts {
        arrived: of(Knowledge::Arrived),
        taken: of(Knowledge::Taken),
        sent: of(Knowledge::Sent),
        not_sent: of(Knowledge::NotSent),
        unknown: of(Knowledge::Unknown),
        not_arrived: of(Knowledge::NotArrived),
        withheld,
    }
}
