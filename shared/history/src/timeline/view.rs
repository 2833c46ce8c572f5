//! A timeline, as it is answered.

use serde::{Deserialize, Serialize};

use crate::{story::Fact, time::Time};

/// The times of an alert that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Its id.
    pub alert: String,
    /// Its code.
    pub code: String,
    /// The issuing commune.
    pub commune: String,
    /// The subject.
    pub kind: String,
    /// CAP's status.
    pub status: String,
    /// The state's word, as far as the log goes.
    pub state: String,
    /// In the order of a life; each is there, with its time or with why it is missing.
    pub moments: Vec<Moment>,
    /// Where it was put, each with its own times.
    pub communes: Vec<CommuneTimes>,
    /// Who has read its personal data, in order; a reader's looks within an hour are one.
    pub looks: Vec<Looked>,
}

/// That somebody has read personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// When, for the first time within the hour.
    pub at: Time,
    /// An officer's id, or `link:<hash>`.
    pub reader: String,
    /// The reader's commune; empty where there is none.
    pub commune: String,
    /// `words`, `photo`, `poster` or `notes`.
    pub what: String,
    /// `issued`, `relayed`, `province`, `matched`, `link` or `audit`.
    pub duty: String,
    /// Whether the reader said why; the words are sealed.
    pub is_reason_given: bool,
    /// The record's place.
    pub position: u64,
    /// The record's id.
    pub record: String,
}

/// One of the times that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// `first-word`, `raised`, `approved`, `issued`, `relayed-first`, `relayed-last`,
    /// `first-group`, `last-group`, `acknowledged-first`, `acknowledged-last`, `first-sighting`,
    /// `found`, `all-corrected`.
    pub name: String,
    /// When, and what says so.
    #[serde(flatten)]
    pub said: Option<Said>,
    /// Why there is none.
    pub missing: Option<Missing>,
    /// How many were still to come where this is the last so far: groups, answers, corrections.
    pub remaining: usize,
}

/// When something happened, and the record that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When.
    pub at: Time,
    /// The record's place.
    pub position: u64,
    /// The record's id.
    pub record: String,
    /// When that record was made: a receipt is recorded after the arrival that it tells of.
    pub recorded_at: Time,
    /// Who.
    pub by: String,
}

/// Why a time is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Nobody said when it was.
    NotSaid,
    /// It was not asked for.
    NotNeeded,
    /// It has not come.
    NotYet,
    /// There was nobody for it.
    Nobody,
    /// The alert ended in another way.
    EndedOtherwise,
    /// Nothing was taken back or ended.
    NothingToCorrect,
    /// Some remain: see `remaining`.
    SomeRemain,
    /// Nothing says that it arrived: what provider or person took it is all that is known.
    NotConfirmed,
}

/// The times of one commune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommuneTimes {
    /// The commune.
    pub commune: String,
    /// Why it is in reach.
    pub reason: String,
    /// When the alert was put to it.
    pub relayed: Said,
    /// When it acknowledged.
    pub acknowledged: Option<Said>,
    /// When it refused.
    pub refused: Option<Said>,
    /// When the first of its groups had it.
    pub first_group: Option<Said>,
    /// When the last of those that had it did.
    pub last_group: Option<Said>,
    /// Groups that it was planned for.
    pub groups: usize,
    /// Of them, those where something arrived, as somebody confirmed.
    pub groups_arrived: usize,
    /// Of the others, those where a provider or a person took it.
    pub groups_taken: usize,
}

impl Said {
    pub(super) fn by(fact: &Fact) -> Self {
        Self {
            at: Time(fact.at),
            position: fact.position,
            record: fact.record.to_string(),
            recorded_at: Time(fact.at),
            by: fact.by.clone(),
        }
    }
}

impl Moment {
    pub(super) fn of(name: &str, said: Option<&Said>, missing: Missing) -> Self {
        let missing = said.is_none().then_some(missing);
        Self { name: name.to_owned(), said: said.cloned(), missing, remaining: 0 }
    }

    pub(super) fn with_remaining(self, remaining: usize) -> Self {
        Self { remaining, ..self }
    }
}
