//! Given these records, then these are the times that matter.

use domain::{
    alert::{Alert, AlertEvent},
    delivery::{Audience, Delivery, DeliveryEvent, Plan, Target},
    ids::{EntityName, Home, Millis, RecordId},
    lane::{Outcome, Receipt},
    reach::{CommuneReached, ReachReason},
    receipts::Receipts,
    relay::{
        Answer, Answered,
        protocol::{RelayEvent, RelayProtocol},
    },
    values::News,
};
use event_log::{Class, Record};
use wire::{Spoken, v1::command::Body};

use super::{Missing, Moment, Timeline, Tracing, timeline_text};
use crate::testing::{alert, at, command, commit, events, facts, home, issued_event};

const RAISED: &str = "raise";
const NEIGHBOUR: &str = "25127";

fn neighbour() -> Home {
    Home { province: home().province, commune: NEIGHBOUR.parse().unwrap() }
}

fn target() -> Target {
    let (group, channel) = ("g-1".parse().unwrap(), "webhook-1".parse().unwrap());
    Target { group, channel, channel_type: "webhook".into() }
}

fn raise(reported: Option<i64>) -> Record {
    let facts = domain::alert::AlertFacts { reported_at: reported.map(Millis), ..facts() };
    let facts = Some(wire::alert::facts_said(&facts));
    let body = Body::RaiseAlert(wire::v1::RaiseAlert { facts });
    command(RAISED, &EntityName::alert(alert(RAISED)), 100, body)
}

fn of_alert(version: u64, time: i64, event: &AlertEvent) -> Record {
    let cause = if version == 1 { RAISED } else { "later" };
    let said = events([Alert::say(event)]);
    commit(Class::Alert, &EntityName::alert(alert(RAISED)), version, cause, time, said)
}

fn issued() -> Record {
    let reached = |home, reason| CommuneReached { home, reason, ring: 0 };
    let communes =
        vec![reached(home(), ReachReason::Own), reached(neighbour(), ReachReason::Border)];
    of_alert(1, 101, &issued_event(alert(RAISED), RAISED, communes))
}

fn answered(answer: Answer, time: i64) -> Record {
    let note = RecordId::of_purpose("note");
    let event = RelayEvent::Answered(Answered { answer, by: "binh".into(), note });
    let entity = EntityName::relay(alert(RAISED), neighbour().commune);
    commit(Class::Alert, &entity, 1, "answer", time, events([RelayProtocol::say(&event)]))
}

fn planned(version: u64, revision: u64, news: News, time: i64) -> Record {
    let plan = Plan {
        alert: alert(RAISED),
        alert_home: home(),
        commune: neighbour().commune,
        revision,
        news,
        cause: RecordId::of_purpose("issued"),
        instance: "one".to_owned(),
        give_up_at: Millis(1_000_000),
        not_before: None,
        audience: Audience::Named,
        targets: vec![target()],
    };
    let event = DeliveryEvent::Planned { plan, lease_until: Millis(time + 10_000) };
    let entity = EntityName::delivery(alert(RAISED), neighbour().commune);
    commit(Class::Delivery, &entity, version, "issued", time, events([Delivery::say(&event)]))
}

fn received(version: u64, revision: u64, outcome: Outcome, ended: i64) -> Record {
    let receipt = Receipt {
        target: target(),
        revision,
        attempt: 1,
        outcome,
        at: Millis(ended),
        took_ms: 1,
        status: 200,
        trouble: String::new(),
        next_attempt_at: None,
        provider_id: String::new(),
    };
    let entity = EntityName::receipt(alert(RAISED), neighbour().commune);
    let said = events([Receipts::say(&vec![receipt])]);
    commit(Class::Receipt, &entity, version, "plan", ended + 50, said)
}

fn timeline(given: &[Record]) -> Option<Timeline> {
    let mut tracing = Tracing::new(alert(RAISED));
    for (n, record) in (1..).zip(given) {
        tracing.look(n, &at(n, record.clone()));
    }
    tracing.timeline()
}

fn moment(given: &[Record], name: &str) -> Moment {
    let timeline = timeline(given).unwrap();
    timeline.moments.into_iter().find(|moment| moment.name == name).unwrap()
}

/// When, by which record, why not, and how many remain.
type Then = (Option<i64>, Option<u64>, Option<Missing>, usize);

fn check(given: &[Record], name: &str, then: Then) {
    let moment = moment(given, name);
    let (at, position) = match &moment.said {
        Some(said) => (Some(said.at.0.0), Some(said.position)),
        None => (None, None),
    };
    assert_eq!((at, position, moment.missing, moment.remaining), then, "{name}");
}

fn resolved() -> Record {
    let note = RecordId::of_purpose("note");
    of_alert(2, 500, &AlertEvent::Resolved { revision: 2, note })
}

#[test]
fn a_whole_life_has_its_times_and_their_records() {
    let sighted = of_alert(
        3,
        400,
        &AlertEvent::Sighted {
            seen: domain::alert::LastSeen { at: None, point: None },
            commune: neighbour().commune,
            by: "binh".into(),
            note: RecordId::of_purpose("seen"),
        },
    );
    let given = [
        raise(Some(40)),
        issued(),
        planned(1, 1, News::Issued, 102),
        received(1, 1, Outcome::Delivered, 110),
        answered(Answer::Acknowledge, 300),
        sighted,
        resolved(),
        planned(2, 2, News::Resolved, 501),
        received(2, 2, Outcome::Delivered, 520),
    ];
    check(&given, "first-word", (Some(40), Some(1), None, 0));
    check(&given, "raised", (Some(100), Some(1), None, 0));
    check(&given, "approved", (None, None, Some(Missing::NotNeeded), 0));
    check(&given, "issued", (Some(101), Some(2), None, 0));
    check(&given, "relayed-first", (Some(101), Some(2), None, 0));
    // When it arrived, not when that was recorded.
    check(&given, "first-group", (Some(110), Some(4), None, 0));
    assert_eq!(moment(&given, "first-group").said.unwrap().recorded_at.0.0, 160);
    check(&given, "last-group", (Some(110), Some(4), None, 0));
    check(&given, "acknowledged-first", (Some(300), Some(5), None, 0));
    check(&given, "acknowledged-last", (Some(300), Some(5), None, 0));
    check(&given, "first-sighting", (Some(400), Some(6), None, 0));
    check(&given, "found", (Some(500), Some(7), None, 0));
    // From when on it was known that nobody is left.
    check(&given, "all-corrected", (Some(570), Some(9), None, 0));
    let timeline = timeline(&given).unwrap();
    let of: Vec<_> = timeline.communes.iter().map(|one| (one.groups_arrived, one.groups)).collect();
    assert_eq!((timeline.state.as_str(), of), ("resolved", vec![(0, 0), (1, 1)]));
    let text = timeline_text(&timeline);
    assert_eq!(text.len(), 1 + 13 + 2);
    assert!(text[2].contains("+0:00.060  xã phát tin / raised  do / by an  #1"), "{}", text[2]);
}

#[test]
fn what_is_missing_is_said_and_why() {
    let early = [raise(None), issued(), planned(1, 1, News::Issued, 102)];
    check(&early, "first-word", (None, None, Some(Missing::NotSaid), 0));
    check(&early, "first-group", (None, None, Some(Missing::NotYet), 0));
    check(&early, "last-group", (None, None, Some(Missing::NotYet), 1));
    check(&early, "acknowledged-last", (None, None, Some(Missing::NotYet), 1));
    check(&early, "found", (None, None, Some(Missing::NotYet), 0));
    check(&early, "all-corrected", (None, None, Some(Missing::NothingToCorrect), 0));
    let taken = [&early[..], &[received(1, 1, Outcome::Accepted, 110)]].concat();
    check(&taken, "first-group", (None, None, Some(Missing::NotConfirmed), 0));
    // Who may have been told hears of the end, and has not confirmed it.
    let ended = [&taken[..], &[answered(Answer::Refuse, 300), resolved()]].concat();
    check(&ended, "acknowledged-first", (None, None, Some(Missing::NotYet), 0));
    check(&ended, "all-corrected", (None, None, Some(Missing::SomeRemain), 1));
    // Nobody was told: nobody is left.
    let untold = [raise(None), issued(), resolved()];
    check(&untold, "all-corrected", (Some(500), Some(3), None, 0));
    let refused = wire::v1::Refused { code: "stale".into(), field: String::new() };
    let refused = commit(
        Class::Alert,
        &EntityName::alert(alert(RAISED)),
        1,
        RAISED,
        101,
        wire::v1::commit::Outcome::Refused(refused),
    );
    let never = [raise(None), refused];
    check(&never, "issued", (None, None, Some(Missing::EndedOtherwise), 0));
    assert_eq!(timeline(&never).unwrap().state, "refused");
    assert!(timeline(&[]).is_none(), "there is no such alert");
}

#[test]
fn a_good_end_that_was_none_is_no_end_and_corrections_begin_anew() {
    let note = RecordId::of_purpose("note");
    let reopened = of_alert(3, 600, &AlertEvent::Reopened { revision: 3, by: "an".into(), note });
    let told = [raise(None), issued(), planned(1, 1, News::Issued, 102)];
    let told =
        [&told[..], &[received(1, 1, Outcome::Delivered, 110), resolved(), reopened]].concat();
    check(&told, "found", (None, None, Some(Missing::NotYet), 0));
    check(&told, "all-corrected", (None, None, Some(Missing::SomeRemain), 1));
    let note = RecordId::of_purpose("again");
    let cancelled = of_alert(4, 700, &AlertEvent::Cancelled { revision: 4, note });
    let ended = [&told[..], &[cancelled]].concat();
    check(&ended, "found", (None, None, Some(Missing::EndedOtherwise), 0));
}
