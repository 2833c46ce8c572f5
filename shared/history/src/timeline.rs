//! The times of an alert that matter, from the first word to the last correction; each with the
//! record that says so, and what is missing said as missing. Pure.

mod arrivals;
mod corrected;
mod looks;
mod text;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use domain::{
    alert::{Alert, AlertEvent, AlertFacts},
    decider::Decider,
    ids::{AlertId, CommuneCode, Home},
    relay::{Answer, protocol::RelayEvent},
};
use event_log::Recorded;

pub use text::timeline_text;
pub use view::{CommuneTimes, Looked, Missing, Moment, Said, Timeline};

use self::arrivals::Arrivals;
use crate::{
    story::{Fact, Stories, What},
    time::Time,
};

/// The records of one alert, on their way to its timeline.
#[derive(Debug)]
pub struct Tracing {
    alert: AlertId,
    stories: Stories,
    looks: Vec<Looked>,
}

impl Tracing {
    /// Of this alert; nothing was looked at yet.
    #[must_use]
    pub fn new(alert: AlertId) -> Self {
        Self { alert, stories: Stories::default(), looks: vec![] }
    }

    /// Takes a record in; those of other alerts do no harm.
    pub fn look(&mut self, position: u64, recorded: &Recorded) {
        self.stories.take(position, recorded);
        self.looks.extend(looks::looks_in(self.alert, position, recorded));
    }

    /// The timeline; `None` where there is no such alert.
    #[must_use]
    pub fn timeline(&self) -> Option<Timeline> {
        let (_, facts) = self.stories.iter().find(|(alert, _)| *alert == self.alert)?;
        let course = Course::of(self.alert, facts);
        let content = course.alert.content();
        let asked = course.raise.as_ref().map(|(_, facts)| facts);
        let open = content.map(|content| &content.facts).or(asked)?;
        Some(Timeline {
            alert: self.alert.to_string(),
            code: self.alert.code(),
            commune: course.home?.commune.to_string(),
            kind: open.kind.as_str().to_owned(),
            status: open.status.as_str().to_owned(),
            state: course.state().to_owned(),
            moments: course.moments(open, facts),
            communes: course.communes(),
            looks: self.looks.clone(),
        })
    }
}

/// Where the alert was put, and when it was answered.
#[derive(Debug)]
struct Put {
    reason: &'static str,
    relayed: Said,
    answered: Option<(Answer, Said)>,
}

/// An alert's course: the first record of each kind.
#[derive(Debug, Default)]
struct Course {
    alert: Alert,
    home: Option<Home>,
    raise: Option<(Said, AlertFacts)>,
    refused: bool,
    approval_asked: bool,
    approved: Option<Said>,
    issued: Option<Said>,
    sighted: Option<Said>,
    found: Option<Said>,
    puts: BTreeMap<CommuneCode, Put>,
    arrivals: Arrivals,
}

impl Course {
    fn of(alert: AlertId, facts: &[Fact]) -> Self {
        let mut course = Self::default();
        facts.iter().for_each(|fact| course.take(alert, fact));
        course.arrivals = Arrivals::of(facts);
        course
    }

    fn take(&mut self, alert: AlertId, fact: &Fact) {
        match &fact.what {
            What::Asked { raise: Some(facts), .. } if AlertId::raised_by(fact.record) == alert => {
                self.home = Some(fact.home);
                self.raise = Some((Said::by(fact), (**facts).clone()));
            }
            What::Answered { command, refusal: Some(_) } => {
                self.refused |= AlertId::raised_by(*command) == alert;
            }
            What::Alert(event) => self.event(event, fact),
            What::Relay(commune, RelayEvent::Answered(answered)) => {
                if let Some(put) = self.puts.get_mut(commune) {
                    put.answered.get_or_insert((answered.answer, Said::by(fact)));
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &AlertEvent, fact: &Fact) {
        self.home = Some(fact.home);
        for reached in event.puts_to() {
            self.puts.entry(reached.home.commune).or_insert_with(|| Put {
                reason: reached.reason.as_str(),
                relayed: Said::by(fact),
                answered: None,
            });
        }
        let said = || Some(Said::by(fact));
        match event {
            AlertEvent::ApprovalAsked { .. } => self.approval_asked = true,
            AlertEvent::Approved { .. } => self.approved = self.approved.take().or_else(said),
            AlertEvent::Issued { .. } => self.issued = self.issued.take().or_else(said),
            AlertEvent::Sighted { .. } => self.sighted = self.sighted.take().or_else(said),
            AlertEvent::Resolved { .. } => self.found = said(),
            // The good end was none.
            AlertEvent::Reopened { .. } => self.found = None,
            _ => {}
        }
        self.alert = std::mem::take(&mut self.alert).evolve(event);
    }

    fn state(&self) -> &'static str {
        match (&self.alert, self.refused) {
            (Alert::Unissued, true) => "refused",
            (alert, _) => alert.state(),
        }
    }

    /// Whether nothing more can come of it.
    fn is_over(&self) -> bool {
        matches!(self.alert, Alert::Closed { .. })
            || (self.refused && self.alert == Alert::Unissued)
    }

    /// Those that it was put to, beside the one that raised it.
    fn others(&self) -> impl Iterator<Item = &Put> {
        let home = self.home.map(|home| home.commune);
        self.puts.iter().filter(move |(code, _)| Some(**code) != home).map(|(_, put)| put)
    }

    fn moments(&self, open: &AlertFacts, facts: &[Fact]) -> Vec<Moment> {
        let raise = self.raise.as_ref().map(|(said, _)| said);
        let relayed: Vec<&Said> = self.others().map(|put| &put.relayed).collect();
        let none = if self.issued.is_some() { Missing::Nobody } else { Missing::NotYet };
        let mut moments = vec![
            self.first_word(open),
            Moment::of("raised", raise, Missing::NotYet),
            Moment::of("approved", self.approved.as_ref(), self.unapproved()),
            Moment::of("issued", self.issued.as_ref(), self.unissued()),
            Moment::of("relayed-first", first(&relayed), none),
            Moment::of("relayed-last", last(&relayed), none),
        ];
        moments.extend(self.arrivals.moments(self.issued.is_some()));
        moments.extend(self.acknowledged(none));
        moments.push(Moment::of("first-sighting", self.sighted.as_ref(), Missing::NotYet));
        let unfound = if self.is_over() { Missing::EndedOtherwise } else { Missing::NotYet };
        moments.push(Moment::of("found", self.found.as_ref(), unfound));
        moments.push(corrected::all_corrected(facts));
        moments
    }

    /// When the first word came, as the officer said it when raising.
    fn first_word(&self, open: &AlertFacts) -> Moment {
        let said = self.raise.as_ref().and_then(|(said, facts)| {
            let at = facts.reported_at.or(open.reported_at)?;
            Some(Said { at: Time(at), ..said.clone() })
        });
        Moment::of("first-word", said.as_ref(), Missing::NotSaid)
    }

    fn unapproved(&self) -> Missing {
        match (self.is_over(), self.approval_asked) {
            (_, false) => Missing::NotNeeded,
            (true, true) => Missing::EndedOtherwise,
            (false, true) => Missing::NotYet,
        }
    }

    fn unissued(&self) -> Missing {
        if self.is_over() { Missing::EndedOtherwise } else { Missing::NotYet }
    }

    fn acknowledged(&self, none: Missing) -> [Moment; 2] {
        let answers = |put: &'_ Put| match &put.answered {
            Some((Answer::Acknowledge, said)) => Some(said.clone()),
            _ => None,
        };
        let said: Vec<Said> = self.others().filter_map(answers).collect();
        let said: Vec<&Said> = said.iter().collect();
        let silent = self.others().filter(|put| put.answered.is_none()).count();
        let missing = if self.others().next().is_some() { Missing::NotYet } else { none };
        let first = Moment::of("acknowledged-first", first(&said), missing);
        let last = Moment::of("acknowledged-last", last(&said), missing).with_remaining(silent);
        [first, last]
    }

    fn communes(&self) -> Vec<CommuneTimes> {
        let one = |(code, put): (&CommuneCode, &Put)| {
            let answered = put.answered.as_ref();
            let of = |wanted: Answer| {
                let said = answered.filter(|(answer, _)| *answer == wanted);
                said.map(|(_, said)| said.clone())
            };
            let told = self.arrivals.of_commune(*code);
            CommuneTimes {
                commune: code.to_string(),
                reason: put.reason.to_owned(),
                relayed: put.relayed.clone(),
                acknowledged: of(Answer::Acknowledge),
                refused: of(Answer::Refuse),
                first_group: told.first,
                last_group: told.last,
                groups: told.groups,
                groups_arrived: told.arrived,
                groups_taken: told.taken,
            }
        };
        self.puts.iter().map(one).collect()
    }
}

/// The earliest.
fn first<'a>(all: &[&'a Said]) -> Option<&'a Said> {
    all.iter().copied().min_by_key(|said| (said.at, said.position))
}

/// The latest.
fn last<'a>(all: &[&'a Said]) -> Option<&'a Said> {
    all.iter().copied().max_by_key(|said| (said.at, said.position))
}
