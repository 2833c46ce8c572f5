//! When a step is asked for, and what takes it back.

use domain::relay::{Answer, Answered, protocol::Escalated};

use super::*;
use crate::asking::Watched;

const MINUTE_MS: i64 = 60_000;

fn home(commune: &str) -> Home {
    Home { province: "38".parse().unwrap(), commune: commune.parse().unwrap() }
}

fn alert() -> AlertId {
    AlertId::raised_by(RecordId::of_purpose("a"))
}

fn stand(is_active: bool, named: &[&str]) -> Stand {
    let named = named.iter().map(|commune| home(commune)).collect();
    Stand { home: home("15958"), kind: AlertKind::LostChild, is_active, named }
}

fn minute(minutes: i64) -> Millis {
    Millis(minutes * MINUTE_MS)
}

/// Put to two neighbours in minute 0.
fn raised() -> Escalations {
    let mut due = Escalations::default();
    stands(&mut due, stand(true, &["15958", "15925", "15952"]), minute(0));
    due
}

fn stands(due: &mut Escalations, stand: Stand, at: Millis) {
    due.stands(alert(), stand, at);
}

fn answered(answer: Answer) -> RelayEvent {
    let note = RecordId::of_purpose("note");
    RelayEvent::Answered(Answered { answer, by: "binh".into(), note })
}

fn escalated(step: Step) -> RelayEvent {
    RelayEvent::Escalated(Escalated { step, to: vec!["chi".parse().unwrap()] })
}

fn hear(due: &mut Escalations, commune: &str, events: &[RelayEvent]) {
    due.heard(alert(), home(commune).commune, RecordId::of_purpose("cause"), events);
}

/// The communes and steps asked for in a minute.
fn asked(due: &mut Escalations, minutes: i64) -> Vec<(String, i32)> {
    let commands = due.commands(minute(minutes)).into_iter();
    let said = commands.map(|draft| match draft.body {
        Body::EscalateRelay(escalate) => (draft.home.commune.to_string(), escalate.step),
        other => panic!("{other:?}"),
    });
    said.collect()
}

fn step(commune: &str, step: Step) -> (String, i32) {
    (commune.to_owned(), step_said(step))
}

#[test]
fn who_is_silent_is_asked_again_and_who_answers_is_not() {
    use Step::{ProvinceDesk, SecondContact};
    let mut due = raised();
    assert_eq!((asked(&mut due, 4), due.next()), (vec![], Some(minute(5))));
    hear(&mut due, "15925", &[answered(Answer::Acknowledge)]);
    assert_eq!(asked(&mut due, 5), [step("15952", SecondContact)]);
    hear(&mut due, "15952", &[escalated(SecondContact)]);
    assert_eq!((asked(&mut due, 9), due.next()), (vec![], Some(minute(10))));
    assert_eq!(asked(&mut due, 10), [step("15952", ProvinceDesk)]);
    hear(&mut due, "15952", &[escalated(ProvinceDesk)]);
    assert_eq!((asked(&mut due, 999), due.next()), (vec![], None));
}

#[test]
fn an_answer_stops_it_at_any_step() {
    for answer in [Answer::Acknowledge, Answer::Refuse] {
        for before in [vec![], vec![escalated(Step::SecondContact)]] {
            let mut due = raised();
            hear(&mut due, "15925", &before);
            hear(&mut due, "15925", &[answered(answer)]);
            hear(&mut due, "15952", &[answered(answer)]);
            assert_eq!((asked(&mut due, 999), due.next()), (vec![], None), "{before:?}");
        }
    }
}

#[test]
fn the_end_of_the_alert_stops_it_and_a_reopened_one_counts_from_then() {
    let mut due = raised();
    stands(&mut due, stand(false, &["15958", "15925", "15952"]), minute(3));
    assert_eq!((asked(&mut due, 999), due.next()), (vec![], None));
    hear(&mut due, "15925", &[answered(Answer::Acknowledge)]);
    stands(&mut due, stand(true, &["15958", "15925", "15952"]), minute(60));
    assert_eq!(due.next(), Some(minute(65)));
    assert_eq!(asked(&mut due, 65), [step("15952", Step::SecondContact)]);
}

#[test]
fn what_is_named_later_counts_from_then_and_what_changes_else_moves_nothing() {
    let mut due = raised();
    let wider = ["15958", "15925", "15952", "15964"];
    stands(&mut due, stand(true, &wider), minute(4));
    assert_eq!(asked(&mut due, 5).len(), 2);
    stands(&mut due, stand(true, &wider), minute(6));
    assert_eq!(asked(&mut due, 9).len(), 3);
}

#[test]
fn a_step_that_was_decided_without_an_event_is_not_asked_for_for_ever() {
    let mut due = raised();
    let commands = due.commands(minute(5));
    let commune = home("15925").commune;
    due.heard(alert(), commune, commands[0].id, &[]);
    assert_eq!(asked(&mut due, 6), [step("15952", Step::SecondContact)]);
    // In force anew it is another step.
    stands(&mut due, stand(false, &["15925"]), minute(7));
    stands(&mut due, stand(true, &["15925"]), minute(8));
    assert!(asked(&mut due, 13).contains(&step("15925", Step::SecondContact)));
}

#[test]
fn nothing_is_asked_before_the_history_has_been_read_and_the_same_by_everybody() {
    let mut due = raised();
    let ids = |due: &mut Escalations, at| -> Vec<RecordId> {
        due.commands(at).into_iter().map(|draft| draft.id).collect()
    };
    assert_eq!(ids(&mut due, minute(5)), ids(&mut raised(), minute(7)));
    let mut unread = Watched { due, live: false };
    assert_eq!((unread.commands(minute(999)).len(), unread.next()), (0, None));
}

#[test]
fn how_long_silence_is_borne_is_the_receiving_communes_to_say() {
    let text = "[commune.\"15925\"]\n\
        answer-times.urgent = { second-contact-minutes = 2, province-desk-minutes = 3 }";
    let map = registry::Map::builtin().unwrap();
    let policies = Arc::new(Policies::parse(text.as_bytes(), &map).unwrap());
    let mut due = Escalations::new(&policies);
    stands(&mut due, stand(true, &["15958", "15925", "15952"]), minute(0));
    assert_eq!(due.next(), Some(minute(2)));
    hear(&mut due, "15925", &[answered(Answer::Acknowledge)]);
    assert_eq!(due.next(), Some(minute(5)));
}
