//! Matches on the board: every proposal as it stands, folded from the log. The notes are not
//! here: they are sealed, and read from the log when somebody looks.

use std::collections::{BTreeMap, HashMap};

use domain::{
    decider::Decider,
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    matching::{
        ProposalKind,
        decision::{Match, MatchEvent, Outcome, Proposed},
    },
    state_hash::StateHash,
};
use event_log::{At, Held, Recorded};
use prost::Message;
use wire::{
    Spoken,
    commit::events_of,
    v1::{self, commit::Outcome as CommitOutcome},
};

use crate::{
    Intake,
    board::{Decision, Rows},
    notices::{Notice, What},
    row::Refused,
};

/// One proposal.
#[derive(Debug, Clone)]
pub(crate) struct MatchRow {
    pub(crate) id: EntityName,
    pub(crate) home: Home,
    pub(crate) proposed: Proposed,
    pub(crate) state: Match,
    pub(crate) proposed_at: Millis,
    /// When each side gave its newest answer.
    pub(crate) answered_at: BTreeMap<AlertId, Millis>,
    /// What must be durable before this row is shown.
    pub(crate) at: At,
}

/// Another alert that may speak of the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Related {
    pub(crate) kind: ProposalKind,
    pub(crate) outcome: Outcome,
}

/// Every proposal.
#[derive(Default)]
pub(crate) struct Matches {
    rows: HashMap<EntityName, MatchRow>,
    /// In the order in which they came.
    pub(crate) order: Vec<EntityName>,
    /// The last commit taken in of each.
    versions: HashMap<EntityName, u64>,
}

impl MatchRow {
    /// Whether it concerns somebody who stands for `home`, or is at home there.
    pub(crate) fn concerns(&self, of: impl Fn(Home) -> bool) -> bool {
        self.proposed.homes.into_iter().any(of)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.state.outcome()
    }
}

impl Matches {
    /// The proposal as it stands.
    pub(crate) fn get(&self, id: &EntityName) -> Option<&MatchRow> {
        self.rows.get(id)
    }

    /// Every proposal, as far as it is folded.
    pub(crate) fn held(&self) -> impl Iterator<Item = Held> {
        self.rows.iter().filter_map(|(id, row)| {
            Some(Held::at(id, *self.versions.get(id)?, StateHash::of(&row.state)))
        })
    }

    /// Takes a commit in; `None` where it was taken in before.
    fn commit(&mut self, recorded: &Recorded, commit: &v1::Commit, at: At) -> Option<()> {
        let id = &recorded.key.entity;
        let seen = self.versions.entry(id.clone()).or_default();
        if *seen >= commit.version {
            return None;
        }
        *seen = commit.version;
        let decided_at = Millis(commit.decided_at_ms);
        // What cannot be decoded is alarmed by whoever decides on it.
        let events = events_of(commit.clone()).unwrap_or_default();
        for event in events.iter().filter_map(|event| Match::recall(event).ok()) {
            self.event(recorded, &event, decided_at, at);
        }
        if let Some(row) = self.rows.get_mut(id) {
            row.at = at;
        }
        Some(())
    }

    fn event(&mut self, recorded: &Recorded, event: &MatchEvent, decided_at: Millis, at: At) {
        let id = &recorded.key.entity;
        if let (MatchEvent::Proposed(proposed), false) = (event, self.rows.contains_key(id)) {
            let row = MatchRow {
                id: id.clone(),
                home: recorded.key.home,
                proposed: proposed.clone(),
                state: Match::default(),
                proposed_at: decided_at,
                answered_at: BTreeMap::new(),
                at,
            };
            self.order.push(id.clone());
            self.rows.insert(id.clone(), row);
        }
        let Some(row) = self.rows.get_mut(id) else { return };
        if let MatchEvent::Answered(answered) = event {
            row.answered_at.insert(answered.side, decided_at);
        }
        row.state = std::mem::take(&mut row.state).evolve(event);
    }
}

/// Takes a commit of a match in, and tells both alerts of it. Answers whether the board needs the
/// record at the next start.
pub(crate) fn take_in(intake: &Intake, recorded: &Recorded, at: At) -> bool {
    if recorded.key.entity.matched().is_none() {
        return false;
    }
    let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return false };
    let mut rows = intake.board.lock();
    if rows.matches.commit(recorded, &commit, at).is_none() {
        return true;
    }
    if let Some(row) = rows.matches.get(&recorded.key.entity).cloned() {
        relate(&mut rows, &row);
        let [alert, _] = row.proposed.pair.alerts();
        let what = What::Match(row.id, row.proposed.homes);
        intake.notices.tell(Notice { at, alert, what });
    }
    let refusal = match &commit.outcome {
        Some(CommitOutcome::Refused(refused)) => {
            let (code, field) = (refused.code.clone(), refused.field.clone());
            Some(Refused { code, field })
        }
        _ => None,
    };
    if let Some(cause) = RecordId::from_slice(&commit.causation) {
        rows.decide(cause, &Decision { at, refusal });
    }
    true
}

/// Both alerts show that they are related, and how that stands.
fn relate(rows: &mut Rows, row: &MatchRow) {
    let [first, second] = row.proposed.pair.alerts();
    let related = Related { kind: row.proposed.kind, outcome: row.outcome() };
    for (alert, other) in [(first, second), (second, first)] {
        if let Some(alert) = rows.get_mut(alert) {
            alert.related.insert(other, related);
            alert.related_after = Some(row.at);
        }
    }
}
