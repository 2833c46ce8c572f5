//! Given / when / then for erasures and legal holds.

use super::*;

const DAY: i64 = 24 * 3_600_000;

/// Persons are called by their role, with a number where there are several.
fn by(name: &str, ask: ErasureAsk) -> ErasureCommand {
    let role = match name {
        "officer" => Some(Role::Officer),
        "province" => Some(Role::Province),
        "admin" => Some(Role::Admin),
        "auditor" => Some(Role::Auditor),
        "service:alerting" | "service:intake" => None,
        _ => Some(Role::Commander),
    };
    ErasureCommand { by: name.to_owned(), role, ask }
}

fn note() -> RecordId {
    RecordId::of_purpose("note")
}

fn ask(name: &str, basis: Basis) -> ErasureCommand {
    by(name, ErasureAsk::Ask { basis, note: note() })
}

fn confirm(name: &str, basis: Basis) -> ErasureCommand {
    by(name, ErasureAsk::Confirm { basis })
}

fn hold(name: &str) -> ErasureCommand {
    by(name, ErasureAsk::Hold { note: note() })
}

fn lift(name: &str) -> ErasureCommand {
    by(name, ErasureAsk::Lift)
}

fn retire() -> ErasureCommand {
    by("service:alerting", ErasureAsk::Retire)
}

fn finish() -> ErasureCommand {
    by("service:intake", ErasureAsk::Finish { parts: 4, pictures: 1 })
}

fn decide(
    state: &Erasure,
    command: &ErasureCommand,
    (day, over): (i64, bool),
) -> Result<Vec<ErasureEvent>, NotErased> {
    state.decide(command, &ErasureKnown { now: Millis(day * DAY), over })
}

/// All on the first day, of an alert that is over.
fn given(commands: &[ErasureCommand]) -> Erasure {
    commands.iter().fold(Erasure::default(), |state, command| {
        let events = decide(&state, command, (0, true)).unwrap();
        events.iter().fold(state, Erasure::evolve)
    })
}

fn check_at(
    commands: &[ErasureCommand],
    when: &ErasureCommand,
    at: (i64, bool),
    then: Result<usize, NotErased>,
) {
    let decided = decide(&given(commands), when, at).map(|events| events.len());
    assert_eq!(decided, then, "given {commands:#?} when {when:?} at {at:?}");
}

fn check(commands: &[ErasureCommand], when: &ErasureCommand, then: Result<usize, NotErased>) {
    check_at(commands, when, (0, true), then);
}

const REQUEST: Basis = Basis::SubjectRequest;

#[test]
fn what_was_erased_before_is_erased_again_whatever_an_older_history_says() {
    let restore = || by("service:intake", ErasureAsk::Restore);
    let held = [hold("an"), hold("binh")];
    for before in [&[][..], &[ask("an", REQUEST)], &held] {
        check_at(before, &restore(), (0, false), Ok(1));
    }
    let order = Order { basis: Basis::Restored, officers: None };
    assert_eq!(given(&[restore()]).order(), Some(&order));
    check(&[restore()], &restore(), Ok(0));
    check(&[restore()], &finish(), Ok(1));
    check(&[], &by("an", ErasureAsk::Restore), Err(NotErased::RoleMissing));
    assert_eq!(Basis::given("restored"), None);
}

#[test]
fn one_asks_and_another_orders() {
    let asked = [ask("officer", REQUEST)];
    check(&[], &asked[0], Ok(1));
    check(&asked, &asked[0], Ok(0));
    check(&asked, &ask("an", Basis::Authority), Ok(1));
    check(&[], &confirm("an", REQUEST), Err(NotErased::NotAsked));
    check(&asked, &confirm("an", REQUEST), Ok(1));
    check(&asked, &confirm("province", REQUEST), Ok(1));
    check(&asked, &confirm("an", Basis::Authority), Err(NotErased::NotAsked));
    check(&asked, &confirm("officer", REQUEST), Err(NotErased::RoleMissing));
    check(&[ask("an", REQUEST)], &confirm("an", REQUEST), Err(NotErased::SamePerson));
    for nobody in ["admin", "auditor"] {
        check(&[], &ask(nobody, REQUEST), Err(NotErased::RoleMissing));
        check(&asked, &confirm(nobody, REQUEST), Err(NotErased::RoleMissing));
        check(&[], &hold(nobody), Err(NotErased::RoleMissing));
    }
    let ordered = given(&[ask("officer", REQUEST), confirm("an", REQUEST)]);
    let officers = Some(("officer".parse().unwrap(), "an".parse().unwrap()));
    assert_eq!(ordered.order(), Some(&Order { basis: REQUEST, officers }));
}

#[test]
fn a_wish_is_agreed_to_within_its_time_and_of_what_is_over() {
    let asked = [ask("officer", REQUEST)];
    check_at(&[], &asked[0], (0, false), Err(NotErased::StillActive));
    check_at(&asked, &confirm("an", REQUEST), (6, false), Err(NotErased::StillActive));
    check_at(&asked, &confirm("an", REQUEST), (6, true), Ok(1));
    check_at(&asked, &confirm("an", REQUEST), (7, true), Err(NotErased::NotAsked));
    check_at(&asked, &asked[0], (7, true), Ok(1));
}

#[test]
fn the_term_of_the_policy_needs_no_person_and_no_person_gives_it() {
    check(&[], &retire(), Ok(1));
    check(&[ask("an", REQUEST)], &retire(), Ok(1));
    check_at(&[], &retire(), (0, false), Ok(0));
    check(&[], &by("an", ErasureAsk::Retire), Err(NotErased::RoleMissing));
    check(&[], &by("an", finish().ask), Err(NotErased::RoleMissing));
    assert_eq!(given(&[retire()]).order().unwrap().officers, None);
    assert_eq!(Basis::given("retention"), None);
    assert_eq!(Basis::given("authority"), Some(Basis::Authority));
}

#[test]
fn a_legal_hold_of_two_persons_stops_it_until_two_lift_it() {
    let half = [hold("officer")];
    check(&half, &hold("officer"), Ok(0));
    check(&[hold("an")], &hold("officer"), Err(NotErased::RoleMissing));
    check(&half, &ask("an", REQUEST), Ok(1));
    check(&half, &lift("an"), Err(NotErased::NotHeld));
    let held = [ask("officer", REQUEST), hold("officer"), hold("an")];
    check(&held, &ask("officer", Basis::Authority), Err(NotErased::Held));
    check(&held, &confirm("an", REQUEST), Err(NotErased::Held));
    check(&held, &retire(), Ok(0));
    check(&held, &hold("binh"), Ok(0));
    check(&held, &lift("officer"), Err(NotErased::RoleMissing));
    let [asked, one, two] = held;
    let half_lifted = [asked.clone(), one.clone(), two.clone(), lift("an")];
    check(&half_lifted, &lift("an"), Ok(0));
    check(&half_lifted, &confirm("an", REQUEST), Err(NotErased::Held));
    let lifted = [asked, one, two, lift("an"), lift("binh")];
    check(&lifted, &confirm("an", REQUEST), Ok(1));
    check(&lifted, &retire(), Ok(1));
    check(&lifted, &lift("an"), Err(NotErased::NotHeld));
}

#[test]
fn what_is_ordered_is_finished_once_and_never_taken_back() {
    check(&[], &finish(), Ok(0));
    let ordered = [ask("officer", REQUEST), confirm("an", REQUEST)];
    for again in [ask("officer", REQUEST), confirm("an", REQUEST), confirm("binh", REQUEST)] {
        check(&ordered, &again, Ok(0));
    }
    check(&ordered, &retire(), Ok(0));
    check(&ordered, &hold("an"), Err(NotErased::AlreadyErased));
    check(&ordered, &finish(), Ok(1));
    let [asked, confirmed] = ordered;
    let done = [asked, confirmed, finish()];
    check(&done, &finish(), Ok(0));
    let erased = given(&done);
    assert!(matches!(&erased.course, Course::Erased(order) if order.officers.is_some()));
    assert!(erased.order().is_some());
}

#[test]
fn any_order_of_events_folds() {
    let who = || "an".parse().unwrap();
    let events = [
        ErasureEvent::Lifted { by: who() },
        ErasureEvent::HoldBegan { by: who() },
        ErasureEvent::LiftAsked { by: who() },
    ];
    let state = events.iter().fold(Erasure::default(), Erasure::evolve);
    assert_eq!(state, Erasure::default());
}
