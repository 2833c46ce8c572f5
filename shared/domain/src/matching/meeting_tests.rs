//! Given / when / then for who is compared with whom, and when.

use super::*;
use crate::{
    alert::LastSeen,
    ids::{Home, RecordId},
    matching::ProposalKind,
    reach::{
        ReachRequest,
        tests::{Chain, code},
    },
    values::{AlertKind, AlertStatus},
};

const HOUR: i64 = 3_600_000;

fn alert(name: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(name))
}

/// An alert of this commune of a chain, about something of this hour.
fn standing(kind: AlertKind, commune: usize, hour: i64) -> Standing {
    let facts = AlertFacts {
        kind,
        status: AlertStatus::Actual,
        home: Home { province: "68".parse().unwrap(), commune: code(commune) },
        reported_at: None,
        last_seen: Some(LastSeen { at: Some(Millis(hour * HOUR)), point: None }),
        travel: None,
        person: None,
        legal_basis: None,
        expires_at: Millis(240 * HOUR),
        reach: ReachRequest::Auto,
        dont_know: vec![],
    };
    Standing { facts, ended_at: None }
}

fn ended(standing: Standing, hour: i64) -> Standing {
    Standing { ended_at: Some(Millis(hour * HOUR)), ..standing }
}

fn lost(hour: i64) -> Standing {
    standing(AlertKind::LostChild, 4, hour)
}

fn found(hour: i64) -> Standing {
    standing(AlertKind::FoundChild, 4, hour)
}

/// What is proposed at this hour, and given on.
fn proposed(meeting: &mut Meeting, hour: i64) -> Vec<(Pair, ProposalKind)> {
    let compared = meeting.compare(usize::MAX, Millis(hour * HOUR), &Chain::of(9));
    meeting.settle(&compared);
    assert!(meeting.compare(1, Millis(hour * HOUR), &Chain::of(9)).is_empty());
    compared.proposals.iter().map(|proposed| (proposed.pair, proposed.kind)).collect()
}

fn pair(one: &str, other: &str) -> Pair {
    Pair::of(alert(one), alert(other)).unwrap()
}

#[test]
fn each_pair_is_proposed_once() {
    let mut meeting = Meeting::default();
    meeting.saw(alert("lost"), Some(lost(10)));
    assert_eq!(proposed(&mut meeting, 11), []);
    meeting.saw(alert("found"), Some(found(11)));
    assert_eq!(proposed(&mut meeting, 11), [(pair("lost", "found"), ProposalKind::Match)]);
    // An update that says something new is compared again, but nobody is asked twice.
    meeting.saw(alert("found"), Some(found(12)));
    assert!(!meeting.compare(1, Millis(12 * HOUR), &Chain::of(9)).is_empty());
    assert_eq!(proposed(&mut meeting, 12), []);
    meeting.saw(alert("third"), Some(lost(10)));
    assert_eq!(proposed(&mut meeting, 12), [(pair("third", "found"), ProposalKind::Match)]);
}

#[test]
fn what_the_log_says_was_proposed_is_not_proposed_again() {
    let mut meeting = Meeting::default();
    meeting.was_proposed(pair("lost", "found"));
    meeting.saw(alert("lost"), Some(lost(10)));
    meeting.saw(alert("found"), Some(found(11)));
    assert_eq!(proposed(&mut meeting, 11), []);
}

#[test]
fn both_homes_stand_in_the_order_of_the_pair() {
    let mut meeting = Meeting::default();
    let there = standing(AlertKind::FoundChild, 5, 11);
    let with_person = |standing: Standing| Standing {
        facts: AlertFacts {
            person: Some(crate::alert::PersonFacts { age_years: Some(6), sex: None }),
            ..standing.facts
        },
        ..standing
    };
    meeting.saw(alert("lost"), Some(with_person(lost(10))));
    meeting.saw(alert("found"), Some(with_person(there.clone())));
    let compared = meeting.compare(2, Millis(11 * HOUR), &Chain::of(9));
    let [proposed] = compared.proposals.as_slice() else { panic!("{compared:?}") };
    for (side, home) in proposed.pair.alerts().into_iter().zip(proposed.homes) {
        let own = if side == alert("found") { there.facts.home } else { lost(10).facts.home };
        assert_eq!(home, own);
    }
}

#[test]
fn what_ended_within_a_day_still_meets_and_what_was_wrong_never() {
    for (standing, hour, meets) in [
        (Some(ended(lost(10), 11)), 35, true),
        (Some(ended(lost(10), 11)), 36, false),
        (None, 12, false),
    ] {
        let mut meeting = Meeting::default();
        meeting.saw(alert("lost"), Some(lost(10)));
        assert_eq!(proposed(&mut meeting, 10), []);
        meeting.saw(alert("lost"), standing.clone());
        // What is corrected after the end does not end later.
        meeting.saw(alert("lost"), standing.clone().map(|it| ended(it, 30)));
        meeting.forget_ended(Millis(hour * HOUR));
        meeting.saw(alert("found"), Some(found(12)));
        let expected = (pair("lost", "found"), ProposalKind::Match);
        let expected: Vec<_> = meets.then_some(expected).into_iter().collect();
        assert_eq!(proposed(&mut meeting, hour), expected, "{standing:?} at {hour}");
    }
}

#[test]
fn an_end_compares_nothing_and_whoever_is_back_is_compared() {
    let mut meeting = Meeting::default();
    meeting.saw(alert("lost"), Some(lost(10)));
    meeting.saw(alert("lost"), Some(ended(lost(10), 11)));
    assert!(meeting.compare(1, Millis(11 * HOUR), &Chain::of(9)).is_empty());
    meeting.saw(alert("lost"), Some(lost(10)));
    assert!(!meeting.compare(1, Millis(11 * HOUR), &Chain::of(9)).is_empty());
}

#[test]
fn what_changes_while_it_is_compared_is_compared_again() {
    let mut meeting = Meeting::default();
    meeting.saw(alert("lost"), Some(lost(10)));
    let compared = meeting.compare(1, Millis(0), &Chain::of(9));
    meeting.saw(alert("lost"), Some(lost(11)));
    meeting.settle(&compared);
    assert!(!meeting.compare(1, Millis(0), &Chain::of(9)).is_empty());
}

#[test]
fn whoever_is_compared_as_it_comes_is_not_compared_again() {
    let mut meeting = Meeting::default();
    meeting.saw(alert("lost"), Some(lost(10)));
    meeting.saw(alert("found"), Some(found(11)));
    let compared = meeting.compare_one(alert("found"), Millis(11 * HOUR), &Chain::of(9));
    assert_eq!(compared.proposals.len(), 1);
    meeting.settle(&compared);
    assert!(meeting.compare_one(alert("found"), Millis(0), &Chain::of(9)).is_empty());
    // The other was not compared yet, and has nothing to add.
    let rest = meeting.compare(9, Millis(11 * HOUR), &Chain::of(9));
    assert!(!rest.is_empty() && rest.proposals.is_empty());
}
