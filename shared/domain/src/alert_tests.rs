//! Given / when / then for the alert.

use proptest::prelude::*;

use super::*;
use crate::reach::tests::{Chain, code};

const HOUR: i64 = 3_600_000;

fn facts(kind: AlertKind) -> AlertFacts {
    AlertFacts {
        kind,
        status: AlertStatus::Actual,
        home: Home { province: "68".parse().unwrap(), commune: code(4) },
        reported_at: None,
        last_seen: Some(LastSeen { at: None, point: None }),
        travel: None,
        person: None,
        legal_basis: (kind == AlertKind::Suspect).then(|| "stated".to_owned()),
        expires_at: Millis(24 * HOUR),
        reach: ReachRequest::Auto,
    }
}

fn id(name: &str) -> RecordId {
    RecordId::of_purpose(name)
}

fn by(officer: &str, role: Role, ask: AlertAsk) -> AlertCommand {
    AlertCommand { by: officer.into(), role: Some(role), valid_until: None, ask }
}

fn raise_of(facts: AlertFacts) -> AlertCommand {
    let ask = AlertAsk::Raise { facts, code: "0123456789".into(), content: id("raise") };
    by("an", Role::Officer, ask)
}

fn raise(kind: AlertKind) -> AlertCommand {
    raise_of(facts(kind))
}

fn cancel() -> AlertCommand {
    by("an", Role::Officer, AlertAsk::Cancel { note: id("cancel") })
}

fn resolve() -> AlertCommand {
    by("an", Role::Officer, AlertAsk::Resolve { note: id("resolve") })
}

fn approve(officer: &str, role: Role, revision: u64) -> AlertCommand {
    by(officer, role, AlertAsk::Approve { revision })
}

fn expire() -> AlertCommand {
    by("service:alerting", Role::Admin, AlertAsk::Expire { expires_at: Millis(24 * HOUR) })
}

fn known(now: i64) -> AlertKnown {
    AlertKnown { now: Millis(now), map: Arc::new(Chain::of(400)) }
}

fn given(commands: &[AlertCommand]) -> Alert {
    commands.iter().fold(Alert::default(), |alert, command| {
        let at = if matches!(command.ask, AlertAsk::Expire { .. }) { 24 * HOUR } else { 1 };
        let events = alert.decide(command, &known(at)).unwrap();
        events.iter().fold(alert, Alert::evolve)
    })
}

/// Given these commands, when this one, then this state and revision, or this refusal.
fn check(commands: &[AlertCommand], when: &AlertCommand, then: Result<(&str, u64), NotDone>) {
    let alert = given(commands);
    let at = if matches!(when.ask, AlertAsk::Expire { .. }) { 24 * HOUR } else { 1 };
    let decided = alert.decide(when, &known(at)).map(|events| {
        let after = events.iter().fold(alert, Alert::evolve);
        (after.state(), after.content().map_or(0, |content| content.revision))
    });
    assert_eq!(decided, then, "given {commands:#?} when {when:#?}");
}

#[test]
fn a_lost_child_is_issued_at_once_and_a_suspect_waits_for_a_second_person() {
    use AlertKind::{LostChild, Suspect};
    check(&[], &raise(LostChild), Ok(("active", 1)));
    check(&[], &raise(Suspect), Ok(("awaiting-approval", 1)));
    let waiting = [raise(Suspect)];
    check(&waiting, &approve("binh", Role::Commander, 1), Ok(("active", 2)));
    check(&waiting, &approve("tinh", Role::Province, 1), Ok(("active", 2)));
    check(&waiting, &approve("an", Role::Commander, 1), Err(NotDone::SamePerson));
    check(&waiting, &approve("binh", Role::Officer, 1), Err(NotDone::RoleMissing));
    check(&waiting, &approve("binh", Role::Commander, 2), Err(NotDone::StaleRevision));
    let approved = [raise(Suspect), approve("binh", Role::Commander, 1)];
    check(&approved, &approve("chi", Role::Commander, 1), Ok(("active", 2)));
    check(&approved, &approve("chi", Role::Commander, 2), Err(NotDone::NotAwaiting));
    check(&[raise(LostChild)], &approve("chi", Role::Commander, 1), Err(NotDone::NotAwaiting));
    check(&[], &approve("chi", Role::Commander, 1), Err(NotDone::NotRaised));
}

#[test]
fn an_alert_ends_once() {
    let active = [raise(AlertKind::LostChild)];
    check(&active, &cancel(), Ok(("cancelled", 2)));
    check(&active, &resolve(), Ok(("resolved", 2)));
    check(&active, &expire(), Ok(("expired", 2)));
    let cancelled = [active[0].clone(), cancel()];
    check(&cancelled, &cancel(), Ok(("cancelled", 2)));
    check(&cancelled, &resolve(), Err(NotDone::AlreadyCancelled));
    check(&cancelled, &expire(), Ok(("cancelled", 2)));
    let resolved = [active[0].clone(), resolve()];
    check(&resolved, &resolve(), Ok(("resolved", 2)));
    check(&resolved, &cancel(), Err(NotDone::AlreadyResolved));
    // Those who were told a false alarm must hear so, also after it has expired.
    let expired = [active[0].clone(), expire()];
    check(&expired, &cancel(), Ok(("cancelled", 3)));
    check(&expired, &resolve(), Ok(("resolved", 3)));
    for ask in [cancel(), resolve()] {
        check(&[], &ask, Err(NotDone::NotRaised));
    }
}

#[test]
fn what_waits_can_be_taken_back_and_expires() {
    let waiting = [raise(AlertKind::Suspect)];
    check(&waiting, &cancel(), Ok(("cancelled", 2)));
    check(&waiting, &expire(), Ok(("expired", 2)));
    check(&waiting, &resolve(), Err(NotDone::NotIssued));
    assert!(given(&[waiting[0].clone(), cancel()]).communes().is_empty());
}

#[test]
fn what_is_missing_is_said() {
    let mut no_place = facts(AlertKind::LostChild);
    no_place.last_seen = None;
    check(&[], &raise_of(no_place), Err(NotDone::LastSeenMissing));
    let mut no_basis = facts(AlertKind::Suspect);
    no_basis.legal_basis = None;
    check(&[], &raise_of(no_basis), Err(NotDone::LegalBasisMissing));
    let mut past = facts(AlertKind::Notice);
    past.expires_at = Millis(1);
    check(&[], &raise_of(past), Err(NotDone::ExpiryPassed));
    let mut nowhere = facts(AlertKind::Notice);
    nowhere.reach = ReachRequest::Communes(vec![code(90_000)]);
    let unknown = NotDone::NoReach(NoReach::UnknownNamed(code(90_000)));
    check(&[], &raise_of(nowhere), Err(unknown));
    let raised = raise(AlertKind::Notice);
    check(std::slice::from_ref(&raised), &raised, Err(NotDone::AlreadyRaised));
}

#[test]
fn what_was_held_too_long_is_stale() {
    let held = AlertCommand { valid_until: Some(Millis(0)), ..raise(AlertKind::LostChild) };
    check(&[], &held, Err(NotDone::Stale));
}

#[test]
fn a_later_expiry_makes_an_earlier_one_void() {
    let early = by("service:alerting", Role::Admin, AlertAsk::Expire { expires_at: Millis(5) });
    check(&[raise(AlertKind::LostChild)], &early, Ok(("active", 1)));
}

#[test]
fn more_communes_than_one_commit_names_follow_step_by_step() {
    let mut wide = facts(AlertKind::Hazard);
    wide.reach = ReachRequest::Province;
    let mut alert = given(&[raise_of(wide)]);
    let mut steps = 0;
    while let Alert::Active(Live { to_follow, .. }) = &alert {
        if to_follow.is_empty() {
            break;
        }
        steps += 1;
        let ask = AlertAsk::RelayFurther { step: steps };
        let events = alert.decide(&by("service:alerting", Role::Admin, ask), &known(2)).unwrap();
        alert = events.iter().fold(alert, Alert::evolve);
    }
    assert_eq!((steps, alert.communes().len()), (3, 400));
    let again = by("service:alerting", Role::Admin, AlertAsk::RelayFurther { step: steps });
    assert_eq!(alert.decide(&again, &known(2)), Ok(vec![]));
}

fn any_command() -> impl Strategy<Value = AlertCommand> {
    let kind = prop_oneof![Just(AlertKind::LostChild), Just(AlertKind::Suspect)];
    let officer = prop_oneof![Just("an"), Just("binh")];
    prop_oneof![
        kind.prop_map(raise),
        (officer, 0u64..4).prop_map(|(officer, n)| approve(officer, Role::Commander, n)),
        Just(cancel()),
        Just(resolve()),
        Just(expire()),
        (1u32..3).prop_map(|step| {
            by("service:alerting", Role::Admin, AlertAsk::RelayFurther { step })
        }),
    ]
}

proptest! {
    /// Over any history: revisions only rise, a closed alert never becomes active again, who
    /// asked never approves, and a repeated command changes nothing more.
    #[test]
    fn any_history_keeps_the_rules(
        commands in proptest::collection::vec((any_command(), 0i64..30), 0..20)
    ) {
        let mut alert = Alert::default();
        for (command, hour) in commands {
            let known = known(hour * HOUR);
            let Ok(events) = alert.decide(&command, &known) else { continue };
            let revision = alert.content().map_or(0, |content| content.revision);
            let was_closed = matches!(alert, Alert::Closed { .. });
            let waited_for = alert.content().map(|content| content.by.clone());
            for event in &events {
                if let AlertEvent::Approved { by, .. } = event {
                    prop_assert_ne!(Some(by.clone()), waited_for.clone());
                }
            }
            let after = events.iter().fold(alert.clone(), Alert::evolve);
            let risen = after.content().map_or(0, |content| content.revision);
            prop_assert!(risen >= revision);
            let still_closed = matches!(after, Alert::Closed { .. });
            prop_assert!(!was_closed || still_closed);
            if !matches!(command.ask, AlertAsk::Raise { .. } | AlertAsk::Approve { .. }) {
                let again = after.decide(&command, &known).unwrap_or_default();
                let further = matches!(command.ask, AlertAsk::RelayFurther { .. });
                prop_assert!(again.is_empty() || further);
            }
            alert = after;
        }
    }
}
