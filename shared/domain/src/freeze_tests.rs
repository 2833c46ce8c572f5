//! Given / when / then for the freeze.

use proptest::{prelude::*, sample::select};

use super::*;

const HOUR: i64 = 3_600_000;

fn person(name: &str) -> OfficerId {
    name.parse().unwrap()
}

/// About the officer `x`; persons are called by their name, and have these roles.
fn by(name: &str, ask: FreezeAsk) -> FreezeCommand {
    about(Frozen::Officer(person("x")), name, ask)
}

fn about(of: Frozen, name: &str, ask: FreezeAsk) -> FreezeCommand {
    let (role, commune) = match name {
        "officer" => (Some(Role::Officer), Some("25126")),
        "province" => (Some(Role::Province), None),
        "admin" => (Some(Role::Admin), None),
        "auditor" => (Some(Role::Auditor), None),
        "service:alerting" => (None, None),
        "neighbour" => (Some(Role::Commander), Some("25135")),
        _ => (Some(Role::Commander), Some("25126")),
    };
    let commune = commune.map(|code| code.parse().unwrap());
    FreezeCommand { by: person(name), role, commune, of, ask }
}

fn note() -> RecordId {
    RecordId::of_purpose("note")
}

fn freeze(name: &str, hours: i64) -> FreezeCommand {
    by(name, FreezeAsk::Freeze { until: Millis(hours * HOUR), note: note() })
}

fn confirm(name: &str, hours: i64) -> FreezeCommand {
    by(name, FreezeAsk::Confirm { until: Millis(hours * HOUR) })
}

fn lift(name: &str) -> FreezeCommand {
    by(name, FreezeAsk::Lift { note: note() })
}

fn end(hours: i64) -> FreezeCommand {
    by("service:alerting", FreezeAsk::End { until: Millis(hours * HOUR) })
}

fn decide(
    state: &Freeze,
    command: &FreezeCommand,
    hour: i64,
) -> Result<Vec<FreezeEvent>, NotFrozen> {
    state.decide(command, &FreezeKnown { now: Millis(hour * HOUR) })
}

fn given(commands: &[(FreezeCommand, i64)]) -> Freeze {
    commands.iter().fold(Freeze::default(), |state, (command, hour)| {
        let events = decide(&state, command, *hour).unwrap();
        events.iter().fold(state, Freeze::evolve)
    })
}

fn check(
    commands: &[(FreezeCommand, i64)],
    when: &FreezeCommand,
    hour: i64,
    then: Result<usize, NotFrozen>,
) {
    let decided = decide(&given(commands), when, hour).map(|events| events.len());
    assert_eq!(decided, then, "given {commands:#?} when {when:?} at {hour}");
}

#[test]
fn one_asks_and_another_agrees() {
    let asked = [(freeze("an", 8), 0)];
    check(&[], &freeze("officer", 8), 0, Ok(1));
    check(&[], &freeze("admin", 8), 0, Ok(1));
    check(&[], &freeze("auditor", 8), 0, Err(NotFrozen::RoleMissing));
    check(&[], &freeze("service:alerting", 8), 0, Err(NotFrozen::RoleMissing));
    check(&[], &freeze("an", 24), 0, Ok(1));
    check(&[], &freeze("an", 25), 0, Err(NotFrozen::TooLong));
    check(&[], &freeze("an", 1), 1, Err(NotFrozen::UntilPassed));
    // Who was robbed of a token freezes it.
    check(&[], &freeze("x", 8), 0, Ok(1));
    check(&asked, &freeze("an", 8), 1, Ok(0));
    check(&asked, &freeze("an", 9), 1, Ok(1));
    check(&asked, &freeze("binh", 8), 1, Ok(1));
    check(&[], &confirm("binh", 8), 0, Err(NotFrozen::NotAsked));
    check(&asked, &confirm("binh", 8), 1, Ok(1));
    check(&asked, &confirm("province", 8), 1, Ok(1));
    check(&asked, &confirm("an", 8), 1, Err(NotFrozen::SamePerson));
    check(&asked, &confirm("officer", 8), 1, Err(NotFrozen::RoleMissing));
    check(&asked, &confirm("binh", 9), 1, Err(NotFrozen::NotAsked));
    check(&asked, &confirm("binh", 8), 8, Err(NotFrozen::NotAsked));
}

#[test]
fn a_freeze_in_force_stands_until_two_lift_it() {
    let frozen = [(freeze("an", 8), 0), (confirm("binh", 8), 1)];
    let half = [frozen.as_slice(), &[(lift("chi"), 2)]].concat();
    check(&frozen, &confirm("binh", 8), 2, Ok(0));
    check(&frozen, &confirm("chi", 8), 2, Err(NotFrozen::AlreadyFrozen));
    check(&frozen, &freeze("chi", 20), 2, Err(NotFrozen::AlreadyFrozen));
    check(&frozen, &lift("x"), 2, Err(NotFrozen::Concerned));
    check(&frozen, &lift("officer"), 2, Err(NotFrozen::RoleMissing));
    check(&frozen, &lift("an"), 2, Ok(1));
    check(&half, &lift("chi"), 3, Ok(0));
    check(&half, &lift("an"), 3, Ok(1));
    check(&[], &lift("an"), 3, Err(NotFrozen::NotInForce));
    check(&frozen, &lift("an"), 8, Err(NotFrozen::NotInForce));
    assert_eq!(given(&half).in_force_until(Millis(3 * HOUR)), Some(Millis(8 * HOUR)));
    let lifted = given(&[half.as_slice(), &[(lift("an"), 3)]].concat());
    assert_eq!(lifted, Freeze::Free);
}

#[test]
fn time_ends_it_whether_or_not_that_is_recorded() {
    let frozen = [(freeze("an", 8), 0), (confirm("binh", 8), 1)];
    assert_eq!(given(&frozen).in_force_until(Millis(8 * HOUR - 1)), Some(Millis(8 * HOUR)));
    assert_eq!(given(&frozen).in_force_until(Millis(8 * HOUR)), None);
    check(&frozen, &freeze("chi", 20), 8, Ok(1));
    check(&frozen, &end(8), 7, Ok(0));
    check(&frozen, &end(9), 9, Ok(0));
    check(&frozen, &end(8), 8, Ok(1));
    check(&[(freeze("an", 8), 0)], &end(8), 8, Ok(1));
    check(&[], &end(8), 8, Ok(0));
}

#[test]
fn who_belongs_to_a_frozen_commune_lifts_nothing() {
    let of = || Frozen::Commune("25126".parse().unwrap());
    let until = Millis(8 * HOUR);
    let command = |name: &str, ask| about(of(), name, ask);
    let frozen = [
        (command("an", FreezeAsk::Freeze { until, note: note() }), 0),
        (command("province", FreezeAsk::Confirm { until }), 0),
    ];
    let lift = |name| command(name, FreezeAsk::Lift { note: note() });
    check(&frozen, &lift("an"), 1, Err(NotFrozen::Concerned));
    check(&frozen, &lift("neighbour"), 1, Ok(1));
    check(&frozen, &lift("province"), 1, Ok(1));
}

#[test]
fn the_banner_and_the_entity_say_who() {
    let commune = Frozen::Commune("25126".parse().unwrap());
    assert_eq!(commune.to_string(), "freeze-commune-25126");
    assert_eq!(Frozen::Officer(person("x")).to_string(), "freeze-officer-x");
    for of in [&commune, &Frozen::Officer(person("commune-x"))] {
        assert_eq!(Frozen::of_name(&of.name()).as_ref(), Some(of));
    }
    for wrong in ["", "x", "officer-", "commune-1", "freeze-officer-x"] {
        assert_eq!(Frozen::of_name(wrong), None, "{wrong}");
    }
    let shown = banner(&commune, "08:00 22/11/2026").to_string();
    assert!(shown.starts_with("Xã 25126 đang bị khóa") && shown.contains("08:00"), "{shown}");
}

fn any_command() -> impl Strategy<Value = FreezeCommand> {
    let who = select(vec!["an", "binh", "x", "officer", "province", "auditor"]);
    (who, 0i64..40, 0usize..4).prop_map(|(name, hours, what)| match what {
        0 => freeze(name, hours),
        1 => confirm(name, hours),
        2 => lift(name),
        _ => end(hours),
    })
}

proptest! {
    #[test]
    fn two_persons_freeze_and_two_lift_whatever_the_history(
        commands in proptest::collection::vec((any_command(), 0i64..3), 0..40)
    ) {
        let mut state = Freeze::default();
        let mut hour = 0;
        for (command, later) in commands {
            hour += later;
            let now = Millis(hour * HOUR);
            let Ok(events) = decide(&state, &command, hour) else { continue };
            for event in &events {
                match event {
                    FreezeEvent::Asked(wish) => {
                        prop_assert!(wish.until.since_ms(now) <= 24 * HOUR as u64);
                    }
                    FreezeEvent::Began { by } => {
                        prop_assert!(state.wish().is_some_and(|wish| wish.by != *by));
                    }
                    FreezeEvent::Lifted { by } => {
                        prop_assert!(*by != person("x"));
                        let is_second = matches!(&state,
                            Freeze::InForce { lift_asked_by: Some(first), .. } if first != by);
                        prop_assert!(is_second);
                    }
                    FreezeEvent::LiftAsked { by, .. } => prop_assert!(*by != person("x")),
                    FreezeEvent::Ended => prop_assert!(state.in_force_until(now).is_none()),
                }
            }
            let before = state.in_force_until(now);
            state = events.iter().fold(state, Freeze::evolve);
            // A freeze in force is never made longer, and ends by two or by time only.
            if let Some(until) = before {
                let lifted = events.iter().any(|event| matches!(event, FreezeEvent::Lifted { .. }));
                prop_assert_eq!(state.in_force_until(now), Some(until).filter(|_| !lifted));
            }
            // What is done is already true: asking the same again changes nothing. The second
            // lift is the exception, for there is nothing left to lift.
            if let Ok(again) = decide(&state, &command, hour) {
                prop_assert_eq!(again, vec![]);
            }
            prop_assert!(state.in_force_until(now.plus_ms(24 * HOUR)).is_none());
        }
    }
}
