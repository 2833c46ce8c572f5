//! Found and missing meet: alerts that may speak of the same person, thing or incident.
//!
//! It proposes, with a score and reasons; people decide (`decision`). Nothing merges by itself.
//! Integers only, so that every machine proposes the same; the words of an alert are not read.

pub mod decision;
pub mod likeness;
pub mod meeting;

use self::likeness::{Likeness, found_again, same_incident};
use crate::{alert::AlertFacts, ids::AlertId, reach::Borders, values::AlertKind};

/// Below this, nothing is proposed: two alerts that say nothing do not match by being close.
pub const PROPOSED_PER_MILLE_MIN: u32 = 500;
/// The most proposals for one alert; the likeliest.
pub const PROPOSALS_MAX: usize = 10;

/// An alert in force, as far as matching looks at it. Whoever asks leaves out what is over.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Which.
    pub alert: AlertId,
    /// What is open of it.
    pub facts: &'a AlertFacts,
}

/// What is proposed of two alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProposalKind {
    /// What one misses, the other has found.
    Match,
    /// Both speak of the same incident.
    Merge,
}

impl ProposalKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Merge => "merge",
        }
    }
}

/// A proposal to the officers of both alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The other alert.
    pub with: AlertId,
    /// What is proposed.
    pub kind: ProposalKind,
    /// How alike they are, and why.
    pub likeness: Likeness,
}

/// What speaks for `new` and each of `others` being the same: the likeliest first, at most
/// [`PROPOSALS_MAX`]. It is the same, whichever of two alerts came first.
#[must_use]
pub fn propose(
    new: Candidate<'_>,
    others: &[Candidate<'_>],
    borders: &dyn Borders,
) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = others
        .iter()
        .filter(|other| other.alert != new.alert)
        .filter_map(|other| compare(new.facts, other, borders))
        .filter(|proposal| proposal.likeness.score_per_mille >= PROPOSED_PER_MILLE_MIN)
        .collect();
    proposals.sort_by_key(|proposal| {
        (std::cmp::Reverse(proposal.likeness.score_per_mille), proposal.with)
    });
    proposals.truncate(PROPOSALS_MAX);
    proposals
}

fn compare(new: &AlertFacts, other: &Candidate<'_>, borders: &dyn Borders) -> Option<Proposal> {
    // An exercise never meets what is real.
    if new.status != other.facts.status {
        return None;
    }
    let (kind, likeness) = match (side(new.kind), side(other.facts.kind)) {
        (Some(Side::Missing(what)), Some(Side::Found(same))) if what == same => {
            (ProposalKind::Match, found_again(new, other.facts, borders)?)
        }
        (Some(Side::Found(what)), Some(Side::Missing(same))) if what == same => {
            (ProposalKind::Match, found_again(other.facts, new, borders)?)
        }
        _ if new.kind == other.facts.kind && may_be_one_incident(new.kind) => {
            (ProposalKind::Merge, same_incident(new, other.facts, borders)?)
        }
        _ => return None,
    };
    Some(Proposal { with: other.alert, kind, likeness })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Person,
    Thing,
}

enum Side {
    Missing(What),
    Found(What),
}

/// A child and a grown person may be the same: whoever finds somebody guesses the age.
fn side(kind: AlertKind) -> Option<Side> {
    match kind {
        AlertKind::LostChild | AlertKind::MissingPerson => Some(Side::Missing(What::Person)),
        AlertKind::FoundChild | AlertKind::FoundPerson => Some(Side::Found(What::Person)),
        AlertKind::LostProperty => Some(Side::Missing(What::Thing)),
        AlertKind::FoundProperty => Some(Side::Found(What::Thing)),
        AlertKind::Suspect | AlertKind::ScamWarning | AlertKind::Hazard | AlertKind::Notice => None,
    }
}

/// A fraud is everywhere and a notice is nobody's incident.
fn may_be_one_incident(kind: AlertKind) -> bool {
    !matches!(kind, AlertKind::ScamWarning | AlertKind::Notice)
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
