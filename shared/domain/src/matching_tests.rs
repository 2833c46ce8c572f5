//! Given / when / then for matching, and what holds of any two alerts.

use proptest::prelude::*;

use super::{
    likeness::{FOUND_DISTANCE_M_MIN, Reason, SAME_PLACE_M_MAX, distance_m},
    *,
};
use crate::{
    alert::{LastSeen, MilliPoint, PersonFacts},
    ids::{Home, Millis, RecordId},
    reach::{
        ReachRequest,
        tests::{Chain, code},
    },
    values::{AlertStatus, Sex, Travel},
};

const HOUR: i64 = 3_600_000;
/// Đạ Tẻh, and about 5.4, 33 and 222 km from it.
const HERE: (i32, i32) = (11_582, 107_460);
const NEAR: (i32, i32) = (11_582, 107_510);
const FAR: (i32, i32) = (11_882, 107_460);
const AWAY: (i32, i32) = (13_582, 107_460);

fn alert(name: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(name))
}

/// An alert of commune 4 about somebody or something at this place and hour.
fn facts(kind: AlertKind, place: Option<(i32, i32)>, hour: Option<i64>) -> AlertFacts {
    let point = place.map(|(lat_millideg, lon_millideg)| MilliPoint { lat_millideg, lon_millideg });
    AlertFacts {
        kind,
        status: AlertStatus::Actual,
        home: home(4),
        reported_at: None,
        last_seen: Some(LastSeen { at: hour.map(|hour| Millis(hour * HOUR)), point }),
        travel: None,
        person: None,
        legal_basis: None,
        expires_at: Millis(240 * HOUR),
        reach: ReachRequest::Auto,
        dont_know: vec![],
    }
}

fn home(commune: usize) -> Home {
    Home { province: "68".parse().unwrap(), commune: code(commune) }
}

fn of(facts: AlertFacts, age_years: Option<u8>, sex: Sex) -> AlertFacts {
    AlertFacts { person: Some(PersonFacts { age_years, sex: Some(sex) }), ..facts }
}

fn at(facts: AlertFacts, commune: usize) -> AlertFacts {
    AlertFacts { home: home(commune), ..facts }
}

fn by(facts: AlertFacts, travel: Travel) -> AlertFacts {
    AlertFacts { travel: Some(travel), ..facts }
}

/// What is proposed of two alerts, in either order; the same.
fn proposed(one: &AlertFacts, other: &AlertFacts) -> Option<(ProposalKind, u32, Vec<Reason>)> {
    let candidate = |name, facts| Candidate { alert: alert(name), facts };
    let map = Chain::of(9);
    let (a, b) = (candidate("a", one), candidate("b", other));
    let (there, back) = (propose(a, &[b], &map), propose(b, &[a], &map));
    let seen = |proposals: &[Proposal]| {
        let first = proposals.first().cloned();
        first.map(|it| (it.kind, it.likeness.score_per_mille, it.likeness.reasons))
    };
    assert_eq!(seen(&there), seen(&back), "the order matters: {one:?} {other:?}");
    seen(&there)
}

fn check(one: &AlertFacts, other: &AlertFacts, then: Option<(ProposalKind, u32)>) {
    let proposed = proposed(one, other).map(|(kind, score, _)| (kind, score));
    assert_eq!(proposed, then, "given {one:#?} and {other:#?}");
}

#[test]
fn a_child_that_was_found_meets_the_child_that_is_missing() {
    use AlertKind::{FoundChild, FoundPerson, LostChild, MissingPerson};
    let lost = of(facts(LostChild, Some(HERE), Some(10)), Some(6), Sex::Male);
    let found = of(facts(FoundChild, Some(HERE), Some(12)), Some(6), Sex::Male);
    let all = Some((ProposalKind::Match, 1_000));
    check(&lost, &found, all);
    check(&lost, &at(found.clone(), 7), all);
    // Whoever finds somebody guesses: a grown person, perhaps.
    check(&lost, &AlertFacts { kind: FoundPerson, ..found.clone() }, all);
    let guessed = of(found.clone(), Some(8), Sex::Unknown);
    check(&lost, &guessed, Some((ProposalKind::Match, 800)));
    check(&lost, &of(found.clone(), Some(9), Sex::Male), None);
    check(&lost, &of(found.clone(), Some(6), Sex::Female), None);
    // A found child is not a missing woman of 70, nor an unknown grown one.
    let woman = of(facts(MissingPerson, Some(HERE), Some(10)), Some(70), Sex::Unknown);
    check(&woman, &of(found.clone(), None, Sex::Unknown), None);
    check(&of(woman.clone(), None, Sex::Unknown), &found, None);
    let (other_lost, other_found) = (facts(LostChild, Some(HERE), None), found);
    check(&lost, &AlertFacts { person: None, ..other_found }, Some((ProposalKind::Match, 800)));
    check(&at(lost, 5), &other_lost, Some((ProposalKind::Merge, 700)));
}

#[test]
fn whoever_was_found_can_have_come_there_in_that_time() {
    use AlertKind::{FoundChild, LostChild};
    let lost = |travel| by(facts(LostChild, Some(HERE), Some(10)), travel);
    let found = |place, hour| at(facts(FoundChild, Some(place), Some(hour)), 8);
    let meets = |travel, place, hour| proposed(&lost(travel), &found(place, hour)).is_some();
    assert!(meets(Travel::OnFoot, NEAR, 11), "within the floor");
    assert!(!meets(Travel::OnFoot, FAR, 14), "4 km/h for 5 h");
    assert!(meets(Travel::OnFoot, FAR, 34), "4 km/h for 25 h");
    assert!(meets(Travel::Motorbike, FAR, 12));
    assert!(!meets(Travel::Motorbike, AWAY, 12));
    assert!(meets(Travel::PublicTransport, AWAY, 20), "a child on a train");
    assert!(meets(Travel::Unknown, FAR, 12));
    // Found before lost, beyond what watches differ.
    assert!(meets(Travel::OnFoot, HERE, 9));
    assert!(!meets(Travel::OnFoot, HERE, 8));
    // The family called hours after the child was found: reporting late excludes nobody.
    let unknown = facts(LostChild, Some(HERE), None);
    let late = AlertFacts { reported_at: Some(Millis(20 * HOUR)), ..unknown };
    assert!(proposed(&late, &found(HERE, 12)).is_some());
}

#[test]
fn without_a_point_the_communes_stand_for_the_place() {
    use AlertKind::{FoundChild, LostChild};
    let lost = of(facts(LostChild, None, Some(10)), Some(6), Sex::Male);
    let found = of(facts(FoundChild, Some(HERE), Some(12)), Some(6), Sex::Male);
    check(&lost, &found, Some((ProposalKind::Match, 800)));
    check(&lost, &at(found.clone(), 5), Some((ProposalKind::Match, 700)));
    check(&lost, &at(found, 6), None);
    // Two alerts that say nothing do not match by being close.
    let nothing = |kind| facts(kind, None, None);
    check(&nothing(LostChild), &at(nothing(FoundChild), 5), None);
}

#[test]
fn things_meet_by_place_and_time_alone() {
    use AlertKind::{FoundProperty, LostChild, LostProperty};
    let lost = facts(LostProperty, Some(HERE), Some(10));
    check(&lost, &facts(FoundProperty, Some(HERE), Some(12)), Some((ProposalKind::Match, 1_000)));
    check(&lost, &facts(FoundProperty, Some(HERE), Some(58)), Some((ProposalKind::Match, 800)));
    check(
        &facts(LostChild, Some(HERE), Some(10)),
        &facts(FoundProperty, Some(HERE), Some(12)),
        None,
    );
}

#[test]
fn one_incident_of_two_communes_may_be_merged() {
    use AlertKind::{Hazard, LostChild, Notice, ScamWarning};
    let here = |kind| facts(kind, Some(HERE), Some(10));
    let there = |kind, place, hour| at(facts(kind, Some(place), Some(hour)), 5);
    check(&here(Hazard), &there(Hazard, HERE, 10), Some((ProposalKind::Merge, 1_000)));
    check(&here(Hazard), &there(Hazard, NEAR, 10), None);
    check(&here(Hazard), &there(Hazard, HERE, 14), None);
    // Within one commune its officers see both.
    check(&here(Hazard), &here(Hazard), None);
    check(&here(Hazard), &there(LostChild, HERE, 10), None);
    for nobodys in [Notice, ScamWarning] {
        check(&here(nobodys), &there(nobodys, HERE, 10), None);
    }
    let boy = of(here(LostChild), Some(6), Sex::Male);
    check(&boy, &of(there(LostChild, HERE, 10), Some(6), Sex::Female), None);
}

#[test]
fn an_exercise_never_meets_what_is_real() {
    let lost = facts(AlertKind::LostChild, Some(HERE), Some(10));
    let found = facts(AlertKind::FoundChild, Some(HERE), Some(10));
    let drill = |facts: &AlertFacts| AlertFacts { status: AlertStatus::Exercise, ..facts.clone() };
    check(&lost, &drill(&found), None);
    assert!(proposed(&drill(&lost), &drill(&found)).is_some());
}

#[test]
fn the_likeliest_come_first_and_not_all() {
    let lost = facts(AlertKind::LostChild, Some(HERE), Some(10));
    let found: Vec<_> = (0..30)
        .map(|n| facts(AlertKind::FoundChild, Some((HERE.0 + 10 * n, HERE.1)), Some(12)))
        .collect();
    let name = |n: usize| alert(&n.to_string());
    let others: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(n, facts)| Candidate { alert: name(n), facts })
        .rev()
        .collect();
    let new = Candidate { alert: alert("new"), facts: &lost };
    let proposals = propose(new, &others, &Chain::of(9));
    assert_eq!(proposals.len(), PROPOSALS_MAX);
    let scores: Vec<_> = proposals.iter().map(|it| it.likeness.score_per_mille).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b));
    assert_eq!(proposals.last().unwrap().with, name(9));
}

#[test]
fn distances_are_right_to_a_few_in_a_thousand() {
    let point = |(lat_millideg, lon_millideg)| MilliPoint { lat_millideg, lon_millideg };
    // The haversine distances of a sphere of 6,371,008.8 m.
    for (from, to, true_m) in [
        (HERE, NEAR, 5_446),
        (HERE, FAR, 33_359),
        ((21_028, 105_834), (10_776, 106_701), 1_143_716),
        ((22_800, 104_980), (22_800, 105_980), 102_506),
    ] {
        let m = distance_m(point(from), point(to));
        assert!(m.abs_diff(true_m) * 1_000 <= true_m * 4, "{from:?} {to:?}: {m}, not {true_m}");
    }
}

fn any_facts() -> impl Strategy<Value = AlertFacts> {
    let word = prop::sample::select(AlertKind::ALL);
    let place = prop::option::of((8_500i32..23_300, 102_200i32..109_400));
    let near = prop::option::of((11_500i32..11_700, 107_400i32..107_600));
    let person = prop::option::of((
        prop::option::of(any::<u8>()),
        prop::option::of(prop::sample::select(Sex::ALL)),
    ));
    let travel = prop::option::of(prop::sample::select(Travel::ALL));
    let times = (prop::option::of(-9i64..99), prop::option::of(-9i64..99));
    (word, prop_oneof![place, near], times, person, travel, 1usize..9).prop_map(
        |(kind, place, (seen, reported), person, travel, commune)| AlertFacts {
            reported_at: reported.map(|hour| Millis(hour * HOUR)),
            person: person.map(|(age_years, sex)| PersonFacts { age_years, sex }),
            travel,
            ..at(facts(kind, place, seen), commune)
        },
    )
}

proptest! {
    #[test]
    fn a_proposal_is_the_same_from_both_sides_and_within_its_limits(
        one in any_facts(), other in any_facts(),
    ) {
        let Some((kind, score, reasons)) = proposed(&one, &other) else { return Ok(()) };
        prop_assert!((PROPOSED_PER_MILLE_MIN..=1_000).contains(&score));
        for reason in reasons {
            prop_assert!(!reason.sentence().vi.is_empty());
            if let Reason::Apart { distance_m, distance_m_max } = reason {
                prop_assert!(distance_m <= distance_m_max);
                let floor = match kind {
                    ProposalKind::Match => FOUND_DISTANCE_M_MIN,
                    ProposalKind::Merge => SAME_PLACE_M_MAX,
                };
                prop_assert!(distance_m_max >= floor);
            }
        }
        prop_assert!(kind == ProposalKind::Match || one.home.commune != other.home.commune);
    }

    #[test]
    fn no_figures_are_too_large(lat in any::<i32>(), lon in any::<i32>(), at in any::<i64>()) {
        let mut wild = facts(AlertKind::FoundChild, Some((lat, lon)), None);
        wild.reported_at = Some(Millis(at));
        wild.last_seen = wild.last_seen.map(|seen| LastSeen { at: Some(Millis(at)), ..seen });
        let lost = facts(AlertKind::LostChild, Some(HERE), Some(10));
        proposed(&lost, &wild);
        proposed(&AlertFacts { kind: AlertKind::LostChild, ..wild.clone() }, &at_other(&lost));
        proposed(&AlertFacts { kind: AlertKind::LostChild, ..wild }, &facts(
            AlertKind::FoundChild, Some(HERE), Some(10),
        ));
    }
}

fn at_other(facts: &AlertFacts) -> AlertFacts {
    at(facts.clone(), 5)
}
