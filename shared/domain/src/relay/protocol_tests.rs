//! Given / when / then for the relay's protocol, and its invariants over random histories.

use proptest::prelude::*;

use super::*;
use crate::{
    reach::tests::{Chain, code},
    relay::escalation::{AnswerTimes, next_escalation},
    values::AlertKind,
};

fn id(name: &str) -> RecordId {
    RecordId::of_purpose(name)
}

fn answer(answer: Answer) -> RelayAsk {
    RelayAsk::Answer(RelayCommand {
        by: "binh".into(),
        note: id("note"),
        valid_until: None,
        answer,
    })
}

fn escalate(step: Step) -> RelayAsk {
    RelayAsk::Escalate { step, to: vec!["chi".parse().unwrap()] }
}

fn instruct(words: &str) -> RelayAsk {
    RelayAsk::Instruct { by: "binh".into(), content: id(words), valid_until: None }
}

fn onward(to: &[usize]) -> RelayAsk {
    let to = to.iter().copied().map(code).collect();
    RelayAsk::RelayOnward { by: "binh".into(), note: id("onward"), valid_until: None, to }
}

/// The alert was put to 3, 4 and 5; this is the relay to 5.
fn known() -> ProtocolKnown {
    ProtocolKnown {
        relay: RelayKnown { now: Millis(0), named: true, closed: false },
        hops: 0,
        named: [3, 4, 5].map(code).into(),
        held: false,
        map: Arc::new(Chain::of(300)),
    }
}

fn closed() -> ProtocolKnown {
    let known = known();
    ProtocolKnown { relay: RelayKnown { closed: true, ..known.relay }, ..known }
}

fn given(asks: &[RelayAsk]) -> RelayProtocol {
    asks.iter().fold(RelayProtocol::default(), |relay, ask| {
        let events = relay.decide(ask, &known()).unwrap();
        events.iter().fold(relay, RelayProtocol::evolve)
    })
}

fn words(events: &[RelayEvent]) -> Vec<&'static str> {
    let word = |event: &RelayEvent| match event {
        RelayEvent::Answered(Answered { answer: Answer::Acknowledge, .. }) => "acknowledged",
        RelayEvent::Answered(_) => "refused",
        RelayEvent::Escalated(_) => "escalated",
        RelayEvent::Instructed(_) => "instructed",
        RelayEvent::RelayedOnward(_) => "onward",
    };
    events.iter().map(word).collect()
}

fn check(
    asks: &[RelayAsk],
    when: &RelayAsk,
    known: &ProtocolKnown,
    then: Result<&[&str], NotAnswered>,
) {
    let decided = given(asks).decide(when, known).map(|events| words(&events));
    assert_eq!(decided, then.map(<[_]>::to_vec), "given {asks:?} when {when:?}");
}

#[test]
fn silence_is_escalated_once_a_step_and_never_after_an_answer() {
    use Step::{ProvinceDesk, SecondContact};
    let yes = answer(Answer::Acknowledge);
    let no = answer(Answer::Refuse);
    check(&[], &escalate(SecondContact), &known(), Ok(&["escalated"]));
    check(&[escalate(SecondContact)], &escalate(SecondContact), &known(), Ok(&[]));
    check(&[escalate(SecondContact)], &escalate(ProvinceDesk), &known(), Ok(&["escalated"]));
    check(&[escalate(ProvinceDesk)], &escalate(SecondContact), &known(), Ok(&[]));
    check(&[], &escalate(SecondContact), &closed(), Ok(&[]));
    for step in Step::ALL {
        check(std::slice::from_ref(&yes), &escalate(step), &known(), Ok(&[]));
        check(std::slice::from_ref(&no), &escalate(step), &known(), Ok(&[]));
        // It is never too late to answer.
        check(&[escalate(step)], &yes, &known(), Ok(&["acknowledged"]));
        check(&[escalate(step)], &no, &known(), Ok(&["refused"]));
    }
}

#[test]
fn instructions_are_for_the_own_groups_and_acknowledge() {
    let (yes, no) = (answer(Answer::Acknowledge), answer(Answer::Refuse));
    check(&[], &instruct("a"), &known(), Ok(&["acknowledged", "instructed"]));
    check(std::slice::from_ref(&yes), &instruct("a"), &known(), Ok(&["instructed"]));
    check(&[yes, instruct("a")], &instruct("a"), &known(), Ok(&[]));
    check(&[instruct("a")], &instruct("b"), &known(), Ok(&["instructed"]));
    check(&[no], &instruct("a"), &known(), Err(NotAnswered::AlreadyRefused));
    check(&[], &instruct("a"), &closed(), Err(NotAnswered::Closed));
    let many: Vec<_> = (0..INSTRUCTIONS_MAX).map(|n| instruct(&n.to_string())).collect();
    let over = NotAnswered::OverLimit { field: "instruction" };
    check(&many, &instruct("more"), &known(), Err(over));
    let late =
        RelayAsk::Instruct { by: "binh".into(), content: id("a"), valid_until: Some(Millis(-1)) };
    check(&[], &late, &known(), Err(NotAnswered::Stale));
}

#[test]
fn an_alert_is_relayed_onward_to_no_commune_twice_and_not_for_ever() {
    let yes = [answer(Answer::Acknowledge)];
    check(&[], &onward(&[6]), &known(), Ok(&["acknowledged", "onward"]));
    check(&yes, &onward(&[6]), &known(), Ok(&["onward"]));
    // The issuing commune and its neighbours are named already: it does not come back.
    check(&yes, &onward(&[3, 4, 5]), &known(), Ok(&[]));
    check(&[yes[0].clone(), onward(&[6, 7])], &onward(&[7, 6]), &known(), Ok(&[]));
    check(&yes, &onward(&[999]), &known(), Err(NotAnswered::UnknownCommune(code(999))));
    check(&yes, &onward(&[6]), &closed(), Err(NotAnswered::Closed));
    let held = ProtocolKnown { held: true, ..known() };
    check(&yes, &onward(&[6]), &held, Err(NotAnswered::ReachHeld));
    let far = ProtocolKnown { hops: HOPS_MAX, ..known() };
    check(&yes, &onward(&[6]), &far, Err(NotAnswered::TooManyHops));
    let many: Vec<usize> = (6..=6 + ONWARD_COMMUNES_MAX).collect();
    check(&yes, &onward(&many), &known(), Err(NotAnswered::OverLimit { field: "communes" }));
    check(&[answer(Answer::Refuse)], &onward(&[6]), &known(), Err(NotAnswered::AlreadyRefused));
    let relay = given(&[onward(&[7, 4, 6, 7])]);
    assert_eq!(relay.onward.into_iter().collect::<Vec<_>>(), [(code(6), 1), (code(7), 1)]);
}

#[test]
fn what_was_never_relayed_here_is_not_ours() {
    let known = known();
    let foreign = ProtocolKnown { relay: RelayKnown { named: false, ..known.relay }, ..known };
    for ask in [answer(Answer::Acknowledge), instruct("a"), onward(&[6])] {
        check(&[], &ask, &foreign, Err(NotAnswered::NotRelayed));
    }
    check(&[], &escalate(Step::SecondContact), &foreign, Ok(&[]));
}

fn any_ask() -> impl Strategy<Value = RelayAsk> {
    prop_oneof![
        prop_oneof![Just(Answer::Acknowledge), Just(Answer::Refuse)].prop_map(answer),
        prop_oneof![Just(Step::SecondContact), Just(Step::ProvinceDesk)].prop_map(escalate),
        "[a-c]".prop_map(|words| instruct(&words)),
        prop::collection::vec(1usize..12, 0..5).prop_map(|to| onward(&to)),
    ]
}

/// A command, how the alert stands then, and whether its events are recorded twice.
fn any_history() -> impl Strategy<Value = Vec<(RelayAsk, bool, u32, bool)>> {
    prop::collection::vec((any_ask(), any::<bool>(), 0u32..5, any::<bool>()), 0..24)
}

proptest! {
    #[test]
    fn an_answer_ends_the_escalation_for_ever(history in any_history()) {
        let mut relay = RelayProtocol::default();
        for (ask, over, hops, twice) in history {
            let known = ProtocolKnown { hops, ..if over { closed() } else { known() } };
            let before = relay.clone();
            let Ok(events) = relay.decide(&ask, &known) else { continue };
            for event in &events {
                match event {
                    RelayEvent::Escalated(new) => {
                        prop_assert_eq!(&before.answer, &Relay::Unanswered);
                        prop_assert!(!over);
                        let rose = before.escalated.as_ref().is_none_or(|old| old.step < new.step);
                        prop_assert!(rose);
                    }
                    RelayEvent::RelayedOnward(new) => {
                        prop_assert!(!new.to.is_empty() && (1..=HOPS_MAX).contains(&new.hops));
                        for home in &new.to {
                            prop_assert!(!known.named.contains(&home.commune));
                            prop_assert!(!before.onward.contains_key(&home.commune));
                        }
                    }
                    RelayEvent::Answered(_) | RelayEvent::Instructed(_) => {}
                }
            }
            relay = events.iter().fold(relay, RelayProtocol::evolve);
            if twice {
                relay = events.iter().fold(relay, RelayProtocol::evolve);
            }
            if before.answer != Relay::Unanswered {
                prop_assert_eq!(&relay.answer, &before.answer);
                let next = next_escalation(
                    &relay, Millis(0), AlertKind::LostChild, &AnswerTimes::default(),
                );
                prop_assert_eq!(next, None);
            }
            let acted = relay.instructed.is_some() || !relay.onward.is_empty();
            let has = |wanted| matches!(&relay.answer, Relay::Answered(is) if is.answer == wanted);
            prop_assert!(!acted || has(Answer::Acknowledge), "who acts has acknowledged");
            // What was decided is not decided again.
            if let Ok(again) = relay.decide(&ask, &known) {
                prop_assert!(again.is_empty(), "{:?} again: {:?}", ask, again);
            }
        }
    }
}
