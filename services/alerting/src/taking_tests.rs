//! What is asked for, and until when.

use std::sync::Arc;

use domain::{
    alert::{AlertEvent, AlertFacts, Live},
    reach::{CommuneReached, ReachReason, ReachRequest},
    relay::protocol::{Instructed, RelayedOnward},
    values::{AlertKind, AlertStatus},
};
use event_log::command::Draft;
use wire::v1::event::Event;

use super::*;

fn home(commune: &str) -> Home {
    Home { province: "38".parse().unwrap(), commune: commune.parse().unwrap() }
}

fn alert() -> AlertId {
    AlertId::raised_by(RecordId::of_purpose("a"))
}

fn id(name: &str) -> RecordId {
    RecordId::of_purpose(name)
}

/// In force, and put to these.
fn put_to(named: &[&str]) -> Alert {
    let facts = AlertFacts {
        kind: AlertKind::LostChild,
        status: AlertStatus::Actual,
        home: home("15958"),
        reported_at: None,
        last_seen: None,
        travel: None,
        person: None,
        legal_basis: None,
        expires_at: Millis(1_000),
        reach: ReachRequest::Auto,
        dont_know: vec![],
    };
    let reached =
        |code: &&str| CommuneReached { home: home(code), reason: ReachReason::Border, ring: 1 };
    let issued = AlertEvent::Issued {
        revision: 1,
        facts,
        code: "0123456789".into(),
        content: id("raise"),
        by: "an".into(),
        communes: named.iter().map(reached).collect(),
        to_follow: vec![],
        checked: domain::alert::Checked::default(),
        next: domain::alert::NextReach::default(),
    };
    domain::decider::Decider::evolve(Alert::default(), &issued)
}

fn decided(taking: &mut Taking, cause: &str, alert_now: Alert) {
    let entity = EntityName::alert(alert());
    let alert_now = Arc::new(alert_now);
    let of = (&entity, home("15958"), &[][..], Some((alert(), &alert_now)));
    take_in(taking, id(cause), of);
}

fn by_mai(taking: &mut Taking, cause: &str, event: &RelayEvent) {
    let entity = EntityName::relay(alert(), home("15925").commune);
    let events = [RelayProtocol::say(event)];
    take_in(taking, id(cause), (&entity, home("15925"), &events, None));
}

type Of<'a> = (&'a EntityName, Home, &'a [Event], Option<(AlertId, &'a Arc<Alert>)>);

fn take_in(taking: &mut Taking, cause: RecordId, (entity, home, events, alert): Of<'_>) {
    taking.take_in(&Commit {
        id: cause,
        entity,
        home,
        at: Millis(1),
        cause,
        events,
        alert,
        live: true,
    });
}

fn onward(to: &[&str]) -> RelayEvent {
    let to = to.iter().map(|code| home(code)).collect();
    RelayEvent::RelayedOnward(RelayedOnward { by: "mai".into(), note: id("note"), to, hops: 1 })
}

fn instructed(content: &str) -> RelayEvent {
    RelayEvent::Instructed(Instructed { by: "mai".into(), content: id(content) })
}

fn asked(taking: &mut Taking) -> Vec<Draft> {
    taking.commands(Millis(9))
}

#[test]
fn what_was_relayed_onward_is_asked_for_until_it_was_decided_upon_or_is_so() {
    let relayed = || {
        let mut taking = Taking::default();
        decided(&mut taking, "raise", put_to(&["15958", "15925"]));
        by_mai(&mut taking, "onward", &onward(&["15946", "15949"]));
        taking
    };
    let mut taking = relayed();
    let first = asked(&mut taking);
    assert!(matches!(&first[..], [draft] if draft.home == home("15958")));
    // The same from every instance, and again until the log has it.
    assert_eq!(asked(&mut relayed())[0].id, first[0].id);
    decided(&mut taking, "other", put_to(&["15958", "15925", "15946"]));
    assert_eq!(asked(&mut taking).len(), 1);
    decided(&mut taking, "other", put_to(&["15958", "15925", "15946", "15949"]));
    assert_eq!(asked(&mut taking).len(), 0);

    // Nothing came of it: the alert is over, and nobody asks again.
    let mut taking = relayed();
    let over = put_to(&["15958", "15925"]);
    let entity = EntityName::alert(alert());
    let over = Arc::new(over);
    take_in(&mut taking, first[0].id, (&entity, home("15958"), &[], Some((alert(), &over))));
    assert_eq!(asked(&mut taking).len(), 0);
}

#[test]
fn each_instruction_is_asked_for_and_the_newest_stands() {
    let mut taking = Taking::default();
    by_mai(&mut taking, "one", &instructed("one"));
    assert_eq!(asked(&mut taking).len(), 0, "nobody knows where the alert is at home");
    decided(&mut taking, "raise", put_to(&["15958", "15925"]));
    by_mai(&mut taking, "two", &instructed("two"));
    assert_eq!(asked(&mut taking).len(), 2);
    let Alert::Active(live) = put_to(&["15958", "15925"]) else { panic!("in force") };
    let instructions = [(home("15925").commune, (2, id("two")))].into();
    let instructed = Alert::Active(Live { instructions, ..live });
    decided(&mut taking, "other", instructed);
    let left = asked(&mut taking);
    assert!(matches!(&left[..], [draft] if matches!(&draft.body,
        Body::TakeAlertInstruction(taken) if taken.content == id_bytes(id("one").0))));
    taking.forget(alert());
    assert_eq!(asked(&mut taking).len(), 0);
}
