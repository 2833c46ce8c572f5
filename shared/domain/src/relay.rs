//! The relay: one commune's answer to an alert that was put to it.
//!
//! It begins where the alert names the commune, so its first record is the answer. What happens
//! around the answer (silence that escalates, local instructions, relaying onward) is
//! `protocol`'s; when silence is due to escalate is `escalation`'s.

pub mod escalation;
pub mod protocol;

use crate::{
    decider::{Decider, Refusal},
    ids::{CommuneCode, Millis, RecordId},
};

/// A commune's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayCommand {
    /// The officer who answers.
    pub by: String,
    /// The command itself; its sealed part may hold a note.
    pub note: RecordId,
    /// Decided later than this, it is stale.
    pub valid_until: Option<Millis>,
    /// What.
    pub answer: Answer,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The commune has it and acts.
    Acknowledge,
    /// The commune does not take it.
    Refuse,
}

/// What is recorded of a relay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answered {
    /// Yes or no.
    pub answer: Answer,
    /// Who answered.
    pub by: String,
    /// The command whose sealed part may hold a note.
    pub note: RecordId,
}

/// What a decision knows beside the history: how the alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayKnown {
    /// When it is decided.
    pub now: Millis,
    /// Whether the alert names this commune.
    pub named: bool,
    /// Whether the alert is over.
    pub closed: bool,
}

/// Why an answer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    /// It was decided too late.
    #[error("held for longer than it was valid")]
    Stale,
    /// The alert was never put to this commune.
    #[error("the alert was not relayed to this commune")]
    NotRelayed,
    /// The commune has acknowledged.
    #[error("acknowledged already")]
    AlreadyAcknowledged,
    /// The commune has refused.
    #[error("refused already")]
    AlreadyRefused,
    /// There is nothing left to refuse, to instruct about, or to relay onward.
    #[error("the alert is over")]
    Closed,
    /// More instructions, or more communes at once, than the limit.
    #[error("more than the limit")]
    OverLimit {
        /// Of what: a field of the request.
        field: &'static str,
    },
    /// It was relayed onward too often before it came here.
    #[error("relayed onward too often before it came here")]
    TooManyHops,
    /// A commune to relay onward to is not on the map.
    #[error("commune {0} is not on the map")]
    UnknownCommune(CommuneCode),
    /// The reach must not grow now: a review is owed, or the alert is on hold.
    #[error("the reach must not grow now")]
    ReachHeld,
}

impl From<NotAnswered> for Refusal {
    fn from(not: NotAnswered) -> Self {
        let code = match not {
            NotAnswered::Stale => return Self::STALE,
            NotAnswered::NotRelayed => "not-found",
            NotAnswered::AlreadyAcknowledged => "already-acknowledged",
            NotAnswered::AlreadyRefused => "already-refused",
            NotAnswered::Closed => "closed",
            NotAnswered::OverLimit { field } => return Self { code: "over-limit", field },
            NotAnswered::TooManyHops => "too-many-hops",
            NotAnswered::UnknownCommune(_) => {
                return Self { code: "unknown-commune", field: "communes" };
            }
            NotAnswered::ReachHeld => "reach-held",
        };
        Self { code, field: "" }
    }
}

/// Where a relay stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Relay {
    /// Silence so far.
    #[default]
    Unanswered,
    /// There is an answer.
    Answered(Answered),
}

impl Decider for Relay {
    type Command = RelayCommand;
    type Event = Answered;
    type Rejection = NotAnswered;
    type Facts = RelayKnown;

    fn decide(
        &self,
        command: &RelayCommand,
        known: &RelayKnown,
    ) -> Result<Vec<Answered>, NotAnswered> {
        if !known.named {
            return Err(NotAnswered::NotRelayed);
        }
        if command.valid_until.is_some_and(|until| until < known.now) {
            return Err(NotAnswered::Stale);
        }
        match self {
            Self::Answered(before) if before.answer == command.answer => Ok(vec![]),
            Self::Answered(Answered { answer: Answer::Acknowledge, .. }) => {
                Err(NotAnswered::AlreadyAcknowledged)
            }
            Self::Answered(Answered { answer: Answer::Refuse, .. }) => {
                Err(NotAnswered::AlreadyRefused)
            }
            Self::Unanswered if known.closed && command.answer == Answer::Refuse => {
                Err(NotAnswered::Closed)
            }
            Self::Unanswered => Ok(vec![Answered {
                answer: command.answer,
                by: command.by.clone(),
                note: command.note,
            }]),
        }
    }

    fn evolve(self, event: &Answered) -> Self {
        Self::Answered(event.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(answer: Answer) -> RelayCommand {
        let note = RecordId::of_purpose("note");
        RelayCommand { by: "binh".into(), note, valid_until: None, answer }
    }

    fn check(
        given: &[Answer],
        when: Answer,
        (named, closed): (bool, bool),
        then: Result<usize, NotAnswered>,
    ) {
        let known = RelayKnown { now: Millis(0), named, closed };
        let fold = |relay: Relay, kind: &Answer| {
            let events = relay.decide(&answer(*kind), &RelayKnown { closed: false, ..known });
            events.unwrap().iter().fold(relay, Relay::evolve)
        };
        let relay = given.iter().fold(Relay::default(), fold);
        let decided = relay.decide(&answer(when), &known).map(|events| events.len());
        assert_eq!(decided, then, "given {given:?} when {when:?}");
    }

    #[test]
    fn a_commune_answers_once() {
        use Answer::{Acknowledge, Refuse};
        let open = (true, false);
        check(&[], Acknowledge, open, Ok(1));
        check(&[], Refuse, open, Ok(1));
        check(&[Acknowledge], Acknowledge, open, Ok(0));
        check(&[Refuse], Refuse, open, Ok(0));
        check(&[Acknowledge], Refuse, open, Err(NotAnswered::AlreadyAcknowledged));
        check(&[Refuse], Acknowledge, open, Err(NotAnswered::AlreadyRefused));
        check(&[], Acknowledge, (false, false), Err(NotAnswered::NotRelayed));
        check(&[], Acknowledge, (true, true), Ok(1));
        check(&[], Refuse, (true, true), Err(NotAnswered::Closed));
    }

    #[test]
    fn an_answer_that_was_held_too_long_is_stale() {
        let late = RelayCommand { valid_until: Some(Millis(1)), ..answer(Answer::Acknowledge) };
        let known = RelayKnown { now: Millis(2), named: true, closed: false };
        assert_eq!(Relay::default().decide(&late, &known), Err(NotAnswered::Stale));
    }
}
