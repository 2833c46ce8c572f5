//! Given these records, when somebody asks of a moment, then this was known.

use domain::{
    alert::AlertEvent,
    delivery::{Audience, DeliveryEvent, Plan, Target},
    freeze::{Freeze, FreezeEvent, Frozen, Wish},
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    lane::{Outcome, Receipt},
    reach::{CommuneReached, ReachReason},
    receipts::Receipts,
    values::News,
};
use event_log::{Class, Record};
use wire::{Spoken, v1::commit::Outcome as Decided};

use super::{AsKnown, AskedKnown, Gathering, Knowledge, KnownDelivery, Search, known_text};
use crate::testing::{alert, at, cancel, command, commit, events, home, issued_event};

const RAISED: &str = "raise";

fn id() -> AlertId {
    alert(RAISED)
}

fn commune() -> CommuneCode {
    home().commune
}

fn target() -> Target {
    Target {
        group: "g-1".parse().unwrap(),
        channel: "webhook-1".parse().unwrap(),
        channel_type: "webhook".into(),
    }
}

fn issued(time: i64) -> Record {
    let own = CommuneReached { home: home(), reason: ReachReason::Own, ring: 0 };
    let event = issued_event(id(), RAISED, vec![own]);
    let said = events([domain::alert::Alert::say(&event)]);
    commit(Class::Alert, &EntityName::alert(id()), 1, RAISED, time, said)
}

fn planned(time: i64) -> Record {
    let plan = Plan {
        alert: id(),
        alert_home: home(),
        commune: commune(),
        revision: 1,
        news: News::Issued,
        cause: RecordId::of_purpose("issued"),
        instance: "one".to_owned(),
        give_up_at: Millis(1_000_000),
        not_before: None,
        audience: Audience::Named,
        targets: vec![target()],
    };
    let event = DeliveryEvent::Planned { plan, lease_until: Millis(time + 10_000) };
    let said = events([domain::delivery::Delivery::say(&event)]);
    let entity = EntityName::delivery(id(), commune());
    commit(Class::Delivery, &entity, 1, "issued", time, said)
}

/// A receipt: when the attempt ended, and when that was recorded.
fn received(version: u64, ended: i64, recorded: i64) -> Record {
    let receipt = Receipt {
        target: target(),
        revision: 1,
        attempt: 1,
        outcome: Outcome::Delivered,
        at: Millis(ended),
        took_ms: 5,
        status: 200,
        trouble: String::new(),
        next_attempt_at: None,
        provider_id: String::new(),
    };
    let said = events([Receipts::say(&vec![receipt])]);
    let entity = EntityName::receipt(id(), commune());
    commit(Class::Receipt, &entity, version, "plan", recorded, said)
}

/// What was known at this time, of the commune or of the alert.
fn known_by(given: &[Record], time: i64, of_commune: bool) -> AsKnown {
    let asked = AskedKnown {
        at: Millis(time),
        commune: of_commune.then(commune),
        alert: (!of_commune).then(id),
    };
    let mut search = Search::new(asked);
    let given: Vec<_> = (1..).zip(given).map(|(n, record)| (n, at(n, record.clone()))).collect();
    given.iter().for_each(|(n, recorded)| search.look(*n, recorded));
    let found = search.alerts().clone();
    let mut gathering: Gathering = search.gathering();
    for (n, recorded) in &given {
        if recorded.key.entity.alert_id().is_some_and(|alert| found.contains(&alert)) {
            gathering.look(*n, recorded);
        }
    }
    gathering.known()
}

fn delivery_at(given: &[Record], time: i64) -> Option<KnownDelivery> {
    known_by(given, time, true).alerts.first()?.deliveries.first().cloned()
}

#[test]
fn what_was_true_and_recorded_later_was_not_known() {
    let given = [issued(80), planned(81), received(1, 95, 120)];
    let shown = |time| {
        delivery_at(&given, time)
            .map(|one| (one.known, one.later.map(|later| (later.was_true, later.recorded_at.0.0))))
    };
    assert_eq!(shown(80), None, "nothing was planned yet");
    assert_eq!(shown(94), Some((Knowledge::Sent, Some((false, 120)))), "it had not ended");
    assert_eq!(shown(95), Some((Knowledge::Sent, Some((true, 120)))), "true, and not known");
    assert_eq!(shown(119), Some((Knowledge::Sent, Some((true, 120)))));
    assert_eq!(shown(120), Some((Knowledge::Arrived, None)));
    let never = [issued(80), planned(81)];
    assert_eq!(
        delivery_at(&never, 500).map(|one| (one.known, one.later)),
        Some((Knowledge::Sent, None))
    );
    let text = known_text(&known_by(&given, 100, true)).join("\n");
    assert!(text.contains("true by then, and not known"), "{text}");
    let left_later = [issued(80), planned(81), received(1, 95, 120)];
    let text = known_text(&known_by(&left_later, 85, true)).join("\n");
    assert!(text.contains("in truth it had not left by then"), "it began at 90: {text}");
}

#[test]
fn a_clock_that_was_set_back_lets_nothing_be_known_before_what_came_before_it() {
    let entity = EntityName::alert(id());
    let note = RecordId::of_purpose("note");
    let cancelled =
        events([domain::alert::Alert::say(&AlertEvent::Cancelled { revision: 2, note })]);
    // Decided by a clock that was behind.
    let back = commit(Class::Alert, &entity, 2, "cancel", 60, cancelled);
    let state = |time| {
        let known = known_by(&[issued(80), back.clone()], time, true);
        known.alerts.first().map(|alert| alert.state.clone())
    };
    assert_eq!(state(70), None);
    assert_eq!(state(80).as_deref(), Some("cancelled"));
}

#[test]
fn what_was_asked_and_not_decided_is_said() {
    let entity = EntityName::alert(id());
    let asked = command("cancel", &entity, 90, cancel());
    let refused =
        Decided::Refused(wire::v1::Refused { code: "closed".into(), field: "note".into() });
    let answer = commit(Class::Alert, &entity, 2, "cancel", 110, refused);
    let given = [issued(80), asked, answer];
    let early = known_by(&given, 100, true);
    let waits: Vec<_> = early
        .undecided
        .iter()
        .map(|one| (one.asked.as_str(), one.decided_at.map(|at| at.0.0)))
        .collect();
    assert_eq!((waits, early.refused.len()), (vec![("CancelAlert", Some(110))], 0));
    let late = known_by(&given, 110, true);
    let why = late.refused.first().map(|one| (one.code.as_str(), one.field.as_str(), one.position));
    assert_eq!((why, late.undecided.len()), (Some(("closed", "note", 3)), 0));
    let never = known_by(&given[..2], 500, true);
    assert_eq!(never.undecided.first().map(|one| one.decided_at), Some(None));
}

#[test]
fn repeats_are_counted_and_what_cannot_be_read_is_named() {
    let given = [issued(80), planned(81), received(1, 95, 96), received(2, 95, 97)];
    assert_eq!(
        delivery_at(&given, 100).map(|one| (one.known, one.repeats)),
        Some((Knowledge::Arrived, 1))
    );
    let mut unreadable = received(3, 95, 98);
    unreadable.open = bytes::Bytes::from_static(&[0xff]);
    let known = known_by(&[issued(80), unreadable], 100, false);
    let named: Vec<_> = known.unreadable.iter().map(|one| one.position).collect();
    assert_eq!(named, [2]);
    let text = known_text(&known).join("\n");
    assert!(text.contains("UNREADABLE") && text.contains("tin / alert"), "{text}");
}

#[test]
fn a_freeze_is_shown_while_it_is_in_force() {
    let of = Frozen::Commune(commune());
    let entity = EntityName::freeze(&of);
    let wish = Wish {
        of: of.clone(),
        by: "an".parse().unwrap(),
        until: Millis(200),
        note: RecordId::of_purpose("why"),
    };
    let began = [FreezeEvent::Asked(wish), FreezeEvent::Began { by: "binh".parse().unwrap() }];
    let records: Vec<Record> = (1..)
        .zip(&began)
        .map(|(version, event)| {
            let time = 100 + i64::try_from(version).unwrap();
            commit(Class::Alert, &entity, version, "freeze", time, events([Freeze::say(event)]))
        })
        .collect();
    let frozen = |time| known_by(&records, time, true).freezes.len();
    assert_eq!((frozen(101), frozen(102), frozen(199), frozen(200)), (0, 1, 1, 0));
    let elsewhere = AskedKnown { at: Millis(150), commune: "25127".parse().ok(), alert: None };
    let mut search = Search::new(elsewhere);
    records.iter().for_each(|record| search.look(1, &at(1, record.clone())));
    assert!(search.gathering().known().freezes.is_empty());
}

#[test]
fn another_communes_alert_is_on_no_board() {
    let other: Home = Home { province: home().province, commune: "25127".parse().unwrap() };
    let asked = AskedKnown { at: Millis(500), commune: Some(other.commune), alert: None };
    let mut search = Search::new(asked);
    search.look(1, &at(1, issued(80)));
    assert!(search.alerts().is_empty());
    // Nor where it is asked for by its id.
    let mut search = Search::new(AskedKnown { alert: Some(id()), ..asked });
    search.look(1, &at(1, issued(80)));
    let mut gathering = search.gathering();
    gathering.look(1, &at(1, issued(80)));
    assert_eq!(gathering.known().alerts, []);
}
