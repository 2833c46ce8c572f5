//! Given / when / then for what people decide of a proposal, and its invariants.

use proptest::prelude::*;

use super::*;

fn alert(name: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(name))
}

fn pair() -> Pair {
    Pair::of(alert("b"), alert("a")).unwrap()
}

fn propose(kind: ProposalKind) -> MatchCommand {
    let reasons = vec![Reason::SameCommune];
    let homes = [Home::NATION; 2];
    MatchCommand::Propose(Proposed { pair: pair(), homes, kind, score_per_mille: 700, reasons })
}

fn answer(by: &str, side: &str, verdict: Verdict) -> MatchCommand {
    let note = RecordId::of_purpose("note");
    MatchCommand::Answer { by: by.into(), note, valid_until: None, side: alert(side), verdict }
}

fn yes(by: &str, side: &str) -> MatchCommand {
    answer(by, side, Verdict::Confirm)
}

fn no(by: &str, side: &str) -> MatchCommand {
    answer(by, side, Verdict::Dismiss)
}

const KNOWN: MatchKnown = MatchKnown { now: Millis(0), cancelled: false };

fn given(commands: &[MatchCommand]) -> Match {
    commands.iter().fold(Match::default(), |state, command| {
        let events = state.decide(command, &KNOWN).unwrap();
        events.iter().fold(state, Match::evolve)
    })
}

/// Given these, when this, then so many events and this outcome, or this refusal.
fn check(
    commands: &[MatchCommand],
    when: &MatchCommand,
    known: MatchKnown,
    then: Result<(usize, Outcome), NotMatched>,
) {
    let state = given(commands);
    let decided = state.decide(when, &known).map(|events| {
        let after = events.iter().fold(state, Match::evolve);
        (events.len(), after.outcome())
    });
    assert_eq!(decided, then, "given {commands:?} when {when:?}");
}

#[test]
fn either_side_confirms_a_match_and_the_other_may_object() {
    use Outcome::{Confirmed, Dismissed, Disputed, Open};
    let proposed = propose(ProposalKind::Match);
    let one = std::slice::from_ref(&proposed);
    check(&[], &proposed, KNOWN, Ok((1, Open)));
    check(one, &proposed, KNOWN, Ok((0, Open)));
    check(one, &yes("an", "a"), KNOWN, Ok((1, Confirmed)));
    check(one, &no("an", "a"), KNOWN, Ok((1, Dismissed)));
    let said = [proposed.clone(), yes("an", "a")];
    check(&said, &yes("an", "a"), KNOWN, Ok((0, Confirmed)));
    check(&said, &yes("binh", "b"), KNOWN, Ok((1, Confirmed)));
    check(&said, &no("binh", "b"), KNOWN, Ok((1, Disputed)));
    // Whoever was wrong says so.
    check(&said, &no("an", "a"), KNOWN, Ok((1, Dismissed)));
    // What was dismissed is not proposed again.
    check(&[proposed.clone(), no("an", "a")], &proposed, KNOWN, Ok((0, Dismissed)));
    check(&[], &yes("an", "a"), KNOWN, Err(NotMatched::NotProposed));
    check(one, &yes("an", "c"), KNOWN, Err(NotMatched::NotASide));
}

#[test]
fn a_merge_needs_both_sides_and_two_persons() {
    use Outcome::{Confirmed, Disputed, Open};
    let proposed = propose(ProposalKind::Merge);
    let said = [proposed.clone(), yes("an", "a")];
    check(std::slice::from_ref(&proposed), &yes("an", "a"), KNOWN, Ok((1, Open)));
    check(&said, &yes("binh", "b"), KNOWN, Ok((1, Confirmed)));
    check(&said, &yes("an", "b"), KNOWN, Err(NotMatched::SamePerson));
    check(&said, &no("an", "b"), KNOWN, Ok((1, Disputed)));
    let merged = [proposed, yes("an", "a"), yes("binh", "b")];
    check(&merged, &no("binh", "b"), KNOWN, Err(NotMatched::AlreadyMerged));
    check(&merged, &yes("binh", "b"), KNOWN, Ok((0, Confirmed)));
}

#[test]
fn what_was_wrong_matches_nothing() {
    let known = MatchKnown { cancelled: true, ..KNOWN };
    let proposed = propose(ProposalKind::Match);
    let one = std::slice::from_ref(&proposed);
    check(&[], &proposed, known, Err(NotMatched::Cancelled));
    check(one, &yes("an", "a"), known, Err(NotMatched::Cancelled));
    check(one, &no("an", "a"), known, Ok((1, Outcome::Dismissed)));
    let MatchCommand::Answer { by, note, side, verdict, .. } = yes("an", "a") else { panic!() };
    let valid_until = Some(Millis(-1));
    let late = MatchCommand::Answer { by, note, valid_until, side, verdict };
    check(one, &late, KNOWN, Err(NotMatched::Stale));
}

#[test]
fn a_pair_has_one_name_whoever_names_it() {
    let (one, other) = (alert("a"), alert("b"));
    assert_eq!(Pair::of(one, other), Pair::of(other, one));
    assert_eq!(Pair::of(one, one), None);
    assert_eq!(Pair::of(one, other).unwrap().entity(), EntityName::matching(other, one));
    let name = pair().entity().to_string();
    assert_eq!(name.parse::<EntityName>().unwrap(), pair().entity());
}

fn any_command(kind: ProposalKind) -> impl Strategy<Value = MatchCommand> {
    let verdict = prop_oneof![Just(Verdict::Confirm), Just(Verdict::Dismiss)];
    let side = prop::sample::select(&["a", "a", "b", "b", "c"]);
    let by = prop::sample::select(&["an", "binh"]);
    prop_oneof![
        1 => Just(propose(kind)),
        6 => (by, side, verdict).prop_map(|(by, side, verdict)| answer(by, side, verdict)),
    ]
}

fn any_history() -> impl Strategy<Value = (ProposalKind, Vec<(MatchCommand, bool, bool)>)> {
    prop_oneof![Just(ProposalKind::Match), Just(ProposalKind::Merge)].prop_flat_map(|kind| {
        let one = (any_command(kind), any::<bool>(), any::<bool>());
        (Just(kind), prop::collection::vec(one, 0..16))
    })
}

proptest! {
    #[test]
    fn nothing_merges_by_itself((kind, history) in any_history()) {
        let mut state = Match::default();
        let mut merged = false;
        for (command, cancelled, twice) in history {
            let known = MatchKnown { cancelled, ..KNOWN };
            let Ok(events) = state.decide(&command, &known) else { continue };
            for _ in 0..=usize::from(twice) {
                state = events.iter().fold(state, Match::evolve);
            }
            let again = state.decide(&command, &known);
            prop_assert_eq!(again, Ok(vec![]), "{:?} again", command);
            prop_assert!(state.answers.len() <= 2);
            prop_assert!(state.answers.is_empty() || state.proposed.is_some());
            let yeses: Vec<_> = state
                .answers
                .values()
                .filter(|answer| answer.verdict == Verdict::Confirm)
                .map(|answer| answer.by.as_str())
                .collect();
            if state.outcome() == Outcome::Confirmed {
                prop_assert!(!yeses.is_empty());
                if kind == ProposalKind::Merge {
                    prop_assert_eq!(yeses.len(), 2);
                    prop_assert_ne!(yeses[0], yeses[1]);
                    merged = true;
                }
            }
            // Both sides' word stands.
            prop_assert!(!merged || state.outcome() == Outcome::Confirmed);
        }
    }
}
