//! Given what is held and what the log says, then they are the same, or the first that differs is
//! named.

use domain::{
    alert::{Alert, AlertEvent},
    decider::Decider,
    delivery::{Audience, DeliveryEvent, Plan, Target},
    ids::{EntityName, Millis, RecordId},
    lane::{Lanes, Outcome, Receipt},
    reach::{CommuneReached, ReachReason},
    receipts::Receipts,
    relay::protocol::RelayProtocol,
    state_hash::StateHash,
    values::News,
};
use event_log::{Class, Held, Record, UpTo};
use wire::Spoken;

use super::{Comparing, StateCheck, check_text, folded::lanes_hash};
use crate::testing::{
    alert, at, cancel, command, commit, events, home, issued_event, true_already,
};

const RAISED: &str = "raise";

fn entity() -> EntityName {
    EntityName::alert(alert(RAISED))
}

fn issued() -> AlertEvent {
    let own = CommuneReached { home: home(), reason: ReachReason::Own, ring: 0 };
    issued_event(alert(RAISED), RAISED, vec![own])
}

fn cancelled() -> AlertEvent {
    AlertEvent::Cancelled { revision: 2, note: RecordId::of_purpose("note") }
}

fn of_alert(version: u64, event: &AlertEvent) -> Record {
    commit(Class::Alert, &entity(), version, "x", 100, events([Alert::say(event)]))
}

/// An alert's whole life, and its raise.
fn log() -> Vec<Record> {
    let raise = command("x", &entity(), 90, cancel());
    vec![raise, of_alert(1, &issued()), of_alert(2, &cancelled())]
}

fn state(events: &[AlertEvent]) -> StateHash {
    StateHash::of(&events.iter().fold(Alert::default(), Alert::evolve))
}

fn compare(held: Vec<Held>, log: &[Record]) -> StateCheck {
    let mut comparing = Comparing::new(vec![("idle", vec![]), ("board", held)]);
    for (n, record) in (1..).zip(log) {
        comparing.look(n, &at(n, record.clone()));
    }
    comparing.compared()
}

#[test]
fn what_is_held_is_compared_at_the_version_that_is_held() {
    for (version, held) in [(1, state(&[issued()])), (2, state(&[issued(), cancelled()]))] {
        let check = compare(vec![Held::at(&entity(), version, held)], &log());
        assert!(check.same, "{check:?}");
        let board = check.holders.last().unwrap();
        assert_eq!((board.entities, &board.live), (1, &board.replayed));
    }
}

#[test]
fn the_first_that_differs_is_named() {
    let other = EntityName::relay(alert(RAISED), home().commune);
    let held = vec![
        Held::at(&other, 1, StateHash::of(&RelayProtocol::default())),
        Held::at(&entity(), 2, state(&[issued()])),
    ];
    let check = compare(held, &log());
    let named: Vec<_> = check
        .differences
        .iter()
        .map(|one| (one.holder.as_str(), one.entity.as_str(), one.up_to.as_str(), one.why.as_str()))
        .collect();
    let wanted = [
        ("board", entity().as_str(), "v2", "state"),
        ("board", other.as_str(), "v1", "not-in-log"),
    ]
    .map(|(holder, entity, up_to, why)| (holder, entity.to_owned(), up_to, why));
    let wanted: Vec<_> = wanted.iter().map(|(h, e, u, w)| (*h, e.as_str(), *u, *w)).collect();
    assert_eq!((check.same, check.different, named), (false, 2, wanted));
    let board = check.holders.last().unwrap();
    assert_ne!(board.live, board.replayed);
    let text = check_text(&check);
    assert!(text.iter().any(|line| line.contains("KHÁC / DIFFERENT  board  alert-")), "{text:?}");
}

#[test]
fn a_record_that_was_lost_or_changed_is_found() {
    let held = || vec![Held::at(&entity(), 2, state(&[issued(), cancelled()]))];
    let lost = &log()[..2];
    assert_eq!(compare(held(), lost).differences[0].why, "not-in-log");
    let mut changed = log();
    let note = RecordId::of_purpose("note");
    changed[2] = of_alert(2, &AlertEvent::Resolved { revision: 2, note });
    let check = compare(held(), &changed);
    assert_eq!((check.same, check.differences[0].why.as_str()), (false, "state"));
    assert_ne!(check.state, compare(held(), &log()).state);
}

#[test]
fn the_state_hash_is_of_the_state_and_not_of_the_way_there() {
    let of = |log: &[Record]| compare(vec![], log).state;
    assert_eq!(of(&log()), of(&log()));
    // A command changes nothing; a commit without events only how far it goes.
    assert_eq!(of(&log()), of(&log()[1..]));
    let more = commit(Class::Alert, &entity(), 3, "y", 100, true_already());
    assert_ne!(of(&log()), of(&[log(), vec![more]].concat()));
    let check = compare(vec![], &log());
    assert_eq!((check.same, check.records, check.entities), (true, 3, 1));
    assert!(check_text(&check).concat().contains("nothing was compared"));
}

#[test]
fn lanes_are_compared_as_far_as_they_are_held_in_whatever_order_they_came() {
    let (delivery, receipt) = (
        EntityName::delivery(alert(RAISED), home().commune),
        EntityName::receipt(alert(RAISED), home().commune),
    );
    let (group, channel) = ("g-1".parse().unwrap(), "webhook-1".parse().unwrap());
    let target = Target { group, channel, channel_type: "webhook".into() };
    let plan = Plan {
        alert: alert(RAISED),
        alert_home: home(),
        commune: home().commune,
        revision: 1,
        news: News::Issued,
        cause: RecordId::of_purpose("issued"),
        instance: "one".to_owned(),
        give_up_at: Millis(1_000),
        not_before: None,
        audience: Audience::Named,
        targets: vec![target.clone()],
    };
    let planned = DeliveryEvent::Planned { plan, lease_until: Millis(200) };
    let seen = |attempt, outcome| Receipt {
        target: target.clone(),
        revision: 1,
        attempt,
        outcome,
        at: Millis(100 + i64::from(attempt)),
        took_ms: 1,
        status: 0,
        trouble: String::new(),
        next_attempt_at: Some(Millis(150)),
        provider_id: String::new(),
    };
    let receipts = [seen(1, Outcome::NotReached), seen(2, Outcome::Delivered)];
    let said = |version, receipt_: &Receipt| {
        let said = events([Receipts::say(&vec![receipt_.clone()])]);
        commit(Class::Receipt, &receipt, version, "plan", 110, said)
    };
    let plans = events([domain::delivery::Delivery::say(&planned)]);
    // The receipts stand before the plan, as two classes may be read.
    let log = [
        said(1, &receipts[0]),
        said(2, &receipts[1]),
        commit(Class::Delivery, &delivery, 1, "issued", 100, plans),
    ];
    let held = |seen: usize, receipt| {
        let mut lanes = Lanes::default();
        lanes.apply(&planned, Millis(100));
        receipts.iter().take(seen).for_each(|receipt| lanes.receive(receipt));
        let up_to = UpTo::Lanes { delivery: 3, receipt };
        vec![Held { entity: delivery.clone(), up_to, state: lanes_hash(&lanes) }]
    };
    assert!(compare(held(1, 1), &log).same && compare(held(2, 2), &log).same);
    assert_eq!(compare(held(1, 2), &log).differences[0].why, "state");
    assert_eq!(compare(held(2, 9), &log).differences[0].why, "not-in-log");
}

#[test]
fn what_cannot_be_read_is_named_and_compared_with_nothing() {
    let mut log = log();
    log[2].open = bytes::Bytes::from_static(&[0xff]);
    let check = compare(vec![Held::at(&entity(), 2, state(&[issued()]))], &log);
    assert_eq!((check.same, check.unreadable), (true, vec![entity().to_string()]));
}
