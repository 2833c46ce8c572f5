//! What a commune saw at a moment, from the records alone: folded as the services fold them.
//!
//! Known at T is what was written down or decided by T, by the clock of whoever wrote; what a
//! receipt recorded later says of an earlier moment was true then and not known, and both are
//! said. Pure. Two looks at the records, so that memory is that of the alerts concerned: the
//! first finds them (`Search`), the second reads them (`Gathering`).

mod board;
mod deliveries;
mod directory;
mod text;
mod view;
mod withheld;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use domain::ids::{AlertId, CommuneCode, Millis};
use event_log::{Class, Recorded};
use prost::Message;
use wire::{
    commit::events_of,
    v1::{self, event::Event},
};

pub use text::{known_text, state_words};
pub use view::{
    AsKnown, Counts, Knowledge, KnownAlert, KnownDelivery, KnownEscalation, KnownFreeze,
    KnownRefusal, KnownRelay, KnownUndecided, Later, LaterAnswer, Unread, Withheld,
};

use self::directory::Directory;
use crate::{
    filter::{NOT_A_COMMUNE, NOT_A_TIME, NOT_AN_ALERT, WrongParameter, given, instant},
    story::{Fact, Stories, What},
    time::Time,
};

/// What is asked: whose view, and of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedKnown {
    /// The moment.
    pub at: Millis,
    /// The commune whose board it is. `None`: one alert, in all its communes.
    pub commune: Option<CommuneCode>,
    /// One alert only.
    pub alert: Option<AlertId>,
}

impl AskedKnown {
    /// Reads the parameters `at`, `commune`, `alert`; `at` and one of the others are needed.
    ///
    /// # Errors
    /// The first that is unknown, given twice, missing, or no value of its kind.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, WrongParameter> {
        let (mut at, mut commune, mut alert) = (None, None, None);
        for parameter in given(parameters) {
            let (name, value) = parameter?;
            let wrong = |reason| WrongParameter { name: name.to_owned(), reason };
            match name {
                "at" => at = Some(instant(value).ok_or_else(|| wrong(NOT_A_TIME))?),
                "commune" => commune = Some(value.parse().map_err(|_| wrong(NOT_A_COMMUNE))?),
                "alert" => alert = Some(value.parse().map_err(|_| wrong(NOT_AN_ALERT))?),
                _ => return Err(wrong("không có tham số này / there is no such parameter")),
            }
        }
        let missing = |name: &str, reason| WrongParameter { name: name.to_owned(), reason };
        let at = at.ok_or_else(|| missing("at", "cần thời điểm / an instant is needed"))?;
        if commune.is_none() && alert.is_none() {
            let reason = "cần mã xã hoặc mã báo động / a commune or an alert is needed";
            return Err(missing("commune", reason));
        }
        Ok(Self { at, commune, alert })
    }
}

/// The first look: which alerts it is about, and how the directory stood.
#[derive(Debug)]
pub struct Search {
    asked: AskedKnown,
    alerts: BTreeSet<AlertId>,
    directory: Directory,
    records: u64,
}

impl Search {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(asked: AskedKnown) -> Self {
        let alerts = asked.alert.into_iter().collect();
        Self { asked, alerts, directory: Directory::default(), records: 0 }
    }

    /// Looks at a record; all of them are wanted, in their order.
    pub fn look(&mut self, _position: u64, recorded: &Recorded) {
        self.records += 1;
        let entity = &recorded.key.entity;
        let Some(alert) = entity.alert_id() else {
            self.directory.take(recorded, self.asked.at);
            return;
        };
        let Some(commune) = self.asked.commune.filter(|_| self.asked.alert.is_none()) else {
            return;
        };
        if recorded.key.home.commune == commune || puts_to(recorded, commune) {
            self.alerts.insert(alert);
        }
    }

    /// The alerts whose records are wanted next, all of them.
    #[must_use]
    pub fn alerts(&self) -> &BTreeSet<AlertId> {
        &self.alerts
    }

    /// The second look.
    #[must_use]
    pub fn gathering(self) -> Gathering {
        let Self { asked, alerts: _, directory, records } = self;
        Gathering { asked, directory, stories: Stories::default(), records }
    }
}

/// Whether a commit of an alert puts it to this commune.
fn puts_to(recorded: &Recorded, commune: CommuneCode) -> bool {
    let code = commune.as_str().as_bytes();
    // Most name other communes: what does not hold the code need not be decoded.
    if recorded.key.class != Class::Alert || !recorded.open.windows(5).any(|five| five == code) {
        return false;
    }
    let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return false };
    let names = |all: &[v1::CommuneReached]| all.iter().any(|one| one.commune == commune.as_str());
    events_of(commit).unwrap_or_default().iter().any(|event| match event {
        Event::AlertIssued(event) => names(&event.communes),
        Event::AlertRelayedFurther(event) => names(&event.communes),
        Event::AlertWidened(event) => names(&event.communes),
        _ => false,
    })
}

/// The second look: the records of the alerts that were found.
#[derive(Debug)]
pub struct Gathering {
    asked: AskedKnown,
    directory: Directory,
    stories: Stories,
    records: u64,
}

impl Gathering {
    /// Takes a record in; those of other alerts do no harm where one alert was asked for.
    pub fn look(&mut self, position: u64, recorded: &Recorded) {
        self.stories.take(position, recorded);
    }

    /// What was known.
    #[must_use]
    pub fn known(&self) -> AsKnown {
        let AskedKnown { at, commune, alert } = self.asked;
        let mut known = AsKnown {
            at: Time(at),
            commune: commune.map(|code| code.to_string()),
            alert: alert.map(|id| id.to_string()),
            records: self.records,
            alerts: vec![],
            freezes: self.directory.freezes(at, commune),
            refused: vec![],
            undecided: vec![],
            unreadable: vec![],
        };
        for (id, facts) in self.stories.iter() {
            if alert.is_some_and(|alert| alert != id) {
                continue;
            }
            self.commands(facts, &mut known);
            let shown = board::alert(id, facts, (at, commune), &self.directory);
            known.alerts.extend(shown);
        }
        known.refused.sort_by_key(|refused| refused.position);
        known.undecided.sort_by_key(|undecided| undecided.position);
        known
    }

    /// What was refused by then, what nobody had decided on yet, and what cannot be read.
    fn commands(&self, facts: &[Fact], known: &mut AsKnown) {
        let AskedKnown { at, commune, .. } = self.asked;
        let is_theirs = |fact: &&Fact| commune.is_none_or(|commune| fact.home.commune == commune);
        for fact in facts.iter().filter(is_theirs) {
            match &fact.what {
                What::Asked { kind, .. } if fact.at <= at => {
                    let answered = facts.iter().find(|other| {
                        matches!(&other.what, What::Answered { command, .. }
                            if *command == fact.record)
                    });
                    match answered {
                        Some(answer) if answer.at <= at => {
                            known.refused.extend(refused(fact, kind, answer));
                        }
                        later => known.undecided.push(KnownUndecided {
                            at: Time(fact.at),
                            position: fact.position,
                            entity: fact.entity.to_string(),
                            asked: kind.clone(),
                            by: fact.by.clone(),
                            decided_at: later.map(|answer| Time(answer.at)),
                        }),
                    }
                }
                What::Unreadable if fact.at <= at => known
                    .unreadable
                    .push(Unread { position: fact.position, entity: fact.entity.to_string() }),
                _ => {}
            }
        }
    }
}

fn refused(asked: &Fact, kind: &str, answer: &Fact) -> Option<KnownRefusal> {
    let What::Answered { refusal: Some((code, field)), .. } = &answer.what else { return None };
    Some(KnownRefusal {
        at: Time(answer.at),
        position: answer.position,
        entity: asked.entity.to_string(),
        asked: kind.to_owned(),
        by: asked.by.clone(),
        asked_at: Time(asked.at),
        code: code.clone(),
        field: field.clone(),
    })
}
