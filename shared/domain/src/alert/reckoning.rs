//! Whom an alert concerns, who has to agree, and how much is known: the rules by which alerting
//! decides, and which a preflight shows before. Pure.

use std::collections::BTreeMap;

use super::{AlertFacts, AlertKnown, Live, NotDone};
use crate::{
    criteria::{Answer, Checklist, Criteria, Fields},
    policy::{Policy, SecondPerson},
    reach::{Ground, ReachRequest, Reached, Subject, Terms, reach_at},
};

/// The communes that facts and a reach amount to now, and when more come. `live` is the alert as
/// it stands, once it was issued: its sighting counts, and its time runs on.
///
/// # Errors
/// `NoReach`: a commune that is asked for is not on the map.
pub fn reached(
    facts: &AlertFacts,
    live: Option<&Live>,
    reach: &ReachRequest,
    known: &AlertKnown,
    is_bordering_only: bool,
) -> Result<Reached, NotDone> {
    let since = live.and_then(|live| live.since);
    let mut subject = Subject::of(facts, since.unwrap_or(known.now));
    if let Some(seen) = live.and_then(|live| live.sighting) {
        subject.last_seen = Some(seen);
    }
    let terms = Terms { is_bordering_only, ..known.policy.reach };
    let ground = Ground { map: known.map.as_ref(), corridors: &known.corridors, terms: &terms };
    reach_at(&subject, reach, &ground, known.now).map_err(NotDone::NoReach)
}

/// What a second person has to do before, or after, this goes to whom it reaches.
#[must_use]
pub fn second_person(facts: &AlertFacts, reached: &Reached, policy: &Policy) -> SecondPerson {
    // What may grow goes beyond the own commune, if not at once.
    let is_beyond =
        reached.next.is_some() || reached.communes.iter().any(|reached| reached.home != facts.home);
    policy.second_person(facts.kind, facts.status, is_beyond)
}

/// What is known and what is missing, by the criteria that are built in; `sealed` names the
/// sealed fields that were given.
#[must_use]
pub fn checklist(facts: &AlertFacts, sealed: &[String]) -> Checklist<'static> {
    let dont_know = facts.dont_know.iter().map(|id| (id.clone(), Answer::DontKnow));
    let said: BTreeMap<String, Answer> = dont_know.collect();
    Criteria::built_in().assess(facts.kind, &Fields::of(facts, sealed), &said)
}
