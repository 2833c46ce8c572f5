//! What people decide of a proposal: the officers of both alerts answer, each for their own side.
//!
//! The entity `match-<alert>-<alert>` is a link and never changes the alerts. A match is
//! confirmed by either side unless the other dismisses it; a merge needs both, and two persons.

use std::collections::BTreeMap;

use super::{ProposalKind, likeness::Reason};
use crate::{
    decider::{Decider, Refusal},
    ids::{AlertId, EntityName, Home, Millis, RecordId},
};

/// Two different alerts, in one order whoever names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    first: AlertId,
    second: AlertId,
}

impl Pair {
    /// The pair of two alerts; `None` where they are one.
    #[must_use]
    pub fn of(one: AlertId, other: AlertId) -> Option<Self> {
        (one != other).then(|| Self { first: one.min(other), second: one.max(other) })
    }

    /// Both, the smaller id first.
    #[must_use]
    pub fn alerts(self) -> [AlertId; 2] {
        [self.first, self.second]
    }

    /// The entity that their match is.
    #[must_use]
    pub fn entity(self) -> EntityName {
        EntityName::matching(self.first, self.second)
    }

    /// The id of the command that proposes it: the same from every instance.
    #[must_use]
    pub fn proposal_id(self) -> RecordId {
        RecordId::of_purpose(&format!("match/{}/{}", self.first, self.second))
    }
}

/// Something asked of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchCommand {
    /// The service `alerting` has compared two alerts.
    Propose(Proposed),
    /// An officer answers for one of the alerts.
    Answer {
        /// The officer.
        by: String,
        /// The command itself; its sealed part may hold a note.
        note: RecordId,
        /// Decided later than this, it is stale.
        valid_until: Option<Millis>,
        /// The alert whose commune answers.
        side: AlertId,
        /// Yes or no.
        verdict: Verdict,
    },
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is the same.
    Confirm,
    /// It is not.
    Dismiss,
}

/// What was proposed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proposed {
    /// Of which alerts.
    pub pair: Pair,
    /// Where they are at home, in the order of the pair.
    pub homes: [Home; 2],
    /// What.
    pub kind: ProposalKind,
    /// 0 to 1,000.
    pub score_per_mille: u32,
    /// The figures it rests on.
    pub reasons: Vec<Reason>,
}

/// One side's answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SideAnswered {
    /// The alert whose commune answered.
    pub side: AlertId,
    /// That commune.
    pub home: Home,
    /// Yes or no.
    pub verdict: Verdict,
    /// The officer.
    pub by: String,
    /// The command whose sealed part may hold a note.
    pub note: RecordId,
}

/// What is recorded of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchEvent {
    /// Two alerts may speak of the same.
    Proposed(Proposed),
    /// One side says that they do, or that they do not.
    Answered(SideAnswered),
}

/// What a decision knows beside the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchKnown {
    /// When it is decided.
    pub now: Millis,
    /// Whether one of the alerts was cancelled: what was said was wrong.
    pub cancelled: bool,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMatched {
    /// It was decided too late.
    #[error("held for longer than it was valid")]
    Stale,
    /// Nothing was proposed of these alerts.
    #[error("nothing was proposed of these alerts")]
    NotProposed,
    /// The alert is none of the two.
    #[error("the alert is none of the two")]
    NotASide,
    /// One of the alerts was cancelled.
    #[error("one of the alerts was cancelled")]
    Cancelled,
    /// The same person has answered for the other side of a merge.
    #[error("the same person cannot answer for both sides")]
    SamePerson,
    /// Both sides of a merge have confirmed it.
    #[error("merged already")]
    AlreadyMerged,
}

impl From<NotMatched> for Refusal {
    fn from(not: NotMatched) -> Self {
        let code = match not {
            NotMatched::Stale => return Self::STALE,
            NotMatched::NotProposed => "not-found",
            NotMatched::NotASide => return Self { code: "not-a-side", field: "alert" },
            NotMatched::Cancelled => "closed",
            NotMatched::SamePerson => "same-person",
            NotMatched::AlreadyMerged => "already-merged",
        };
        Self { code, field: "" }
    }
}

/// What the answers come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not enough answers.
    Open,
    /// It is the same.
    Confirmed,
    /// It is not.
    Dismissed,
    /// One side says yes and the other no: they have to speak with each other.
    Disputed,
}

impl Outcome {
    /// The outcome's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Dismissed => "dismissed",
            Self::Disputed => "disputed",
        }
    }
}

/// A match, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Match {
    /// What was proposed first.
    pub proposed: Option<Proposed>,
    /// Each side's newest answer: at most two.
    pub answers: BTreeMap<AlertId, SideAnswered>,
}

impl Match {
    /// What the answers come to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let Some(proposed) = &self.proposed else { return Outcome::Open };
        let verdict = |side| self.answers.get(&side).map(|answer| answer.verdict);
        let mut verdicts = proposed.pair.alerts().map(verdict);
        verdicts.sort_unstable();
        match (proposed.kind, verdicts) {
            (_, [Some(Verdict::Confirm), Some(Verdict::Confirm)])
            | (ProposalKind::Match, [None, Some(Verdict::Confirm)]) => Outcome::Confirmed,
            (_, [Some(Verdict::Confirm), Some(Verdict::Dismiss)]) => Outcome::Disputed,
            (_, [Some(Verdict::Dismiss), _] | [_, Some(Verdict::Dismiss)]) => Outcome::Dismissed,
            _ => Outcome::Open,
        }
    }

    fn answer(
        &self,
        side: AlertId,
        verdict: Verdict,
        (by, note): (&str, RecordId),
    ) -> Result<Vec<MatchEvent>, NotMatched> {
        let proposed = self.proposed.as_ref().ok_or(NotMatched::NotProposed)?;
        let ([first, second], [one, two]) = (proposed.pair.alerts(), proposed.homes);
        let (other, home) = match side {
            side if side == first => (second, one),
            side if side == second => (first, two),
            _ => return Err(NotMatched::NotASide),
        };
        let answered = SideAnswered { side, home, verdict, by: by.to_owned(), note };
        let before = self.answers.get(&answered.side);
        if before.is_some_and(|before| before.verdict == answered.verdict) {
            return Ok(vec![]);
        }
        if proposed.kind == ProposalKind::Merge {
            if self.outcome() == Outcome::Confirmed {
                return Err(NotMatched::AlreadyMerged);
            }
            let there = self.answers.get(&other);
            let both = answered.verdict == Verdict::Confirm
                && there.is_some_and(|there| there.verdict == Verdict::Confirm);
            if both && there.is_some_and(|there| there.by == answered.by) {
                return Err(NotMatched::SamePerson);
            }
        }
        Ok(vec![MatchEvent::Answered(answered)])
    }
}

impl Decider for Match {
    type Command = MatchCommand;
    type Event = MatchEvent;
    type Rejection = NotMatched;
    type Facts = MatchKnown;

    fn decide(
        &self,
        command: &MatchCommand,
        known: &MatchKnown,
    ) -> Result<Vec<MatchEvent>, NotMatched> {
        match command {
            // What was dismissed is not proposed again: nobody is asked twice.
            MatchCommand::Propose(_) if self.proposed.is_some() => Ok(vec![]),
            MatchCommand::Propose(_) if known.cancelled => Err(NotMatched::Cancelled),
            MatchCommand::Propose(proposed) => Ok(vec![MatchEvent::Proposed(proposed.clone())]),
            MatchCommand::Answer { by, note, valid_until, side, verdict } => {
                if valid_until.is_some_and(|until| until < known.now) {
                    return Err(NotMatched::Stale);
                }
                if known.cancelled && *verdict == Verdict::Confirm {
                    return Err(NotMatched::Cancelled);
                }
                self.answer(*side, *verdict, (by, *note))
            }
        }
    }

    fn evolve(mut self, event: &MatchEvent) -> Self {
        match event {
            MatchEvent::Proposed(proposed) => {
                self.proposed.get_or_insert_with(|| proposed.clone());
            }
            MatchEvent::Answered(answered) => {
                self.answers.insert(answered.side, answered.clone());
            }
        }
        self
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
